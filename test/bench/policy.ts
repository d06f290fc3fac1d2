/**
 * Live decisions per second at 10,000 accounts, against a server in Node that answers DUNNO and reads nothing: the ratio
 * is what parsing, ten policies, counters and replies cost on top of Node itself. Both in child processes, in turns
 * within one run, closed loop over 16 connections. Runs alone: `node test/bench/policy.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { PolicyServer } from '../../agent/decision/server.ts'
import { buildSnapshot } from '../../agent/decision/snapshot.ts'
import type { EstateText } from '../../agent/manifest/schema-decisions.ts'
import { toWorld } from '../../agent/policy-test/world.ts'
import { createRandom, formatRequest } from '../decision/generate.ts'
import type { BenchResult } from './validate.ts'

const domainsCount = 200
const accountsPerDomain = 50
const connectionsCount = 16
const rounds = 5
const roundMs = 2_000
const warmUpMs = 1_000
const requestsCount = 20_000
/** Recipients that a national account may not write to. */
const abroadShare = 0.3

const domainOf = (index: number) => `dominio${index}.sld.cu`

function estate(): EstateText {
  const institutions: Record<string, EstateText['institutions'][string]> = {}
  const domains: Record<string, EstateText['domains'][string]> = {}
  const accounts: Record<string, EstateText['accounts'][string]> = {}
  for (let index = 0; index < domainsCount; index += 1) {
    institutions[`institucion${index}`] = { networks: [`10.${index}.0.0/16`] }
    domains[domainOf(index)] = { institution: `institucion${index}` }
    for (let count = 0; count < accountsPerDomain; count += 1)
      accounts[`cuenta${count}@${domainOf(index)}`] = { send: count % 2 === 0 ? 'national' : 'international' }
  }
  const limits = { recipientsPerHour: 1_000_000, recipientsPerDay: 1_000_000 }
  return { institutions, domains, accounts, limits, national: { networks: ['200.55.128.0/18'] } }
}

function requests(): string[] {
  const random = createRandom(1)
  return Array.from({ length: requestsCount }, (_, count) => {
    const index = random.below(domainsCount)
    const login = `cuenta${random.below(accountsPerDomain)}@${domainOf(index)}`
    const place = random.chance(abroadShare) ? 'example.com' : 'minsap.cu'
    const recipient = `persona${random.below(100_000)}@${place}`
    return formatRequest({
      state: 'RCPT',
      clientAddress: `10.${index}.3.${random.below(256)}`,
      sender: login,
      recipient,
      login,
      instance: `1a2b.${count}.0`,
    })
  })
}

async function serveOurs(): Promise<number> {
  const server = new PolicyServer({ clock: { now: () => Date.now(), sleep: async () => {} }, onDecision: () => {} })
  await server.listen(['127.0.0.1:0'])
  server.swap(buildSnapshot(toWorld(estate())))
  return Number(server.addresses[0]?.split(':')[1])
}

/** As little as a policy server in Node can do: look for the ends of requests. */
async function serveNothing(): Promise<number> {
  const server = createServer({ noDelay: true }, socket => {
    let rest = ''
    socket.on('error', () => socket.destroy())
    socket.on('data', bytes => {
      let text = rest + bytes.toString('latin1')
      let answers = ''
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        answers += 'action=DUNNO\n\n'
        text = text.slice(end + 2)
      }
      rest = text
      if (answers !== '') socket.write(answers)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

type Subject = { readonly name: string; readonly child: ChildProcess; readonly port: number }

async function startServer(name: 'ours' | 'nothing'): Promise<Subject> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return { name, child, port: Number(line.toString()) }
}

type Round = { readonly perSecond: number; readonly latencies: Float64Array }

/** Each connection asks its next question when it has the answer to the last. */
async function measure(port: number, texts: readonly Buffer[], ms: number): Promise<Round> {
  const latencies: number[] = []
  let next = 0
  let running = true
  const sockets = await Promise.all(Array.from({ length: connectionsCount }, () => connect(port)))
  const startedAt = performance.now()
  const loops = sockets.map(
    socket =>
      new Promise<void>(resolve => {
        let askedAt = 0
        const ask = () => {
          if (!running) {
            socket.destroy()
            resolve()
            return
          }
          next = (next + 1) % texts.length
          askedAt = performance.now()
          socket.write(texts[next]!)
        }
        socket.on('data', bytes => {
          if (bytes[bytes.length - 1] !== 10 || bytes[bytes.length - 2] !== 10) return
          latencies.push(performance.now() - askedAt)
          ask()
        })
        ask()
      }),
  )
  await new Promise(resolve => setTimeout(resolve, ms))
  running = false
  await Promise.all(loops)
  return {
    perSecond: (latencies.length * 1000) / (performance.now() - startedAt),
    latencies: Float64Array.from(latencies).sort(),
  }
}

async function connect(port: number): Promise<Socket> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return socket
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function describeRounds(name: string, all: readonly Round[]): string {
  const at = (share: number) =>
    median(all.map(({ latencies }) => latencies[Math.floor(latencies.length * share)] ?? 0)).toFixed(2)
  return `${name} ${Math.round(median(all.map(round => round.perSecond)))}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`
}

export async function benchPolicy(): Promise<BenchResult> {
  const texts = requests().map(text => Buffer.from(text))
  const subjects = [await startServer('nothing'), await startServer('ours')] as const
  const found = new Map<string, Round[]>(subjects.map(({ name }) => [name, []]))
  try {
    for (const { port } of subjects) await measure(port, texts, warmUpMs)
    for (let round = 0; round < rounds; round += 1)
      for (const { name, port } of subjects) found.get(name)?.push(await measure(port, texts, roundMs))
  } finally {
    for (const { child } of subjects) child.kill()
  }
  const [nothing = [], ours = []] = subjects.map(({ name }) => found.get(name) ?? [])
  // Round by round, so that what else the machine does falls on both.
  const ratio = median(ours.map((round, index) => round.perSecond / (nothing[index]?.perSecond ?? 1)))
  const detail = `${domainsCount * accountsPerDomain} accounts, ${connectionsCount} connections: ${describeRounds('mailwarden', ours)}; ${describeRounds('null server in Node', nothing)} (median of ${rounds})`
  console.log(`policy: ${ratio.toFixed(2)} of a null server in Node; ${detail}`)
  return { name: 'policy', ratio, detail }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , role] = process.argv
  if (role === undefined) await benchPolicy()
  else console.log(role === 'ours' ? await serveOurs() : await serveNothing())
}
