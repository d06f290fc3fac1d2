/**
 * A few connections with a bounded number of requests in flight on each: slapd closes a connection that has more than
 * 1,000 pending, with unknown outcomes. Says for each request whether it was answered, refused, cut or never sent; a
 * request is sent once and never repeated here.
 */
import { ProviderFailure } from '../provider.ts'
import type { Answered, LdapClient } from './client.ts'

export type Reply<T> =
  | Answered<T>
  /** There was no connection to send it on. */
  | { readonly kind: 'unsent'; readonly failure: ProviderFailure }
  /** The signal aborted before it was sent. */
  | { readonly kind: 'stopped' }

export type Pool = AsyncDisposable & {
  /** Requests in flight at most. */
  readonly places: number
  /** The last connection that was tried could not be made. */
  isDown(): boolean
  send<T>(request: (client: LdapClient) => Promise<Answered<T>>, signal: AbortSignal): Promise<Reply<T>>
}

/**
 * A server that turns one connection away often takes the next, and nothing was asked on it. A bind that was refused is
 * not tried again, since that would lock the agent out, nor a silent server, which costs the whole wait.
 */
const openTriesMax = 3

type Lane = { connection: Promise<LdapClient> | undefined; inFlight: number }

export type PoolLimits = { readonly connections: number; readonly inFlight: number }

export function createPool(limits: PoolLimits, open: () => Promise<LdapClient>): Pool {
  const lanes: Lane[] = Array.from({ length: limits.connections }, () => ({ connection: undefined, inFlight: 0 }))
  const waiting: (() => void)[] = []
  let closed = false
  let down = false

  async function take(): Promise<Lane> {
    while (true) {
      const lane = lanes.reduce((a, b) => (b.inFlight < a.inFlight ? b : a))
      if (lane.inFlight < limits.inFlight) {
        lane.inFlight += 1
        return lane
      }
      await new Promise<void>(resolve => waiting.push(resolve))
    }
  }

  function give(lane: Lane): void {
    lane.inFlight -= 1
    waiting.shift()?.()
  }

  /** @throws ProviderFailure */
  async function connectionOf(lane: Lane): Promise<LdapClient> {
    for (let attempt = 1; ; attempt += 1) {
      if (closed) throw new ProviderFailure('unreachable', 'the directory was closed', { retry: 'never' })
      const isNew = lane.connection === undefined
      lane.connection ??= open()
      const opening = lane.connection
      const opened = await opening.catch(toOpenFailure)
      down = opened instanceof ProviderFailure
      if (!(opened instanceof ProviderFailure) && opened.isAlive()) return opened
      if (lane.connection === opening) lane.connection = undefined
      // One that had served and ended costs no try.
      if (!isNew && !(opened instanceof ProviderFailure)) attempt -= 1
      if (attempt < openTriesMax && (!(opened instanceof ProviderFailure) || opened.kind === 'unreachable')) continue
      throw opened instanceof ProviderFailure ? opened : endedAtOnce()
    }
  }

  return {
    places: limits.connections * limits.inFlight,
    isDown: () => down,
    async send(request, signal) {
      const lane = await take()
      try {
        if (signal.aborted) return { kind: 'stopped' }
        const connection = await connectionOf(lane).catch(toOpenFailure)
        if (connection instanceof ProviderFailure) return { kind: 'unsent', failure: connection }
        return await request(connection)
      } finally {
        give(lane)
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true
      for (const lane of lanes)
        await lane.connection?.then(
          ({ close }) => close(),
          () => {},
        )
    },
  }
}

function toOpenFailure(error: unknown): ProviderFailure {
  if (error instanceof ProviderFailure) return error
  throw error
}

function endedAtOnce(): ProviderFailure {
  return new ProviderFailure('unreachable', 'the directory ends each connection', { retry: 'later' })
}

/** Does the work for each item, so many at once; the first error ends it, after what is under way has ended. */
export async function eachBounded<T>(
  items: readonly T[],
  atOnceMax: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  let failed = false
  const worker = async () => {
    while (next < items.length && !failed) {
      const index = next++
      try {
        await work(items[index] as T, index)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  const workers = await Promise.allSettled(Array.from({ length: Math.min(atOnceMax, items.length) }, worker))
  for (const ended of workers) if (ended.status === 'rejected') throw ended.reason
}
