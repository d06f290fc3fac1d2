/**
 * Carries changes out: intent recorded, provider called, outcome recorded (S16). Cut anywhere and run again it ends in
 * the same state: what was intended and stands with our mark is ours, what was not done is planned anew.
 */

import { type Provider, ProviderFailure } from '../../providers/provider.ts'
import { type Clock, formatInstant } from '../core/clock.ts'
import { type Digest, digestOf, type Json } from '../core/digest.ts'
import { hit } from '../core/failpoint.ts'
import type { Change, Outcome } from '../model/change.ts'
import { formatRef, type ProviderName } from '../model/resource.ts'
import { markOf } from '../plan/ownership.ts'
import type { Actor, NewEntry, Stored } from '../register/register.ts'
import { type IntendedChange, unknownDigest } from '../world/history.ts'

/** One batch is one intent: big enough to keep the register short, small enough that an incident gets in between soon. */
export const batchMax = 500

export type ApplyContext = {
  readonly installation: string
  readonly providers: ReadonlyMap<ProviderName, Provider>
  readonly append: (entries: readonly NewEntry[]) => Promise<readonly Stored[]>
  readonly clock: Clock
  readonly actor: Actor
  readonly planDigest: string
  /** Exact counts were accepted by a person: these deletes don't count against the limit again. */
  readonly accepted: boolean
  /** Changes after which something is still to follow: what stands then is known once a pass has seen it. */
  readonly isPartial?: (change: Change) => boolean
  readonly progress?: (done: number, total: number) => void
  /** True when something more urgent waits; asked between batches. */
  readonly shouldYield?: () => boolean
}

/** A zone of its own, or the provider: what has to stand together. Half a zone would be served, and cached, as such. */
function unitOf({ ref }: Change): string {
  return ref.provider === 'dns' ? (ref.key.split('/')[0] ?? ref.key) : ref.key
}

/** Batches of one provider each, in the order of the plan; the creates of one zone are never parted. */
export function toBatches(changes: readonly Change[]): Change[][] {
  const batches: Change[][] = []
  const creates = new Map<string, Change[]>()
  for (const change of changes) {
    const zone = change.ref.provider === 'dns' && change.action === 'create' ? unitOf(change) : undefined
    const started = zone === undefined ? undefined : creates.get(zone)
    const last = batches.at(-1)
    if (started !== undefined) started.push(change)
    else if (last !== undefined && last.length < batchMax && last[0]?.ref.provider === change.ref.provider)
      last.push(change)
    else batches.push([change])
    if (zone !== undefined && started === undefined) creates.set(zone, batches.at(-1) ?? [])
  }
  return batches
}

function digestAfter({ isPartial }: ApplyContext, change: Change): Digest | null {
  if (change.after === null) return null
  return isPartial?.(change) === true ? unknownDigest : digestOf(change.after)
}

function intent(context: ApplyContext, changes: readonly Change[]): NewEntry {
  const intended = changes.map(
    (change): IntendedChange => ({
      action: change.action,
      ref: change.ref,
      digest: digestAfter(context, change),
      heldBy: change.source !== null && 'incident' in change.source ? change.source.incident : null,
    }),
  )
  const count = (action: Change['action']) => changes.filter(change => change.action === action).length
  return {
    kind: 'apply.intended',
    actor: context.actor,
    at: formatInstant(context.clock.now()),
    subject: changes[0]?.ref.provider ?? '',
    rule: 'S57',
    facts: { plan: context.planDigest, creates: count('create'), updates: count('update'), deletes: count('delete') },
    personal: { changes: intended as unknown as Json },
  }
}

function outcome(context: ApplyContext, changes: readonly Change[], outcomes: readonly Outcome[]): NewEntry {
  const count = (result: Outcome['result']) => outcomes.filter(outcome => outcome.result === result).length
  const refs = (action: Change['action']) =>
    changes.filter(change => change.action === action).map(change => change.ref)
  return {
    kind: 'apply.completed',
    actor: context.actor,
    at: formatInstant(context.clock.now()),
    subject: changes[0]?.ref.provider ?? '',
    rule: 'S16',
    facts: {
      plan: context.planDigest,
      applied: count('applied'),
      failed: outcomes.length - count('applied'),
      accepted: context.accepted,
      drift: changes.filter(change => change.why === 'drift').length,
    },
    personal: { created: refs('create'), deleted: refs('delete'), outcomes: outcomes as unknown as Json },
  }
}

/** Every change gets an outcome, also when the provider breaks off: what it did not report is `unknown`. */
async function callProvider(
  context: ApplyContext,
  changes: readonly Change[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  const provider = context.providers.get(changes[0]?.ref.provider as ProviderName)
  const outcomes = new Map<string, Outcome>()
  let failure = 'the provider gave no outcome'
  try {
    if (provider === undefined) throw new ProviderFailure('unsupported', 'no such provider', { retry: 'never' })
    const marked = changes.map(change => ({ change, mark: markOf(context.installation, change.ref) }))
    for await (const result of provider.apply(marked, signal)) {
      outcomes.set(formatRef(result.ref), result)
      hit('apply.afterChange')
    }
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    failure = error.message
  }
  return changes.map(({ ref }) => outcomes.get(formatRef(ref)) ?? { ref, result: 'unknown', detail: failure })
}

export type Applied = {
  readonly outcomes: readonly Outcome[] /** Changes left for the next pass. */
  readonly left: number
}

export async function applyChanges(
  context: ApplyContext,
  changes: readonly Change[],
  signal: AbortSignal,
): Promise<Applied> {
  const outcomes: Outcome[] = []
  for (const batch of toBatches(changes)) {
    if (outcomes.length > 0 && (signal.aborted || context.shouldYield?.())) break
    hit('apply.beforeIntent')
    await context.append([intent(context, batch)])
    hit('apply.afterIntent')
    hit('apply.beforeBatch')
    const results = await callProvider(context, batch, signal)
    hit('apply.afterBatch')
    await context.append([outcome(context, batch, results)])
    hit('apply.afterOutcome')
    outcomes.push(...results)
    context.progress?.(outcomes.length, changes.length)
  }
  return { outcomes, left: changes.length - outcomes.length }
}
