/** What a pass found that somebody else did, as entries for the register. Pure. */
import type { Json } from '../core/digest.ts'
import type { Contested, Plan } from '../model/change.ts'
import { formatRef } from '../model/resource.ts'
import type { Planned } from '../plan/plan.ts'
import type { Actor, NewEntry } from '../register/register.ts'

export const daemonActor: Actor = { person: 'daemon', role: 'daemon' }

/**
 * Somebody else's edit of what is ours goes on record before it is put back, for each incident that it goes against by
 * itself (R10). The actor is not known: who a system says wrote last need not have made this edit, and may be a person,
 * so it stands beside the tree.
 */
export function driftEntries({ changes }: Plan, at: string): NewEntry[] {
  const drift = changes.filter(change => change.why === 'drift')
  const byIncident = Map.groupBy(drift, ({ source }) =>
    source !== null && 'incident' in source ? source.incident : null,
  )
  return [...byIncident].map(([incident, own]): NewEntry => {
    const writers = own.flatMap(({ ref, lastEdit }) => (lastEdit === undefined ? [] : [{ ref, ...lastEdit }]))
    return {
      kind: 'drift.found',
      actor: { person: 'unknown', role: 'unknown' },
      at,
      subject: incident ?? 'providers',
      rule: 'R10',
      facts: { count: own.length, attributed: writers.length, incidents: incident === null ? [] : [incident] },
      personal: { refs: own.map(({ ref }) => ref) as unknown as Json, writers: writers as unknown as Json },
    }
  })
}

/** What is contested is written by nobody here, so it is on record from when it was first seen until it is so no more. */
export function contestedEntries(
  { plan, settled }: Planned,
  known: ReadonlyMap<string, Contested>,
  at: string,
): NewEntry[] {
  const found = plan.contested.filter(({ ref, reason }) => known.get(formatRef(ref))?.reason !== reason)
  const common = { actor: daemonActor, at, subject: 'providers', rule: 'R21' }
  const entries: NewEntry[] = []
  if (found.length > 0) {
    const byReason = [...Map.groupBy(found, ({ reason }) => reason)].map(([reason, own]) => [reason, own.length])
    const facts = { count: found.length, ...Object.fromEntries(byReason) }
    entries.push({ ...common, kind: 'contested.found', facts, personal: { objects: found as unknown as Json } })
  }
  if (settled.length > 0) {
    const personal = { refs: settled as unknown as Json }
    entries.push({ ...common, kind: 'contested.ended', facts: { count: settled.length }, personal })
  }
  return entries
}
