/** What should stand in every provider: one pure function of the world. Called twice, with holds and without, it tells what a hold keeps back. */

import type { Scope } from '../../providers/provider.ts'
import type { Place } from '../core/diagnostic.ts'
import type { DomainName } from '../model/name.ts'
import { formatRef, type Resource, refOf } from '../model/resource.ts'
import type { World, WorldAccount, WorldDomain } from '../model/world.ts'
import { desiredDirectory } from './directory.ts'
import { desiredDns } from './dns.ts'
import { desiredMembers } from './lists.ts'

export type Desired = {
  readonly resource: Resource
  readonly source: Place | null /** Incidents that shaped it. */
  readonly holds: readonly string[]
}

/** By `formatRef`. */
export type DesiredSet = ReadonlyMap<string, Desired>

/** The part of a world that a scope covers. Institutions and settings stay whole: what they say does not depend on the scope. */
export function withinScope(world: World, scope: Scope): World {
  if (scope === 'all') return world
  const names = new Set(scope.domains)
  return {
    ...world,
    domains: new Map([...world.domains].filter(([name]) => names.has(name))),
    accounts: new Map([...world.accounts].filter(([, account]) => names.has(account.account.domain))),
  }
}

/** What is leaving is not desired, unless a hold lies on it: a held object stays, whatever the manifests say. */
function withoutLeaving(world: World): World {
  const heldDomains = new Set(world.holds.map(hold => hold.scope.domain))
  const staysDomain = (domain: WorldDomain) => !domain.leaving || heldDomains.has(domain.domain.name)
  const staysAccount = (account: WorldAccount) => !account.leaving || heldDomains.has(account.account.domain)
  const domains = new Map([...world.domains].filter(([, domain]) => staysDomain(domain)))
  return {
    ...world,
    domains,
    accounts: new Map(
      [...world.accounts].filter(([, account]) => staysAccount(account) && domains.has(account.account.domain)),
    ),
  }
}

/** The same world as if no incident were open: what the manifests alone ask for. */
export function withoutHolds(world: World): World {
  const free = <T extends WorldDomain | WorldAccount>(entity: T): T =>
    entity.state === 'suspended' || entity.state === 'restricted'
      ? { ...entity, holds: [], state: 'active' }
      : { ...entity, holds: [] }
  return {
    ...world,
    holds: [],
    domains: new Map([...world.domains].map(([name, domain]) => [name, free(domain)])),
    accounts: new Map([...world.accounts].map(([address, account]) => [address, free(account)])),
  }
}

/** A part of the world says nothing about the lists: who leaves one is told apart by all institutions together. */
export function desired(world: World, scope: Scope): DesiredSet {
  const standing = withoutLeaving(withinScope(world, scope))
  const set = new Map<string, Desired>()
  for (const { resource, source } of desiredDns(standing))
    set.set(formatRef(refOf(resource)), { resource, source, holds: [] })
  for (const { resource, source, holds } of desiredDirectory(standing))
    set.set(formatRef(refOf(resource)), { resource, source, holds })
  if (scope === 'all')
    for (const { resource, source } of desiredMembers(standing))
      set.set(formatRef(refOf(resource)), { resource, source, holds: [] })
  return set
}

/** The domain that a resource belongs to; null when it belongs to none. */
export function domainOfResource(resource: Resource): DomainName | null {
  switch (resource.kind) {
    case 'zone':
      return resource.apex
    case 'rrset':
      return resource.zone
    case 'domain':
    case 'account':
      return resource.domain
    case 'member':
      return null
  }
}
