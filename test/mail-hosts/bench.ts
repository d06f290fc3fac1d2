/** One real Postfix and one real Dovecot with people of three domains whose names are alike, and what closing them is measured by. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change } from '../../agent/model/change.ts'
import type { HoldScope } from '../../agent/model/incident.ts'
import { type Address, type DomainName, domainOf } from '../../agent/model/name.ts'
import { refOf } from '../../agent/model/resource.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import { generatePassword, hashPassword } from '../../agent/standards/password.ts'
import { openEmbeddedDirectory } from '../../providers/embedded-directory/directory.ts'
import type { MailHost } from '../../providers/provider.ts'
import { account, domain } from '../conformance/samples.ts'
import { type MailServers, run, startMailServers, waitUntil } from '../servers/mail-servers.ts'
import { Wire } from '../servers/wire.ts'
import { freePort } from '../support/free-port.ts'

export const never = new AbortController().signal
export const domains = ['hcg.example', 'evil-hcg.example', 'sub.hcg.example'] as const
export const people = ['ana', 'berta'] as const

/** `hcg.example` or `ana@hcg.example`. */
export function scopeOf(text: string): HoldScope {
  return text.includes('@')
    ? { domain: domainOf(text as Address), account: text as Address }
    : { domain: text as DomainName, account: null }
}

export type Bench = {
  readonly servers: MailServers
  readonly password: string
  /** `127.0.0.1:port` that all mail goes to; refuses until a sink listens. */
  readonly sinkPort: number
}

/** @param over lines of main.cf and dovecot.conf. */
export async function startBench(
  over: { readonly mainCf?: readonly string[]; readonly dovecotConf?: readonly string[] } = {},
): Promise<Bench> {
  const sinkPort = await freePort()
  const servers = await startMailServers({
    policy: '127.0.0.1:1',
    doors: true,
    mainCf: [
      'mynetworks = 127.0.0.0/8',
      'smtpd_recipient_restrictions =',
      `transport_maps = static:smtp:[127.0.0.1]:${sinkPort}`,
      // Nothing is tried again by itself while a test looks.
      'queue_run_delay = 1h',
      'minimal_backoff_time = 1h',
      'smtp_destination_concurrency_limit = 20',
      'in_flow_delay = 0',
      ...(over.mainCf ?? []),
    ],
    dovecotConf: over.dovecotConf ?? [],
  })
  const password = generatePassword(randomBytes).reveal()
  const directory = await openEmbeddedDirectory({ file: servers.directoryFile, clock: systemClock })
  try {
    const estate = domains.flatMap(name => [
      domain(name),
      ...people.map(person => account(`${person}@${name}`, { allowNets: null, quotaBytes: 50_000_000 })),
    ])
    const changes = estate.map((after): Change<typeof after> => {
      return { action: 'create', ref: refOf(after), before: null, after, why: 'manifest', source: null }
    })
    const marked = changes.map(change => ({ change, mark: markOf('hosts', change.ref) }))
    for await (const outcome of directory.apply(marked, never))
      if (outcome.result !== 'applied') throw new Error(`not in the directory: ${JSON.stringify(outcome)}`)
    const hash = await hashPassword(new Secret(password))
    for (const resource of estate)
      if (resource.kind === 'account') await directory.setCredential(resource.address, hash, 1_700_000_000_000)
  } finally {
    await directory[Symbol.asyncDispose]()
  }
  return { servers, password, sinkPort }
}

// --- sessions ---

export type Session = { readonly user: string; readonly wire: Wire; ended: boolean; end: Promise<void> }

/** Live sessions, as a phone keeps them: IMAP in IDLE and POP after its login. */
export async function openSessions(
  bench: Bench,
  users: readonly string[],
  protocol: 'imap' | 'pop' = 'imap',
): Promise<Session[]> {
  return Promise.all(
    users.map(async user => {
      const wire = await Wire.open({ port: protocol === 'imap' ? bench.servers.ports.imap : bench.servers.ports.pop })
      await wire.line()
      const session: Session = { user, wire, ended: false, end: Promise.resolve() }
      if (protocol === 'imap') {
        wire.send(`a LOGIN "${user}" "${bench.password}"`)
        mustBe(/^a OK/, (await wire.lines(line => line.startsWith('a '))).at(-1))
        wire.send('b SELECT INBOX')
        mustBe(/^b OK/, (await wire.lines(line => line.startsWith('b '))).at(-1))
        wire.send('c IDLE')
        mustBe(/^\+/, await wire.line())
      } else {
        wire.send(`USER ${user}`)
        await wire.line()
        wire.send(`PASS ${bench.password}`)
        mustBe(/^\+OK/, await wire.line())
      }
      session.end = ended(wire).then(() => {
        session.ended = true
      })
      return session
    }),
  )
}

/** Whatever comes now, a BYE or new mail, is followed by the end or by silence. */
async function ended(wire: Wire): Promise<void> {
  while (true) {
    try {
      await wire.line()
    } catch (error) {
      if (!/no reply/.test(String(error))) return
    }
  }
}

function mustBe(pattern: RegExp, reply: string | undefined): void {
  if (!pattern.test(reply ?? '')) throw new Error(`the server says ${JSON.stringify(reply)}`)
}

export function closeSessions(sessions: readonly Session[]): void {
  for (const { wire } of sessions) wire.close()
}

// --- the queue ---

/** What `postqueue -j` prints, read by itself: the tests do not ask the code that they test. */
export type Queued = { queue_name: string; queue_id: string; sender: string; recipients: { address: string }[] }

export function queueOf({ servers }: Bench): Queued[] {
  const { status, stdout, stderr } = run('/usr/sbin/postqueue', ['-c', join(servers.folder, 'pf/etc'), '-j'])
  if (status !== 0) throw new Error(stderr)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}

export function postsuper({ servers }: Bench, args: readonly string[], ids: readonly string[]): void {
  const { status, stderr } = run('/usr/sbin/postsuper', ['-c', join(servers.folder, 'pf/etc'), ...args], ids.join('\n'))
  if (status !== 0) throw new Error(stderr)
}

/** Messages with one recipient and one sender each; they wait in the queue when this is done. */
export async function enqueue(
  bench: Bench,
  { from, to, count = 1 }: { readonly from: string; readonly to: string; readonly count?: number },
): Promise<void> {
  const before = queueOf(bench).length
  const where = `127.0.0.1:${bench.servers.ports.smtp}`
  const args = ['-m', String(count), '-s', String(Math.min(count, 10)), '-l', '300', '-f', from, '-t', to, where]
  const { status, stderr } = run('/usr/sbin/smtp-source', args)
  if (status !== 0) throw new Error(`smtp-source: ${stderr}`)
  await waitUntil(`${count} more messages that wait`, () => {
    const queue = queueOf(bench)
    return queue.length === before + count && queue.every(({ queue_name: name }) => /deferred|hold/.test(name))
  })
}

export type Sink = { received(): string[]; stop(): Promise<void> }

/** Postfix's own smtp-sink, each message a file with its envelope; `received` gives one text for each. */
export async function startSink(bench: Bench): Promise<Sink> {
  const folder = join(bench.servers.folder, `sink${readdirSync(bench.servers.folder).length}`)
  mkdirSync(folder)
  const child: ChildProcess = spawn(
    '/usr/sbin/smtp-sink',
    ['-u', 'root', '-d', join(folder, 'm.'), `127.0.0.1:${bench.sinkPort}`, '200'],
    { stdio: 'ignore' },
  )
  const kill = () => void child.kill()
  process.on('exit', kill)
  await waitUntil('the sink', async () => {
    try {
      const wire = await Wire.open({ port: bench.sinkPort })
      wire.close()
      return true
    } catch {
      return false
    }
  })
  return {
    received: () => readdirSync(folder).map(name => readFileSync(join(folder, name), 'latin1')),
    async stop() {
      process.off('exit', kill)
      const ended = new Promise(resolve => child.once('exit', resolve))
      child.kill()
      await ended
    },
  }
}

/** A host that the test disposes of by itself. */
export async function using<H extends MailHost, T>(host: H, work: (host: H) => Promise<T>): Promise<T> {
  try {
    return await work(host)
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

export function postfixCommands({ servers }: Bench, folder = join(servers.folder, 'pf/etc')) {
  const command = (name: string) => [`/usr/sbin/${name}`, '-c', folder]
  return {
    postqueue: command('postqueue'),
    postsuper: command('postsuper'),
    postconf: command('postconf'),
    postkick: command('postkick'),
    postcat: command('postcat'),
  }
}
