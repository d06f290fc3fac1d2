/** Compares what should stand with what does. Pure. Never plans a change to an object that is not ours by both keys. */

import type { Observed } from '../../providers/provider.ts'
import { formatInstant } from '../core/clock.ts'
import { digestOf } from '../core/digest.ts'
import { type Desired, type DesiredSet, domainOfResource } from '../desired/desired.ts'
import type { Change, Contested, Held, Why } from '../model/change.ts'
import { formatRef, type Ref, type Resource, refOf } from '../model/resource.ts'
import { type History, unknownDigest } from '../world/history.ts'
import { markOf } from './ownership.ts'

export type Difference = {
  readonly changes: readonly Change[]
  readonly held: readonly Held[]
  readonly contested: readonly Contested[]
  /** Refs that the register calls ours, that nobody wants and that are not there any more. */
  readonly vanished: readonly Ref[]
}

export type DiffInput = {
  readonly installation: string
  readonly desired: DesiredSet
  /** The same world without holds: where it differs, a hold keeps something back. */
  readonly free: DesiredSet
  readonly observed: readonly Observed[]
  readonly history: Pick<History, 'owned'>
  /** Incident that holds a domain, if any. */
  readonly holdOn: (domain: string | null) => string | undefined
  /** True for refs that the scope covers. */
  readonly covers: (ref: Ref) => boolean
  readonly withdrawn: (domain: string | null) => boolean
}

function whyOf(input: DiffInput, wanted: Desired, before: Resource | null): Why {
  const key = formatRef(refOf(wanted.resource))
  if (input.withdrawn(domainOfResource(wanted.resource))) return 'withdrawal'
  const owned = input.history.owned.get(key)
  const foreignEdit =
    owned !== undefined && owned.digest !== unknownDigest && before !== null && digestOf(before) !== owned.digest
  // A hand edit that reopens a held door is drift first: the hold was already in force when it was made.
  if (foreignEdit || (owned !== undefined && before === null)) return 'drift'
  if (wanted.holds.length > 0) return 'hold'
  if (owned?.heldBy != null) return 'release'
  return 'manifest'
}

/**
 * Somebody's RRsets beside which a new one of ours cannot stand: an alias has its name to itself (RFC 1034 section
 * 3.6.2). Such a change would be refused by every server at every pass, so it is no change; it is told.
 */
function foreignNames({ installation, observed, history }: DiffInput): (resource: Resource) => boolean {
  let taken: Map<string, 'alias' | 'others'> | undefined
  const look = () => {
    const found = new Map<string, 'alias' | 'others'>()
    for (const { resource, mark } of observed) {
      // Records that are there and not served are in nobody's way.
      if (resource.kind !== 'rrset' || resource.values.length === 0) continue
      const ref = refOf(resource)
      if (mark === markOf(installation, ref) && history.owned.has(formatRef(ref))) continue
      found.set(`${resource.zone}/${resource.owner}`, resource.type === 'CNAME' ? 'alias' : 'others')
    }
    return found
  }
  return resource => {
    if (resource.kind !== 'rrset') return false
    // Seldom asked: only where something of ours is missing.
    taken ??= look()
    const by = taken.get(`${resource.zone}/${resource.owner}`)
    return by === 'alias' || (by === 'others' && resource.type === 'CNAME')
  }
}

function judgeWanted(
  input: DiffInput,
  wanted: Desired,
  found: Observed | undefined,
  isTaken: (resource: Resource) => boolean,
): Change | Contested | null {
  const ref = refOf(wanted.resource)
  const key = formatRef(ref)
  const source = wanted.holds[0] !== undefined ? { incident: wanted.holds[0] } : wanted.source
  if (found === undefined && isTaken(wanted.resource)) return { ref, reason: 'name-taken' }
  if (found === undefined)
    return { action: 'create', ref, before: null, after: wanted.resource, why: whyOf(input, wanted, null), source }
  const ours = found.mark === markOf(input.installation, ref)
  const known = input.history.owned.has(key)
  if (!ours || !known) return { ref, reason: ours ? 'not-in-register' : known ? 'mark-lost' : 'exists' }
  if (isSame(found.resource, wanted.resource)) return null
  const why = whyOf(input, wanted, found.resource)
  const { writer } = found
  const lastEdit = why === 'drift' && writer && { lastEdit: { by: writer.by, at: formatInstant(writer.at) } }
  return { action: 'update', ref, before: found.resource, after: wanted.resource, why, source, ...lastEdit }
}

/** As their canonical JSON would say: a resource is flat, of words, numbers and lists of words. */
function isSame(a: Resource, b: Resource): boolean {
  const [one, other] = [a, b] as unknown as Record<string, unknown>[]
  const keys = Object.keys(one ?? {})
  if (keys.length !== Object.keys(other ?? {}).length) return false
  return keys.every(key => {
    const [left, right] = [one?.[key], other?.[key]]
    if (!Array.isArray(left) || !Array.isArray(right)) return left === right
    return left.length === right.length && left.every((item, index) => item === right[index])
  })
}

export function diff(input: DiffInput): Difference {
  const changes: Change[] = []
  const contested: Contested[] = []
  const held: Held[] = []
  const found = new Map(input.observed.map(observed => [formatRef(refOf(observed.resource)), observed]))
  const isTaken = foreignNames(input)
  for (const [key, wanted] of input.desired) {
    const verdict = judgeWanted(input, wanted, found.get(key), isTaken)
    if (verdict !== null) 'action' in verdict ? changes.push(verdict) : contested.push(verdict)
    const incident = wanted.holds[0] ?? input.holdOn(domainOfResource(wanted.resource))
    if (incident === undefined) continue
    const free = input.free.get(key)
    const keptBack = free === undefined || !isSame(free.resource, wanted.resource)
    if (keptBack) held.push({ ref: refOf(wanted.resource), incident })
  }
  const vanished: Ref[] = []
  for (const [key, owned] of input.history.owned) {
    if (input.desired.has(key) || !input.covers(owned.ref)) continue
    const observed = found.get(key)
    if (observed === undefined) {
      vanished.push(owned.ref)
      continue
    }
    const incident = input.holdOn(domainOfResource(observed.resource))
    if (incident !== undefined) held.push({ ref: owned.ref, incident })
    else if (observed.mark !== markOf(input.installation, owned.ref))
      contested.push({ ref: owned.ref, reason: 'mark-lost' })
    else
      changes.push({
        action: 'delete',
        ref: owned.ref,
        before: observed.resource,
        after: null,
        why: 'removal',
        source: null,
      })
  }
  return { changes, held, contested, vanished }
}
