/** Notices against servers that are down, silent, slow or lying: always for later, never in doubt for long, nothing leaks. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { parseAddress } from '../../agent/model/name.ts'
import type { OutgoingNotice, ProviderFailure } from '../../providers/provider.ts'
import type { SmtpOptions } from '../../providers/smtp/options.ts'
import { openSmtp } from '../../providers/smtp/smtp.ts'
import { freePort } from '../support/free-port.ts'
import { drip, hang, reset, say, sayAndEnd, startTwin, type Twin } from '../support/twin.ts'

const password = 'a-password-that-nobody-else-has'
const notice: OutgoingNotice = {
  id: 'n1-director',
  to: 'ana@directores.example',
  toName: 'Ana',
  from: 'avisos@operator.example',
  subject: 's',
  text: 't\n',
  at: 1_751_382_000_000,
}

let folder = ''
let now = 1_751_400_000_000
const clock: Clock = { now: () => now, sleep: async () => {} }
const twins: Twin[] = []
beforeEach(() => {
  folder = mkdtempSync('/tmp/mw-')
})
afterEach(async () => {
  for (const twin of twins.splice(0)) await twin.stop()
  rmSync(folder, { recursive: true, force: true })
})

const letters = { send: () => Promise.reject(new Error('no letter is printed here')) }
const options = (port: number, over: Partial<SmtpOptions> = {}): SmtpOptions => ({
  host: '127.0.0.1',
  port,
  tls: 'none',
  ehloName: 'agent.operator.example',
  journalFolder: join(folder, 'journal'),
  letters,
  clock,
  timeouts: { connectMs: 300, replyMs: 300, totalMs: 900 },
  ...over,
})
async function twinOf(speak: (socket: Socket, connection: number) => void): Promise<Twin> {
  const twin = await startTwin(speak)
  twins.push(twin)
  return twin
}
const failureOf = (sending: Promise<void>): Promise<ProviderFailure> =>
  sending.then(
    () => expect.unreachable('it was sent'),
    error => error,
  )

/** Speaks SMTP as far as it is told, then does something else. Records what it was told. */
function server(replies: Readonly<Record<string, string | ((socket: Socket) => void)>>, heard: string[] = []) {
  return (socket: Socket) => {
    let isData = false
    let buffer = ''
    socket.write('220 twin ESMTP\r\n')
    socket.on('data', bytes => {
      buffer += bytes.toString('latin1')
      for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, end)
        buffer = buffer.slice(end + 2)
        heard.push(line)
        if (isData && line !== '.') continue
        const verb = isData ? 'dot' : (line.split(/[ :]/)[0] ?? '').toUpperCase()
        isData = verb === 'DATA' && replies['DATA'] === undefined
        const reply =
          replies[verb] ?? { EHLO: '250-twin\r\n250 AUTH PLAIN', AUTH: '235 ok', DATA: '354 go' }[verb] ?? '250 ok'
        if (typeof reply === 'function') reply(socket)
        else socket.write(`${reply}\r\n`)
      }
    })
  }
}

describe('a server that does not serve', () => {
  test('down: unreachable, later', async () => {
    const failure = await failureOf(openSmtp(options(await freePort())).send(notice))
    expect(failure).toMatchObject({ name: 'ProviderFailure', kind: 'unreachable', retry: 'later' })
    expect(failure.message).toContain('n1-director: 127.0.0.1:')
  })

  test.each([
    ['hangs', hang],
    ['drips', drip],
    ['greets and hangs', say('220 twin ESMTP\r\n')],
    ['says half a line', say('220 tw')],
    ['hangs after the dot', server({ dot: hang })],
    ['hangs at RCPT', server({ RCPT: hang })],
    ['drips after the dot', server({ dot: drip })],
  ])('%s: a time-out within the limit, later', async (_, speak) => {
    const twin = await twinOf(speak)
    const began = performance.now()
    const failure = await failureOf(openSmtp(options(twin.port)).send(notice))
    expect(failure).toMatchObject({ name: 'ProviderFailure', kind: 'timeout', retry: 'later' })
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  test.each([
    ['resets', reset],
    ['closes without a word', sayAndEnd('')],
    ['greets and closes', sayAndEnd('220 twin ESMTP\r\n')],
    ['drops at RCPT', server({ RCPT: reset })],
    ['drops at DATA', server({ DATA: reset })],
    ['drops after the dot', server({ dot: reset })],
    ['closes after the dot', server({ dot: socket => socket.end() })],
    ['says half of a yes after the dot', server({ dot: socket => socket.end('250 2.0.0 O') })],
  ])('%s: unreachable, later', async (_, speak) => {
    const twin = await twinOf(speak)
    const failure = await failureOf(openSmtp(options(twin.port)).send(notice))
    expect(failure).toMatchObject({ name: 'ProviderFailure', kind: 'unreachable', retry: 'later' })
  })

  test.each([
    ['garbage', say('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a yes at the wrong time', say('250 ok\r\n')],
    ['garbage after the dot', server({ dot: say('hello there\r\n') })],
  ])('%s: no answer, later', async (_, speak) => {
    const twin = await twinOf(speak)
    const failure = await failureOf(openSmtp(options(twin.port)).send(notice))
    expect(failure).toMatchObject({ name: 'ProviderFailure', retry: 'later' })
    expect(failure.kind).toMatch(/^(malformed-reply|unreachable|timeout)$/)
  })

  test.each([
    ['421 4.3.2 shutting down', 'EHLO', 'rejected', 'later'],
    ['454 4.7.0 no login service', 'AUTH', 'unauthorized', 'later'],
    ['535 5.7.8 no', 'AUTH', 'unauthorized', 'never'],
    ['452 4.3.1 full', 'MAIL', 'rejected', 'later'],
    ['553 5.1.8 who are you', 'MAIL', 'rejected', 'never'],
    ['450 4.2.1 later', 'RCPT', 'rejected', 'later'],
    ['550 5.1.1 nobody', 'RCPT', 'rejected', 'never'],
    ['451 4.3.0 no queue', 'DATA', 'rejected', 'later'],
    ['452 4.2.2 full', 'dot', 'rejected', 'later'],
    ['554 5.6.0 not this one', 'dot', 'rejected', 'never'],
  ])('%j to %s: %s, %s', async (answer, verb, kind, retry) => {
    const twin = await twinOf(server({ [verb]: answer }))
    const login = { user: 'avisos', password: new Secret(password) }
    const failure = await failureOf(openSmtp(options(twin.port, { login })).send(notice))
    expect(failure).toMatchObject({ name: 'ProviderFailure', kind, retry })
    expect(failure.message).toContain(answer)
  })

  test('a password that the server repeats stays out of message and cause', async () => {
    const twin = await twinOf(
      server({ AUTH: `535 5.7.8 ${password} ${Buffer.from(`\0avisos\0${password}`).toString('base64')} is wrong` }),
    )
    const login = { user: 'avisos', password: new Secret(password) }
    const failure = await failureOf(openSmtp(options(twin.port, { login })).send(notice))
    const shown = `${failure.stack} ${(failure.cause as Error).stack} ${JSON.stringify(failure.cause)}`
    expect(shown).toContain('*** *** is wrong')
    expect(shown).not.toContain(password)
    expect(shown).not.toContain(Buffer.from(`\0avisos\0${password}`).toString('base64'))
  })

  test('after a silence the next notices fail at once for a while, then it is tried again', async () => {
    const twin = await twinOf((socket, connection) => (connection === 1 ? hang() : server({})(socket)))
    const smtp = openSmtp(options(twin.port))
    await failureOf(smtp.send(notice))
    const failure = await failureOf(smtp.send({ ...notice, id: 'n2-director' }))
    expect(failure).toMatchObject({ kind: 'timeout', retry: 'later' })
    expect(twin.connections()).toBe(1)
    now += 30_000
    await smtp.send({ ...notice, id: 'n2-director' })
    expect(twin.connections()).toBe(2)
  })
})

test('whatever address our grammar lets through, the envelope is exactly it', async () => {
  const heard: string[] = []
  const twin = await twinOf(server({}, heard))
  const atoms = fc.string({ unit: fc.constantFrom(..."abzAZ059!#$%&'*+/=?^_`{|}~-"), minLength: 1, maxLength: 12 })
  const localparts = fc.array(atoms, { minLength: 1, maxLength: 3 }).map(parts => parts.join('.'))
  const address = fc
    .tuple(localparts, fc.constantFrom('x.example', 'ñandú.example', 'a-b.c.example'))
    .map(parts => parts.join('@'))
  let sent = 0
  await fc.assert(
    fc.asyncProperty(address, address, async (from, to) => {
      heard.length = 0
      sent += 1
      await openSmtp(options(twin.port)).send({ ...notice, id: `n${sent}`, from, to })
      expect(heard.filter(line => /^(MAIL|RCPT)/.test(line))).toEqual([
        `MAIL FROM:<${parseAddress(from)}>`,
        `RCPT TO:<${parseAddress(to)}>`,
      ])
      expect(heard).toContain(`From: <${parseAddress(from)}>`)
      expect(heard).toContain(`To: Ana <${parseAddress(to)}>`)
    }),
    { numRuns: 100 },
  )
})

describe('the journal', () => {
  test('a record that is cut or spoiled is none: the notice leaves again', async () => {
    const twin = await twinOf(server({}))
    const file = join(folder, 'journal', notice.id)
    await openSmtp(options(twin.port)).send(notice)
    await openSmtp(options(twin.port)).send(notice)
    expect(twin.connections()).toBe(1)
    const { size } = statSync(file)
    for (const length of [0, 10, 64, 80, size - 1]) {
      truncateSync(file, length)
      const before = twin.connections()
      await openSmtp(options(twin.port)).send(notice)
      expect(twin.connections(), `cut to ${length}`).toBe(before + 1)
    }
    writeFileSync(file, 'x'.repeat(100_000))
    await openSmtp(options(twin.port)).send(notice)
    expect(twin.connections()).toBe(7)
  })

  test('a failed attempt leaves nothing that counts as sent', async () => {
    const twin = await twinOf((socket, connection) => server(connection === 1 ? { dot: reset } : {})(socket))
    await failureOf(openSmtp(options(twin.port)).send(notice))
    await openSmtp(options(twin.port)).send(notice)
    await openSmtp(options(twin.port)).send(notice)
    expect(twin.connections()).toBe(2)
  })

  test('a folder that cannot be written sends nothing, and says so', async () => {
    const twin = await twinOf(server({}))
    writeFileSync(join(folder, 'file'), '')
    const smtp = openSmtp(options(twin.port, { journalFolder: join(folder, 'file', 'journal') }))
    const failure = await failureOf(smtp.send(notice))
    expect(failure).toMatchObject({ kind: 'unreachable', retry: 'later' })
    expect(failure.message).toContain('journal')
    expect(twin.connections()).toBe(0)
  })

  test('holds no address, and forgets after a day', async () => {
    const twin = await twinOf(server({ dot: `250 2.0.0 Ok <${notice.to}> queued as 4F2A` }))
    const smtp = openSmtp(options(twin.port))
    await smtp.send(notice)
    const record = readFileSync(join(folder, 'journal', notice.id), 'utf8')
    expect(record).toContain('queued as 4F2A')
    expect(record).not.toContain('@')
    now += 86_400_000
    await smtp.send({ ...notice, id: 'n2-director' })
    expect(readdirSync(join(folder, 'journal'))).toEqual(['n2-director'])
  })

  test('a clock that was set back by a day and more lets a notice leave again', async () => {
    const twin = await twinOf(server({}))
    await openSmtp(options(twin.port)).send(notice)
    now -= 2 * 86_400_000
    await openSmtp(options(twin.port)).send(notice)
    expect(twin.connections()).toBe(2)
  })
})

describe('options that cannot be', () => {
  test.each<[string, Partial<SmtpOptions>]>([
    ['without TLS to another machine', { host: 'mail.operator.example' }],
    ['without TLS to another address', { host: '192.0.2.1' }],
    ['a host with a line end', { host: 'a\r\nb', tls: 'tls' }],
    ['no port', { port: 0 }],
    ['a name for EHLO with more in it', { ehloName: 'x\r\nMAIL FROM:<>' }],
    ['a user with NUL', { login: { user: 'a\0b', password: new Secret('x') } }],
    ['a password with a line end', { login: { user: 'a', password: new Secret('x\r\ny') } }],
    ['no domain for DKIM', { dkim: { domain: 'x;y', selector: 's', privateKeyFile: 'f' } }],
    ['no selector for DKIM', { dkim: { domain: 'x.example', selector: 's; t=y', privateKeyFile: 'f' } }],
  ])('%s', (_, over) => {
    expect(() => openSmtp(options(25, over))).toThrow(/^notices by SMTP: /)
  })

  test.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('without TLS on this machine: %s', host => {
    expect(() => openSmtp(options(25, { host }))).not.toThrow()
  })
})
