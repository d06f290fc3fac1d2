/** Runs decision tables: each case by itself, what was found beside what was expected, and which outcomes no case reaches. Pure. */
import type { Source } from '../../policies/policy.ts'
import type { Instant } from '../core/clock.ts'
import type { Place } from '../core/diagnostic.ts'
import { type Decision, decide, type Stated } from '../decision/decide.ts'
import { explain } from '../decision/explain.ts'
import { buildSnapshot, type Snapshot } from '../decision/snapshot.ts'
import type { World } from '../model/world.ts'
import type { PolicyRequest } from '../standards/policy-delegation.ts'
import { formatOutcome, outcomeOf, outcomes } from './outcomes.ts'
import type { CaseText, Table } from './tables.ts'

/** What differs from what was expected. */
export type Difference = 'effect' | 'reason' | 'reply' | 'also' | 'source'

export type CaseResult = {
  readonly title: string
  readonly description: string
  readonly place: Place
  readonly expected: CaseText['decision']
  readonly found: {
    readonly effect: string
    readonly reason: string
    readonly reply: string
    /** `file:line:column`, or an incident. */
    readonly source: string | null
    /** Of all policies where a recipient is asked about, else of those that have something to say. */
    readonly verdicts: readonly Stated[]
  }
  readonly differences: readonly Difference[]
}

export type RunResult = {
  readonly cases: readonly CaseResult[]
  readonly reached: readonly string[]
  readonly never: readonly string[]
}

export type Judged = { readonly table: Table; readonly world: World; readonly at: Instant }

export function runTables(judged: readonly Judged[]): RunResult {
  const reached = new Set<string>()
  const results = judged.flatMap(({ table, world, at }) => {
    const snapshot = buildSnapshot(world)
    return table.cases.map(({ text, place }): CaseResult => {
      const { decision, verdicts } = askCase(snapshot, text, at)
      for (const verdict of verdicts) {
        const outcome = outcomeOf(verdict)
        if (outcome !== undefined) reached.add(formatOutcome(outcome))
      }
      const { effect, reason, reply } = decision
      const found = { effect, reason, reply, source: formatSource(decision.source), verdicts }
      const { title } = table
      const { description, decision: expected } = text
      return { title, description, place, expected, found, differences: differencesOf(expected, found) }
    })
  })
  const all = outcomes.map(formatOutcome)
  return { cases: results, reached: [...reached], never: all.filter(outcome => !reached.has(outcome)) }
}

/** What Postfix would send for a case. @param at when the case does not say. */
export function requestOf(
  snapshot: Snapshot,
  { request }: CaseText,
  at: Instant,
): { readonly request: PolicyRequest; readonly at: Instant } {
  const { login = '', sender = login, recipient, state = 'RCPT' } = request
  const when = request.at === undefined ? at : Date.parse(request.at)
  const query = { ...(login !== '' && { login }), sender, recipient, at: when }
  const clientAddress = request.client ?? explain(snapshot, query).assumed.client ?? ''
  return { request: { state, clientAddress, sender, recipient, login, instance: 'table' }, at: when }
}

/** Counters that stand where the case says, for each recipient anew. */
export function usageOf({ request: { spent } }: CaseText) {
  return spent === undefined ? null : { after: () => ({ hour: spent.hour + 1, day: spent.day + 1 }) }
}

function askCase(snapshot: Snapshot, text: CaseText, when: Instant) {
  const { request, at } = requestOf(snapshot, text, when)
  const usage = usageOf(text)
  const decision = decide(snapshot, request, { at, usage })
  return { decision, verdicts: verdictsOf(snapshot, request, at, decision, usage !== null) }
}

function verdictsOf(
  snapshot: Snapshot,
  request: PolicyRequest,
  at: Instant,
  decision: Decision,
  counted: boolean,
): readonly Stated[] {
  if (request.state !== 'RCPT') return decision.verdicts
  const { login, sender, recipient, clientAddress: client } = request
  const { verdicts } = explain(snapshot, { ...(login !== '' && { login }), sender, recipient, client, at })
  if (!counted) return verdicts
  // `explain` has no counters: what was decided with them says more about rates.
  const rate = decision.verdicts.find(({ policy }) => policy === 'rate')
  const passed = decision.spends === null ? undefined : ({ policy: 'rate', effect: 'dunno', reason: 'passed' } as const)
  return verdicts.map(verdict => (verdict.policy === 'rate' ? (rate ?? passed ?? verdict) : verdict))
}

function differencesOf(expected: CaseText['decision'], found: CaseResult['found']): Difference[] {
  const has = (name: string) => found.verdicts.some(({ policy, reason }) => policy === name && isOpinion(reason))
  const differs: Readonly<Record<Difference, boolean>> = {
    effect: expected.effect !== found.effect,
    reason: expected.reason !== undefined && expected.reason !== found.reason,
    reply: expected.reply !== undefined && !found.reply.startsWith(expected.reply),
    also: (expected.also ?? []).some(name => !has(name)),
    source: expected.source !== undefined && expected.source !== found.source,
  }
  return (['effect', 'reason', 'reply', 'also', 'source'] as const).filter(name => differs[name])
}

/** False for what `explain` says of a policy that has nothing against. */
export function isOpinion(reason: string): boolean {
  return reason !== 'passed' && reason !== 'not concerned'
}

function formatSource(source: Source | null): string | null {
  if (source === null) return null
  return 'incident' in source ? source.incident : `${source.file}:${source.line}:${source.column}`
}
