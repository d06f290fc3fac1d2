/** Lines of Postfix logs, of several versions and shapes, as what they say; and as messages put together from them. */
import { describe, expect, test } from 'vitest'
import { readLine } from '../../agent/replay/lines.ts'
import { type Attempt, attemptsOf, emptyTally } from '../../agent/replay/messages.ts'
import { chooseSeed, createRandom } from '../decision/generate.ts'

const end = Date.parse('2026-02-01T12:00:00Z')
const stamps = { timeZone: 'America/Havana', end }
const at = (text: string) => Date.parse(text)

describe('a line', () => {
  test.each([
    ['Jan 31 09:15:02 mx1 postfix/submission/smtpd[123]: 4zQ1: x', 'other'],
    [
      'Jan  5 09:15:02 mx1 postfix/smtpd[1]: A1B2C3D4E5: client=unknown[203.0.113.7]',
      { client: '203.0.113.7', login: '' },
    ],
    [
      'Jan 31 09:15:02 mx1 postfix/submission/smtpd[1]: 4c8Xyz1ABCz2: client=pc[10.20.0.9]:4711, sasl_method=PLAIN, sasl_username=ana@a.cu',
      { client: '10.20.0.9', login: 'ana@a.cu' },
    ],
    [
      '2026-01-31T09:15:02.123456-05:00 mx1 postfix/submission/smtpd[1]: A1B2C3D4E5: client=pc[2001:db8::1], sasl_method=LOGIN, sasl_username=ana@a.cu, sasl_sender=b@a.cu',
      { client: '2001:db8::1', login: 'ana@a.cu' },
    ],
    [
      'Jan 31 09:15:02 mx1 postfix/qmgr[1]: A1B2C3D4E5: from=<ana@a.cu>, size=1, nrcpt=1 (queue active)',
      { sender: 'ana@a.cu' },
    ],
    ['Jan 31 09:15:02 mx1 postfix/qmgr[1]: A1B2C3D4E5: from=<>, size=1, nrcpt=1 (queue active)', { sender: '' }],
    ['Jan 31 09:15:02 mx1 postfix/qmgr[1]: A1B2C3D4E5: removed', { kind: 'removed' }],
    ['Jan 31 09:15:02 mx1 postfix/pickup[1]: A1B2C3D4E5: uid=0 from=<root>', { kind: 'local' }],
    [
      'Jan 31 09:15:02 mx1 postfix/smtp[1]: A1B2C3D4E5: to=<x@b.cu>, relay=mx.b.cu[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)',
      { recipient: 'x@b.cu' },
    ],
    [
      'Jan 31 09:15:02 mx1 postfix/lmtp[1]: A1B2C3D4E5: to=<ana@a.cu>, orig_to=<alias@a.cu>, relay=x, delay=1, dsn=4.0.0, status=deferred (y)',
      { recipient: 'alias@a.cu' },
    ],
    [
      'Jan 31 09:15:02 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: 550 5.7.1 <x@who.int>: Recipient address rejected: scope-send: Su cuenta no puede (who.int) [mw-0a1b2c3d]; from=<ana@a.cu> to=<x@who.int> proto=ESMTP helo=<pc> sasl_username=<ana@a.cu>',
      { sender: 'ana@a.cu', recipient: 'x@who.int', code: '550', id: 'mw-0a1b2c3d', login: 'ana@a.cu' },
    ],
    [
      'Jan 31 09:15:02 mx1 postfix/smtpd[1]: A1B2C3D4E5: reject: RCPT from h[203.0.113.7]: 554 5.7.1 <x@y.z>: Relay access denied; from=<a@b.c> to=<x@y.z> proto=ESMTP helo=<h>',
      { id: null, code: '554', login: '' },
    ],
    ['Jan 31 09:15:02 mx1 dovecot: imap-login: Login: user=<a>', 'foreign'],
    ['Jan 31 09:15:02 mx1 CRON[1]: x', 'foreign'],
    ['Jan 31 09:15:02 mx1 postfix/smtpd[1]: connect from unknown[203.0.113.7]', 'other'],
    ['', 'unread'],
    ['no stamp at all', 'unread'],
    ['Foo 31 09:15:02 mx1 postfix/qmgr[1]: A1B2C3D4E5: removed', 'unread'],
    ['Jan 99 09:15:02 mx1 postfix/qmgr[1]: A1B2C3D4E5: removed', 'unread'],
  ])('%s', (line, wanted) => {
    const read = readLine(line, stamps)
    if (typeof wanted === 'string') expect(read).toBe(wanted)
    else expect(read).toMatchObject({ host: 'mx1', event: wanted })
  })

  test('without a year is of the last one in which it is not after the end of the log; days are the operator’s', () => {
    const instant = (stamp: string) => {
      const read = readLine(`${stamp} mx1 postfix/qmgr[1]: A1B2C3D4E5: removed`, stamps)
      return typeof read === 'string' ? read : read.at
    }
    expect(instant('Jan 31 09:15:02')).toBe(at('2026-01-31T09:15:02-05:00'))
    expect(instant('Feb  1 23:00:00')).toBe(at('2026-02-01T23:00:00-05:00'))
    expect(instant('Dec 31 23:59:59')).toBe(at('2025-12-31T23:59:59-05:00'))
    expect(instant('Jul  1 12:00:00')).toBe(at('2025-07-01T12:00:00-04:00'))
    expect(instant('2026-01-31T09:15:02.5+00:00')).toBe(at('2026-01-31T09:15:02.5Z'))
  })

  test('of any shape is told apart and never throws', () => {
    const random = createRandom(chooseSeed())
    const line =
      'Jan 31 09:15:02 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from u[203.0.113.7]: 550 5.7.1 <x@y>: r [mw-0a1b2c3d]; from=<a@b> to=<x@y> proto=ESMTP helo=<pc>'
    for (let count = 0; count < 20_000; count += 1) {
      const from = random.below(line.length)
      const piece = random.pick(['', '<', '>', '[', '\0', '\x1b[31m', 'é', ' ', line.slice(random.below(line.length))])
      readLine(line.slice(0, from) + piece + line.slice(from + random.below(9)), stamps)
    }
  })
})

async function gather(text: string): Promise<{ attempts: Attempt[]; tally: ReturnType<typeof emptyTally> }> {
  const tally = emptyTally()
  const attempts: Attempt[] = []
  const lines = (async function* () {
    yield* text.trim().split('\n')
  })()
  for await (const attempt of attemptsOf(lines, stamps, tally)) attempts.push(attempt)
  return { attempts, tally }
}

describe('messages', () => {
  const line = (host: string, service: string, text: string) => `Jan 31 09:15:02 ${host} postfix/${service}[1]: ${text}`

  test('of two hosts under one id, ids that come again, deliveries tried twice, beginnings missing', async () => {
    const { attempts, tally } = await gather(
      [
        line('mx1', 'smtpd', 'A1B2C3D4E5: client=u[203.0.113.1]'),
        line('mx2', 'smtpd', 'A1B2C3D4E5: client=u[203.0.113.2], sasl_method=PLAIN, sasl_username=ana@a.cu'),
        line('mx1', 'qmgr', 'A1B2C3D4E5: from=<one@x.example>, size=1, nrcpt=1 (queue active)'),
        line('mx2', 'qmgr', 'A1B2C3D4E5: from=<ana@a.cu>, size=1, nrcpt=2 (queue active)'),
        line('mx1', 'lmtp', 'A1B2C3D4E5: to=<ana@a.cu>, relay=x, status=deferred (y)'),
        line('mx2', 'smtp', 'A1B2C3D4E5: to=<x@b.cu>, relay=x, status=sent (y)'),
        line('mx1', 'lmtp', 'A1B2C3D4E5: to=<ana@a.cu>, relay=x, status=sent (y)'),
        line('mx2', 'smtp', 'A1B2C3D4E5: to=<y@b.cu>, relay=x, status=bounced (y)'),
        line('mx1', 'qmgr', 'A1B2C3D4E5: removed'),
        line('mx1', 'smtpd', 'A1B2C3D4E5: client=u[203.0.113.3]'),
        line('mx1', 'qmgr', 'A1B2C3D4E5: from=<>, size=1, nrcpt=1 (queue active)'),
        line('mx1', 'lmtp', 'A1B2C3D4E5: to=<ana@a.cu>, relay=x, status=sent (y)'),
        line('mx1', 'smtp', 'FFFFFFFFFF: to=<lost@b.cu>, relay=x, status=sent (y)'),
        line('mx1', 'pickup', 'BBBBBBBBBB: uid=0 from=<root>'),
        line('mx1', 'qmgr', 'BBBBBBBBBB: from=<root@mx1>, size=1, nrcpt=1 (queue active)'),
        line('mx1', 'smtp', 'BBBBBBBBBB: to=<z@b.cu>, relay=x, status=sent (y)'),
      ].join('\n'),
    )
    expect(attempts.map(({ client, login, sender, recipient }) => [client, login, sender, recipient])).toEqual([
      ['203.0.113.1', '', 'one@x.example', 'ana@a.cu'],
      ['203.0.113.2', 'ana@a.cu', 'ana@a.cu', 'x@b.cu'],
      ['203.0.113.2', 'ana@a.cu', 'ana@a.cu', 'y@b.cu'],
      ['203.0.113.3', '', '', 'ana@a.cu'],
    ])
    expect(tally).toMatchObject({ lines: 16, incomplete: 1, local: 1, unread: 0 })
  })
})
