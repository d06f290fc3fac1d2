/**
 * Live decisions per second: null servers in C and in Node that read nothing, postfwd with 20 and 1,000 rules, and the
 * shipped service with 1,000, 100,000 and 1,000,000 accounts. One run, one generator (in C, on the second core; servers on
 * the first), closed loop over 16 connections, in turns, so that what else the machine does falls on all. Runs alone:
 * `node test/bench/policy/policy.ts`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { waitUntil } from '../../servers/mail-servers.ts'
import { freePort } from '../../support/free-port.ts'
import type { BenchResult } from '../validate.ts'
import { accountsPerDomain, requestTexts } from './estate.ts'

const connectionsCount = 16
const rounds = 5
const roundMs = 2_000
const warmUpMs = 1_000
const requestsCount = 50_000
const accountCounts = [1_000, 100_000, 1_000_000]
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

type Round = { readonly perSecond: number; readonly p50: number; readonly p99: number; readonly p999: number }
type Subject = {
  readonly name: string
  readonly address: string
  readonly requests: string
  readonly child: ChildProcess
  readonly rounds: Round[]
}

const canPin = existsSync('/usr/bin/taskset')
const pinned = (core: number, argv: readonly string[]) =>
  canPin ? ['/usr/bin/taskset', '-c', String(core), ...argv] : argv

function start(argv: readonly string[]): ChildProcess {
  const [program = '', ...args] = pinned(0, argv)
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
}

async function readyLine(child: ChildProcess): Promise<void> {
  for await (const line of createInterface({ input: child.stdout! })) if (line === 'ready') return
  throw new Error('a server ended before it was ready')
}

function load(
  folder: string,
  subject: Pick<Subject, 'address' | 'requests'>,
  ms: number,
  connections = connectionsCount,
): Round {
  const address = subject.address.startsWith('unix:') ? subject.address : (subject.address.split(':')[1] ?? '')
  const [program = '', ...args] = pinned(1, [
    join(folder, 'load'),
    address,
    String(connections),
    String(ms),
    subject.requests,
  ])
  const { answers, seconds, p50, p99, p999 } = JSON.parse(execFileSync(program, args, { encoding: 'utf8' }))
  return { perSecond: answers / seconds, p50, p99, p999 }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function residentKib({ pid }: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

const postfwd = '/usr/sbin/postfwd2'
const postfwdRounds = 3

/** Rules that each look at one login; the last permits nothing either. */
function postfwdRules(count: number): string {
  const rules = Array.from(
    { length: count - 1 },
    (_, n) => `id=R${n}; sasl_username==cuenta${n}@otro.example; action=REJECT not from there`,
  )
  return `${rules.join('\n')}\nid=END; action=DUNNO\n`
}

/** Alone, since it is no process of ours that could sit idle beside the others: it forks as it likes. */
async function benchPostfwd(folder: string, rulesCount: number, requests: string): Promise<number> {
  const [port, cache] = [await freePort(), await freePort()]
  const [rules, pid] = [join(folder, `rules-${rulesCount}`), join(folder, `postfwd-${rulesCount}.pid`)]
  writeFileSync(rules, postfwdRules(rulesCount), { mode: 0o644 })
  const [program = '', ...args] = pinned(0, [postfwd, '-f', rules, '-i', '127.0.0.1', '-p', String(port)])
  const more = ['--cache_socket', `tcp:127.0.0.1:${cache}`, '--pidfile', pid, '--no_parent_cache', '-c', '0']
  spawn(program, [...args, ...more, '-u', 'nobody', '-g', 'nogroup'], { stdio: 'ignore' })
  await waitUntil('postfwd to listen', () => canConnect(port))
  try {
    const address = `127.0.0.1:${port}`
    load(folder, { address, requests }, warmUpMs)
    const all = Array.from({ length: postfwdRounds }, () => load(folder, { address, requests }, roundMs).perSecond)
    return median(all)
  } finally {
    process.kill(Number(readFileSync(pid, 'utf8')))
    await waitUntil('postfwd to end', async () => !(await canConnect(port)))
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(port, '127.0.0.1')
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

export async function benchPolicy(): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'mailwarden-bench-'))
  chmodSync(folder, 0o755) // postfwd reads its rules as nobody
  const subjects: Subject[] = []
  const add = async (name: string, requests: string, address: string, child: ChildProcess) => {
    await readyLine(child)
    subjects.push({ name, requests, address, child, rounds: [] })
  }
  try {
    for (const name of ['load', 'null']) execFileSync('cc', ['-O2', '-o', join(folder, name), here(`${name}.c`)])
    const images = accountCounts.map(count => {
      const [image, requests] = [join(folder, `image-${count}`), join(folder, `requests-${count}`)]
      const made = JSON.parse(
        execFileSync(
          process.execPath,
          ['--max-old-space-size=12000', here('serve.ts'), 'image', String(count), image],
          { encoding: 'utf8' },
        ),
      )
      writeFileSync(requests, requestTexts(count, requestsCount))
      return { count, image, requests, made }
    })
    const questions = images[1]!.requests
    const newAddress = async () => `127.0.0.1:${await freePort()}`
    const nullC = await newAddress()
    await add('null server in C', questions, nullC, start([join(folder, 'null'), nullC.split(':')[1]!]))
    const nullNode = await newAddress()
    await add('null server in Node', questions, nullNode, start([process.execPath, here('serve.ts'), 'null', nullNode]))
    const memory = new Map<number, number>()
    for (const { count, image, requests } of images) {
      const address = await newAddress()
      const child = start([process.execPath, here('serve.ts'), 'ours', address, image])
      await add(`mailwarden, ${count} accounts`, requests, address, child)
      memory.set(count, residentKib(child))
    }
    for (const subject of subjects) load(folder, subject, warmUpMs)
    for (let round = 0; round < rounds; round += 1)
      for (const subject of subjects) subject.rounds.push(load(folder, subject, roundMs))
    for (const { count, made } of images)
      console.log(
        `policy: ${count} accounts: tables ${(made.bytes / count).toFixed(0)} bytes an account, built in ${made.buildMs.toFixed(0)} ms; process ${(memory.get(count)! / 1024).toFixed(0)} MiB`,
      )
    await benchHold(folder, subjects.at(-1)!)
    if (existsSync(postfwd))
      for (const rules of [20, 1_000]) {
        const theirs = await benchPostfwd(folder, rules, questions)
        const ours = median(
          subjects.find(({ name }) => name.includes('100000 '))?.rounds.map(one => one.perSecond) ?? [],
        )
        console.log(
          `policy: postfwd2 with ${rules} rules: ${Math.round(theirs)}/s; mailwarden with 100000 accounts is ${Math.round(ours / theirs)} times as fast`,
        )
      }
    else console.log('policy: postfwd2 is not installed (Debian: postfwd): not compared')
    const grown = (memory.get(1_000_000)! - memory.get(1_000)!) * 1024
    console.log(`policy: process grows by ${(grown / 999_000).toFixed(0)} bytes an account`)
    return report(subjects)
  } finally {
    for (const { child } of subjects) child.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

const flips = 40
const askers = 8

/**
 * From the moment that a hold was sent until nobody on any open connection is let through any more, and the same for its
 * end, while the generator keeps the service as busy as it gets.
 */
async function benchHold(folder: string, { address, requests, child }: Subject): Promise<void> {
  const port = address.split(':')[1] ?? ''
  const [program = '', ...args] = pinned(1, [join(folder, 'load'), port, String(connectionsCount), '20000', requests])
  const busy = spawn(program, args, { stdio: 'ignore' })
  const hold = { incident: 'INC-1', scope: { domain: 'dominio0.sld.cu', account: null }, levers: ['send'], since: 0 }
  const [question = ''] = requestTexts(accountsPerDomain, 1).split('\n\n')
  const sockets = await Promise.all(
    Array.from({ length: askers }, async () => {
      const socket = createConnection(Number(port), '127.0.0.1')
      await once(socket, 'connect')
      return socket
    }),
  )
  /** Asks until the answers are as wanted; gives the instant of the first that was, on the connection that was last. */
  const untilAnswered = async (wanted: RegExp): Promise<number> => {
    const instants = sockets.map(async socket => {
      for (;;) {
        socket.write(`${question}\n\n`)
        const [answer] = (await once(socket, 'data')) as [Buffer]
        if (wanted.test(answer.toString('latin1'))) return performance.timeOrigin + performance.now()
      }
    })
    return Math.max(...(await Promise.all(instants)))
  }
  const took: number[] = []
  for (let flip = 0; flip < flips; flip += 1) {
    const holds = flip % 2 === 0 ? [hold] : []
    const sent = performance.timeOrigin + performance.now()
    child.send(holds)
    took.push((await untilAnswered(holds.length > 0 ? /suspended/ : /^action=(?!.*suspended)/)) - sent)
  }
  busy.kill()
  for (const socket of sockets) socket.destroy()
  console.log(
    `policy: a hold at 1000000 accounts under full load is in force on ${askers} open connections after ${median(took).toFixed(1)} ms, at worst ${Math.max(...took).toFixed(1)} ms of ${flips}, the answer's own way included`,
  )
}

function report(subjects: readonly Subject[]): BenchResult {
  const reference = subjects.find(({ name }) => name === 'null server in Node')
  // Round by round, so that what else the machine does falls on both.
  const ratioOf = ({ rounds: own }: Subject, key: keyof Round) =>
    median(own.map((round, index) => round[key] / (reference?.rounds[index]?.[key] ?? 1)))
  for (const subject of subjects) {
    const at = (key: keyof Round) => median(subject.rounds.map(round => round[key]))
    console.log(
      `policy: ${subject.name}: ${Math.round(at('perSecond'))}/s (${ratioOf(subject, 'perSecond').toFixed(2)} of null Node), p50 ${at('p50')} µs, p99 ${at('p99')} µs (${ratioOf(subject, 'p99').toFixed(2)}), p99.9 ${at('p999')} µs`,
    )
  }
  const main = subjects.find(({ name }) => name.includes('100000 '))
  return { name: 'policy', ratio: main === undefined ? 0 : ratioOf(main, 'perSecond'), detail: '' }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await benchPolicy()
