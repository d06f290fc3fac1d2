/**
 * Starts a real PowerDNS, privately on loopback below one temporary folder, over SQLite or LMDB, and stops it by its own
 * process id. Needs no root and no systemd. The key is made for each server.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { Secret } from '../../agent/core/secret.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { formatMasterValue, parseRdata } from '../../agent/standards/dns-text.ts'
import { freePort } from '../support/free-port.ts'
import { waitUntil } from './mail-servers.ts'
import { absentOf } from './suite.ts'

export const backends = ['gsqlite3', 'lmdb'] as const
export type Backend = (typeof backends)[number]

const program = '/usr/sbin/pdns_server'
export const pdnsutil = '/usr/bin/pdnsutil'
const schema = '/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql'
const modules: Readonly<Record<Backend, string>> = {
  gsqlite3: 'libgsqlite3backend.so',
  lmdb: 'liblmdbbackend.so',
}

/** Why no PowerDNS can be started here; null when one can. */
export function whyNoPdns(backend: Backend): string | null {
  const absent = absentOf([program, pdnsutil, '/usr/bin/sqlite3', ...(backend === 'gsqlite3' ? [schema] : [])])
  if (absent !== null) return absent
  const folders = ['x86_64', 'aarch64', 'arm'].map(cpu => `/usr/lib/${cpu}-linux-gnu${cpu === 'arm' ? 'eabihf' : ''}`)
  const module = folders.some(folder => existsSync(join(folder, 'pdns', modules[backend])))
  return module ? null : `not installed: ${modules[backend]}`
}

export type Answer = { readonly status: number; readonly body: string; readonly json: any }

export type Pdns = {
  readonly folder: string
  readonly backend: Backend
  readonly url: string
  readonly key: Secret
  readonly dnsPort: number
  /** Asks it as anybody with the key does; `/zones` is below the server. */
  api(method: string, path: string, body?: unknown): Promise<Answer>
  /** A third party's write: what is new gets no mark, what stands keeps its own. */
  writeBehind(resource: DnsResource, value: DnsResource | null): Promise<void>
  /** The zone as the API shows it. */
  zone(apex: string): Promise<any>
  resolver(): Resolver
  /** kill -9, and its end. */
  kill(): Promise<void>
  /** Starts it anew over the same database, on the same ports. */
  start(): Promise<void>
  stop(): Promise<void>
}

export type PdnsSettings = {
  readonly backend: Backend
  /** Wait for the disk at each write, as an operator's server does; tests that end processes only need not. */
  readonly durable?: 'durable'
  readonly lines?: readonly string[]
}

export async function startPdns({ backend, durable, lines = [] }: PdnsSettings): Promise<Pdns> {
  // Short: the path of a unix socket ends at 107 bytes.
  const folder = mkdtempSync('/tmp/mw-pdns-')
  const [dnsPort, apiPort] = [await freePort(), await freePort()]
  const key = new Secret(randomBytes(16).toString('hex'))
  const url = `http://127.0.0.1:${apiPort}`
  let running: ChildProcess | undefined
  // A test run that is broken off leaves no server behind.
  const killAtExit = () => running?.kill('SIGKILL')
  process.on('exit', killAtExit)

  const api = (method: string, path: string, body?: unknown) =>
    ask(`${url}/api/v1/servers/localhost${path}`, method, key, body)

  async function end(signal: NodeJS.Signals): Promise<void> {
    const child = running
    if (child === undefined) return
    running = undefined
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }

  const pdns: Pdns = {
    folder,
    backend,
    url,
    key,
    dnsPort,
    api,
    async writeBehind(resource, value) {
      const answer = await writeByHand(api, resource, value)
      if (answer.status >= 300) throw new Error(`the third party was refused: ${answer.status} ${answer.body}`)
    },
    async zone(apex) {
      const { status, json } = await api('GET', `/zones/${apex}.`)
      return status === 404 ? undefined : json
    },
    resolver() {
      const resolver = new Resolver({ timeout: 2_000, tries: 2 })
      resolver.setServers([`127.0.0.1:${dnsPort}`])
      return resolver
    },
    kill: () => end('SIGKILL'),
    async start() {
      const log = openSync(join(folder, 'log'), 'a')
      running = spawn(program, [`--config-dir=${folder}`], { stdio: ['ignore', log, log] })
      closeSync(log)
      await waitUntil('an answer of PowerDNS', async () => {
        if (running?.exitCode !== null) throw new Error(readFileSync(join(folder, 'log'), 'utf8').slice(-2_000))
        return (await api('GET', '').catch(() => undefined))?.status === 200
      })
    },
    async stop() {
      await end('SIGTERM')
      process.off('exit', killAtExit)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    writeConfiguration(folder, { backend, dnsPort, apiPort, key, sync: durable === 'durable', lines })
    await pdns.start()
    return pdns
  } catch (error) {
    await pdns.stop()
    throw error
  }
}

type Written = {
  readonly backend: Backend
  readonly dnsPort: number
  readonly apiPort: number
  readonly key: Secret
  readonly sync: boolean
  readonly lines: readonly string[]
}

function writeConfiguration(folder: string, { backend, dnsPort, apiPort, key, sync, lines }: Written): void {
  const database = join(folder, 'pdns.db')
  const of = {
    gsqlite3: [`gsqlite3-database=${database}`, 'gsqlite3-dnssec=yes', `gsqlite3-pragma-synchronous=${sync ? 2 : 0}`],
    lmdb: [`lmdb-filename=${join(folder, 'pdns.lmdb')}`, `lmdb-sync-mode=${sync ? 'sync' : 'nosync'}`],
  }
  if (backend === 'gsqlite3') {
    const sql = `PRAGMA journal_mode=WAL;\n${readFileSync(schema, 'utf8')}`
    const { status, stderr } = spawnSync('/usr/bin/sqlite3', [database], { input: sql, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
  }
  const text = [
    'local-address=127.0.0.1',
    `local-port=${dnsPort}`,
    `socket-dir=${folder}`,
    'daemon=no',
    'guardian=no',
    'loglevel=4',
    'api=yes',
    `api-key=${key.reveal()}`,
    'webserver-address=127.0.0.1',
    `webserver-port=${apiPort}`,
    'webserver-allow-from=127.0.0.0/8',
    'primary=yes',
    'allow-axfr-ips=127.0.0.0/8',
    // What was just written is asked for at once.
    'cache-ttl=0',
    'negquery-cache-ttl=0',
    'query-cache-ttl=0',
    'default-soa-content=ns1.theirs.example. hostmaster.theirs.example. 0 10800 3600 604800 3600',
    `launch=${backend}`,
    ...of[backend],
    ...lines,
  ]
  writeFileSync(join(folder, 'pdns.conf'), `${text.join('\n')}\n`, { mode: 0o600 })
}

export function ask(url: string, method: string, key: Secret, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'X-API-Key': key.reveal() }
    const sent = request(url, { method, headers, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => {
        const json =
          response.headers['content-type'] === 'application/json' && text !== '' ? JSON.parse(text) : undefined
        resolve({ status: response.statusCode ?? 0, body: text, json })
      })
    })
    sent.on('error', reject)
    sent.end(body === undefined ? '' : JSON.stringify(body))
  })
}

function writeByHand(api: Pdns['api'], resource: DnsResource, value: DnsResource | null): Promise<Answer> {
  if (resource.kind === 'zone') {
    if (value === null) return api('DELETE', `/zones/${resource.apex}.`)
    return api('POST', '/zones', { name: `${resource.apex}.`, kind: 'Native', nameservers: [] })
  }
  const target = { name: `${resource.owner}.`, type: resource.type }
  if (value === null) return api('PATCH', `/zones/${resource.zone}.`, { rrsets: [{ ...target, changetype: 'DELETE' }] })
  if (value.kind !== 'rrset') throw new Error('an RRset cannot become a zone')
  const records = value.values.map(text => {
    const rdata = parseRdata(value.type, text)
    return { content: rdata === undefined ? text : formatMasterValue(rdata, 1), disabled: false }
  })
  const rrset = { ...target, changetype: 'REPLACE', ttl: value.ttl, records }
  return api('PATCH', `/zones/${resource.zone}.`, { rrsets: [rrset] })
}
