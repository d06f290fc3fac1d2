/**
 * Starts real Postfix and Dovecot from the shipped snippets, privately on loopback below one temporary folder, and stops
 * them by their own process ids. Needs root, since both servers change their users; needs no systemd. What the snippets
 * do not have (folders, ports, a certificate, the other services of a Postfix) is added here and nowhere else.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../agent/core/system-clock.ts'
import { openEmbeddedDirectory } from '../../providers/embedded-directory/directory.ts'
import { renderSnippets, type SnippetValues } from '../../providers/embedded-directory/snippets.ts'
import type { Snippet } from '../../providers/snippets.ts'
import { freePort } from '../support/free-port.ts'
import { Wire } from './wire.ts'

export type Ports = {
  readonly smtp: number
  readonly submission: number
  readonly submissions: number
  readonly imap: number
  readonly imaps: number
  readonly pop: number
  readonly pops: number
  readonly lmtp: number
  /** Listens only with the snippet of the doors. */
  readonly doveadm: number
}

export type MailServers = {
  readonly folder: string
  /** The directory's file: give it to the agent, or open it beside. */
  readonly directoryFile: string
  readonly ports: Ports
  /** A map of the snippets as Postfix answers it: `postmap('relay-domains', 'inst.example')`. */
  postmap(map: string, key: string): string | null
  /** What both servers logged. */
  log(): string
  stopDovecot(): Promise<void>
  startDovecot(): Promise<void>
  stop(): Promise<void>
}

const programs = ['/usr/sbin/postfix', '/usr/sbin/postmap', '/usr/sbin/dovecot', '/usr/bin/doveadm', '/usr/bin/openssl']
const modules = [
  '/usr/lib/postfix/postfix-sqlite.so',
  '/usr/lib/dovecot/modules/auth/libdriver_sqlite.so',
  '/usr/lib/dovecot/modules/libdriver_sqlite.so',
]

/** Why the suites of real servers cannot run here; null when they can. */
export function whyNoServers(): string | null {
  const absent = programs.filter(program => !existsSync(program))
  if (absent.length > 0) return `not installed: ${absent.join(', ')}`
  if (!existsSync(modules[0] ?? '') || !modules.slice(1).some(module => existsSync(module)))
    return 'the SQLite maps of Postfix or the SQLite driver of Dovecot are not installed'
  if (process.getuid?.() !== 0) return 'Postfix and Dovecot start as root only'
  return null
}

/** A bare number: nobody on this machine. */
const mailUid = 5_000
const waitMsMax = 20_000

export async function startMailServers(options: {
  /** The policy service, `127.0.0.1:port`. */
  readonly policy: string
  /** More lines for main.cf, after all others. */
  readonly mainCf?: readonly string[]
  /** With the snippet of the doors: doveadm's HTTP API and the file of closed domains. */
  readonly doors?: true
  /** With the snippet of the probes, and a master user with this password. */
  readonly verify?: string
  /** More lines for dovecot.conf, after all others. */
  readonly dovecotConf?: readonly string[]
  /** Over another directory than the embedded one: its type of map, and its snippets for these values. */
  readonly directory?: {
    readonly mapType: string
    readonly snippets: (values: SnippetValues) => readonly Snippet[]
  }
}): Promise<MailServers> {
  // Short: the path of a unix socket ends at 107 bytes.
  const folder = mkdtempSync('/tmp/mw-')
  const ports = await freePorts()
  const directoryFile = join(folder, 'dir', 'directory.db')
  const stops: (() => Promise<void>)[] = []
  // A test run that is broken off leaves no servers behind.
  const killAll = () => {
    for (const file of ['pf/spool/pid/master.pid', 'dv/run/master.pid']) terminate(readPid(join(folder, file)))
  }
  process.on('exit', killAll)
  const servers: MailServers = {
    folder,
    directoryFile,
    ports,
    postmap: (map, key) => {
      const file = join(folder, 'pf', 'maps', `${map}.cf`)
      const { status, stdout, stderr } = run('/usr/sbin/postmap', [
        '-c',
        join(folder, 'pf', 'etc'),
        '-q',
        key,
        `${options.directory?.mapType ?? 'sqlite'}:${file}`,
      ])
      if (status !== 0 && stderr !== '') throw new Error(stderr)
      return status === 0 ? stdout.trim() : null
    },
    log: () => ['pf/start', 'pf/maillog', 'dv/log'].map(file => readIfThere(join(folder, file))).join('\n'),
    stopDovecot: () => stopByPidFile(join(folder, 'dv', 'run', 'master.pid')),
    async startDovecot() {
      startDaemon('/usr/sbin/dovecot', ['-c', join(folder, 'dv', 'dovecot.conf')], join(folder, 'dv', 'start'))
      for (const port of [ports.imap, ports.pop, ports.lmtp]) await waitForBanner(port)
    },
    async stop() {
      for (const stop of stops.splice(0)) await stop()
      process.off('exit', killAll)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    makeFolders(folder)
    await (await openEmbeddedDirectory({ file: directoryFile, clock: systemClock }))[Symbol.asyncDispose]()
    writeConfiguration(folder, {
      ports,
      directoryFile,
      policy: options.policy,
      mainCf: options.mainCf ?? [],
      dovecotConf: options.dovecotConf ?? [],
      doors: options.doors ?? null,
      verify: options.verify ?? null,
      render: options.directory?.snippets ?? renderSnippets,
    })
    // Dovecot first: an smtpd that finds no login socket dies, and master then holds that service back.
    stops.unshift(() => stopByPidFile(join(folder, 'dv', 'run', 'master.pid')))
    await servers.startDovecot()
    stops.unshift(() => stopByPidFile(join(folder, 'pf', 'spool', 'pid', 'master.pid')))
    startDaemon('/usr/sbin/postfix', ['-c', join(folder, 'pf', 'etc'), 'start'], join(folder, 'pf', 'start'))
    for (const port of [ports.smtp, ports.submission]) await waitForBanner(port)
    return servers
  } catch (error) {
    const log = servers.log()
    await servers.stop()
    throw new Error(`the mail servers did not start:\n${log}`, { cause: error })
  }
}

export function makeFolders(folder: string): void {
  // The servers' users must get through every parent; mkdtemp gives 0700.
  for (const path of ['', 'pf', 'pf/etc', 'pf/maps', 'pf/spool', 'pf/spool/private', 'dv', 'dv/run']) {
    mkdirSync(join(folder, path), { recursive: true })
    chmodSync(join(folder, path), 0o755)
  }
  const { uid, gid } = userOf('postfix')
  mkdirSync(join(folder, 'pf/data'))
  chownSync(join(folder, 'pf/data'), uid, gid)
  chmodSync(join(folder, 'pf/data'), 0o700)
  chownSync(join(folder, 'pf/spool/private'), uid, 0)
  mkdirSync(join(folder, 'dv/mail'))
  chownSync(join(folder, 'dv/mail'), mailUid, mailUid)
  // As an operator sets it up: the directory's folder belongs to Postfix's group, and what is made in it too.
  mkdirSync(join(folder, 'dir'))
  chownSync(join(folder, 'dir'), 0, gid)
  chmodSync(join(folder, 'dir'), 0o2750)
}

type Settings = {
  readonly ports: Ports
  readonly directoryFile: string
  readonly policy: string
  readonly mainCf: readonly string[]
  readonly dovecotConf: readonly string[]
  readonly doors: true | null
  readonly verify: string | null
  readonly render: typeof renderSnippets | ((values: SnippetValues) => readonly Snippet[])
}

function writeConfiguration(folder: string, settings: Settings): void {
  const { ports, directoryFile, policy, mainCf, dovecotConf, doors, verify, render } = settings
  const pf = join(folder, 'pf')
  const dv = join(folder, 'dv')
  const values: SnippetValues = {
    directory: directoryFile,
    policy,
    maps: join(pf, 'maps'),
    sql: join(dv, 'mailwarden-sql.conf.ext'),
    delivery: 'lmtp:unix:private/dovecot-lmtp',
    sasl: 'private/auth',
    authSocket: join(pf, 'spool/private/auth'),
    lmtpSocket: join(pf, 'spool/private/dovecot-lmtp'),
    mail: join(dv, 'mail'),
    mailUid: String(mailUid),
    mailGid: String(mailUid),
    group: 'postfix',
    relays: [],
    submission: `127.0.0.1:${ports.submission}`,
    submissions: `127.0.0.1:${ports.submissions}`,
    notices: '127.0.0.1:10025',
    closedDomains: join(dv, 'closed-domains'),
    doveadmKey: join(dv, 'doveadm-key'),
    doveadmAddress: '127.0.0.1',
    doveadmPort: String(ports.doveadm),
    verifyUsers: join(dv, 'verify-users'),
    verifyNetwork: '127.0.0.1/32',
  }
  // Doors and probes are the same over every directory.
  const snippets = new Map([...renderSnippets(values), ...render(values)].map(({ path, text }) => [path, text]))
  const snippet = (path: string) => snippets.get(path) ?? ''
  for (const [path, text] of snippets)
    if (/^postfix\/[rtv]/.test(path)) writeFileSync(join(pf, 'maps', path.slice('postfix/'.length)), text)
  for (const [path, text] of snippets)
    if (path.startsWith('dovecot/') && path.endsWith('.ext'))
      writeFileSync(join(dv, path.slice('dovecot/'.length)), text, { mode: 0o640 })
  makeServerCertificate(folder)
  for (const name of ['dynamicmaps.cf', 'dynamicmaps.cf.d'])
    cpSync(`/etc/postfix/${name}`, join(pf, 'etc', name), { recursive: true })
  writeFileSync(join(pf, 'etc/main.cf'), eachOnce(snippet('postfix/main.cf'), privateMainCf(folder), mainCf))
  writeFileSync(
    join(pf, 'etc/master.cf'),
    `127.0.0.1:${ports.smtp} inet n - y - - smtpd\n${snippet('postfix/master.cf')}\n${otherServices}\n`,
  )
  if (doors !== null) {
    writeFileSync(join(dv, 'closed-domains'), '', { mode: 0o644 })
    writeFileSync(join(dv, 'doveadm-key'), randomBytes(16).toString('hex'), { mode: 0o600 })
  }
  if (verify !== null) {
    const hash = run('/usr/bin/doveadm', ['pw', '-s', 'SHA512-CRYPT', '-p', verify]).stdout.trim()
    writeFileSync(join(dv, 'verify-users'), `mailwarden-verify:${hash}\n`, { mode: 0o644 })
  }
  const dovecot = [
    privateDovecot(folder, ports),
    ...(doors === null ? [] : [snippet('dovecot/mailwarden-doors.conf')]),
    ...(verify === null ? [] : [snippet('dovecot/mailwarden-verify.conf')]),
    snippet('dovecot/mailwarden.conf'),
    ...dovecotConf,
  ]
  writeFileSync(join(dv, 'dovecot.conf'), `${dovecot.join('\n')}\n`)
  backDate(join(pf, 'etc'))
}

/** `cert.pem` and `key.pem` of mx.test.example. */
export function makeServerCertificate(folder: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
  mustRun('/usr/bin/openssl', ['req', '-x509', ...key, '-days', '2', '-subj', '/CN=mx.test.example', ...files])
}

/**
 * Later lines replace earlier ones of the same parameter. A parameter that stands there twice makes every process log a
 * warning, postlogd too: into its own socket, which takes ten messages and then blocks it, and with it all of Postfix.
 */
function eachOnce(snippet: string, ...more: readonly (readonly string[])[]): string {
  const lines = [...snippet.split('\n'), ...more.flat()]
  const parameterOf = (line: string) => /^(\w+)\s*=/.exec(line)?.[1]
  const last = new Map(lines.map((line, index) => [parameterOf(line), index]))
  return `${lines.filter((line, index) => parameterOf(line) === undefined || last.get(parameterOf(line)) === index).join('\n')}\n`
}

export function privateMainCf(folder: string): string[] {
  const pf = join(folder, 'pf')
  return [
    'compatibility_level = 3.6',
    `config_directory = ${pf}/etc`,
    `queue_directory = ${pf}/spool`,
    `data_directory = ${pf}/data`,
    'mail_owner = postfix',
    'setgid_group = postdrop',
    `maillog_file = ${pf}/maillog`,
    `maillog_file_prefixes = ${pf}`,
    'inet_interfaces = 127.0.0.1',
    'inet_protocols = ipv4',
    'myhostname = mx.test.example',
    'mydestination =',
    'alias_maps =',
    'alias_database =',
    'local_recipient_maps =',
    'append_dot_mydomain = no',
    'biff = no',
    'notify_classes =',
    'service_throttle_time = 1s',
    'smtpd_peername_lookup = no',
    'smtp_dns_support_level = disabled',
    'smtp_host_lookup = native',
    'disable_dns_lookups = yes',
    'smtpd_client_connection_count_limit = 0',
    `smtpd_tls_cert_file = ${folder}/cert.pem`,
    `smtpd_tls_key_file = ${folder}/key.pem`,
    'smtpd_tls_security_level = may',
    'smtpd_tls_session_cache_database =',
  ]
}

/** Debian's master.cf without the network and without pipes to other programs. */
export const otherServices = `postlog unix-dgram n - n - 1 postlogd
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - y 1000? 1 tlsmgr
rewrite unix - - y - - trivial-rewrite
bounce unix - - y - 0 bounce
defer unix - - y - 0 bounce
trace unix - - y - 0 bounce
verify unix - - y - 1 verify
flush unix n - y 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - y - - smtp
relay unix - - y - - smtp
showq unix n - y - - showq
error unix - - y - - error
retry unix - - y - - error
discard unix - - y - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - y - - lmtp
anvil unix - - y - 1 anvil
scache unix - - y - 1 scache`

export function privateDovecot(folder: string, ports: Ports): string {
  const run = join(folder, 'dv/run')
  return `base_dir = ${run}
state_dir = ${run}
instance_name = ${folder.slice(folder.lastIndexOf('/') + 1)}
log_path = ${folder}/dv/log
auth_verbose = yes
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <${folder}/cert.pem
ssl_key = <${folder}/key.pem
disable_plaintext_auth = no
auth_failure_delay = 0
mail_max_userip_connections = 1000
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service imap-login {
  inet_listener imap {
    port = ${ports.imap}
  }
  inet_listener imaps {
    port = ${ports.imaps}
    ssl = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = ${ports.pop}
  }
  inet_listener pop3s {
    port = ${ports.pops}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${ports.lmtp}
  }
}
`
}

/** Postfix reads a file that is younger than two seconds again and again, and each process waits for it. */
export function backDate(folder: string): void {
  const before = Date.now() / 1000 - 10
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), before, before)
}

export async function freePorts(): Promise<Ports> {
  const [smtp = 0, submission = 0, submissions = 0, imap = 0, imaps = 0, pop = 0, pops = 0, lmtp = 0, doveadm = 0] =
    await Promise.all(Array.from({ length: 9 }, freePort))
  return { smtp, submission, submissions, imap, imaps, pop, pops, lmtp, doveadm }
}

/** A banner, not an open port: an smtpd with a broken clause accepts and then says nothing. */
export async function waitForBanner(port: number): Promise<void> {
  await waitUntil(`a banner on port ${port}`, async () => {
    try {
      const wire = await Wire.open({ port })
      try {
        return (await wire.line()) !== ''
      } finally {
        wire.close()
      }
    } catch {
      return false
    }
  })
}

/** Asks again until the world is as wanted. */
export async function waitUntil(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitMsMax
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 25))
  }
}

export async function stopByPidFile(file: string): Promise<void> {
  const pid = readPid(file)
  if (pid === undefined) return
  const children = descendantsOf(pid)
  terminate(pid)
  await waitUntil(`the end of process ${pid}`, () => isGone(pid))
  // An auth process outlives its master while an smtpd is connected to it.
  for (const child of children) terminate(child)
  await waitUntil('the end of its children', () => children.every(isGone))
}

/** Undefined when there is no such file or its process is gone. */
function readPid(file: string): number | undefined {
  const pid = Number(readIfThere(file).trim())
  return Number.isInteger(pid) && pid > 1 && !isGone(pid) ? pid : undefined
}

function terminate(pid: number | undefined): void {
  if (pid === undefined || isGone(pid)) return
  try {
    process.kill(pid, 'SIGTERM')
  } catch {
    // It went in between.
  }
}

/** A zombie counts as gone: in a container nobody may reap it for a while. */
function isGone(pid: number): boolean {
  const stat = readIfThere(`/proc/${pid}/stat`)
  return stat === '' || stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
}

function descendantsOf(pid: number): number[] {
  const children = readIfThere(`/proc/${pid}/task/${pid}/children`).trim().split(/\s+/).filter(Boolean).map(Number)
  return children.flatMap(child => [child, ...descendantsOf(child)])
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function userOf(name: string): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find(entry => entry.startsWith(`${name}:`))
  const [, , uid = '', gid = ''] = line?.split(':') ?? []
  if (uid === '') throw new Error(`there is no user ${name}`)
  return { uid: Number(uid), gid: Number(gid) }
}

/** No shell, an absolute program, an environment of our own. */
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

type Ended = { readonly status: number | null; readonly stdout: string; readonly stderr: string }

export function run(program: string, args: readonly string[], input = ''): Ended {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    env: environment,
    input,
    timeout: waitMsMax,
    // A queue of thousands is listed in a few megabytes.
    maxBuffer: 64 * 1024 * 1024,
  })
  if (error !== undefined) throw error
  return { status, stdout, stderr }
}

export function mustRun(program: string, args: readonly string[]): void {
  const { status, stderr } = run(program, args)
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`)
}

/** Its output goes to a file: a daemon keeps a pipe open, and we would wait for the end of it. */
export function startDaemon(program: string, args: readonly string[], output: string): void {
  const file = openSync(output, 'w')
  try {
    const { status, error } = spawnSync(program, args, {
      env: environment,
      stdio: ['ignore', file, file],
      timeout: waitMsMax,
    })
    if (error !== undefined || status !== 0)
      throw new Error(`${program} ended with ${status}: ${readIfThere(output)}`, { cause: error })
  } finally {
    closeSync(file)
  }
}
