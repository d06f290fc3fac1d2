/** Makes a plan: desired against observed, ordered, guarded, digested. Pure; the caller observes and the clock is an argument. */

import type { Observed, Scope } from '../../providers/provider.ts'
import { formatInstant, type Instant } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import { digestOf } from '../core/digest.ts'
import { type DesiredSet, desired, withinScope, withoutHolds } from '../desired/desired.ts'
import { checkCountryNetworks } from '../desired/directory.ts'
import { membersWithoutAddress } from '../desired/lists.ts'
import type { Change, Plan } from '../model/change.ts'
import type { DomainName } from '../model/name.ts'
import { formatRef, type ProviderName, type Ref, type Resource, refOf } from '../model/resource.ts'
import { isProvisioned, type World } from '../model/world.ts'
import type { History } from '../world/history.ts'
import { diff } from './diff.ts'
import { type Acceptance, guard } from './guards.ts'
import { order } from './order.ts'
import { markOf } from './ownership.ts'

/** A saved plan is refused after this; what was reviewed yesterday was yesterday's world. */
export const planAgeMaxMs = 24 * 3_600_000

/** By system: all of it, or some domains. */
export type Unread = ReadonlyMap<ProviderName, 'all' | ReadonlySet<string>>

export type PlanInput = {
  readonly world: World
  readonly history: History
  readonly observed: readonly Observed[]
  readonly scope: Scope
  /** What could not be read, of each system: it is neither wanted nor missing in this plan. */
  readonly unread?: Unread
  readonly installation: string
  /** What the providers are, part of the digest. */
  readonly target: string
  readonly acceptance: Acceptance
  /** Domains whose DKIM key was made since the plan that announced it. */
  readonly keysMade?: readonly DomainName[]
  readonly now: Instant
  /** The provider's canonical form, so that equal things compare as identical. */
  readonly canonical: (resource: Resource) => Resource
  /** What the provider cannot hold; such a change is not planned, and said. */
  readonly check: (resource: Resource) => readonly Diagnostic[]
}

export type Planned = {
  readonly plan: Plan
  readonly vanished: readonly Ref[]
  /** What the register has as contested, and is not any more. */
  readonly settled: readonly Ref[]
}

/** Empty for what belongs to no domain: only a pass over everything covers it. */
function domainOfRef(ref: Ref): string {
  if (ref.kind === 'member') return ''
  if (ref.kind === 'account') return ref.key.slice(ref.key.lastIndexOf('@') + 1)
  return ref.key.split('/')[0] ?? ref.key
}

function canonicalSet(set: DesiredSet, canonical: (resource: Resource) => Resource): DesiredSet {
  return new Map([...set].map(([key, wanted]) => [key, { ...wanted, resource: canonical(wanted.resource) }]))
}

function readOnly(set: DesiredSet, isRead: (ref: Ref) => boolean): DesiredSet {
  return new Map([...set].filter(([, { resource }]) => isRead(refOf(resource))))
}

export function makePlan(input: PlanInput): Planned {
  const { world, history, installation, scope } = input
  const scoped = withinScope(world, scope)
  const names = scope === 'all' ? null : new Set(scope.domains)
  const holds = new Map(
    world.holds.filter(hold => hold.scope.account === null).map(hold => [hold.scope.domain as string, hold.incident]),
  )
  const isRead = (ref: Ref) => {
    const unread = input.unread?.get(ref.provider)
    return unread === undefined || (unread !== 'all' && !unread.has(domainOfRef(ref)))
  }
  const wanted = readOnly(canonicalSet(desired(world, scope), input.canonical), isRead)
  const covers = (ref: Ref) => isRead(ref) && (names === null || names.has(domainOfRef(ref)))
  const difference = diff({
    installation,
    desired: wanted,
    free:
      world.holds.length === 0
        ? wanted
        : readOnly(canonicalSet(desired(withoutHolds(world), scope), input.canonical), isRead),
    observed: input.observed,
    history,
    holdOn: domain => (domain === null ? undefined : holds.get(domain)),
    covers,
    withdrawn: domain => world.domains.get(domain as never)?.state === 'withdrawn',
  })
  const unsupported: Diagnostic[] = []
  const holdable = difference.changes.filter(change => {
    const found = change.after === null ? [] : input.check(change.after)
    unsupported.push(...found)
    return found.every(diagnostic => diagnostic.severity !== 'error')
  })
  const changes = order(holdable)
  const standing = input.observed
    .filter(({ resource, mark }) => mark === markOf(installation, resource))
    .map(({ resource }) => resource)
  const refusals = guard({
    changes,
    standing,
    history,
    limits: world.config.limits,
    now: input.now,
    acceptance: input.acceptance,
  })
  const keyed = new Set<string>([...keylessDomains(scoped), ...(input.keysMade ?? [])])
  const keys = ([...keyed] as DomainName[]).toSorted()
  const announced = ({ action, ref }: Change) =>
    action === 'create' && ref.kind === 'rrset' && ref.key.includes('._domainkey.') && keyed.has(domainOfRef(ref))
  const unlisted = scope === 'all' ? [...membersWithoutAddress(world), ...checkCountryNetworks(world)] : []
  const contested = new Set(difference.contested.map(({ ref }) => formatRef(ref)))
  return {
    vanished: difference.vanished,
    settled: [...history.contested]
      .filter(([key, { ref }]) => covers(ref) && !contested.has(key))
      .map(([, { ref }]) => ref),
    plan: {
      version: 1,
      digest: digestOf({
        target: input.target,
        keys,
        // The record of a key that the plan announced is no other plan.
        changes: changes
          .filter(change => !announced(change))
          .map(({ action, before, after, ref }) => ({ action, before, after, ref })),
      }),
      createdAt: formatInstant(input.now),
      target: input.target,
      changes,
      keys,
      refusals,
      held: difference.held,
      contested: difference.contested.map(({ ref, reason }) => ({ ref, reason })),
      unsupported: difference.changes.length - holdable.length,
      diagnostics: [...scoped.diagnostics, ...unlisted, ...unsupported],
    },
  }
}

/** Live domains that have no DKIM key yet. It is made when the plan is applied, and its record with it. */
export function keylessDomains(world: World): DomainName[] {
  return [...world.domains]
    .filter(([name, { state, leaving }]) => isProvisioned(state) && !leaving && !world.dkim.has(name))
    .map(([name]) => name)
}

/** What of a plan may be done now: all but what a guard holds back. */
export function permitted(plan: Plan): readonly Change[] {
  const refused = new Set(plan.refusals.flatMap(refusal => refusal.refs.map(formatRef)))
  return plan.changes.filter(change => !refused.has(formatRef(change.ref)))
}
