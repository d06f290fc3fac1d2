/**
 * The thread of live decisions: the policy server and its tables, apart from all that the daemon does, so that a pass over
 * a large estate keeps no mail waiting. What the daemon has sent before a question was read is in force for its answer:
 * a hold that was acknowledged lets nothing through (contract section 6). It reads no file and knows no register.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { assert } from '../core/assert.ts'
import { systemClock } from '../core/system-clock.ts'
import { decide } from './decide.ts'
import type { FromThread, Raised, ThreadData, ThreadReply, Told, ToThread } from './messages.ts'
import { allowedIn, institutionOf } from './party.ts'
import { PolicyServer } from './server.ts'
import { createSignals, type Signal, signOf } from './signals.ts'
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
let raised: Raised[] = []
let telling: NodeJS.Timeout | null = null

const say = (message: FromThread) => port.postMessage(message)

const usage = createUsage()
const signals = createSignals()
const server = new PolicyServer({
  clock: systemClock,
  usage,
  beforeAnswer: takeAll,
  onDecision(decision, request) {
    const at = systemClock.now()
    // Counted here, where each is seen: a flood of refusals hides nobody's signs.
    const sign = signOf(decision, request, account => usage.recent(account, at))
    if (sign !== undefined) raise(signals.note(sign, at, server.snapshot?.signals))
    if (decision.verdicts.length > 0) {
      if (told.length < toldMax) told.push({ decision, request })
      else more += 1
      telling ??= setTimeout(tell, tellMs)
    }
  },
  onCounted(login, { hour, clients }) {
    const settings = server.snapshot?.signals
    if (settings === undefined || (hour < settings.recipients.least && clients <= settings.clients.alert)) return
    const at = systemClock.now()
    const usual = () => usage.usual(login, at)
    const allowed = () => (server.snapshot === null ? 0 : allowedIn(server.snapshot, login, at))
    raise(signals.noteCounted({ login, hour, clients, usual, allowed }, at, settings))
  },
  onThrown: error => say({ kind: 'thrown', error: error instanceof Error ? String(error.stack) : String(error) }),
})

function raise(found: readonly Signal[]): void {
  if (found.length === 0) return
  // Of a network that many logins come from nobody can say whose it is.
  for (const signal of found) raised.push({ ...signal, institution: institutionOf(server.snapshot, signal.subject) })
  telling ??= setTimeout(tell, tellMs)
}

function tell(): void {
  if (telling !== null) clearTimeout(telling)
  telling = null
  if (told.length + more + raised.length === 0) return
  say({ kind: 'told', told, more, signals: raised })
  told = []
  raised = []
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
      void reply(message.id, Promise.resolve({ usage: usage.save(), signals: signals.save() }))
      break
    case 'restore':
      usage.restore(message.counters.usage)
      signals.restore(message.counters.signals)
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
