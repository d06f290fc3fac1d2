/**
 * A lying twin of PowerDNS's API: a proxy on loopback before a real server, which holds the truth. By a plan it gives
 * lists that are too short, replies cut after the work was done, work that is done after the client gave up, and what
 * else stands between a client and a server. It never tells the same shortened list twice in a row: what every reading
 * agrees on can't be told from the truth by anyone.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

export const faults = [
  'partial', // a list of zones or RRsets with some left out, as whole JSON
  'empty-before', // 200 without a body, and nothing was done
  'empty-after', // the same, and it was done
  'cut', // done, and the connection ends without a reply
  'half', // done, and the connection ends within the reply
  'truncated', // done, and the JSON ends early in a reply that is whole
  'html',
  '429',
  '500-before',
  '500-after',
  '502',
  'slow', // done at once, told after the time-out
  'late', // done only after the client gave up
  'vague', // a refusal without its words
] as const
export type Fault = (typeof faults)[number]

export type Ask = { readonly method: string; readonly path: string }
export type FaultPlan = (ask: Ask) => Fault | null

export type Twin = {
  readonly url: string
  /** How often each fault was told. */
  readonly told: Map<Fault, number>
  /** Requests as they came. */
  readonly asked: Ask[]
  /** What the real server answered to each request that was passed on. */
  readonly statuses: number[]
  /** From now on it tells the truth. */
  honest(): void
  /** What was still to be done late is done. */
  idle(): Promise<void>
  stop(): Promise<void>
}

/** Numbers in [0, 1) from a seed (a xorshift generator of 32 bits). */
export function seeded(seed: number): () => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 2 ** 32
  }
}

export type PlanOptions = {
  readonly seed: number
  /** Of requests, 0 to 1. */
  readonly rate: number
  /** Faults in a row for one method and path; a client that asks again gets through at last. */
  readonly inARowMax: number
  readonly kinds?: readonly Fault[]
}

export function seededPlan({ seed, rate, inARowMax, kinds = faults }: PlanOptions): FaultPlan {
  const random = seeded(seed)
  const rows = new Map<string, { count: number; last: Fault | null }>()
  return ({ method, path }) => {
    const row = rows.get(`${method} ${path}`) ?? { count: 0, last: null }
    rows.set(`${method} ${path}`, row)
    const drawn = kinds[Math.floor(random() * kinds.length)] ?? null
    const fault =
      random() < rate && row.count < inARowMax && !(drawn === 'partial' && row.last === 'partial') ? drawn : null
    row.count = fault === null ? 0 : row.count + 1
    row.last = fault
    return fault
  }
}

type Real = { readonly status: number; readonly type: string; readonly body: string }

export async function startTwin(target: string, plan: FaultPlan, seed = 1): Promise<Twin> {
  const random = seeded(seed)
  const told = new Map<Fault, number>()
  const asked: Ask[] = []
  const statuses: number[] = []
  let current = plan
  /** Work that is done late comes before whatever is asked next. */
  let pending: Promise<unknown> = Promise.resolve()

  const server = createServer((incoming, outgoing) => {
    void serve(incoming, outgoing).catch(() => outgoing.destroy())
  })

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = Buffer.concat(await Array.fromAsync(incoming)).toString()
    const ask = { method: incoming.method ?? '', path: incoming.url ?? '' }
    asked.push(ask)
    const fault = current(ask)
    if (fault !== null) told.set(fault, (told.get(fault) ?? 0) + 1)
    await pending
    const forward = async () => {
      const real = await pass(target, incoming, body)
      statuses.push(real.status)
      return real
    }
    const reply = ({ status, type, body: text }: Real) => {
      outgoing.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) })
      outgoing.end(text)
    }
    const own = (status: number, text: string) => reply({ status, type: 'text/html', body: text })
    const gone = () =>
      new Promise<void>(resolve => {
        if (outgoing.closed) resolve()
        else outgoing.once('close', () => resolve())
      })
    switch (fault) {
      case null:
        return reply(await forward())
      case 'partial': {
        const real = await forward()
        return reply(ask.method === 'GET' && real.status === 200 ? { ...real, body: shorten(real.body, random) } : real)
      }
      case 'empty-before':
        return own(200, '')
      case 'empty-after':
        await forward()
        return own(200, '')
      case 'cut':
        await forward()
        outgoing.destroy()
        return
      case 'half': {
        const { status, type, body: text } = await forward()
        outgoing.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) + 1 })
        outgoing.write(text.slice(0, text.length / 2), () => outgoing.destroy())
        return
      }
      case 'truncated': {
        const real = await forward()
        return reply({ ...real, body: real.body.slice(0, Math.floor(real.body.length * random())) })
      }
      case 'html':
        return own(200, '<html><body>It works!</body></html>')
      case '429':
        return own(429, 'Too Many Requests')
      case '500-before':
        return own(500, 'Internal Server Error')
      case '500-after':
        await forward()
        return own(500, 'Internal Server Error')
      case '502':
        await forward()
        return own(502, '<html>Bad Gateway</html>')
      case 'slow':
        await forward()
        return gone()
      case 'late':
        pending = gone().then(forward)
        return
      case 'vague': {
        const real = await forward()
        return reply(real.status === 422 ? { ...real, body: '{"error": "no"}' } : real)
      }
    }
  }

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    told,
    asked,
    statuses,
    honest: () => {
      current = () => null
    },
    idle: async () => {
      await pending
    },
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await pending
    },
  }
}

function pass(target: string, { method, url, headers }: IncomingMessage, body: string): Promise<Real> {
  return new Promise((resolve, reject) => {
    const sent = request(`${target}${url}`, { method, headers, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? 'text/plain',
          body: text,
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** A list, or the RRsets of a zone, with at least one left out where there is one. */
function shorten(text: string, random: () => number): string {
  const json = JSON.parse(text)
  const drop = (items: unknown[]) => {
    const first = Math.floor(random() * items.length)
    return items.filter((_, index) => index !== first && random() > 0.3)
  }
  if (Array.isArray(json)) return JSON.stringify(drop(json))
  return JSON.stringify(Array.isArray(json.rrsets) ? { ...json, rrsets: drop(json.rrsets) } : json)
}
