/**
 * A few connections with a bounded number of requests in flight on each: slapd closes a connection that has more than
 * 1,000 pending, with unknown outcomes. Says for each request whether it was answered, refused, cut or never sent; a
 * request is sent once and never repeated here.
 */
import type { Client } from 'ldapts'
import { ProviderFailure } from '../provider.ts'
import { type Connection, isAnswer, toFailure } from './connection.ts'

export type Reply<T> =
  | { readonly kind: 'done'; readonly value: T }
  /** The server said no, and did nothing. */
  | { readonly kind: 'refused'; readonly code: number; readonly failure: ProviderFailure }
  /** The connection ended before the answer: it may have been done or not. */
  | { readonly kind: 'cut'; readonly failure: ProviderFailure }
  /** There was no connection to send it on. */
  | { readonly kind: 'unsent'; readonly failure: ProviderFailure }
  /** The signal aborted before it was sent. */
  | { readonly kind: 'stopped' }

export type Pool = AsyncDisposable & {
  /** Requests in flight at most. */
  readonly places: number
  /** The last connection that was tried could not be made. */
  isDown(): boolean
  send<T>(request: (client: Client) => Promise<T>, signal: AbortSignal): Promise<Reply<T>>
}

type Lane = { connection: Promise<Connection> | undefined; inFlight: number }

export type PoolLimits = { readonly connections: number; readonly inFlight: number }

export function createPool(limits: PoolLimits, open: () => Promise<Connection>): Pool {
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
  async function connectionOf(lane: Lane): Promise<Connection> {
    while (true) {
      if (closed) throw new ProviderFailure('unreachable', 'the directory was closed', { retry: 'never' })
      lane.connection ??= open()
      const opening = lane.connection
      try {
        const connection = await opening
        down = false
        if (connection.isAlive()) return connection
        if (lane.connection === opening) lane.connection = undefined
      } catch (error) {
        down = true
        if (lane.connection === opening) lane.connection = undefined
        throw error
      }
    }
  }

  return {
    places: limits.connections * limits.inFlight,
    isDown: () => down,
    async send(request, signal) {
      const lane = await take()
      try {
        if (signal.aborted) return { kind: 'stopped' }
        const connection = await connectionOf(lane).catch((error: unknown) => toFailure(error, 'no connection'))
        if (connection instanceof ProviderFailure) return { kind: 'unsent', failure: connection }
        // Nothing is awaited between the look at the connection and the request, so it never goes out unbound.
        return await answered(request(connection.client))
      } finally {
        give(lane)
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true
      for (const lane of lanes) await lane.connection?.then(({ close }) => close()).catch(() => {})
    },
  }
}

async function answered<T>(work: Promise<T>): Promise<Reply<T>> {
  try {
    return { kind: 'done', value: await work }
  } catch (error) {
    if (isAnswer(error))
      return { kind: 'refused', code: error.code, failure: toFailure(error, 'the directory refused') }
    if (error instanceof ProviderFailure) return { kind: 'refused', code: -1, failure: error }
    return { kind: 'cut', failure: toFailure(error, 'the connection to the directory ended before the answer') }
  }
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
