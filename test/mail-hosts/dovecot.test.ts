/**
 * Dovecot's doors as people meet them: fifty live sessions of two domains, a cached login, a domain closed by one line.
 * Every test that talks to doveadm runs over its HTTP API and over its command.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Address, DomainName } from '../../agent/model/name.ts'
import { type DenyFile, openDenyFile } from '../../providers/dovecot/deny-file.ts'
import { type DovecotHost, openDovecot } from '../../providers/dovecot/host.ts'
import { waitUntil, whyNoServers } from '../servers/mail-servers.ts'
import { describeServers } from '../servers/suite.ts'
import { imapLogin, popLogin, sendMail, smtpLogin } from '../servers/wire.ts'
import { type Bench, closeSessions, never, openSessions, type Session, scopeOf, startBench } from './bench.ts'

const ways = ['HTTP', 'command'] as const
type Way = (typeof ways)[number]

function hostOf({ servers }: Bench, way: Way): DovecotHost {
  const doveadm =
    way === 'HTTP'
      ? {
          url: `http://127.0.0.1:${servers.ports.doveadm}`,
          apiKey: new Secret(readFileSync(join(servers.folder, 'dv/doveadm-key'), 'utf8')),
          ca: null,
        }
      : { argv: ['/usr/bin/doveadm', '-c', join(servers.folder, 'dv/dovecot.conf')] }
  return openDovecot({ name: 'imap1', doveadm, clock: systemClock })
}

const living = (sessions: readonly Session[], domain: string) =>
  sessions.filter(({ user, ended }) => user.endsWith(`@${domain}`) && !ended).length

describeServers('Dovecot, one process a session', whyNoServers, () => {
  let bench: Bench
  let sessions: Session[] = []
  beforeAll(async () => {
    bench = await startBench({ dovecotConf: ['auth_cache_size = 10M', 'auth_cache_ttl = 1 hour'] })
  })
  afterAll(() => bench?.servers.stop())
  afterEach(() => {
    closeSessions(sessions)
    sessions = []
  })

  const attempt = (user: string, password = bench.password) => ({ user, password })
  async function doors(user: string): Promise<string[]> {
    const { imap, pop, submission } = bench.servers.ports
    const [byImap, byPop, bySmtp] = await Promise.all([
      imapLogin({ port: imap }, attempt(user)),
      popLogin({ port: pop }, attempt(user)),
      smtpLogin({ port: submission }, attempt(user)),
    ])
    expect(byImap).toMatch(/^(OK|NO \[AUTHENTICATIONFAILED\]) /)
    expect(byPop).toMatch(/^(\+OK|-ERR \[AUTH\]) /)
    expect(bySmtp).toMatch(/^(235|535) /)
    return [
      ...(byImap.startsWith('OK') ? ['imap'] : []),
      ...(byPop.startsWith('+OK') ? ['pop'] : []),
      ...(bySmtp.startsWith('235') ? ['smtp'] : []),
    ]
  }

  test.each(ways)('fifty sessions, one domain kicked: all of it and nothing else (%s)', async way => {
    const host = hostOf(bench, way)
    const users = (domain: string) => [...Array(15).fill(`ana@${domain}`), ...Array(5).fill(`berta@${domain}`)]
    sessions = [
      ...(await openSessions(bench, users('hcg.example'))),
      ...(await openSessions(bench, users('evil-hcg.example'))),
      ...(await openSessions(bench, Array(5).fill('ana@hcg.example'), 'pop')),
      ...(await openSessions(bench, Array(5).fill('ana@sub.hcg.example'), 'pop')),
    ]
    expect(await host.sessions(scopeOf('hcg.example'), never)).toEqual(
      new Map([
        ['ana@hcg.example', 20],
        ['berta@hcg.example', 5],
      ]),
    )
    expect(await host.close(scopeOf('hcg.example'), ['sessions'], never)).toEqual([
      { door: 'sessions', open: 0, held: 0 },
    ])
    await waitUntil('the end of every session of the domain', () => living(sessions, 'hcg.example') === 0)
    expect([living(sessions, 'evil-hcg.example'), living(sessions, 'sub.hcg.example')]).toEqual([20, 5])
    expect(await host.sessions(scopeOf('evil-hcg.example'), never)).toEqual(
      new Map([
        ['ana@evil-hcg.example', 15],
        ['berta@evil-hcg.example', 5],
      ]),
    )
  })

  test.each(ways)('a name that doveadm would read as a mask ends nobody’s session (%s)', async way => {
    const host = hostOf(bench, way)
    sessions = await openSessions(bench, ['ana@hcg.example', 'berta@hcg.example'])
    const star = { domain: 'hcg.example' as DomainName, account: '*@hcg.example' as Address }
    await expect(host.close(star, ['sessions', 'caches'], never)).rejects.toMatchObject({ kind: 'unsupported' })
    expect([...(await host.sessions(scopeOf('hcg.example'), never)).values()]).toEqual([1, 1])
  })

  describe.each(ways)('a login that is cached (%s)', way => {
    let host: DovecotHost
    const suspend = (domain: string, status: string) => {
      using directory = new DatabaseSync(bench.servers.directoryFile, { timeout: 5_000 })
      directory.prepare('UPDATE domain SET login = ? WHERE name = ?').run(status, domain)
    }
    beforeEach(() => {
      host = hostOf(bench, way)
    })
    afterEach(async () => {
      suspend('hcg.example', 'active')
      suspend('evil-hcg.example', 'active')
      await host.close(scopeOf('hcg.example'), ['caches'], never)
    })

    test.each(['hcg.example', 'ana@hcg.example'])('outlives the directory, and not the flush of %s', async scope => {
      const { imap } = bench.servers.ports
      const login = (user: string) => imapLogin({ port: imap }, attempt(user))
      for (const user of ['ana@hcg.example', 'ana@evil-hcg.example']) expect(await login(user)).toMatch(/^OK/)
      suspend('hcg.example', 'suspended')
      suspend('evil-hcg.example', 'suspended')
      expect(await login('ana@hcg.example')).toMatch(/^OK/)
      expect(await host.close(scopeOf(scope), ['caches'], never)).toEqual([{ door: 'caches', open: null, held: 0 }])
      expect(await login('ana@hcg.example')).toMatch(/^NO \[AUTHENTICATIONFAILED\]/)
      // Of an account, only its own name goes.
      expect(await login('ana@evil-hcg.example')).toMatch(scope.includes('@') ? /^OK/ : /^NO/)
    })
  })

  test.each(ways)('what a mailbox holds and may hold (%s)', async way => {
    const host = hostOf(bench, way)
    const address = `berta@${way === 'HTTP' ? 'sub.hcg' : 'evil-hcg'}.example` as Address
    const limitBytes = Math.ceil(50_000_000 / 1024) * 1024
    expect(await host.quotaOf(address, never)).toEqual({ usedBytes: 0, limitBytes })
    const wire = await import('../servers/wire.ts').then(({ Wire }) => Wire.open({ port: bench.servers.ports.lmtp }))
    await wire.smtp()
    for (const line of ['LHLO client.example', 'MAIL FROM:<>', `RCPT TO:<${address}>`, 'DATA']) await wire.smtp(line)
    expect(await wire.smtp(`Subject: long\r\n\r\n${`${'x'.repeat(78)}\r\n`.repeat(1_000)}.`)).toMatch(/^250/)
    wire.close()
    const quota = await host.quotaOf(address, never)
    expect(quota?.limitBytes).toBe(limitBytes)
    expect(quota?.usedBytes).toBeGreaterThanOrEqual(80_000)
    expect(quota?.usedBytes).toBeLessThan(90_000)
    expect(await host.quotaOf('nobody@hcg.example' as Address, never)).toBeNull()
  })

  test('a wrong key, a wrong path and an answer of another server are failures of their kind, without the key', async () => {
    const { doveadm, smtp } = bench.servers.ports
    const open = (url: string, key = 'canary-5f1c') =>
      openDovecot({ name: 'x', doveadm: { url, apiKey: new Secret(key), ca: null }, clock: systemClock })
    const failureOf = async (host: DovecotHost) =>
      host.observe(scopeOf('hcg.example'), never).then(
        () => null,
        failure => failure,
      )
    const key = readFileSync(join(bench.servers.folder, 'dv/doveadm-key'), 'utf8')
    const wrongKey = await failureOf(open(`http://127.0.0.1:${doveadm}`))
    expect(wrongKey).toMatchObject({ name: 'ProviderFailure', kind: 'unauthorized', retry: 'never' })
    expect(await failureOf(open(`http://127.0.0.1:${doveadm}/elsewhere`, key))).toMatchObject({ kind: 'unsupported' })
    expect(await failureOf(open(`https://127.0.0.1:${doveadm}`))).toMatchObject({ kind: 'unreachable' })
    const otherServer = await failureOf(open(`http://127.0.0.1:${smtp}`))
    expect(otherServer).toMatchObject({ kind: 'unreachable' })
    for (const failure of [wrongKey, otherServer]) {
      const encoded = Buffer.from('canary-5f1c').toString('base64')
      const shown = `${failure.message} ${String(failure.cause)} ${failure.stack} ${JSON.stringify(failure)}`
      expect(shown).not.toMatch(new RegExp(`canary|${encoded}`))
    }
    for (const url of ['ftp://127.0.0.1', 'no url', 'http://user:canary@127.0.0.1'])
      expect(() => open(url)).toThrow(expect.objectContaining({ kind: 'unsupported' }))
  })

  describe('the file of closed domains', () => {
    let file: string
    let denied: DenyFile
    beforeEach(() => {
      file = join(bench.servers.folder, 'dv/closed-domains')
      writeFileSync(file, '')
      denied = openDenyFile({ file, clock: systemClock })
    })

    const names = (...texts: string[]) => texts as DomainName[]
    const untilDoors = (user: string, wanted: string[]) =>
      waitUntil(`${user} by ${wanted.join(', ') || 'no door'}`, async () => {
        const found = await doors(user)
        return JSON.stringify(found) === JSON.stringify(wanted)
      })
    const all = ['imap', 'pop', 'smtp']

    test('one line closes IMAP, POP and SMTP AUTH of a domain, and its end opens them', async () => {
      await untilDoors('ana@hcg.example', all)
      expect(await denied.close(names('hcg.example'))).toEqual(['hcg.example'])
      await untilDoors('ana@hcg.example', [])
      expect(await doors('berta@hcg.example')).toEqual([])
      expect(await doors('ana@evil-hcg.example')).toEqual(all)
      expect(await doors('ana@sub.hcg.example')).toEqual(all)
      // Another name of the same length within the same second is seen too.
      await denied.open(names('hcg.example'))
      await denied.close(names('xyz.example'))
      await untilDoors('ana@hcg.example', all)
    })

    test('lines of others and comments stay, and others’ closings are not opened', async () => {
      writeFileSync(file, '# by hand, since March\nevil-hcg.example:\n\nold.example::::somebody::\n')
      expect(await denied.close(names('hcg.example', 'sub.hcg.example', 'hcg.example'))).toEqual([
        'hcg.example',
        'sub.hcg.example',
      ])
      expect(readFileSync(file, 'utf8')).toBe(
        '# by hand, since March\nevil-hcg.example:\nold.example::::somebody::\n' +
          'hcg.example::::mailwarden::\nsub.hcg.example::::mailwarden::\n',
      )
      await untilDoors('ana@evil-hcg.example', [])
      await untilDoors('ana@sub.hcg.example', [])
      expect(await denied.open(names('evil-hcg.example', 'hcg.example', 'sub.hcg.example'))).toEqual([])
      await untilDoors('ana@hcg.example', all)
      expect(await doors('ana@evil-hcg.example')).toEqual([])
    })

    test('a repeat writes nothing; edits at once all count; a hand edit in between survives', async () => {
      await denied.close(names('hcg.example'))
      const before = statSync(file, { bigint: true })
      await denied.close(names('hcg.example'))
      await denied.open(names('sub.hcg.example'))
      expect(statSync(file, { bigint: true }).ino).toBe(before.ino)
      expect(before.mode & 0o777n).toBe(0o644n)
      const many = names(...Array.from({ length: 20 }, (_, index) => `d${index}.example`))
      await Promise.all(many.map(name => denied.close([name])))
      expect((await denied.closed()).length).toBe(21)
      writeFileSync(file, `${readFileSync(file, 'utf8')}by-hand.example:\n`)
      await denied.open(many)
      expect(readFileSync(file, 'utf8')).toBe('by-hand.example:\nhcg.example::::mailwarden::\n')
    })

    test('without the file Dovecot denies nobody, so that is a failure and no empty list', async () => {
      rmSync(file)
      await expect(denied.closed()).rejects.toMatchObject({ name: 'ProviderFailure', kind: 'unsupported' })
      await expect(denied.close(names('hcg.example'))).rejects.toMatchObject({ kind: 'unsupported' })
    })
  })

  test('mail to a closed domain still arrives: delivery asks no passdb', async () => {
    const denied = openDenyFile({ file: join(bench.servers.folder, 'dv/closed-domains'), clock: systemClock })
    writeFileSync(join(bench.servers.folder, 'dv/closed-domains'), '')
    await denied.close(['hcg.example' as DomainName])
    const sent = await sendMail(
      { port: bench.servers.ports.smtp },
      { sender: 's@remote.example', recipients: ['ana@hcg.example'], text: 'Subject: x\n\nHello.' },
    )
    expect(sent.end).toMatch(/^250 /)
    await denied.open(['hcg.example' as DomainName])
  })
})

describeServers('Dovecot, several sessions a process', whyNoServers, () => {
  let bench: Bench
  let sessions: Session[] = []
  beforeAll(async () => {
    const shared = ['service imap {', '  client_limit = 5', '  service_count = 0', '  process_limit = 1', '}']
    bench = await startBench({ dovecotConf: shared })
  })
  afterAll(() => bench?.servers.stop())
  afterEach(async () => {
    closeSessions(sessions)
    sessions = []
    const host = hostOf(bench, 'command')
    for (const domain of ['hcg.example', 'evil-hcg.example'])
      await waitUntil('no session', async () => (await host.sessions(scopeOf(domain), never)).size === 0)
  })

  // Over HTTP Dovecot 2.3 would end the neighbour's session too, whatever `force` says; by command it ends none.
  test.each(ways)(
    'a session in a shared process stays open, and is reported so; the neighbour stays (%s)',
    async way => {
      sessions = await openSessions(bench, ['ana@hcg.example', 'ana@hcg.example', 'ana@evil-hcg.example'])
      sessions.push(...(await openSessions(bench, ['berta@hcg.example'], 'pop')))
      const host = hostOf(bench, way)
      expect(await host.close(scopeOf('hcg.example'), ['caches', 'sessions'], never)).toEqual([
        { door: 'caches', open: null, held: 0 },
        { door: 'sessions', open: 2, held: 0 },
      ])
      expect(living(sessions, 'evil-hcg.example')).toBe(1)
      expect([...(await host.sessions(scopeOf('evil-hcg.example'), never)).values()]).toEqual([1])
      expect(await host.sessions(scopeOf('hcg.example'), never)).toEqual(new Map([['ana@hcg.example', 2]]))
      // Once the neighbour has left, the process is the domain's alone.
      closeSessions(sessions.filter(({ user }) => user === 'ana@evil-hcg.example'))
      await waitUntil(
        'the neighbour’s leave',
        async () => (await host.sessions(scopeOf('evil-hcg.example'), never)).size === 0,
      )
      expect(await host.close(scopeOf('hcg.example'), ['sessions'], never)).toEqual([
        { door: 'sessions', open: 0, held: 0 },
      ])
      await waitUntil('the end of every session of the domain', () => living(sessions, 'hcg.example') === 0)
    },
  )
})
