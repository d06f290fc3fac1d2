/** A private mailwarden in a temporary folder: configuration, manifests, the command line and the daemon as an operator has them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.ts'

export const launcher = fileURLToPath(new URL('../../agent/cli/launch.mjs', import.meta.url))

export type CliResult = {
  readonly exit: number | null
  readonly signal: string | null
  readonly out: string
  readonly err: string
}

export type Estate = AsyncDisposable & {
  readonly folder: string
  readonly manifests: string
  readonly state: string
  readonly policyPort: number
  readonly dnsPort: number
  write(path: string, text: string): void
  /** Writes the configuration anew, with these lines of `spec.providers`. */
  configure(lines: ProviderLines): void
  remove(path: string): void
  cli(
    args: readonly string[],
    options?: { env?: Record<string, string>; input?: string; uid?: number },
  ): Promise<CliResult>
  json(
    args: readonly string[],
    options?: { env?: Record<string, string> },
  ): Promise<{ exit: number | null; json: any; err: string }>
  /** @param spawned is told the process before it listens: it may be stopped by then. */
  start(env?: Record<string, string>, spawned?: (pid: number) => void): Promise<Daemon>
  /** A command that runs beside the test, and may be killed by it. */
  command(args: readonly string[], env?: Record<string, string>): Command
}

export type Command = { readonly pid: number; readonly ended: Promise<CliResult> }

export type Daemon = {
  readonly pid: number
  /** Log lines so far. */
  log(): readonly Record<string, unknown>[]
  /** Resolves when a log line matches. */
  until(matches: (line: Record<string, unknown>) => boolean, what: string): Promise<Record<string, unknown>>
  stop(signal?: NodeJS.Signals): Promise<{ exit: number | null; signal: string | null }>
  /** Resolves when it has ended by itself. */
  readonly ended: Promise<{ exit: number | null; signal: string | null }>
}

const patienceMs = 30_000

/** Lines of `spec.providers` instead of the embedded ones, each whole: `dns: { kind: powerdns, … }`. */
export type ProviderLines = {
  readonly directory?: string
  readonly dns?: string
  readonly mail?: string
  readonly lists?: string
  readonly notify?: string
}

function configText(
  ports: { policy: number; dns: number; directory: string | undefined },
  extra: string,
  lines: ProviderLines,
): string {
  return `apiVersion: mailwarden/v1
kind: Agent
spec:
  manifests: ./manifests
  state: ./var
  operator:
    name: Infomed
    language: es
    timeZone: America/Havana
    contacts: { support: gau@operator.example, security: seg@operator.example }
    people:
      - { name: ana, role: responder }
      - { name: berta, role: security-lead }
      - { name: carla, role: security-lead }
      - { name: saul, role: sysadmin }
      - { name: aida, role: auditor }
  mail:
    mx: [{ host: mx1.operator.example, priority: 10 }]
    nameServers: [ns1.operator.example, ns2.operator.example]
    hostmaster: hostmaster@operator.example
  providers:
    ${lines.directory ?? `directory: { kind: embedded, file: ${ports.directory ?? './var/directory.db'} }`}
    ${lines.dns ?? `dns: { kind: embedded, listen: "127.0.0.1:${ports.dns}" }`}
    ${lines.mail ?? 'mail: []'}
    ${lines.lists ?? 'lists: { kind: embedded }'}
    ${lines.notify ?? 'notify: { kind: spool, folder: ./var/outbox }'}
  listen: { policy: ["127.0.0.1:${ports.policy}"] }
${extra}`
}

export type InstitutionOptions = {
  readonly domain: string
  readonly accounts?: readonly string[]
  readonly network?: string
  readonly delivery?: 'multipop' | 'mailboxes' | 'relay'
  readonly contractUntil?: string
  readonly accountsMax?: number
}

/** The three documents of one institution, valid for years. */
export function institutionText(name: string, options: InstitutionOptions): string {
  const delivery = options.delivery ?? 'mailboxes'
  const accounts = options.accounts ?? [
    '{ name: jperez, send: international, receive: international }',
    '{ name: mlopez }',
  ]
  const lines = accounts.map((account, index) => {
    const holder = `holder: { name: Persona ${index}, id: "P-${index}", post: Médico, purpose: asistencia, category: care }, request: SC-1`
    return `    - ${account.replace(/\s*\}$/, `, ${account.includes('holder:') ? '' : holder} }`).replace(', ,', ',')}`
  })
  return `apiVersion: mailwarden/v1
kind: Institution
metadata: { name: ${name} }
spec:
  title: Institución ${name}
  province: La Habana
  language: es
  director: { name: Ana Ruiz, email: director-${name}@directores.example }
  representatives: [{ name: Luis Mora, id: R-1, email: rep-${name}@correo.example, from: 2024-01-01 }]
  contract:
    number: 1/2026
    signedOn: 2024-01-01
    validUntil: ${options.contractUntil ?? '2039-01-01'}
    document: evidence/contrato.pdf
    supplements: [{ type: 3, signedOn: 2024-01-01, document: evidence/suplemento.pdf }]
  capacity:
    determinedOn: 2024-01-01
    validUntil: 2039-01-01
    national: { capacity: 10, used: 10 }
    provincial: { capacity: 10, used: 10 }
    document: evidence/capacidad.pdf
  networks: [${options.network ?? '10.20.0.0/16'}]
---
apiVersion: mailwarden/v1
kind: MailDomain
metadata: { name: ${options.domain} }
spec:
  institution: ${name}
  delivery: ${delivery}
  administrator: { login: admin }
${delivery === 'multipop' ? '  collector: { login: multipop }\n' : ''}  limits: { accounts: ${options.accountsMax ?? 50}, storage: 2GiB }
  defaults: { send: national, receive: international, access: institution }
---
apiVersion: mailwarden/v1
kind: AccountList
metadata: { name: ${options.domain} }
spec:
  domain: ${options.domain}
  requests:
    - { number: SC-1, agreement: { number: "41", date: 2025-04-03 }, filedBy: R-1, approvedBy: director, signed: true, stamped: true, document: evidence/sc-1.pdf }
  accounts:
${lines.join('\n')}
`
}

export async function createEstate(
  files: Readonly<Record<string, string>>,
  options: { config?: string; directory?: string; policyPort?: number; providers?: ProviderLines } = {},
): Promise<Estate> {
  const folder = mkdtempSync(join(tmpdir(), 'mw-'))
  const ports = {
    policy: options.policyPort ?? (await freePort()),
    dns: await freePort(),
    directory: options.directory,
  }
  const manifests = join(folder, 'manifests')
  const daemons = new Set<ChildProcess>()
  const write = (path: string, text: string) => {
    const file = join(manifests, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  mkdirSync(manifests, { recursive: true })
  for (const [path, text] of Object.entries(files)) write(path, text)
  for (const name of ['contrato', 'suplemento', 'capacidad', 'sc-1']) write(`evidence/${name}.pdf`, '%PDF-1.4\n')
  const configFile = join(folder, 'mailwarden.yaml')
  const configure = (lines: ProviderLines) => writeFileSync(configFile, configText(ports, options.config ?? '', lines))
  configure(options.providers ?? {})
  const environment = (env?: Record<string, string>) => ({
    ...process.env,
    LANG: 'C',
    LC_ALL: 'C',
    MAILWARDEN_CONFIG: configFile,
    ...env,
  })

  const cli: Estate['cli'] = (args, { env, input, uid } = {}) =>
    spawnCommand(args, environment(env), folder, input, uid).ended
  return {
    folder,
    manifests,
    state: join(folder, 'var'),
    configure,
    policyPort: ports.policy,
    dnsPort: ports.dns,
    write,
    remove: path => rmSync(join(manifests, path), { recursive: true, force: true }),
    cli,
    async json(args, options) {
      const result = await cli([...args, '--json'], options)
      try {
        return { exit: result.exit, json: JSON.parse(result.out), err: result.err }
      } catch {
        throw new Error(`no JSON from ${args.join(' ')} (exit ${result.exit}): ${result.out}${result.err}`)
      }
    },
    start: (env, spawned) => startDaemon(environment(env), daemons, spawned),
    command: (args, env) => spawnCommand(args, environment(env), folder),
    async [Symbol.asyncDispose]() {
      for (const daemon of daemons) {
        daemon.kill('SIGKILL')
        if (daemon.exitCode === null && daemon.signalCode === null)
          await new Promise(resolve => daemon.once('exit', resolve))
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function spawnCommand(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
  input?: string,
  uid?: number,
): Command {
  const child = spawn(process.execPath, [launcher, ...args], {
    cwd,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid !== undefined && { uid, gid: uid }),
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', chunk => {
    out += chunk
  })
  child.stderr.setEncoding('utf8').on('data', chunk => {
    err += chunk
  })
  child.stdin.end(input ?? '')
  const ended = new Promise<CliResult>(resolve =>
    child.on('close', (exit, signal) => resolve({ exit, signal, out, err })),
  )
  return { pid: child.pid ?? 0, ended }
}

async function startDaemon(
  env: NodeJS.ProcessEnv,
  daemons: Set<ChildProcess>,
  spawned?: (pid: number) => void,
): Promise<Daemon> {
  const child = spawn(process.execPath, [launcher, 'run'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  daemons.add(child)
  spawned?.(child.pid ?? 0)
  const lines: Record<string, unknown>[] = []
  const wakers = new Set<() => void>()
  let rest = ''
  let plainText = ''
  child.stdout.on('data', () => {})
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    rest += chunk
    const parts = rest.split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) {
      if (line.startsWith('{')) lines.push(JSON.parse(line))
      else plainText += `${line}\n`
    }
    for (const wake of wakers) wake()
  })
  const ended = new Promise<{ exit: number | null; signal: string | null }>(resolve =>
    child.on('close', (exit, signal) => {
      daemons.delete(child)
      resolve({ exit, signal })
      for (const wake of wakers) wake()
    }),
  )
  const daemon: Daemon = {
    pid: child.pid ?? 0,
    ended,
    log: () => lines,
    async until(matches, what) {
      const deadline = AbortSignal.timeout(patienceMs)
      for (let next = 0; ; ) {
        for (; next < lines.length; next += 1) if (matches(lines[next] ?? {})) return lines[next] ?? {}
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`daemon ended before ${what}: ${plainText}${JSON.stringify(lines.slice(-5))}`)
        if (deadline.aborted) throw new Error(`${what} did not come: ${plainText}${JSON.stringify(lines.slice(-8))}`)
        await new Promise<void>(resolve => {
          const wake = () => {
            wakers.delete(wake)
            deadline.removeEventListener('abort', wake)
            resolve()
          }
          wakers.add(wake)
          deadline.addEventListener('abort', wake)
        })
      }
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
  await daemon.until(line => line['event'] === 'listening', 'the daemon listening')
  return daemon
}

export type PolicyAttributes = Readonly<Record<string, string>>

/** Asks the policy service; `null` when it hung up without an answer. */
export async function askPolicy(port: number, attributes: PolicyAttributes): Promise<string | null> {
  const request = {
    request: 'smtpd_access_policy',
    protocol_state: 'RCPT',
    client_address: '10.20.0.9',
    instance: `i${Math.random()}`,
    ...attributes,
  }
  const text = Object.entries(request).map(([name, value]) => `${name}=${value}\n`)
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(`${text.join('')}\n`))
    socket.on('data', chunk => {
      answer += chunk
      if (answer.endsWith('\n\n')) {
        socket.destroy()
        resolve(answer.trim().replace(/^action=/, ''))
      }
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(null))
  })
}

/** Tries again until the claim holds, for at most the patience of a test; the world is asked, no time is waited for. */
export async function eventually<T>(
  probe: () => Promise<T | undefined | false>,
  what: string,
  withinMs = patienceMs,
): Promise<T> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const found = await probe()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`${what} did not come true`)
    await new Promise(resolve => setTimeout(resolve, 25))
  }
}
