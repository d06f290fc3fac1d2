/** A slapd with our provider over it, and the few words that the tests of it share. */
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import { formatRef, refOf } from '../../agent/model/resource.ts'
import { order } from '../../agent/plan/order.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { type LdapDirectory, type LdapOptions, openLdapDirectory } from '../../providers/ldap/directory.ts'
import type { Observed } from '../../providers/provider.ts'
import type { Slapd } from '../servers/slapd.ts'

export const never = new AbortController().signal
const installation = 'here'
const cause = { why: 'manifest', source: null } as const

export function openOver(slapd: Slapd, over: Partial<LdapOptions> = {}): LdapDirectory {
  const { url, base, agentDn: bindDn, password, profile } = slapd
  return openLdapDirectory({ url, encryption: 'none', base, bindDn, password, profile, clock: systemClock, ...over })
}

export function create(after: DirectoryResource): Change<DirectoryResource> {
  return { action: 'create', ref: refOf(after), before: null, after, ...cause }
}
export function update<R extends DirectoryResource>(before: R, over: Partial<R>): Change<DirectoryResource> {
  return { action: 'update', ref: refOf(before), before, after: { ...before, ...over }, ...cause }
}
export function remove(before: DirectoryResource): Change<DirectoryResource> {
  return { action: 'delete', ref: refOf(before), before, after: null, ...cause }
}

/** One outcome for each change, in the order of the changes: they come as they end. */
export async function apply(
  directory: LdapDirectory,
  changes: readonly Change<DirectoryResource>[],
  signal = never,
): Promise<Outcome[]> {
  const marked = changes.map(change => ({ change, mark: markOf(installation, change.ref) }))
  const place = new Map(changes.map(({ ref }, index) => [formatRef(ref), index]))
  const placeOf = ({ ref }: Outcome) => place.get(formatRef(ref)) ?? -1
  return (await Array.fromAsync(directory.apply(marked, signal))).toSorted((a, b) => placeOf(a) - placeOf(b))
}

export const results = (outcomes: readonly Outcome[]) => outcomes.map(({ result }) => result)

export async function find(directory: LdapDirectory, key: string): Promise<Observed<DirectoryResource> | undefined> {
  return (await directory.observe('all', never)).find(({ resource }) => resource.key === key)
}

/** What a pass does: observes, compares, applies. Gives the changes that it found and what became of them. */
export async function pass(
  directory: LdapDirectory,
  wanted: readonly DirectoryResource[],
): Promise<{ changes: readonly Change<DirectoryResource>[]; outcomes: readonly Outcome[] }> {
  const found = new Map(
    (await directory.observe('all', never)).map(({ resource }) => [formatRef(refOf(resource)), resource]),
  )
  const changes = wanted.flatMap((after): Change<DirectoryResource>[] => {
    const before = found.get(formatRef(refOf(after)))
    if (before === undefined) return [create(after)]
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [update(before, after)]
  })
  const ordered = order(changes) as Change<DirectoryResource>[]
  return { changes: ordered, outcomes: await apply(directory, ordered) }
}
