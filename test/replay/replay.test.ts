/** Logs as they come: stamps, queue ids, packed, broken, cut; and what two estates make of them. No server. */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { plain } from '../../agent/cli/paint.ts'
import { renderReplay, toReplayView } from '../../agent/cli/render-replay.ts'
import { sayIn } from '../../agent/cli/texts.ts'
import { buildSnapshot } from '../../agent/decision/snapshot.ts'
import { compareDecisions } from '../../agent/replay/compare.ts'
import { type LogLine, lineBytesMax, readLines } from '../../agent/replay/lines.ts'
import { type Attempt, joinMessages } from '../../agent/replay/messages.ts'
import { estate } from '../decisions/tables.ts'
import { toWorld } from '../decisions/world.ts'

const writtenAt = Date.parse('2026-06-20T12:00:00Z')
const at = '2026-06-15T12:00:00.000Z'

async function* chunksOf(text: string | Uint8Array, size: number) {
  const bytes = Buffer.from(text as string)
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

async function read(text: string | Uint8Array, options: { size?: number; timeZone?: string; writtenAt?: number } = {}) {
  const counts: Record<string, number> = {}
  const count = (kind: string) => {
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  const { size = 7, timeZone = 'America/Havana' } = options
  const lines = readLines(chunksOf(text, size), { timeZone, writtenAt: options.writtenAt ?? writtenAt, count })
  return { lines: await Array.fromAsync(lines), counts }
}

/** The lines of a host, one second after the other. */
function logOf(texts: readonly string[], host = 'mx1'): string {
  return texts.map((text, index) => `Jun 15 08:00:${String(index).padStart(2, '0')} ${host} postfix/${text}\n`).join('')
}

async function join(log: string | readonly LogLine[], messagesMax?: number) {
  const counts: Record<string, number> = {}
  const count = (kind: string) => {
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  const lines = typeof log === 'string' ? (await read(log)).lines : log
  async function* all() {
    yield* lines
  }
  const options = { count, ...(messagesMax !== undefined && { messagesMax }) }
  return { attempts: await Array.fromAsync(joinMessages(all(), options)), counts }
}

const brief = ({ client, login, sender, recipient, status }: Attempt) => [client, login, sender, recipient, status]

describe('lines', () => {
  const text = '4jY39h3PDZzP3vf: client=unknown[192.0.2.7]'
  test.each([
    ['RFC 3164', `Jun 15 08:00:00 mx1 postfix/smtpd[7]: ${text}`],
    ['RFC 3164 with a priority', `<22>Jun 15 08:00:00 mx1 postfix/smtpd[7]: ${text}`],
    ['RFC 3339', `2026-06-15T08:00:00.000000-04:00 mx1 postfix/submission/smtpd[7]: ${text}`],
    ['RFC 5424', `<22>1 2026-06-15T12:00:00Z mx1 postfix/smtpd 7 - - ${text}`],
    ['RFC 5424 with structured data', `<22>1 2026-06-15T12:00:00Z mx1 postfix-out/smtpd 7 ID [a@1 b="c"] ${text}`],
    ['carriage returns', `Jun 15 08:00:00 mx1 postfix/smtpd[7]: ${text}\r`],
  ])('%s', async (_, line) => {
    const wanted = { at: Date.parse(at), host: 'mx1', service: 'smtpd', process: '7', text }
    for (const bytes of [line, `${line}\n`, gzipSync(`${line}\n`)]) {
      const { lines, counts } = await read(bytes, { size: 3 })
      expect({ lines, counts }).toEqual({ lines: [wanted], counts: { line: 1 } })
    }
  })

  test('a stamp without a year lies before the log was written, and in the zone of the operator', async () => {
    const stamps = ['Dec 31 23:59:59', 'Jan  1 00:00:01', 'Feb 29 12:00:00', 'Mar  8 03:00:00', 'Jun 20 08:00:00']
    const log = stamps.map(stamp => `${stamp} mx1 postfix/smtpd[7]: x\n`).join('')
    const { lines } = await read(log)
    expect(lines.map(line => new Date(line.at).toISOString().slice(0, 19))).toEqual([
      '2026-01-01T04:59:59',
      '2026-01-01T05:00:01',
      '2024-02-29T17:00:00',
      // Havana's clock goes forward on that day.
      '2026-03-08T07:00:00',
      '2026-06-20T12:00:00',
    ])
  })

  test('what is no line of Postfix is counted by kind; a megabyte without an end is not kept', async () => {
    const good = `Jun 15 08:00:00 mx1 postfix/qmgr[7]: A1B2C3: removed`
    const long = `Jun 15 08:00:00 mx1 postfix/smtpd[7]: ${'x'.repeat(1024 * 1024)}`
    const others = [
      '',
      'nonsense',
      'Foo 15 08:00:00 mx1 postfix/smtpd[7]: x',
      'Jun 32 08:00:00 mx1 postfix/smtpd[7]: x',
    ]
    const program = 'Jun 15 08:00:00 mx1 dovecot: imap-login: x'
    const bytes = Buffer.from([long, good, ...others, program, good, long].join('\n'))
    const { lines, counts } = await read(bytes, { size: 4096 })
    expect(lines.map(({ text }) => text)).toEqual(['A1B2C3: removed', 'A1B2C3: removed'])
    expect(counts).toEqual({ line: 9, 'too-long': 2, 'no-stamp': 4, 'other-program': 1 })
    const longest = `${good} ${'y'.repeat(lineBytesMax - good.length - 1)}`
    expect((await read(`${longest}\n${longest}z\n`, { size: 1000 })).counts).toEqual({ line: 2, 'too-long': 1 })
  })

  test('every cut of a gzip stream ends in an error of zlib, never in a shorter answer', async () => {
    const whole = gzipSync(logOf(['smtpd[7]: x', 'smtpd[7]: y']))
    for (let size = 3; size < whole.length; size += 1)
      await expect(read(whole.subarray(0, size))).rejects.toMatchObject({ code: expect.stringMatching(/^Z_/) })
    expect((await read(Buffer.concat([whole, whole]))).lines.length).toBe(4)
  })
})

const message = (id: string, from: string, recipients: readonly string[], login = '') => [
  `smtpd[7]: ${id}: client=a.example[192.0.2.7]${login && `, sasl_method=PLAIN, sasl_username=${login}`}`,
  `cleanup[8]: ${id}: message-id=<1@a.example>`,
  `qmgr[9]: ${id}: from=<${from}>, size=301, nrcpt=${recipients.length} (queue active)`,
  ...recipients.map(
    to =>
      `smtp[10]: ${id}: to=<${to}>, relay=b.example[192.0.2.9]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (250 ok)`,
  ),
  `qmgr[9]: ${id}: removed`,
]
const refusal = (id: string, from: string, to: string, said = 'scope-send: No [mw-9ejsegc9]') =>
  `smtpd[7]: ${id}: reject: RCPT from unknown[192.0.2.7]: 550 5.7.1 <${to}>: Recipient address rejected: ${said}; from=<${from}> to=<${to}> proto=ESMTP helo=<x>`

describe('messages', () => {
  const wanted = [
    ['192.0.2.7', 'a@hcg.cu', 'a@hcg.cu', 'x@b.example', 'sent'],
    ['192.0.2.7', 'a@hcg.cu', 'a@hcg.cu', 'y@b.example', 'sent'],
  ]
  test.each(['4jY39h3PDZzP3vf', 'A1B2C3D4E5'])('queue id %s', async id => {
    const { attempts, counts } = await join(logOf(message(id, 'a@hcg.cu', ['x@b.example', 'y@b.example'], 'a@hcg.cu')))
    expect({ attempts: attempts.map(brief), counts }).toEqual({ attempts: wanted, counts: {} })
    // Asked when the client came, not when the mail went out.
    expect(attempts.map(attempt => new Date(attempt.at).toISOString())).toEqual([at, at])
  })

  test('short ids that are used again, and by several hosts at once, are other messages', async () => {
    const [one, other] = [
      message('A1B2C3', 'a@hcg.cu', ['x@b.example'], 'a@hcg.cu'),
      message('A1B2C3', 'c@hcg.cu', ['y@b.example'], 'c@hcg.cu'),
    ]
    const pairs = one.flatMap((text, index) => [logOf([text]), logOf([other[index] ?? ''], 'mx2')])
    for (const log of [pairs.join(''), logOf([...one, ...other]), logOf([...one.slice(0, -1), ...other])])
      expect((await join(log)).attempts.map(({ sender, recipient }) => [sender, recipient])).toEqual([
        ['a@hcg.cu', 'x@b.example'],
        ['c@hcg.cu', 'y@b.example'],
      ])
    // The rest of a message whose beginning was cut off is not the next one's, which has its id.
    const { attempts, counts } = await join(logOf([...one.slice(2, -1), ...other]))
    expect(attempts.map(({ sender }) => sender)).toEqual(['c@hcg.cu'])
    expect(counts).toEqual({ 'beginning-missing': 1 })
  })

  test('what is not sure is left out and counted', async () => {
    const whole = message('A1B2C3', 'a@hcg.cu', ['x@b.example'])
    const left = async (...lines: string[]) => {
      const { attempts, counts } = await join(logOf(lines))
      expect(attempts).toEqual([])
      return counts
    }
    expect(await left(...whole.slice(1))).toEqual({ 'beginning-missing': 1 })
    expect(await left(...whole.slice(0, 2))).toEqual({ 'end-missing': 1 })
    expect(await left('pickup[7]: A1B2C3: uid=0 from=<root>', ...whole.slice(1))).toEqual({ local: 1 })
    expect(await left('bounce[7]: FFFFFF: sender non-delivery notification: A1B2C3', ...whole.slice(1))).toEqual({
      local: 1,
    })
    expect(
      await left(
        `${whole[0]?.replace('a.example[192.0.2.7]', 'localhost[127.0.0.1]')}, orig_queue_id=FFFFFF`,
        ...whole.slice(1),
      ),
    ).toEqual({ reinjected: 1 })
    expect(await left('smtpd[7]: A1B2C3: client=', 'qmgr[7]: A1B2C3: from=<', 'smtp[7]: A1B2C3: to=<x')).toEqual({
      shape: 3,
    })
    expect(await left('smtpd[7]: NOQUEUE: reject: MAIL from a[192.0.2.7]: 550 no')).toEqual({ 'other-stage': 1 })
    expect(
      await left('smtpd[7]: warning: x', 'smtpd[7]: connect from a[192.0.2.7]', 'anvil[7]: statistics: x'),
    ).toEqual({})
  })

  test('an address that a stranger made up to look like the end of the line is not believed', async () => {
    const forged = refusal('NOQUEUE', 'a@hcg.cu', '"; from=<b@hcg.cu> to=<c@hcg.cu> proto=SMTP helo=<x>"@b.example')
    expect(await join(logOf([forged]))).toEqual({ attempts: [], counts: { shape: 1 } })
  })

  test('an alias is what the client asked for, once', async () => {
    const lines = message('A1B2C3', 'a@b.example', ['x@hcg.cu, orig_to=<l@hcg.cu', 'y@hcg.cu, orig_to=<l@hcg.cu'])
    const { attempts } = await join(
      logOf(lines.map(line => line.replace(', orig_to', '>, orig_to').replace('>>', '>'))),
    )
    expect(attempts.map(({ recipient }) => recipient)).toEqual(['l@hcg.cu'])
  })

  test('a refusal before a queue id gets its login from the session, or from what the refusal implies', async () => {
    const bye = (stats: string) => `smtpd[7]: disconnect from unknown[192.0.2.7] ehlo=2 ${stats} commands=5/6`
    const refused = (from: string, said?: string) => refusal('NOQUEUE', from, 'x@b.example', said)
    const logins = async (...lines: string[]) => {
      const { attempts, counts } = await join(logOf(lines))
      return [...attempts.filter(({ status }) => status === 'refused').map(({ login }) => login), counts]
    }
    const own = message('A1B2C3', 'a@hcg.cu', ['y@b.example'], 'a@hcg.cu')
    expect(await logins(refused('z@hcg.cu'), ...own, bye('auth=1'))).toEqual(['a@hcg.cu', {}])
    expect(await logins(refused('a@hcg.cu'), bye('auth=1'))).toEqual(['a@hcg.cu', {}])
    expect(await logins(refused('a@hcg.cu'), bye('auth=0/1'))).toEqual(['', {}])
    expect(await logins(refused('a@hcg.cu'), bye('mail=1'))).toEqual(['', {}])
    // Whose login it was that wrote under this name, the log does not say.
    const mismatch = refused('z@hcg.cu', 'sender-mismatch: No [mw-9ejsegc9]')
    expect(await logins(mismatch, bye('auth=1'))).toEqual([{ 'login-unknown': 1 }])
    expect(await logins(refused('a@hcg.cu'))).toEqual([{ 'login-unknown': 1 }])
    expect(await logins(refused('a@hcg.cu'), bye('mail=1'), ...own, bye('auth=1'))).toEqual(['', {}])
  })

  test('a log that is cut anywhere, at either end, makes nothing up', async () => {
    const own = message('A1B2C3', 'a@hcg.cu', ['x@b.example'], 'a@hcg.cu')
    const again = message('A1B2C3', 'c@b.example', ['a@hcg.cu', 'b@hcg.cu'])
    const bye = 'smtpd[7]: disconnect from unknown[192.0.2.7] ehlo=2 auth=1 commands=5/6'
    const [first = '', ...rest] = again
    const refused = [
      refusal('NOQUEUE', 'a@hcg.cu', 'y@b.example'),
      refusal('A1B2C3', 'c@b.example', 'd@hcg.cu'),
    ] as const
    const texts = [refused[0], ...own, bye, first, refused[1], ...rest]
    const whole = new Set((await join(logOf(texts))).attempts.map(attempt => JSON.stringify(brief(attempt))))
    expect(whole.size).toBe(5)
    for (let from = 0; from <= texts.length; from += 1)
      for (let to = from; to <= texts.length; to += 1)
        for (const attempt of (await join(logOf(texts.slice(from, to)))).attempts)
          expect(whole).toContain(JSON.stringify(brief(attempt)))
  })

  test('messages without an end are forgotten, the oldest first', async () => {
    const lines = Array.from(
      { length: 50 },
      (_, index) => `smtpd[7]: ${(0xa00000 + index).toString(16).toUpperCase()}: client=a[192.0.2.7]`,
    )
    expect((await join(logOf(lines), 20)).counts).toEqual({ forgotten: 30, 'end-missing': 20 })
  })
})

describe('two estates', () => {
  const libre = 'libre@hcg.sld.cu'
  const narrower = buildSnapshot(
    toWorld({
      ...estate,
      accounts: { ...estate.accounts, [libre]: { send: 'national', receive: 'international', access: 'national' } },
    }),
  )
  const base = buildSnapshot(toWorld(estate))
  const instant = Date.parse(at)
  const attempt = (over: Partial<Attempt>): Attempt => ({
    at: instant,
    host: 'mx1',
    queueId: 'A1B2C3',
    client: '10.20.0.9',
    login: libre,
    sender: libre,
    recipient: 'x@who.int',
    answer: { effect: 'dunno', policy: null, id: null },
    status: 'sent',
    ...over,
  })
  const compare = async (attempts: readonly Attempt[], other: typeof base | null) => {
    async function* all() {
      yield* attempts
    }
    return compareDecisions(all(), base, other)
  }

  test('the same estate flips nothing; a narrower one flips what it narrows, by account', async () => {
    const attempts = [
      attempt({}),
      attempt({ recipient: 'y@who.int' }),
      attempt({ recipient: 'doctor@clinica.example' }),
    ]
    expect((await compare(attempts, base)).flips).toEqual([])
    const { flips, totals } = await compare(attempts, narrower)
    expect(totals).toMatchObject({ attempts: 3, judged: 3, flipped: 2, newlyRefused: 2, newlyPermitted: 0 })
    expect(flips).toMatchObject([
      {
        account: libre,
        kind: 'login',
        count: 2,
        before: { effect: 'dunno', policy: 'permitted' },
        after: { effect: 'reject', policy: 'scope-send' },
        first: { recipient: 'x@who.int' },
        source: { in: 'after', at: { file: 'estate.yaml' } },
      },
    ])
    // The other way round: what would be permitted, with the line that permits it.
    async function* all() {
      yield* attempts
    }
    const back = await compareDecisions(all(), narrower, base)
    expect(back.flips).toMatchObject([
      { after: { effect: 'dunno' }, source: { in: 'after', at: { file: 'estate.yaml' } } },
    ])
  })

  test('without another estate, the log against now; who is asked, and what others refused', async () => {
    const by = (policy: string | null, id: string | null) => ({
      answer: { effect: 'reject', policy, id } as const,
      status: 'refused',
    })
    const { flips, totals } = await compare(
      [
        attempt(by('scope-send', 'mw-9ejsegc9')),
        attempt(by(null, null)),
        attempt({ login: '', client: '192.0.2.5', sender: 'local@hcg.sld.cu' }),
        attempt({ login: '', client: '203.0.113.9', sender: 'a@who.int', recipient: 'nac.ional@hcg.sld.cu' }),
      ],
      null,
    )
    expect(totals).toMatchObject({ attempts: 4, judged: 3, refusedByOthers: 1, flipped: 3 })
    const told = flips.map(({ kind, account, before, after }) => [kind, account, before.policy, after.policy])
    expect(told.toSorted()).toEqual([
      ['inbound', 'nacional@hcg.sld.cu', 'permitted', 'scope-receive'],
      ['login', libre, 'scope-send', 'permitted'],
      ['relay', 'hospital', 'permitted', 'scope-send'],
    ])
  })

  test('exceptions count at the time of the line, and recipients by the hour', async () => {
    const traveller = { login: 'viajero@hcg.sld.cu', sender: 'viajero@hcg.sld.cu' }
    const july = Date.parse('2026-07-15T12:00:00Z')
    const exceptional = await compare([attempt(traveller), attempt({ ...traveller, at: july })], null)
    expect(exceptional.flips).toMatchObject([{ count: 1, first: { at: july }, after: { policy: 'scope-send' } }])
    const few = buildSnapshot(toWorld({ ...estate, limits: { recipientsPerHour: 2 } }))
    const many = [0, 1, 2, 3, 120].map(minute =>
      attempt({ recipient: `r${minute}@who.int`, at: instant + minute * 60_000 }),
    )
    expect((await compare(many, few)).flips).toMatchObject([{ count: 2, after: { effect: 'defer', policy: 'rate' } }])
  })

  test('what is printed cannot move the cursor, in either language', async () => {
    const comparison = await compare([attempt({ recipient: 'x\u001b[2J@who.int', host: 'mx\u202e1' })], narrower)
    const view = toReplayView(comparison, { line: 1 } as never, 'other')
    expect(view.flips[0]?.source).toMatchObject({ file: 'other/estate.yaml' })
    for (const language of ['en', 'es'] as const) {
      const text = renderReplay(view, sayIn(language), plain, 'America/Havana').join('\n')
      expect(text).toContain('2026-06-15 08:00')
      expect(text).toContain('\\u001b[2J@who.int')
      expect(text).toContain('dunno → reject scope-send')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be printed
      expect(text).not.toMatch(/[\u001b\u202e]/)
    }
  })

  test('strangers who make up recipients fill no memory', async () => {
    const accounts = 10_500
    const inbound = Array.from({ length: accounts }, (_, index) =>
      attempt({ login: '', sender: 'a@who.int', client: '203.0.113.9', recipient: `r${index}@hcg.sld.cu` }),
    )
    const { flips, totals } = await compare(inbound, null)
    expect({ groups: flips.length, ...totals }).toMatchObject({ groups: 10_000, flipped: accounts, ungrouped: 500 })
  })
})
