/**
 * Starts a private PowerDNS Authoritative Server on loopback below one temporary folder, on one of its back ends. It runs
 * in the foreground, so that it is stopped, or killed, by its own process and ends with the test run.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Secret } from '../../agent/core/secret.ts'
import { freePort, run, waitUntil } from './mail-servers.ts'
import { absentOf } from './suite.ts'

export const backends = ['gsqlite3', 'lmdb'] as const
export type Backend = (typeof backends)[number]

export type Pdns = {
  readonly folder: string
  readonly url: string
  readonly key: Secret
  readonly dnsPort: number
  /** The API as another party calls it; gives the status and the JSON. */
  api(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly json: any }>
  start(): Promise<void>
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  close(): Promise<void>
}

const modules = '/usr/lib/x86_64-linux-gnu/pdns'
const schema = '/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql'

/** Why no PowerDNS can run here; null when one can. */
export function whyNoPdns(): string | null {
  const absent = absentOf(['/usr/sbin/pdns_server', '/usr/bin/pdnsutil', '/usr/bin/sqlite3', schema])
  if (absent !== null) return absent
  const { stderr, stdout } = run('/usr/sbin/pdns_server', ['--version'])
  const known = `${stdout}${stderr}`
  return known.includes('PowerDNS') ? null : `${modules}: pdns_server does not start`
}

function launchOf(backend: Backend, folder: string): string[] {
  if (backend === 'lmdb') return ['launch=lmdb', `lmdb-filename=${folder}/pdns.lmdb`, 'lmdb-sync-mode=sync']
  return [
    'launch=gsqlite3',
    `gsqlite3-database=${folder}/pdns.db`,
    'gsqlite3-dnssec=yes',
    'gsqlite3-pragma-synchronous=2',
  ]
}

export async function startPdns(backend: Backend): Promise<Pdns> {
  // Short: the path of its control socket ends at 107 bytes.
  const folder = mkdtempSync('/tmp/mw-pdns-')
  const [dnsPort, apiPort] = [await freePort(), await freePort()]
  const key = new Secret(randomBytes(16).toString('hex'))
  const url = `http://127.0.0.1:${apiPort}`
  if (backend === 'gsqlite3') {
    const made = run(
      '/usr/bin/sqlite3',
      [join(folder, 'pdns.db')],
      `PRAGMA journal_mode=WAL;\n${readFileSync(schema, 'utf8')}`,
    )
    if (made.status !== 0) throw new Error(`no database for PowerDNS: ${made.stderr}`)
  }
  writeFileSync(
    join(folder, 'pdns.conf'),
    [
      'local-address=127.0.0.1',
      `local-port=${dnsPort}`,
      `socket-dir=${folder}`,
      'daemon=no',
      'guardian=no',
      'loglevel=3',
      'api=yes',
      `api-key=${key.reveal()}`,
      'webserver-address=127.0.0.1',
      `webserver-port=${apiPort}`,
      'webserver-allow-from=127.0.0.0/8',
      'primary=yes',
      'disable-axfr=no',
      'allow-axfr-ips=127.0.0.0/8',
      'default-soa-content=ns1.example. hostmaster.example. 0 10800 3600 604800 3600',
      ...launchOf(backend, folder),
      '',
    ].join('\n'),
    { mode: 0o600 },
  )
  let child: ChildProcess | undefined
  const killNow = () => void child?.kill('SIGKILL')
  process.on('exit', killNow)
  const api: Pdns['api'] = async (method, path, body) => {
    const response = await fetch(`${url}/api/v1/servers/localhost${path}`, {
      method,
      headers: { 'x-api-key': key.reveal(), 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, json: text === '' ? undefined : JSON.parse(text) }
  }
  const pdns: Pdns = {
    folder,
    url,
    key,
    dnsPort,
    api,
    async start() {
      child = spawn('/usr/sbin/pdns_server', [`--config-dir=${folder}`], { stdio: 'ignore' })
      await waitUntil('the API of PowerDNS', async () => {
        try {
          return (await api('GET', '')).status === 200
        } catch {
          return false
        }
      })
    },
    async stop(signal = 'SIGTERM') {
      const running = child
      child = undefined
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
      const ended = new Promise(resolve => running.once('exit', resolve))
      running.kill(signal)
      await ended
    },
    async close() {
      await pdns.stop('SIGKILL')
      process.off('exit', killNow)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await pdns.start()
  return pdns
}
