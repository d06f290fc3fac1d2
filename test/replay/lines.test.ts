/** Lines of other Postfix versions, of other loggers, of strangers who write lines; and the beginnings that are missing. */
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readEntry } from '../../agent/replay/entries.ts'
import { createLineReader } from '../../agent/replay/lines.ts'
import { type Asked, createAssembly, type Message } from '../../agent/replay/messages.ts'
import { eachLine, readGzipHeader, unpacked } from '../../agent/replay/sources.ts'

const end = Date.parse('2026-03-01T12:00:00Z')
const reader = createLineReader('America/Havana')

describe('time stamps', () => {
  const at = (stamp: string) => {
    const read = reader.read(`${stamp} postfix/qmgr[1]: x`, end)
    return typeof read === 'string' ? read : new Date(read.at).toISOString()
  }
  test.each([
    ['Mar  1 06:00:00 mx', '2026-03-01T11:00:00.000Z'],
    ['Feb 28 23:59:59.250 mx', '2026-03-01T04:59:59.250Z'],
    // Later in the year than the file: of the year before.
    ['Dec 31 23:59:59 mx', '2026-01-01T04:59:59.000Z'],
    ['Aug  5 12:00:00 mx', '2025-08-05T16:00:00.000Z'],
    // The last 29 February there was.
    ['Feb 29 12:00:00 mx', '2024-02-29T17:00:00.000Z'],
    ['<22>Mar  1 06:00:00 mx', '2026-03-01T11:00:00.000Z'],
    ['2026-03-01T06:00:00.123456-05:00 mx', '2026-03-01T11:00:00.123Z'],
    ['2026-03-01T06:00:00-0500 mx', '2026-03-01T11:00:00.000Z'],
    ['2026-03-01T11:00:00Z mx', '2026-03-01T11:00:00.000Z'],
    ['2025-11-02T00:30:00-04:00 mx', '2025-11-02T04:30:00.000Z'],
    ['Feb 30 12:00:00 mx', 'impossible-day'],
    ['Okt  3 12:00:00 mx', 'impossible-day'],
    ['2026-02-30T12:00:00Z mx', 'impossible-day'],
    ['2026-03-01 12:00:00 mx', 'no-stamp'],
  ])('%s', (stamp, expected) => expect(at(stamp)).toBe(expected))

  test('wall time over both turns of the clock in Havana, the repeated hour as its first', () => {
    const wall = (stamp: string) => {
      const read = reader.read(`${stamp} mx postfix/qmgr[1]: x`, end)
      return typeof read === 'string' ? read : new Date(read.at).toISOString()
    }
    expect(wall('Oct 31 23:30:00')).toBe('2025-11-01T03:30:00.000Z')
    expect(wall('Nov  2 02:30:00')).toBe('2025-11-02T07:30:00.000Z')
    expect(wall('Mar  9 03:30:00')).toBe('2025-03-09T07:30:00.000Z')
  })
})

test.each([
  ['', 'empty'],
  ['-- Boot 0123456789abcdef --', 'journal-mark'],
  ['-- Journal begins at Mon 2026-02-02 --', 'journal-mark'],
  ['Mar  1 06:00:00 mx dovecot: imap-login: Login', 'other-program'],
  ['Mar  1 06:00:00 mx message repeated 2 times: [ postfix/smtpd[1]: connect from a[1.2.3.4]]', 'repeated'],
  ['nonsense', 'no-stamp'],
])('%s is %s', (line, expected) => expect(reader.read(line, end)).toBe(expected))

test.each([
  ['Mar  1 06:00:00 mx postfix/submission/smtpd[10]: text', 'postfix/submission', 'smtpd', '10'],
  ['Mar  1 06:00:00 mx postfix-out/smtp[10]: text', 'postfix-out', 'smtp', '10'],
  ['<22>1 2026-03-01T06:00:00.1-05:00 mx postfix/smtpd 10 - - text', 'postfix', 'smtpd', '10'],
  [
    '<22>1 2026-03-01T06:00:00.1-05:00 mx postfix/smtpd 10 ID [a@1 b="\\]"] \u00ef\u00bb\u00bftext',
    'postfix',
    'smtpd',
    '10',
  ],
])('who speaks: %s', (line, service, program, pid) => {
  expect(reader.read(line, end)).toMatchObject({ host: 'mx', service, program, pid, text: 'text' })
})

const reject = (text: string) => `NOQUEUE: reject: RCPT from h[192.0.2.9]: ${text}`
const entries: readonly (readonly [program: string, text: string, expected: object])[] = [
  ['smtpd', 'connect from unknown[unknown]', { kind: 'connect', client: '' }],
  ['smtpd', 'disconnect from h[192.0.2.9]', { kind: 'disconnect', hadLogin: null }],
  ['smtpd', 'disconnect from h[192.0.2.9] ehlo=2 auth=1 mail=1 quit=1', { kind: 'disconnect', hadLogin: true }],
  ['smtpd', 'disconnect from h[192.0.2.9] ehlo=2 auth=0/3 commands=2/5', { kind: 'disconnect', hadLogin: false }],
  ['smtpd', '4F1A2B: client=h[2001:db8::1]', { kind: 'client', queue: '4F1A2B', client: '2001:db8::1', login: '' }],
  ['smtpd', '4F1A2B3C4D5: client=h[192.0.2.9]:4711', { client: '192.0.2.9' }],
  [
    'smtpd',
    '4jY3LH4FwdzRjbx: client=h[192.0.2.9], sasl_method=LOGIN, sasl_username=a, b@x.example, sasl_sender=c@x.example',
    { kind: 'client', queue: '4jY3LH4FwdzRjbx', login: 'a, b@x.example' },
  ],
  [
    'smtpd',
    '4F1A2B: client=localhost[127.0.0.1], orig_queue_id=3E1, orig_client=h[192.0.2.9]',
    { kind: 'client', again: true },
  ],
  ['pickup', '4F1A2B: uid=0 from=<root>', { kind: 'pickup' }],
  ['cleanup', '4F1A2B: message-id=<1@x>', { kind: 'message-id', messageId: '<1@x>' }],
  ['cleanup', '4F1A2B: resent-message-id=<2@x>', { kind: 'message-id', messageId: '<2@x>' }],
  ['cleanup', '4F1A2B: reject: header Subject: ; from=<a@b> from h[1.2.3.4]; from=<a@b> to=<c@d>', { kind: 'other' }],
  ['qmgr', '4F1A2B: from=<a@b>, size=1, nrcpt=1 (queue active)', { kind: 'queued', sender: 'a@b' }],
  ['qmgr', '4F1A2B: from=<>, status=expired, returned to sender', { kind: 'queued', sender: '' }],
  ['qmgr', '4F1A2B: from=<"a>, size=1"@b>, size=1, nrcpt=1', { kind: 'unknown', why: 'ambiguous' }],
  ['qmgr', '4F1A2B: from=<a@', { kind: 'unknown', why: 'cut' }],
  ['nqmgr', '4F1A2B: removed', { kind: 'removed' }],
  // Postfix 2.2 has no dsn=, no delays=.
  [
    'local',
    '4F1A2B: to=<a@b>, relay=local, delay=0, status=sent (mailbox)',
    { recipient: 'a@b', status: 'sent', dsn: '' },
  ],
  [
    'virtual',
    '4F1A2B: to=<a@b>, orig_to=<c@d>, relay=virtual, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (maildir)',
    { recipient: 'c@d', dsn: '2.0.0' },
  ],
  [
    'smtp',
    '4F1A2B: to=<a@b>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (said: to=<x>, relay=y, status=sent)',
    { recipient: 'a@b', status: 'deferred', dsn: '4.4.1' },
  ],
  ['pipe', '4F1A2B: to=<"a>, orig_to=<b"@c>, orig_to=<d@e>, relay=x, status=sent (y)', { why: 'ambiguous' }],
  ['bounce', '4F1A2B: sender non-delivery notification: 5F1A2B', { kind: 'bounce', notification: '5F1A2B' }],
  [
    'smtpd',
    reject(
      '550 5.7.1 <c@d>: Recipient address rejected: scope-send: No [mw-u6s4gnjk]; from=<a@b> to=<c@d> proto=ESMTP helo=<h>',
    ),
    {
      kind: 'refused',
      queue: '',
      client: '192.0.2.9',
      decision: 'mw-u6s4gnjk',
      sender: 'a@b',
      recipient: 'c@d',
      login: '',
    },
  ],
  [
    'smtpd',
    reject('554 5.7.1 <c@d>: Relay access denied; from=<a@b> to=<c@d> proto=SMTP helo=<h> sasl_username=<u@b>'),
    { decision: '', login: 'u@b', recipient: 'c@d' },
  ],
  ['smtpd', reject('450 4.1.1 <c@d>: no; from=<"x; from=<y"@b> to=<c@d> proto=ESMTP helo=<h>'), { why: 'ambiguous' }],
  ['smtpd', reject('450 4.1.1 <c@d>: no; from=<"x> to=<y"@b> to=<c@d> proto=ESMTP helo=<h>'), { why: 'ambiguous' }],
  ['smtpd', reject('450 4.1.1 <c@d>: no; from=<a@b> to=<c'), { why: 'cut' }],
  [
    'smtpd',
    'NOQUEUE: reject: CONNECT from h[192.0.2.9]: 554 5.7.1 <h[192.0.2.9]>: Client host rejected: no; proto=SMTP',
    { kind: 'refused', stage: 'CONNECT', recipient: '' },
  ],
  [
    'smtpd',
    '4F1A2B: reject: END-OF-MESSAGE from h[192.0.2.9]: 450 4.7.1 <END-OF-MESSAGE>: rate: x [mw-u6s4gnjk]; from=<a@b> proto=ESMTP helo=<h>',
    { stage: 'END-OF-MESSAGE', decision: 'mw-u6s4gnjk', sender: 'a@b', recipient: '' },
  ],
  [
    'postscreen',
    'NOQUEUE: reject: RCPT from [192.0.2.9]:4711: 550 5.7.1 Service unavailable; client [192.0.2.9] blocked; from=<a@b>, to=<c@d>, proto=ESMTP, helo=<h>',
    { kind: 'refused', client: '192.0.2.9', sender: 'a@b', recipient: 'c@d', decision: '' },
  ],
  // SMTPUTF8, as bytes read one by one.
  ['qmgr', '4F1A2B: from=<ni\u00c3\u00b1o@b>, size=1, nrcpt=1', { sender: 'niño@b' }],
  ['smtpd', 'warning: hostname h does not resolve', { kind: 'other' }],
  ['smtpd', 'improper command pipelining after DATA from h[192.0.2.9]: 4F1A2B: client=x[1.2.3.4]', { kind: 'other' }],
  ['anvil', 'statistics: max connection rate 1/60s', { kind: 'other' }],
]
test.each(entries)('%s: %s', (program, text, expected) => expect(readEntry({ program, text })).toMatchObject(expected))

function assemble(lines: readonly string[]): { asked: Asked[]; messages: Message[] } {
  const asked: Asked[] = []
  const messages: Message[] = []
  const assembly = createAssembly({
    asked: one => asked.push(one),
    message: one => messages.push(one),
    unknown() {},
    other() {},
  })
  for (const text of lines) {
    const line = reader.read(text, end)
    if (typeof line !== 'string') assembly.take(line)
  }
  assembly.end()
  return { asked, messages }
}
const message = (host: string, queue: string, sender: string, to: string) => [
  `Mar  1 06:00:00 ${host} postfix/smtpd[1]: ${queue}: client=h[192.0.2.9]`,
  `Mar  1 06:00:00 ${host} postfix/cleanup[2]: ${queue}: message-id=<${sender}>`,
  `Mar  1 06:00:00 ${host} postfix/qmgr[3]: ${queue}: from=<${sender}>, size=1, nrcpt=1 (queue active)`,
  `Mar  1 06:00:01 ${host} postfix/smtp[4]: ${queue}: to=<${to}>, relay=r, delay=1, dsn=2.0.0, status=sent (ok)`,
]

describe('messages', () => {
  test('one queue id on two hosts is two messages, however their lines are mixed', () => {
    const [a, b] = [message('mx1', '4F1A2B', 'a@x', 'to-a@y'), message('mx2', '4F1A2B', 'b@x', 'to-b@y')]
    const { asked } = assemble(a.flatMap((line, index) => [line, b[index] ?? '']))
    expect(asked.map(({ host, sender, recipient }) => [host, sender, recipient])).toEqual([
      ['mx1', 'a@x', 'to-a@y'],
      ['mx2', 'b@x', 'to-b@y'],
    ])
  })

  test('a short queue id that comes again is a new message, with and without the end of the one before', () => {
    for (const between of [['Mar  1 06:00:02 mx postfix/qmgr[3]: 4F1A2B: removed'], []]) {
      const { messages } = assemble([
        ...message('mx', '4F1A2B', 'a@x', 'p@y'),
        ...between,
        ...message('mx', '4F1A2B', 'b@x', 'q@y'),
      ])
      expect(messages.map(one => [one.sender, one.recipients.map(({ address }) => address), one.complete])).toEqual([
        ['a@x', ['p@y'], between.length > 0],
        ['b@x', ['q@y'], false],
      ])
    }
  })

  test('a message whose beginning is missing is counted, and its recipients are not made up', () => {
    const { asked, messages } = assemble(message('mx', '4F1A2B', 'a@x', 'p@y').slice(2))
    expect(asked).toEqual([])
    expect(messages).toMatchObject([{ origin: 'missing', sender: 'a@x', client: '' }])
  })

  test('an alias of two targets was asked about once; a second try is no second recipient', () => {
    const one = message('mx', '4F1A2B', 'a@x', 'p@y').slice(0, 3)
    const to = (text: string) => `Mar  1 06:00:01 mx postfix/lmtp[4]: 4F1A2B: ${text}`
    const { asked, messages } = assemble([
      ...one,
      to('to=<p@y>, orig_to=<list@y>, relay=r, dsn=4.0.0, status=deferred (later)'),
      to('to=<q@y>, orig_to=<list@y>, relay=r, dsn=2.0.0, status=sent (ok)'),
      to('to=<p@y>, orig_to=<list@y>, relay=r, dsn=5.0.0, status=bounced (no)'),
      to('to=<q@y>, orig_to=<list@y>, relay=r, dsn=2.0.0, status=sent (ok)'),
    ])
    expect(asked.map(({ recipient }) => recipient)).toEqual(['list@y'])
    expect(messages[0]?.recipients).toEqual([{ address: 'list@y', status: 'bounced', dsn: '5.0.0' }])
  })

  test('what a filter brings back, what is written on the host and what Postfix writes was not asked about', () => {
    const again = message('mx', '4F1A2B', 'a@x', 'p@y').map(line =>
      line.replace('[192.0.2.9]', '[127.0.0.1], orig_queue_id=3E1'),
    )
    const local = message('mx', '5F1A2B', 'a@x', 'p@y')
    local[0] = 'Mar  1 06:00:00 mx postfix/pickup[1]: 5F1A2B: uid=0 from=<root>'
    const own = message('mx', '6F1A2B', '', 'p@y').slice(1)
    const { asked, messages } = assemble([...again, ...local, ...own])
    expect(asked).toEqual([])
    expect(messages.map(({ origin }) => origin)).toEqual(['filter', 'pickup', 'internal'])
  })

  test('the next session of the same process knows nothing of the login before', () => {
    const session = (lines: readonly string[], counts: string) => [
      'Mar  1 06:00:00 mx postfix/smtpd[1]: connect from h[192.0.2.9]',
      ...lines,
      `Mar  1 06:00:02 mx postfix/smtpd[1]: disconnect from h[192.0.2.9] ${counts}`,
    ]
    const login = 'Mar  1 06:00:01 mx postfix/smtpd[1]: 4F1A2B: client=h[192.0.2.9], sasl_username=u@x'
    const refused =
      'Mar  1 06:00:01 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from h[192.0.2.9]: 550 5.7.1 no; from=<a@x> to=<p@y> proto=ESMTP helo=<h>'
    const { asked } = assemble([
      ...session([refused, login], 'auth=1'),
      ...session([refused], 'auth=1'),
      ...session([refused], 'mail=1'),
    ])
    expect(asked.map(one => [one.login, one.loginFrom])).toEqual([
      ['u@x', 'session'],
      ['a@x', 'assumed'],
      ['', 'none'],
    ])
  })
})

describe('lines out of pieces', () => {
  async function lines(pieces: readonly Buffer[]): Promise<[string, boolean][]> {
    const found: [string, boolean][] = []
    await eachLine(unpacked(Readable.from(pieces)), (line, cut) => found.push([line, cut]))
    return found
  }
  const text = 'one\ntwo\r\n\nfour'
  const expected = [
    ['one', false],
    ['two', false],
    ['', false],
    ['four', false],
  ]
  test('however they are cut, plain and as gzip, of several members too', async () => {
    for (const bytes of [
      Buffer.from(text),
      gzipSync(text),
      Buffer.concat([gzipSync('one\ntw'), gzipSync('o\r\n\nfour')]),
    ]) {
      expect(await lines([bytes])).toEqual(expected)
      expect(await lines([...bytes].map(byte => Buffer.from([byte])))).toEqual(expected)
    }
  })
  test('of a line without an end only its beginning is kept', async () => {
    const long = Buffer.alloc(1_000_000, 'x')
    const found = await lines([...Array(8).fill(long), Buffer.from('\nnext\n')])
    expect(found.map(([line, cut]) => [line.length, cut])).toEqual([
      [16_384, true],
      [4, false],
    ])
  })
  test('a gzip that ends too early is an error, not an end', async () => {
    const whole = gzipSync(text.repeat(100))
    await expect(lines([whole.subarray(0, whole.length - 9)])).rejects.toMatchObject({ code: 'Z_BUF_ERROR' })
  })
  test('the header of gzip tells the time of the file within', () => {
    const bytes = gzipSync('x')
    expect(readGzipHeader(bytes)).toEqual({ writtenAt: null })
    bytes.writeUInt32LE(1_700_000_000, 4)
    expect(readGzipHeader(bytes)).toEqual({ writtenAt: 1_700_000_000_000 })
  })
})
