/**
 * What a policy costs where it is asked: messages through a real Postfix, `smtp-source` as the sender, one and fifty
 * recipients a message. No policy, null servers in C and in Node, mailwarden with 100,000 accounts by TCP and by unix
 * socket, and a native restriction class over lmdb as the bar. One Postfix with a door for each, in turns within one run;
 * every message is accepted and discarded. Needs Postfix and root; runs alone: `node test/bench/policy/postfix.ts`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import {
  backDate,
  makeFolders,
  makeServerCertificate,
  mustRun,
  otherServices,
  privateMainCf,
  run,
  startDaemon,
  stopByPidFile,
  waitForBanner,
} from '../../servers/mail-servers.ts'
import { freePort } from '../../support/free-port.ts'

const rounds = Number(process.env['ROUNDS'] ?? 7)
const accountsCount = 100_000
const sessions = 4
/** By recipients of a message: a round takes about two seconds. */
const messages = { 1: 2_000, 50: 300 } as const
const recipientsMax = 50
const domain = 'correo.sld.cu'
const sender = 'alguien@remoto.example'
/** As smtp-source names them: one alone has no number. */
const recipientsOf = () => [
  `persona@${domain}`,
  ...Array.from({ length: recipientsMax + 1 }, (_, index) => `${index}persona@${domain}`),
]
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

type Recipients = keyof typeof messages
type Subject = { readonly name: string; readonly port: number; readonly rates: Record<Recipients, number[]> }

const whyNot = ['/usr/sbin/postfix', '/usr/sbin/smtp-source', '/usr/lib/postfix/postfix-lmdb.so'].filter(
  file => !existsSync(file),
)

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

async function ready(child: ChildProcess): Promise<ChildProcess> {
  for await (const line of createInterface({ input: child.stdout! })) if (line === 'ready') return child
  throw new Error('a server ended before it was ready')
}

/** A class for each account, and what the class asks: as an operator writes it by hand. */
function writeClass(folder: string): string[] {
  const accounts = Array.from({ length: accountsCount }, (_, index) => `cuenta${index}@${domain} limited\n`)
  const own = recipientsOf().map(address => `${address} limited\n`)
  const [recipients, senders] = [join(folder, 'recipients'), join(folder, 'senders')]
  writeFileSync(recipients, [...accounts, ...own].join(''))
  writeFileSync(senders, 'remoto.example DUNNO\ncu DUNNO\n')
  for (const file of [recipients, senders]) mustRun('/usr/sbin/postmap', ['-c', join(folder, 'pf/etc'), `lmdb:${file}`])
  return [`smtpd_restriction_classes = limited`, `limited = check_sender_access lmdb:${senders}`]
}

async function startPostfix(folder: string, doors: ReadonlyMap<number, string>): Promise<() => Promise<void>> {
  const etc = join(folder, 'pf/etc')
  for (const name of ['dynamicmaps.cf', 'dynamicmaps.cf.d'])
    cpSync(`/etc/postfix/${name}`, join(etc, name), { recursive: true })
  const base = [
    ...privateMainCf(folder),
    'default_transport = discard:',
    'relay_transport = discard:',
    `relay_domains = ${domain}`,
    'relay_recipient_maps =',
    'mynetworks = 127.0.0.0/8',
    'in_flow_delay = 0',
    'smtpd_delay_reject = yes',
  ]
  writeFileSync(join(etc, 'main.cf'), `${base.join('\n')}\n`)
  const lines = [...base, ...writeClass(folder)]
  writeFileSync(join(etc, 'main.cf'), `${lines.join('\n')}\n`)
  const services = [...doors].map(
    ([port, restrictions]) =>
      `127.0.0.1:${port} inet n - n - - smtpd\n  -o { smtpd_recipient_restrictions = ${restrictions}, permit_mynetworks, reject }`,
  )
  writeFileSync(join(etc, 'master.cf'), `${services.join('\n')}\n${otherServices}\n`)
  backDate(etc)
  startDaemon('/usr/sbin/postfix', ['-c', etc, 'start'], join(folder, 'pf/start'))
  for (const port of doors.keys()) await waitForBanner(port)
  return () => stopByPidFile(join(folder, 'pf/spool/pid/master.pid'))
}

/** Recipients a second. */
function send({ port }: Subject, recipients: Recipients): number {
  const count = messages[recipients]
  const args = ['-d', '-s', String(sessions), '-m', String(count), '-r', String(recipients), '-l', '300']
  const begun = performance.now()
  const { status, stderr } = run('/usr/sbin/smtp-source', [
    ...args,
    '-f',
    sender,
    '-t',
    `persona@${domain}`,
    `127.0.0.1:${port}`,
  ])
  if (status !== 0) throw new Error(`smtp-source: ${stderr}`)
  return (count * recipients * 1_000) / (performance.now() - begun)
}

export async function benchPostfix(): Promise<void> {
  if (whyNot.length > 0 || process.getuid?.() !== 0)
    return console.log(`policy through Postfix: not measured, it needs root and ${whyNot.join(', ')}`)
  const folder = mkdtempSync('/tmp/mw-')
  const children: ChildProcess[] = []
  let stop = async () => {}
  try {
    makeFolders(folder)
    makeServerCertificate(folder)
    execFileSync('cc', ['-O2', '-o', join(folder, 'null'), here('null.c')])
    const image = join(folder, 'image')
    const argv = [
      '--max-old-space-size=4000',
      here('serve.ts'),
      'image',
      String(accountsCount),
      image,
      recipientsOf().join(','),
    ]
    execFileSync(process.execPath, argv)
    const start = async (...args: readonly string[]) => {
      const [program = '', ...rest] = args
      children.push(await ready(spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] })))
    }
    const [nullC, nullNode, ours] = [await freePort(), await freePort(), await freePort()]
    mkdirSync(join(folder, 'sockets'))
    const socket = join(folder, 'sockets/policy')
    await start(join(folder, 'null'), String(nullC))
    await start(process.execPath, here('serve.ts'), 'null', `127.0.0.1:${nullNode}`)
    await start(process.execPath, here('serve.ts'), 'ours', `127.0.0.1:${ours}`, image)
    await start(process.execPath, here('serve.ts'), 'ours', `unix:${socket}`, image)
    chmodSync(socket, 0o666)
    chownSync(socket, 0, 0)
    const ask = (where: string) => `check_policy_service ${where}`
    const restrictions: Readonly<Record<string, string>> = {
      'no policy': '',
      'null server in C': ask(`inet:127.0.0.1:${nullC}`),
      'null server in Node': ask(`inet:127.0.0.1:${nullNode}`),
      'mailwarden, TCP': ask(`inet:127.0.0.1:${ours}`),
      'mailwarden, unix socket': ask(`unix:${socket}`),
      'restriction class over lmdb': `check_recipient_access lmdb:${join(folder, 'recipients')}`,
    }
    const subjects: Subject[] = []
    for (const name of Object.keys(restrictions))
      subjects.push({ name, port: await freePort(), rates: { 1: [], 50: [] } })
    stop = await startPostfix(folder, new Map(subjects.map(({ name, port }) => [port, restrictions[name] ?? ''])))
    const kinds = [1, 50] as const
    for (const subject of subjects) for (const kind of kinds) send(subject, kind)
    for (let round = 0; round < rounds; round += 1)
      for (const kind of kinds) for (const subject of subjects) subject.rates[kind].push(send(subject, kind))
    report(subjects)
  } finally {
    await stop()
    for (const child of children) child.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

function report(subjects: readonly Subject[]): void {
  const ratios = (subject: Subject, name: string, kind: Recipients) => {
    const reference = subjects.find(other => other.name === name)?.rates[kind] ?? []
    return subject.rates[kind].map((rate, round) => rate / (reference[round] ?? rate))
  }
  const spread = (values: readonly number[]) =>
    `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`
  for (const kind of [1, 50] as const)
    for (const subject of subjects)
      console.log(
        `policy through Postfix, ${kind} recipient${kind === 1 ? '' : 's'}: ${subject.name.padEnd(28)} ${Math.round(median(subject.rates[kind]))} recipients/s, ` +
          `${spread(ratios(subject, 'no policy', kind))} of none, ${spread(ratios(subject, 'null server in Node', kind))} of null Node`,
      )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await benchPostfix()
