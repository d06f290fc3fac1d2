/**
 * A domain of five thousand accounts closed while people are in it: two hundred live sessions, five thousand messages in
 * the queue, a thief at every door. From the command to each lever verified, beside the commands that an operator would
 * type, on one real slapd, Dovecot and Postfix, in turns within one run. Needs the servers and root; runs alone:
 * `RUNS=10 node test/bench/suspend.ts`.
 */

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { renderLdapSnippets } from '../../providers/ldap/snippets.ts'
import { type Bench, closeSessions, enqueue, openSessions, type Session } from '../mail-hosts/bench.ts'
import { mailLine } from '../servers/mail-hosts.ts'
import { run, startMailServers, whyNoServers } from '../servers/mail-servers.ts'
import { type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'
import { imapLogin, popLogin, smtpLogin } from '../servers/wire.ts'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import { connectTo, readAnswers } from '../wire/client.ts'

const runs = Number(process.env['RUNS'] ?? 10)
const accountsCount = Number(process.env['ACCOUNTS'] ?? 5_000)
const queuedCount = Number(process.env['QUEUED'] ?? 5_000)
const people = 20
/** Of one person at one door; Dovecot lets ten and three in from one address. */
const sessionsEach = { imap: 7, pop: 3 }
const home = '127.0.0.1'
const domain = 'hcg.sld.cu'
const password = 'una-clave-larga-de-prueba'
const person = (index: number) => `cuenta${index}@${domain}`

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const worst = (values: readonly number[]) => Math.max(...values)

type Site = {
  readonly slapd: Slapd
  readonly bench: Bench
  readonly estate: Estate
  daemon: Daemon
  readonly policyPort: number
  readonly tokens: { readonly first: Record<string, string>; readonly second: Record<string, string> }
}

/** A file ends at 256 KiB. */
const accountsPerFile = 1_000

function manifests(): Record<string, string> {
  const files: Record<string, string> = {}
  for (let from = 0; from < accountsCount; from += accountsPerFile) {
    const count = Math.min(accountsPerFile, accountsCount - from)
    const accounts = Array.from({ length: count }, (_, index) => `{ name: cuenta${from + index}, quota: 1MiB }`)
    const options = { domain, network: `${home}/32`, accounts, accountsMax: accountsCount + 10 }
    const text = institutionText('hospital', options).replace('storage: 2GiB', 'storage: 2TiB')
    const list = (text.split('---\n')[2] ?? '').replace(
      `metadata: { name: ${domain} }`,
      `metadata: { name: lista-${from} }`,
    )
    files[`hospital-${from}.yaml`] = from === 0 ? text : list.replaceAll('SC-1', `SC-1-${from}`)
  }
  return files
}

async function openSite(): Promise<Site> {
  const slapd = await startSlapd({ sync: 'durable' })
  const [policyPort, sinkPort] = [await freePort(), await freePort()]
  const { url, caFile, base, agentDn, readerDn, password: secret } = slapd
  const site = { url, caFile, base, agentDn, readerDn, readerPassword: secret }
  const servers = await startMailServers({
    policy: `${home}:${policyPort}`,
    doors: true,
    mainCf: [
      // The queue is filled by hand, and nothing leaves it by itself.
      `mynetworks = ${home}/32`,
      'smtpd_recipient_restrictions = permit_mynetworks, reject',
      'smtpd_end_of_data_restrictions =',
      `transport_maps = static:smtp:[${home}]:${sinkPort}`,
      'queue_run_delay = 1h',
      'minimal_backoff_time = 1h',
      'smtp_destination_concurrency_limit = 20',
      'in_flow_delay = 0',
    ],
    dovecotConf: ['service imap {', '  process_limit = 400', '}', 'service pop3 {', '  process_limit = 400', '}'],
    directory: {
      mapType: 'ldap',
      snippets: ({ directory: _, sql, group: __, ...values }) =>
        renderLdapSnippets({ ...site, ...values, dovecot: join(sql, '..') }),
    },
  })
  const bench: Bench = { servers, password, sinkPort }
  const secretFile = join(servers.folder, 'ldap-password')
  writeFileSync(secretFile, `${secret.reveal()}\n`, { mode: 0o600 })
  const estate = await createEstate(manifests(), {
    policyPort,
    providers: {
      directory: `directory: { kind: ldap, url: "${url}", base: "${base}", bindDn: "${agentDn}", password: { file: ${secretFile} }, startTls: true, ca: ${caFile} }`,
      mail: mailLine(servers),
    },
  })
  const applied = await estate.cli(['apply', '--yes'])
  if (applied.exit !== 0) throw new Error(applied.err + applied.out.slice(-2_000))
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  for (let index = 0; index < people; index += 1) {
    const { exit, err } = await estate.cli(['password', person(index), '--stdin'], { input: password })
    if (exit !== 0) throw new Error(err)
  }
  const tokenOf = async (name: string) => ({
    MAILWARDEN_TOKEN: (await estate.cli(['token', 'create', name])).out.trim(),
  })
  const tokens = { first: await tokenOf('ana'), second: await tokenOf('carla') }
  const half = queuedCount / 2
  await enqueue(bench, { from: person(0), to: 'alguien@fuera.example', count: half })
  await enqueue(bench, { from: 'alguien@fuera.example', to: person(1), count: half })
  return { slapd, bench, estate, daemon, policyPort, tokens }
}

/** Dovecot has a hundred processes for logins. */
const loginsAtOnce = 50

async function openAll(bench: Bench): Promise<Session[]> {
  const sessions: Session[] = []
  for (const protocol of ['imap', 'pop'] as const) {
    const users = Array.from({ length: people * sessionsEach[protocol] }, (_, index) => person(index % people))
    for (let at = 0; at < users.length; at += loginsAtOnce)
      sessions.push(...(await openSessions(bench, users.slice(at, at + loginsAtOnce), protocol)))
  }
  return sessions
}

/** Instants on `performance.now()`. */
type Watch = { readonly at: Map<string, number>; readonly done: Promise<unknown>; stop(): void }

/** The thief: tries each door again and again, and notes the beginning of the first attempt that fails. */
function watchDoors({ bench, policyPort }: Site, sessions: readonly Session[]): Watch {
  const at = new Map<string, number>()
  let stopped = false
  const { ports } = bench.servers
  const attempt = async (name: string, login: () => Promise<boolean>) => {
    while (!stopped) {
      const begun = performance.now()
      if (!(await login())) return void at.set(name, begun)
      await sleep(5)
    }
  }
  const from = (port: number) => ({ port, from: home })
  const decision = async () => {
    const socket = await connectTo(`${home}:${policyPort}`)
    const question = `request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=${home}\nsender=${person(2)}\nrecipient=x@minsap.cu\nsasl_username=${person(2)}\n\n`
    try {
      while (!stopped) {
        const begun = performance.now()
        socket.write(question)
        const [answer = ''] = await readAnswers(socket, 1)
        if (!/DUNNO/i.test(answer)) return void at.set('live decision', begun)
        await sleep(1)
      }
    } finally {
      socket.destroy()
    }
  }
  const ended = Promise.all(sessions.map(({ end }) => end)).then(() => {
    at.set('sessions ended', performance.now())
  })
  const done = Promise.all([
    decision(),
    attempt('login imap', async () =>
      (await imapLogin(from(ports.imap), { user: person(3), password })).startsWith('OK'),
    ),
    attempt('login pop3', async () =>
      (await popLogin(from(ports.pop), { user: person(4), password })).startsWith('+OK'),
    ),
    attempt('login submission', async () =>
      (await smtpLogin(from(ports.submission), { user: person(5), password })).startsWith('235'),
    ),
    ended,
  ])
  return {
    at,
    done,
    stop() {
      stopped = true
    },
  }
}

/** What an operator types, one line after the other; `postsuper` until two listings give nothing more. */
function typed({ slapd, bench }: Site, status: 'active' | 'suspended'): Map<string, number> {
  const at = new Map<string, number>()
  const { folder } = bench.servers
  const ldif = Array.from(
    { length: accountsCount },
    (_, index) =>
      `dn: mail=${person(index)},dc=${domain},ou=domains,dc=example\nchangetype: modify\nreplace: mwAccountStatus\nmwAccountStatus: ${status}\n`,
  ).join('\n')
  slapd.ldap('ldapmodify', ldif)
  at.set('directory', performance.now())
  if (status === 'active') {
    const held = run('/usr/sbin/postsuper', ['-c', join(folder, 'pf/etc'), '-H', 'ALL'])
    if (held.status !== 0) throw new Error(held.stderr)
    run('/usr/bin/doveadm', ['-c', join(folder, 'dv/dovecot.conf'), 'auth', 'cache', 'flush'])
    return at
  }
  const doveadm = (...args: string[]) => run('/usr/bin/doveadm', ['-c', join(folder, 'dv/dovecot.conf'), ...args])
  doveadm('auth', 'cache', 'flush')
  at.set('caches', performance.now())
  doveadm('kick', `*@${domain}`)
  at.set('kicked', performance.now())
  const etc = join(folder, 'pf/etc')
  const filter = `select(any(.recipients[]; .address | endswith("@${domain}")) or (.sender | endswith("@${domain}"))) | select(.queue_name != "hold") | .queue_id`
  const hold = `postqueue -c ${etc} -j | jq -r '${filter}' | postsuper -c ${etc} -h -`
  for (let pass = 0; pass < 3; pass += 1) spawnSync('/bin/sh', ['-c', hold], { stdio: 'ignore' })
  at.set('queue', performance.now())
  return at
}

type Figures = Map<string, number[]>

function note(figures: Figures, begun: number, at: ReadonlyMap<string, number>): void {
  for (const [name, instant] of at) figures.set(name, [...(figures.get(name) ?? []), instant - begun])
}

async function benchTyped(site: Site): Promise<Figures> {
  const figures: Figures = new Map()
  for (let round = 0; round < Math.min(runs, 3); round += 1) {
    const sessions = await openAll(site.bench)
    const begun = performance.now()
    note(figures, begun, typed(site, 'suspended'))
    await Promise.all(sessions.map(({ end }) => end))
    note(figures, begun, new Map([['all of it', performance.now()]]))
    closeSessions(sessions)
    typed(site, 'active')
  }
  return figures
}

async function benchOurs(site: Site): Promise<Figures> {
  const figures: Figures = new Map()
  const { estate, bench } = site
  for (let round = 0; round < runs; round += 1) {
    const sessions = await openAll(bench)
    const watch = watchDoors(site, sessions)
    await sleep(300)
    const wall = Date.now()
    const begun = performance.now()
    const { exit, json } = await estate.json(['suspend', domain, '--class', 'spam', '--reason', 'medición'])
    const answered = performance.now()
    if (exit !== 0) throw new Error(JSON.stringify(json))
    const open = Object.entries(json.levers).filter(([, state]) => state !== 'verified')
    if (open.length > 0) throw new Error(`not verified: ${JSON.stringify(open)}`)
    await watch.done
    watch.stop()
    note(figures, begun, watch.at)
    const doors = ['live decision', 'login imap', 'login pop3', 'login submission', 'sessions ended']
    const closed = worst(doors.map(name => watch.at.get(name) ?? Number.POSITIVE_INFINITY))
    note(
      figures,
      begun,
      new Map([
        ['every door closed', closed],
        ['answered, every lever verified', answered],
      ]),
    )
    const { json: listed } = await estate.json(['register', 'list'])
    const entries = listed.entries.filter((entry: any) => entry.facts?.incident === json.incident)
    const since = (entry: any) => begun + Date.parse(entry.at) - wall
    const declared = entries.find((entry: any) => entry.kind === 'incident.declared')
    note(figures, begun, new Map([['declared', since(declared)]]))
    for (const entry of entries) {
      if (entry.kind === 'suspension.lever')
        note(figures, begun, new Map([[`lever ${entry.facts.lever} ${entry.facts.state}`, since(entry)]]))
      if (entry.kind === 'suspension.door')
        note(figures, begun, new Map([[`door ${entry.facts.host}/${entry.facts.door}`, since(entry)]]))
    }
    closeSessions(sessions)
    await annul(site, json.incident)
  }
  return figures
}

async function annul({ estate, tokens, bench }: Site, incident: string): Promise<void> {
  const args = ['incident', 'annul', incident, '--reason', 'medición']
  await estate.json(args, { env: tokens.first })
  const second = await estate.json(args, { env: tokens.second })
  if (second.exit !== 0) throw new Error(JSON.stringify(second.json))
  const login = { user: person(3), password }
  await eventually(
    async () => (await imapLogin({ port: bench.servers.ports.imap, from: home }, login)).startsWith('OK'),
    'the domain being open again',
  )
}

function print(title: string, figures: Figures): void {
  console.log(title)
  for (const [name, values] of [...figures].toSorted(([, a], [, b]) => median(a) - median(b)))
    console.log(
      `  ${name.padEnd(34)} median ${median(values).toFixed(0).padStart(6)} ms   worst ${worst(values).toFixed(0).padStart(6)} ms`,
    )
}

export async function benchSuspend(): Promise<void> {
  const whyNot = whyNoServers() ?? whyNoSlapd()
  if (whyNot !== null) return console.log(`suspend: not measured, ${whyNot}`)
  const site = await openSite()
  try {
    await site.daemon.stop()
    const byHand = await benchTyped(site)
    site.daemon = await site.estate.start()
    await site.daemon.until(line => line['event'] === 'ready', 'ready')
    const ours = await benchOurs(site)
    print(`suspend: typed by hand, ${accountsCount} accounts, ${people * 10} sessions, ${queuedCount} messages`, byHand)
    print(`suspend: mailwarden, from the command, ${runs} runs`, ours)
    const ratio = median(ours.get('answered, every lever verified') ?? []) / median(byHand.get('all of it') ?? [])
    console.log(`suspend: ${ratio.toFixed(2)} of the operator’s commands, and verified`)
  } finally {
    await site.estate[Symbol.asyncDispose]()
    await site.bench.servers.stop()
    await site.slapd.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await benchSuspend()
