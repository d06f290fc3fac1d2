/**
 * The same traffic under two sets of rules: what flips, by account, with the line that causes it. Holds and rates are left
 * out: a log is judged by what manifests say, at the time of each line. Pure.
 */
import { decide, type Effect } from '../decision/decide.ts'
import { type Snapshot, withHolds } from '../decision/snapshot.ts'
import type { Attempt } from './messages.ts'

export type Verdict = { readonly effect: Effect; readonly reason: string }

export type Flip = {
  /** Who logged in; else whom a stranger wrote to, or who wrote through a declared server. */
  readonly subject: string
  readonly from: Verdict
  readonly to: Verdict
  readonly first: Omit<Attempt, 'outcome'>
  /** The line that refuses, of the side that does. */
  readonly source: { readonly file: string; readonly line: number; readonly column: number } | null
  count: number
}

export type Comparison = {
  judged: number
  flipped: number
  /** Recipients that others had refused: nobody can tell whether we would have been asked. */
  byOthers: number
  /** Flips of accounts beyond those that are listed. */
  unlisted: number
  readonly flips: Map<string, Flip>
}

export const emptyComparison = (): Comparison => ({
  judged: 0,
  flipped: 0,
  byOthers: 0,
  unlisted: 0,
  flips: new Map(),
})

/** A list that nobody reads to its end; the counts stay true. */
const flipsMax = 10_000

export type Judge = (attempt: Attempt) => Verdict & { readonly source: Flip['source'] }

export function judgeBy(snapshot: Snapshot): Judge {
  const rules = withHolds(snapshot, [])
  return ({ at, client, login, sender, recipient }) => {
    const request = { state: 'RCPT', clientAddress: client, sender, recipient, login, instance: 'replay' }
    const { effect, reason, source } = decide(rules, request, { at, usage: null })
    const place = source === null || 'incident' in source ? null : source
    return {
      effect,
      reason,
      source: place === null ? null : { file: place.file, line: place.line, column: place.column },
    }
  }
}

/** What the log says, as a judgement. */
export const judgeByLog: Judge = ({ outcome }) => {
  const effect = outcome === 'accepted' ? 'dunno' : outcome === 'deferred' ? 'defer' : 'reject'
  return { effect, reason: 'log', source: null }
}

export function compare(comparison: Comparison, attempt: Attempt, before: Judge, after: Judge): void {
  if (attempt.outcome === 'others') {
    comparison.byOthers += 1
    return
  }
  comparison.judged += 1
  const [from, to] = [before(attempt), after(attempt)]
  if (from.effect === to.effect) return
  comparison.flipped += 1
  const { outcome: _, ...first } = attempt
  const subject = attempt.login || (to.reason.endsWith('-send') ? attempt.sender : attempt.recipient)
  const key = `${subject} ${from.effect} ${from.reason} ${to.effect} ${to.reason}`
  const known = comparison.flips.get(key)
  if (known !== undefined) known.count += 1
  else if (comparison.flips.size >= flipsMax) comparison.unlisted += 1
  else {
    const plain = ({ effect, reason }: Verdict): Verdict => ({ effect, reason })
    const source = to.effect === 'dunno' ? from.source : to.source
    comparison.flips.set(key, { subject, from: plain(from), to: plain(to), first, source, count: 1 })
  }
}

export function sortedFlips({ flips }: Comparison): readonly Flip[] {
  return [...flips.values()].toSorted((a, b) => b.count - a.count || (a.subject < b.subject ? -1 : 1))
}
