/**
 * The queue of a Postfix 3.7 host: what comes from a held scope or goes to it waits in the hold queue and is released
 * again. Never bounced or expired, never deleted but by `purge.ts`, and never released when somebody else held it (see held.ts). Ids go to
 * `postsuper` on its standard input: those that are gone cost nothing there.
 */
import type { Clock } from '../../agent/core/clock.ts'
import type { HoldScope } from '../../agent/model/incident.ts'
import { formatHoldScope, parseHoldScope, scopeTest } from '../../agent/standards/hold-scope.ts'
import type { DoorState, MailDoor, MailHost, QueuedMessage } from '../provider.ts'
import { callPostfix, debianCommands, type PostfixCommands } from './commands.ts'
import { examinePostfix } from './examine.ts'
import type { PostfixFinding } from './finding.ts'
import { type HeldMessage, type HeldMessages, heldInMemory, keyOf } from './held.ts'
import { readLifetimes } from './postconf.ts'
import { nameOf, openHeldMail } from './purge.ts'
import { concerns, listQueue } from './queue.ts'

export type PostfixOptions = {
  /** Of the configuration: `mx1`. */
  readonly name: string
  readonly clock: Clock
  /** Debian's programs and /etc/postfix unless told. */
  readonly commands?: Partial<PostfixCommands>
  /** Outlives the process; in memory unless told. */
  readonly held?: HeldMessages
  /** Addresses of our policy service, `inet:127.0.0.1:10031`, for `examine`; any service when there are none. */
  readonly policy?: readonly string[]
}

export interface PostfixHost extends MailHost {
  /** The messages of a scope, without their content, as evidence. @throws ProviderFailure */
  messages(scope: HoldScope, signal: AbortSignal): Promise<readonly QueuedMessage[]>
  /** What in `postconf` keeps the levers from working. Changes nothing. @throws ProviderFailure */
  examine(signal: AbortSignal): Promise<readonly PostfixFinding[]>
}

/** New mail keeps arriving while a busy host is closed; each pass takes what came during the last. */
const passesMax = 20
/** Two in a row: what qmgr moved from one queue to the next during the first is seen by the second. */
const emptyPasses = 2
/** Of one `postsuper`: a thousand take 50 ms, and an abort comes between two. */
const batchMax = 1_000
/** Up to here each message is tried by itself; beyond it a flush costs less, which tries all that waits once more. */
const scheduledMax = 50
const waitMs = 20

export function openPostfix(options: PostfixOptions): PostfixHost {
  const { name, clock, held = heldInMemory() } = options
  const commands: PostfixCommands = { ...debianCommands, ...options.commands }
  const doors: readonly MailDoor[] = ['queue']
  /** What this process closed: an arrival that also belongs to another of these is not released. */
  const closed = new Map<string, HoldScope>()

  async function look(scope: HoldScope, signal: AbortSignal): Promise<Sight> {
    const remembered = await held.list()
    const inScope = scopeTest(scope)
    const found: QueuedMessage[] = []
    await listQueue(commands, message => void (concerns(inScope, message) && found.push(message)), signal)
    return sight(scope, found, remembered)
  }

  async function supervise(args: readonly string[], ids: readonly string[], signal: AbortSignal): Promise<void> {
    for (const batch of batches(ids))
      await callPostfix({ argv: commands.postsuper, args, input: `${batch.join('\n')}\n`, signal })
  }

  async function close(scope: HoldScope, signal: AbortSignal): Promise<DoorState> {
    const key = formatHoldScope(scope)
    closed.set(key, scope)
    let quiet = 0
    for (let pass = 1; ; pass += 1) {
      const now = await look(scope, signal)
      if (now.stale.length > 0) await held.remove(now.stale, 'gone')
      const movable = now.loose.filter(({ queue }) => queue !== 'maildrop')
      // Before the hold: a message that is held and not remembered would never be released. What waits for another
      // scope of ours waits for this one too from now on.
      const news = entries([...movable, ...now.oursForOthers], key)
      if (news.length > 0) await held.add(news)
      quiet = now.loose.length === 0 ? quiet + 1 : 0
      if (quiet === emptyPasses || pass === passesMax) return stateOf(now)
      const ids = idsOf(movable)
      if (ids.length > 0) await supervise(['-h', '-'], ids, signal)
      // Not yet a message of the queue: pickup brings it there, under a new id, for the next pass.
      else if (now.loose.length > 0) {
        await wakePickup(signal)
        await clock.sleep(waitMs, signal)
      }
    }
  }

  async function open(
    scope: HoldScope,
    signal: AbortSignal,
    mayGo?: (message: QueuedMessage) => boolean,
  ): Promise<DoorState> {
    const key = formatHoldScope(scope)
    closed.delete(key)
    const before = await look(scope, signal)
    if (before.stale.length > 0) await held.remove(before.stale, 'gone')
    if (mayGo !== undefined) {
      const chosen = [...before.ours, ...before.oursForOthers].filter(mayGo)
      return chosen.length === 0 ? stateOf(before) : release(scope, chosen, signal)
    }
    const others = await otherScopes(key)
    const kept: QueuedMessage[] = []
    const free: QueuedMessage[] = []
    for (const message of before.ours) {
      const wanted = others.filter(other => concerns(other.test, message))
      if (wanted.length > 0) await held.add(wanted.map(other => entry(message, other.key)))
      ;(wanted.length > 0 ? kept : free).push(message)
    }
    if (kept.length > 0) await held.remove(entries(kept, key), 'kept')
    return free.length === 0 ? stateOf(await look(scope, signal)) : release(scope, free, signal)
  }

  async function otherScopes(key: string) {
    const keys = new Set([...closed.keys(), ...(await held.list()).map(({ scope }) => scope)])
    keys.delete(key)
    return [...keys].map(other => ({ key: other, test: scopeTest(parseHoldScope(other)) }))
  }

  /** `-H` keeps id and time of arrival; what has waited for long goes through `-r`, or it would bounce at the first try. */
  async function release(
    scope: HoldScope,
    messages: readonly QueuedMessage[],
    signal: AbortSignal,
  ): Promise<DoorState> {
    const lifetimes = await readLifetimes(commands, signal)
    const isOld = (message: QueuedMessage) => {
      const lifetimeMs = message.sender === '' ? lifetimes.bounceMs : lifetimes.messageMs
      return clock.now() - message.arrivedAt > lifetimeMs / 2
    }
    const { old = [], young = [] } = Object.groupBy(messages, message => (isOld(message) ? 'old' : 'young'))
    if (young.length > 0) await supervise(['-H', '-'], idsOf(young), signal)
    // From the hold queue only: what somebody released a moment ago may be under delivery, and would go out twice.
    if (old.length > 0) await supervise(['-r', '-', 'hold'], idsOf(old), signal)
    let after = await look(scope, signal)
    // What did not move is still ours to release.
    const left = new Set(idsOf([...after.ours, ...after.oursForOthers]))
    await held.remove(await remembered(young, left), 'released')
    await held.remove(await remembered(old, left), 'requeued')
    if (old.length > 0) {
      await wakePickup(signal)
      // Under its new id a message waits like any other where its destination did not answer lately: hence the flush.
      for (let pass = 1; pass < passesMax && after.loose.some(({ queue }) => queue === 'maildrop'); pass += 1) {
        await clock.sleep(waitMs, signal)
        after = await look(scope, signal)
      }
    }
    if (old.length > 0 || young.length > scheduledMax)
      await callPostfix({ argv: commands.postqueue, args: ['-f'], signal })
    else for (const id of idsOf(young)) await callPostfix({ argv: commands.postqueue, args: ['-i', id], signal })
    return stateOf(after)
  }

  /** What is remembered of these messages but those, under every scope. */
  async function remembered(messages: readonly QueuedMessage[], except = new Set<string>()): Promise<HeldMessage[]> {
    const names = new Set(messages.filter(({ id }) => !except.has(id)).map(nameOf))
    return (await held.list()).filter(message => names.has(nameOf(message)))
  }

  /** It looks by itself once a minute. */
  async function wakePickup(signal: AbortSignal): Promise<void> {
    await callPostfix({ argv: commands.postkick, args: ['public', 'pickup', 'W'], signal })
  }

  return {
    name,
    target: `postfix:${commands.postqueue.join(' ')}`,
    doors,
    observe: async (scope, signal) => [stateOf(await look(scope, signal))],
    close: async (scope, asked, signal) => (asked.includes('queue') ? [await close(scope, signal)] : []),
    open: async (scope, asked, signal, mayGo) => (asked.includes('queue') ? [await open(scope, signal, mayGo)] : []),
    heldMail: openHeldMail({
      commands,
      async look(scope, signal) {
        const found = await look(scope, signal)
        return { held: [...found.ours, ...found.oursForOthers], state: stateOf(found) }
      },
      deleted: async messages => held.remove(await remembered(messages), 'purged'),
    }),
    async waiting(signal) {
      const counts = new Map<string, number>()
      await listQueue(
        commands,
        ({ queue, sender }) => {
          const domain = sender.slice(sender.lastIndexOf('@') + 1).toLowerCase()
          if (queue !== 'hold' && domain !== '') counts.set(domain, (counts.get(domain) ?? 0) + 1)
        },
        signal,
      )
      return counts
    },
    async messages(scope, signal) {
      const { loose, ours, oursForOthers, foreign } = await look(scope, signal)
      return [...loose, ...ours, ...oursForOthers, ...foreign]
    },
    examine: signal => examinePostfix(commands, options.policy ?? [], signal),
    async [Symbol.asyncDispose]() {},
  }
}

/** The messages of a scope by what holds them. */
type Sight = {
  /** Postfix would deliver them. */
  readonly loose: readonly QueuedMessage[]
  /** Held by us for this scope. */
  readonly ours: readonly QueuedMessage[]
  /** Held by us, but for another scope alone. */
  readonly oursForOthers: readonly QueuedMessage[]
  /** Held by somebody else. */
  readonly foreign: readonly QueuedMessage[]
  /** Remembered for this scope and no longer on hold. */
  readonly stale: readonly HeldMessage[]
}

function sight(scope: HoldScope, found: readonly QueuedMessage[], remembered: readonly HeldMessage[]): Sight {
  const key = formatHoldScope(scope)
  const scopesOf = new Map<string, Set<string>>()
  for (const { id, arrivedAt, scope: of } of remembered) {
    const of_ = scopesOf.get(`${id} ${arrivedAt}`) ?? new Set()
    scopesOf.set(`${id} ${arrivedAt}`, of_.add(of))
  }
  const {
    loose = [],
    ours = [],
    oursForOthers = [],
    foreign = [],
  } = Object.groupBy(found, message => {
    if (message.queue !== 'hold') return 'loose'
    const scopes = scopesOf.get(`${message.id} ${message.arrivedAt}`)
    if (scopes === undefined) return 'foreign'
    return scopes.has(key) ? 'ours' : 'oursForOthers'
  })
  const standing = new Set(ours.map(message => keyOf(entry(message, key))))
  const stale = remembered.filter(held => held.scope === key && !standing.has(keyOf(held)))
  return { loose, ours, oursForOthers, foreign, stale }
}

function entry({ id, arrivedAt }: QueuedMessage, scope: string): HeldMessage {
  return { id, arrivedAt, scope }
}

function entries(messages: readonly QueuedMessage[], scope: string): HeldMessage[] {
  return messages.map(message => entry(message, scope))
}

function idsOf(messages: readonly QueuedMessage[]): string[] {
  return messages.map(({ id }) => id)
}

function stateOf({ loose, ours, oursForOthers, foreign }: Sight): DoorState {
  return { door: 'queue', open: loose.length, held: ours.length, heldByOthers: oursForOthers.length + foreign.length }
}

function batches(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / batchMax) }, (_, index) =>
    ids.slice(index * batchMax, (index + 1) * batchMax),
  )
}
