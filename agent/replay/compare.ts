/**
 * What would be decided, beside what was: each recipient of a log is judged at the time of its line, and those whose
 * answer changes (flips) are counted by account, with a first example and the line of a manifest that changes it. Two
 * worlds are compared, or the log's own answers and a world. What cannot be compared is counted with its reason. Bounded,
 * whatever the log. Pure.
 */
import type { Source } from '../../policies/policy.ts'
import type { Instant } from '../core/clock.ts'
import { type Decision, decide } from '../decision/decide.ts'
import { explain } from '../decision/explain.ts'
import { buildPrefixTable, matchesOf, type PrefixTable } from '../decision/network.ts'
import { buildSnapshot, type Snapshot } from '../decision/snapshot.ts'
import { createUsage, type Usage } from '../decision/usage.ts'
import { type PolicyName, policyNames } from '../manifest/schema.ts'
import { parseIp } from '../model/ip.ts'
import type { World } from '../model/world.ts'
import type { Asked } from './messages.ts'

export type Answer = {
  readonly effect: 'accept' | 'defer' | 'reject'
  /** The policy that decides; null for what is accepted, and for a log's answer that names none. */
  readonly policy: PolicyName | null
  readonly reason: string
}

/** Whose mail it is, as a live decision sees it. */
export type Who = { readonly kind: 'login' | 'relay' | 'recipient'; readonly name: string }

export type Flip = {
  readonly who: Who
  readonly before: Answer
  readonly after: Answer
  readonly count: number
  /** How many of them rest on the sender standing for a login that the log does not name. */
  readonly assumed: number
  readonly example: Asked
  /** What changes it, and in which of the two worlds it stands. */
  readonly cause: { readonly side: 'before' | 'after'; readonly source: Source } | null
}

/** Why a recipient is in no comparison. */
export type NotCompared = 'refused-by-others' | 'before-sender'

export type Comparison = {
  readonly compared: number
  readonly flips: readonly Flip[]
  readonly flipped: number
  /** Flips beyond those that are listed. */
  readonly more: number
  /** Refused before and after, for another reason. */
  readonly otherReason: number
  readonly assumed: number
  readonly notCompared: Readonly<Record<NotCompared, number>>
  /** Recipients whose answer rests on counters that begin with the log. */
  readonly rated: number
}

export interface Comparer {
  ask(asked: Asked): void
  result(): Comparison
}

/** Rows that a person could still read; beyond, flips are counted and not listed. */
const flipsMax = 1_000

type Side = { readonly snapshot: Snapshot; readonly usage: Usage }

const sideOf = (world: World): Side => ({ snapshot: buildSnapshot(world), usage: createUsage() })

/** @param before null: the log's own answers. */
export function createComparer(before: World | null, after: World): Comparer {
  const old = before === null ? null : sideOf(before)
  const next = sideOf(after)
  const relays = relaysOf(after)
  const rows = new Map<string, Row>()
  const notCompared = { 'refused-by-others': 0, 'before-sender': 0 }
  let [compared, flipped, more, otherReason, assumed, rated] = [0, 0, 0, 0, 0, 0]

  function add(asked: Asked, was: Answer, is: Answer, cause: Flip['cause']): void {
    flipped += 1
    const who = whoOf(asked, relays)
    const key = JSON.stringify([who, was.effect, was.policy, is.effect, is.policy, keyOf(cause)])
    const isAssumed = asked.loginFrom === 'assumed' ? 1 : 0
    const row = rows.get(key)
    if (row !== undefined) {
      row.count += 1
      row.assumed += isAssumed
    } else if (rows.size >= flipsMax) more += 1
    else rows.set(key, { who, before: was, after: is, count: 1, assumed: isAssumed, example: asked, cause })
  }

  return {
    ask(asked) {
      if (isBeforeSender(asked.stage)) {
        notCompared['before-sender'] += 1
        return
      }
      // Whatever we say of it, somebody else refuses it: nothing would change for anybody.
      if (asked.refused !== null && asked.refused.decision === '') {
        notCompared['refused-by-others'] += 1
        return
      }
      compared += 1
      if (asked.loginFrom === 'assumed') assumed += 1
      const oldDecision = old === null ? null : judge(old, asked)
      const newDecision = judge(next, asked)
      const was = oldDecision === null ? loggedAnswer(asked) : answerOf(oldDecision)
      const is = answerOf(newDecision)
      if (was.policy === 'rate' || is.policy === 'rate') rated += 1
      if (was.effect !== is.effect) add(asked, was, is, causeOf(asked, oldDecision, newDecision, next))
      else if (was.policy !== is.policy && was.policy !== null) otherReason += 1
    },
    result() {
      const flips = [...rows.values()].sort((a, b) => b.count - a.count)
      return { compared, flips, flipped, more, otherReason, assumed, notCompared: { ...notCompared }, rated }
    },
  }
}

type Row = { -readonly [K in keyof Flip]: Flip[K] }

function isBeforeSender(stage: string): boolean {
  return ['CONNECT', 'HELO', 'EHLO', 'ETRN', 'VRFY', 'AUTH', 'STARTTLS'].includes(stage)
}

function requestOf({ stage, client, login, sender, recipient, queue, host }: Asked) {
  return { state: stage, clientAddress: client, sender, recipient, login, instance: `${host} ${queue}` }
}

/** What is permitted counts, as the daemon counts it; the counters are of this side alone. */
function judge({ snapshot, usage }: Side, asked: Asked): Decision {
  const decision = decide(snapshot, requestOf(asked), { at: asked.at, usage })
  if (decision.spends !== null) usage.count(decision.spends.login, decision.spends.recipient, asked.at)
  return decision
}

function answerOf({ effect, reason, verdicts }: Decision): Answer {
  if (effect === 'dunno' || reason === 'permitted') return { effect: 'accept', policy: null, reason: '' }
  const said = verdicts.find(verdict => verdict.policy === reason && verdict.effect === effect)
  return { effect, policy: reason, reason: said?.reason ?? '' }
}

const ownReply = /: ([a-z-]+): ([^[]*) \[mw-[0-9a-v]{8}\]$/

function loggedAnswer({ refused }: Asked): Answer {
  if (refused === null) return { effect: 'accept', policy: null, reason: '' }
  const [, name = '', reason = ''] = ownReply.exec(refused.reply) ?? []
  const policy = policyNames.find(known => known === name) ?? null
  return { effect: refused.reply.startsWith('4') ? 'defer' : 'reject', policy, reason }
}

/** The line that refuses; of what is permitted now, the line that permits, else the one that refused before. */
function causeOf(asked: Asked, old: Decision | null, now: Decision, next: Side): Flip['cause'] {
  if (now.effect !== 'dunno') return now.source === null ? null : { side: 'after', source: now.source }
  const { login, sender, recipient, client, at } = asked
  const { source } = explain(next.snapshot, { ...(login !== '' && { login }), sender, recipient, client, at })
  if (source !== null) return { side: 'after', source }
  return old?.source ? { side: 'before', source: old.source } : null
}

function keyOf(cause: Flip['cause']): string {
  if (cause === null) return ''
  const { side, source } = cause
  return 'incident' in source ? source.incident : `${side} ${source.file}:${source.line}:${source.column}`
}

/** Declared relays by address: whose mail a client without a login brings. */
function relaysOf({ institutions }: World): PrefixTable<string> {
  const entries: [network: string, institution: string][] = []
  for (const { name, servers } of institutions.values())
    for (const { networks, roles } of servers)
      if (roles.includes('relay')) for (const network of networks) entries.push([network, name])
  return buildPrefixTable(entries)
}

function whoOf({ login, client, recipient }: Asked, relays: PrefixTable<string>): Who {
  if (login !== '') return { kind: 'login', name: login.toLowerCase() }
  const [institution] = matchesOf(relays, parseIp(client))
  if (institution !== undefined) return { kind: 'relay', name: institution }
  return { kind: 'recipient', name: recipient.toLowerCase() }
}

/** A period of a log; both ends are instants, the first inclusive, the second exclusive. */
export type Period = { readonly since: Instant; readonly until: Instant }
