/**
 * Attempts judged twice, and what differs told by account. Judged are the recipients that were taken and those that a
 * decision of ours refused: what another rule refused stays refused, whatever we say. Groups are bounded. Pure.
 */
import type { Source } from '../../policies/policy.ts'
import { type Decision, decide, type Effect, toFacts } from '../decision/decide.ts'
import { explain } from '../decision/explain.ts'
import type { Snapshot } from '../decision/snapshot.ts'
import { createUsage, type Usage } from '../decision/usage.ts'
import type { Attempt } from './messages.ts'

/** Groups kept; strangers can make up recipients without end. */
export const groupsMax = 10_000

export type Side = { readonly effect: Effect; readonly policy: string }

export type Flips = {
  readonly account: string
  readonly kind: 'login' | 'relay' | 'inbound'
  readonly before: Side
  readonly after: Side
  count: number
  readonly first: Attempt
  /** What the new decision rests on; where it rests on nothing, what the old one rested on. */
  readonly source: PlacedSource | null
}

/** In which of the two estates it stands. */
export type PlacedSource = { readonly in: 'before' | 'after'; readonly at: Source }

export type Comparison = {
  readonly flips: readonly Flips[]
  readonly totals: {
    readonly attempts: number
    readonly judged: number
    /** Refused by a rule that is not ours: not judged. */
    readonly refusedByOthers: number
    readonly flipped: number
    /** Flips in groups beyond the most that are kept. */
    readonly ungrouped: number
    readonly newlyRefused: number
    readonly newlyPermitted: number
  }
}

/** An estate with counters of its own: what one permits, the other may refuse. */
type Judge = { readonly snapshot: Snapshot; readonly usage: Usage }

/** @param other null to compare what the log says happened with what would be decided now. */
export async function compareDecisions(
  attempts: AsyncIterable<Attempt>,
  now: Snapshot,
  other: Snapshot | null,
): Promise<Comparison> {
  const [first, second] = [judgeOf(now), other === null ? null : judgeOf(other)]
  const groups = new Map<string, Flips>()
  const totals = {
    attempts: 0,
    judged: 0,
    refusedByOthers: 0,
    flipped: 0,
    ungrouped: 0,
    newlyRefused: 0,
    newlyPermitted: 0,
  }
  for await (const attempt of attempts) {
    totals.attempts += 1
    if (attempt.answer.effect !== 'dunno' && attempt.answer.id === null) {
      totals.refusedByOthers += 1
      continue
    }
    totals.judged += 1
    const decided = judge(first, attempt)
    const changed = second === null ? decided : judge(second, attempt)
    const before = second === null ? happened(attempt) : toSide(decided)
    const after = toSide(changed)
    // Two policies that refuse alike are a change of the reply, not of what arrives; it is told as well.
    if (before.effect === after.effect && before.policy === after.policy) continue
    totals.flipped += 1
    if (before.effect === 'dunno') totals.newlyRefused += 1
    if (after.effect === 'dunno') totals.newlyPermitted += 1
    const judged = second ?? first
    const { account, kind } = accountOf(judged.snapshot, attempt)
    const key = [kind, account, before.effect, before.policy, after.effect, after.policy].join(' ')
    const group = groups.get(key)
    if (group !== undefined) group.count += 1
    else if (groups.size >= groupsMax) totals.ungrouped += 1
    else {
      const source =
        sourceOf(judged.snapshot, attempt, changed, 'after') ??
        (second === null ? null : sourceOf(first.snapshot, attempt, decided, 'before'))
      groups.set(key, { account, kind, before, after, count: 1, first: attempt, source })
    }
  }
  const flips = [...groups.values()].toSorted((a, b) => b.count - a.count || (a.account < b.account ? -1 : 1))
  return { flips, totals }
}

function judgeOf(snapshot: Snapshot): Judge {
  return { snapshot, usage: createUsage() }
}

function requestOf({ client, sender, recipient, login, queueId }: Attempt) {
  return { state: 'RCPT', clientAddress: client, sender, recipient, login, instance: queueId }
}

function judge({ snapshot, usage }: Judge, attempt: Attempt): Decision {
  const decision = decide(snapshot, requestOf(attempt), { at: attempt.at, usage })
  if (decision.spends !== null) usage.count(decision.spends.login, decision.spends.recipient, attempt.at)
  return decision
}

function toSide({ effect, reason }: Decision): Side {
  return { effect, policy: reason }
}

function happened({ answer }: Attempt): Side {
  return { effect: answer.effect, policy: answer.policy ?? 'permitted' }
}

/** Whose mail it is, as decisions see it (contract section 5). */
function accountOf(snapshot: Snapshot, attempt: Attempt): Pick<Flips, 'account' | 'kind'> {
  const facts = toFacts(snapshot, requestOf(attempt), { at: attempt.at, usage: null })
  if (facts.login !== null) return { kind: 'login', account: facts.login.mailbox?.address ?? facts.login.text }
  if (facts.relay !== null) return { kind: 'relay', account: facts.relay.name }
  return { kind: 'inbound', account: facts.recipient?.mailbox?.address ?? attempt.recipient }
}

/** As `explain` tells it: a permission has a line too. */
function sourceOf(
  snapshot: Snapshot,
  { login, sender, recipient, client, at }: Attempt,
  { source, effect }: Decision,
  side: PlacedSource['in'],
): PlacedSource | null {
  const query = { ...(login !== '' && { login }), sender, recipient, client, at }
  const found = source ?? (effect === 'dunno' ? explain(snapshot, query).source : null)
  return found === null ? null : { in: side, at: found }
}
