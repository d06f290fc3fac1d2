/**
 * The thread of live decisions: the policy server and its tables, apart from all that the daemon does, so that a pass over
 * a large estate keeps no mail waiting. What the daemon has sent before a question was read is in force for its answer:
 * a hold that was acknowledged lets nothing through (contract section 6). It reads no file and knows no register.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { assert } from '../core/assert.ts'
import { systemClock } from '../core/system-clock.ts'
import { decide } from './decide.ts'
import type { FromThread, ThreadData, ThreadReply, Told, ToThread } from './messages.ts'
import { PolicyServer } from './server.ts'
import { openSnapshot, withHolds } from './snapshot.ts'
import { createUsage } from './usage.ts'

/** Refusals wait this long to be told together. */
const tellMs = 100
/** A flood of refusals is counted, not listed. */
const toldMax = 100

assert(parentPort !== null, 'this file runs as a thread')
const port = parentPort
const sent = new Int32Array((workerData as ThreadData).sent)
let received = 0
let told: Told[] = []
let more = 0
let telling: NodeJS.Timeout | null = null

const say = (message: FromThread) => port.postMessage(message)

const usage = createUsage()
const server = new PolicyServer({
  clock: systemClock,
  usage,
  beforeAnswer: takeAll,
  onDecision(decision, request) {
    if (told.length < toldMax) {
      const { sign } = decision
      const sent = sign?.kind === 'bounce' ? { sent: usage.recent(sign.account, systemClock.now()) } : {}
      told.push({ decision, request, ...sent })
    } else if (decision.sign === undefined) more += 1
    telling ??= setTimeout(tell, tellMs)
  },
  onThrown: error => say({ kind: 'thrown', error: error instanceof Error ? String(error.stack) : String(error) }),
})

function tell(): void {
  if (telling !== null) clearTimeout(telling)
  telling = null
  if (told.length + more === 0) return
  say({ kind: 'told', told, more })
  told = []
  more = 0
}

/** Everything that was sent by now, without waiting for the turn in which it would come by itself. */
function takeAll(): void {
  while (received !== Atomics.load(sent, 0)) {
    const next = receiveMessageOnPort(port) as { message: ToThread } | undefined
    if (next === undefined) return
    take(next.message)
  }
}

function take(message: ToThread): void {
  received = (received + 1) | 0
  switch (message.kind) {
    case 'show':
      server.swap(message.image === null ? null : openSnapshot(message.image))
      break
    case 'hold':
      if (server.snapshot !== null) server.swap(withHolds(server.snapshot, message.holds))
      break
    case 'listen':
      void reply(
        message.id,
        server.listen(message.listeners).then(() => server.addresses),
      )
      break
    case 'ask':
      void reply(message.id, ask(message.request))
      break
    case 'count':
      void reply(message.id, Promise.resolve({ ...server.counters }))
      break
    case 'save':
      void reply(message.id, Promise.resolve(usage.save()))
      break
    case 'restore':
      usage.restore(message.usage)
      break
    case 'close':
      void reply(message.id, close())
      break
  }
}

async function ask(request: Told['request']): Promise<ThreadReply> {
  const { snapshot } = server
  return snapshot === null ? null : decide(snapshot, request, { at: systemClock.now(), usage: null })
}

async function close(): Promise<null> {
  await server.close()
  tell()
  return null
}

async function reply(id: number, work: Promise<ThreadReply>): Promise<void> {
  try {
    say({ kind: 'reply', id, value: await work })
  } catch (error) {
    say({ kind: 'failure', id, error: error instanceof Error ? error.message : String(error) })
  }
}

port.on('message', (message: ToThread) => take(message))
