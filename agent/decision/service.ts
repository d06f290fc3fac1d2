/**
 * The daemon's end of the thread of live decisions. `show` and `hold` are in force for every question that is read after
 * they return, whatever the thread is doing: it looks for what was sent before each answer.
 */
import { Worker } from 'node:worker_threads'
import type { Hold } from '../model/incident.ts'
import type { PolicyRequest } from '../standards/policy-delegation.ts'
import type { PolicyCounters } from './counters.ts'
import type { Decision } from './decide.ts'
import type { SnapshotImage } from './image.ts'
import type { FromThread, KeptCounters, Raised, ThreadData, ThreadReply, Told, ToThread } from './messages.ts'
import type { PolicyListener } from './snapshot.ts'

export type PolicyService = {
  /** @returns the addresses as they are listened on, with real ports. @throws when one of them cannot be. */
  listen(listeners: readonly PolicyListener[]): Promise<readonly string[]>
  /** The tables to decide by from now on. With null, every question is answered by hanging up. */
  show(image: SnapshotImage | null): void
  /** The same tables under other holds. */
  hold(holds: readonly Hold[]): void
  /** What Postfix would be told; null where every question is answered by hanging up. Counts nothing. */
  ask(request: PolicyRequest): Promise<Decision | null>
  counters(): Promise<PolicyCounters>
  /** The counters of `rate` and of signals. */
  saveCounters(): Promise<KeptCounters>
  restoreCounters(counters: KeptCounters): void
  /** Ends every connection after what it was answered, and the thread. */
  close(): Promise<void>
}

export type PolicyServiceOptions = {
  readonly onTold: (told: readonly Told[], more: number, signals: readonly Raised[]) => void
  /** A policy threw; the connection was closed. */
  readonly onThrown: (error: string) => void
  /** The thread ended by itself: nobody answers any more. */
  readonly onEnded: (error: unknown) => void
}

type Waiting = { readonly resolve: (value: ThreadReply) => void; readonly reject: (error: Error) => void }

/** Refused by the thread, in words for people. */
export class ServiceFailure extends Error {
  override readonly name = 'ServiceFailure'
}

const gone = () => new ServiceFailure('the thread of live decisions has ended')

export function startPolicyService(options: PolicyServiceOptions): PolicyService {
  const sent = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const count = new Int32Array(sent)
  const workerData: ThreadData = { sent }
  const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData, name: 'decisions' })
  const waiting = new Map<number, Waiting>()
  let lastId = 0
  let closing = false
  let ended = false

  const post = (message: ToThread) => {
    worker.postMessage(message)
    // After the message: whoever sees the number finds it.
    Atomics.add(count, 0, 1)
  }
  const request = (make: (id: number) => ToThread) =>
    new Promise<ThreadReply>((resolve, reject) => {
      if (ended) return reject(gone())
      lastId += 1
      waiting.set(lastId, { resolve, reject })
      post(make(lastId))
    })
  const end = (error: unknown) => {
    if (ended) return
    ended = true
    for (const { reject } of waiting.values()) reject(gone())
    waiting.clear()
    if (!closing) options.onEnded(error)
  }

  worker.on('message', (message: FromThread) => {
    switch (message.kind) {
      case 'told':
        return options.onTold(message.told, message.more, message.signals)
      case 'thrown':
        return options.onThrown(message.error)
      case 'reply':
        waiting.get(message.id)?.resolve(message.value)
        return void waiting.delete(message.id)
      case 'failure':
        waiting.get(message.id)?.reject(new ServiceFailure(message.error))
        return void waiting.delete(message.id)
    }
  })
  worker.on('error', end)
  worker.on('exit', code => end(new ServiceFailure(`the thread of live decisions ended with ${code}`)))

  return {
    listen: async listeners => (await request(id => ({ kind: 'listen', id, listeners }))) as readonly string[],
    show: image => post({ kind: 'show', image }),
    hold: holds => post({ kind: 'hold', holds }),
    ask: async question => (await request(id => ({ kind: 'ask', id, request: question }))) as Decision | null,
    counters: async () => (await request(id => ({ kind: 'count', id }))) as PolicyCounters,
    saveCounters: async () => (await request(id => ({ kind: 'save', id }))) as KeptCounters,
    restoreCounters: counters => post({ kind: 'restore', counters }),
    async close() {
      if (closing) return
      closing = true
      await request(id => ({ kind: 'close', id })).catch(() => {})
      await worker.terminate()
    },
  }
}
