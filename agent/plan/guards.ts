/**
 * Guards: rules that hold steps back when a plan would destroy much at once (scenarios: R19, R20). There is no floor
 * below which they sleep and no --force: a person accepts the exact count. Suspending is exempt, mass release is not.
 */
import { dayMs, type Instant } from '../core/clock.ts'
import type { Change, Refusal } from '../model/change.ts'
import type { Ref, Resource } from '../model/resource.ts'
import type { AgentConfig } from '../model/world.ts'
import type { History } from '../world/history.ts'

/** Exact counts that a person accepted: `--accept delete=37`. `any`: two people approved what the updates do. */
export type Acceptance = { readonly delete?: number; readonly update?: number | 'any' }

export type GuardInput = {
  readonly changes: readonly Change[]
  /** All of ours that stands in the scope. */
  readonly standing: readonly Resource[]
  readonly history: Pick<History, 'deletes'>
  readonly limits: AgentConfig['limits']
  readonly now: Instant
  readonly acceptance: Acceptance
}

type Finding = {
  readonly guard: string
  readonly count: string
  readonly code: Refusal['code']
  readonly values: Refusal['values']
  readonly refs: readonly Ref[]
}

const isMember = ({ ref }: Change) => ref.kind === 'member'

function deletesGuard({ history, limits, now }: GuardInput, all: readonly Change[]): Finding[] {
  const deletes = all.filter(change => !isMember(change))
  const recent = history.deletes
    .filter(past => !past.accepted && past.at > now - dayMs)
    .reduce((sum, past) => sum + past.count, 0)
  if (deletes.length === 0 || deletes.length + recent <= limits.deletes) return []
  const values = {
    count: String(deletes.length),
    limit: String(limits.deletes),
    ...(recent > 0 && { recent: 'guard-recent', before: String(recent) }),
  }
  return [
    { guard: 'deletes', count: 'delete', code: 'E-GUARD-DELETES', values, refs: deletes.map(change => change.ref) },
  ]
}

/**
 * People leave the lists when they are replaced (S45), which nobody should have to allow, and taking somebody off loses
 * nothing. Many at once are not replaced people but lost manifests. They are counted, not their seats on each list.
 */
function membersGuard({ limits }: GuardInput, deletes: readonly Change[]): Finding[] {
  const leaving = deletes.filter(isMember)
  const people = new Set(leaving.flatMap(({ before }) => (before?.kind === 'member' ? before.address : []))).size
  if (people <= limits.deletes) return []
  const values = { count: String(people), limit: String(limits.deletes) }
  return [{ guard: 'members', count: 'delete', code: 'E-GUARD-MEMBERS', values, refs: leaving.map(({ ref }) => ref) }]
}

function emptiedGuard({ standing }: GuardInput, deletes: readonly Change[]): Finding[] {
  const isUser = (resource: Resource) => resource.kind === 'account' && resource.role === 'user'
  const users = Map.groupBy(standing.filter(isUser), resource => (resource.kind === 'account' ? resource.domain : ''))
  const leaving = Map.groupBy(
    deletes.filter(change => change.before !== null && isUser(change.before)),
    change => (change.before?.kind === 'account' ? change.before.domain : ''),
  )
  const findings: Finding[] = []
  for (const [domain, changes] of leaving) {
    if (changes.length < (users.get(domain)?.length ?? 0)) continue
    const values = { count: String(changes.length), domain }
    const refs = changes.map(change => change.ref)
    findings.push({ guard: 'domain-emptied', count: 'delete', code: 'E-GUARD-EMPTIED', values, refs })
  }
  return findings
}

function zoneGuard(_: GuardInput, deletes: readonly Change[]): Finding[] {
  return deletes
    .filter(change => change.ref.kind === 'zone' || change.ref.kind === 'domain')
    .map(change => ({
      guard: change.ref.kind === 'zone' ? 'zone-removed' : 'domain-removed',
      count: 'delete',
      code: 'E-GUARD-REMOVED',
      values: { object: `${change.ref.kind} ${change.ref.key}` },
      // Its records and accounts go with it or not at all.
      refs: deletes
        .filter(
          ({ ref: { key } }) =>
            key === change.ref.key || key.startsWith(`${change.ref.key}/`) || key.endsWith(`@${change.ref.key}`),
        )
        .map(other => other.ref),
    }))
}

function apexGuard(_: GuardInput, deletes: readonly Change[]): Finding[] {
  const vital = deletes.filter(({ before }) => {
    if (before?.kind !== 'rrset') return false
    const apex = before.owner === before.zone
    return (
      (apex && (before.type === 'NS' || before.type === 'MX')) || before.owner.endsWith(`._domainkey.${before.zone}`)
    )
  })
  return vital.map(change => ({
    guard: 'vital-record',
    count: 'delete',
    code: 'E-GUARD-REMOVED',
    values: { object: change.ref.key },
    refs: [change.ref],
  }))
}

function updatesGuard({ changes, standing: all, limits }: GuardInput): Finding[] {
  const standing = all.filter(({ kind }) => kind !== 'member')
  const updates = changes.filter(change => change.action === 'update' && !exempt(change))
  if (updates.length === 0 || updates.length * 100 <= standing.length * limits.updatePercent) return []
  const values = {
    count: String(updates.length),
    standing: String(standing.length),
    limit: String(limits.updatePercent),
  }
  return [
    { guard: 'updates', count: 'update', code: 'E-GUARD-UPDATES', values, refs: updates.map(change => change.ref) },
  ]
}

/**
 * Closing a door and putting back what somebody else changed need no leave, and opening one again was approved by two people:
 * it must not wait for a third where the directory was away when they did. An update of a member is a note of ours.
 */
function exempt(change: Change): boolean {
  return isMember(change) || ['hold', 'drift', 'withdrawal', 'release'].includes(change.why)
}

/** Findings become refusals unless the exact count was accepted. A wrong count is said as such. */
export function guard(input: GuardInput): Refusal[] {
  const deletes = input.changes.filter(change => change.action === 'delete')
  const updates = input.changes.filter(change => change.action === 'update' && !exempt(change)).length
  const counts: Record<string, number> = { delete: deletes.length, update: updates }
  const findings = [
    ...deletesGuard(input, deletes),
    ...membersGuard(input, deletes),
    ...emptiedGuard(input, deletes),
    ...zoneGuard(input, deletes),
    ...apexGuard(input, deletes),
    ...updatesGuard(input),
  ]
  const refusals = findings.flatMap(({ guard, count, code, values, refs }) => {
    const exact = counts[count] ?? 0
    const given = input.acceptance[count as keyof Acceptance]
    if (given === exact || given === 'any') return []
    const wrong = given === undefined ? {} : { wrong: 'guard-wrong', given: `${count}=${given}` }
    return [{ guard, code, values: { ...values, ...wrong }, accept: `${count}=${exact}`, refs }]
  })
  return [...refusals, ...(refusals.length > 0 ? [] : miscounted(input, counts))]
}

/** A count that was accepted is exact also where no guard asked for it: the person looked at another plan. */
function miscounted({ acceptance, changes }: GuardInput, counts: Readonly<Record<string, number>>): Refusal[] {
  return (['delete', 'update'] as const).flatMap(action => {
    const given = acceptance[action]
    const exact = counts[action] ?? 0
    if (given === undefined || given === 'any' || given === exact) return []
    const refs = changes.filter(change => change.action === action && !exempt(change)).map(change => change.ref)
    return [
      {
        guard: 'accept',
        code: 'E-GUARD-COUNT',
        values: { given: `${action}=${given}`, exact: String(exact) },
        accept: exact === 0 ? null : `${action}=${exact}`,
        refs,
      },
    ]
  })
}
