/**
 * Resources to entries: which attributes of an entry are ours, what they should hold, and which of them differ. Whatever
 * else stands in an entry (userPassword, description, telephoneNumber, other classes) belongs to others and is never
 * named in a write. Pure.
 */
import { Attribute, Change } from 'ldapts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { type Carried, gatesOf, joined, nowhere, oursOf } from './entry.ts'
import type { Gates, Profile, Values } from './profiles.ts'

/**
 * What our attributes of the entry should hold; an empty list stands for an absent attribute.
 * @param carried what the domain says of an account; undefined: as the entry has it.
 */
export function ownedOf(
  profile: Profile,
  resource: DirectoryResource,
  mark: string,
  carried: Carried | undefined,
  standing: Values,
): Values {
  if (resource.kind === 'domain')
    return {
      mwInstitution: given(resource.institution),
      mwDelivery: [resource.delivery],
      mwLoginStatus: [resource.login],
      mwCollectionStatus: [resource.collection],
      mwNextHop: given(resource.nextHop),
      mwMark: [mark],
      ...profile.domain.mirrors(resource),
    }
  const { allowNets, status } = resource
  const { address, aliases, networks, quota, mirrors } = profile.account
  return {
    [address]: [resource.address],
    mwRole: [resource.role],
    mwAccountStatus: [status],
    [networks]: allowNets === null ? [] : [allowNets.length === 0 ? nowhere : allowNets.join(',')],
    [quota.attribute]: [String(resource.quotaBytes / quota.unit)],
    [aliases]: resource.aliases,
    mwMark: [mark],
    ...(carried === undefined ? mirrors(gatesOf(standing, status)) : carriedValues(profile, carried, status)),
  }
}

/** An account's attributes that its domain has a say in. */
export function carriedValues({ account }: Profile, { mwDomainStatus, mwMay }: Carried, status: string): Values {
  const gates: Gates = { status, domainStatus: mwDomainStatus, may: mwMay }
  return { mwDomainStatus: [mwDomainStatus], mwMay, ...account.mirrors(gates) }
}

function given(text: string | null): string[] {
  return text === null || text === '' ? [] : [text]
}

export function newEntry(
  { naming, domain, account }: Profile,
  resource: DirectoryResource,
  owned: Values,
): Attribute[] {
  const birth: Values =
    resource.kind === 'domain'
      ? { objectClass: domain.classes, [naming.domain]: [resource.domain] }
      : { objectClass: account.classes, ...account.birth(resource) }
  return toAttributes({ ...birth, ...owned })
}

/** An attribute without values is left out. */
export function toAttributes(values: Values): Attribute[] {
  return Object.entries(values)
    .filter(([, texts]) => texts.length > 0)
    .map(([type, texts]) => new Attribute({ type, values: [...texts] }))
}

/** Replaces those of our attributes that differ, adds those of our classes that are not there, and names nothing else. */
export function differencesTo(
  profile: Profile,
  standing: Values,
  kind: DirectoryResource['kind'],
  owned: Values,
): Change[] {
  const held = new Set(standing['objectClass']?.map(name => name.toLowerCase()))
  const classes = profile[kind].classes.filter(name => !held.has(name.toLowerCase()))
  return [
    ...(classes.length === 0 ? [] : [change('add', 'objectClass', classes)]),
    ...Object.entries(owned).flatMap(([name, values]) => changesOf(profile, name, standing, values)),
  ]
}

function changesOf(profile: Profile, name: string, standing: Values, wanted: readonly string[]): Change[] {
  const found = oursOf(profile, name, standing)
  if (joined(found) === joined(wanted)) return []
  if (profile.shared[name] === undefined) return [change('replace', name, wanted)]
  const [missing, extra] = [
    wanted.filter(value => !found.includes(value)),
    found.filter(value => !wanted.includes(value)),
  ]
  return [
    ...(missing.length === 0 ? [] : [change('add', name, missing)]),
    ...(extra.length === 0 ? [] : [change('delete', name, extra)]),
  ]
}

export function change(operation: 'add' | 'replace' | 'delete', type: string, values: readonly string[]): Change {
  return new Change({ operation, modification: new Attribute({ type, values: [...values] }) })
}
