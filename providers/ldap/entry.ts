/**
 * Entries to resources: which attributes are asked for and what they say. It reports what stands, odd values included, so
 * that drift shows. Pure. Schema: config/ldap.
 */
import type { Address } from '../../agent/model/name.ts'
import type { AccountRole, DirectoryAccount, DirectoryDomain, Status } from '../../agent/model/resource.ts'
import { canonicalDirectoryResource, type DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { LastWriter, Observed } from '../provider.ts'
import type { Entry } from './client.ts'
import type { Place } from './dn.ts'
import { type Gates, type Profile, storableQuota, type Values } from './profiles.ts'

/** An entry as it was read. `csn` names this version of it: it is another one after any write by anybody. */
export type Standing<R extends DirectoryResource = DirectoryResource> = Observed<R> & {
  readonly dn: string
  readonly csn: string
  readonly values: Values
}

const ownedByDomain = [
  'mwInstitution',
  'mwDelivery',
  'mwLoginStatus',
  'mwCollectionStatus',
  'mwNextHop',
  'mwMark',
] as const

/** Ours in every profile. */
const ownedByAccount = ['mwRole', 'mwAccountStatus', 'mwMark', 'mwDomainStatus', 'mwMay'] as const

const closedGates: Gates = { status: 'closed', domainStatus: 'closed', may: [] }

/** All that is ever asked for. */
export function readAttributesOf({ domain, account, required }: Profile): readonly string[] {
  const { address, aliases, networks, quota, mirrors } = account
  const mirrored = [...Object.keys(mirrors(closedGates)), ...Object.keys(domain.mirrors(anyDomain))]
  return [
    ...new Set([
      ...['objectClass', 'entryCSN', 'modifiersName', 'modifyTimestamp', 'mail', ...ownedByDomain, ...ownedByAccount],
      ...[address, aliases, networks, quota.attribute, ...mirrored, ...Object.values(required).flat()],
    ]),
  ]
}

/** What a walk over a domain's accounts compares. */
export function carriedAttributesOf({ account }: Profile): readonly string[] {
  return ['objectClass', 'entryCSN', ...ownedByAccount, ...Object.keys(account.mirrors(closedGates))]
}

const anyDomain = { login: 'active', delivery: 'relay', nextHop: null } as unknown as DirectoryDomain

/** Equal things become identical: in the order and the units in which the profile gives them back. Idempotent. */
export function canonicalIn(profile: Profile, resource: DirectoryResource): DirectoryResource {
  const canonical = canonicalDirectoryResource(resource)
  if (canonical.kind === 'domain') return canonical
  return { ...canonical, quotaBytes: storableQuota(profile, canonical.quotaBytes) }
}

/** From nowhere; a list that Dovecot cannot parse denies everyone, and the filters ask for this one beside. */
export const nowhere = 'none'

// --- what an account carries of its domain ---

export type Carried = { readonly mwDomainStatus: string; readonly mwMay: readonly string[] }

/** Of the account's role: the collector's door is `collection` beside `login`, and people of a domain whose mailboxes stand elsewhere only submit. */
export function carriedBy(role: string, { login, collection, delivery }: DirectoryDomain): Carried {
  switch (role) {
    case 'collector':
      return { mwDomainStatus: stricter(login, collection), mwMay: ['read'] }
    case 'administrator':
      return { mwDomainStatus: login, mwMay: ['read', 'submit'] }
    case 'user':
      return { mwDomainStatus: login, mwMay: delivery === 'mailboxes' ? ['read', 'submit'] : ['submit'] }
    default:
      return { mwDomainStatus: login, mwMay: [] }
  }
}

function stricter(login: Status, collection: Status): string {
  if (login === 'active') return collection
  return collection === 'closed' ? collection : login
}

/** The domain as its own attributes have it, whatever its mirrors say against them. */
export function withoutMirrors({ resource, values }: Standing<DirectoryDomain>): DirectoryDomain {
  return { ...resource, login: one(values, 'mwLoginStatus') as Status }
}

/**
 * The domain with what its accounts carry against it: `login: 'suspended, active'` is a domain that is suspended while
 * an account of it is still open. No status reads like this, so it differs from whatever is wanted, and one change of
 * the domain puts all of it right.
 */
export function withDrift(
  domain: Standing<DirectoryDomain>,
  accounts: readonly Standing<DirectoryAccount>[],
): Standing<DirectoryDomain> {
  const found = { login: new Set<string>(), collection: new Set<string>(), delivery: new Set<string>() }
  let { writer } = domain
  for (const { resource, mark, values, writer: other } of accounts) {
    if (mark === null) continue
    const wanted = carriedBy(resource.role, withoutMirrors(domain))
    const status = one(values, 'mwDomainStatus')
    const may = sorted(values['mwMay']).join('+')
    if (status !== wanted.mwDomainStatus) found[resource.role === 'collector' ? 'collection' : 'login'].add(status)
    const drifted = status !== wanted.mwDomainStatus || may !== wanted.mwMay.join('+')
    if (drifted && other !== undefined && (writer === undefined || other.at > writer.at)) writer = other
    if (may !== wanted.mwMay.join('+')) found.delivery.add(may === '' ? 'nothing' : may)
  }
  const words = (own: string, others: ReadonlySet<string>) => [own, ...[...others].sort()].join(', ')
  const { resource } = domain
  const drifted = {
    ...resource,
    login: words(resource.login, found.login) as Status,
    collection: words(resource.collection, found.collection) as Status,
    delivery: words(resource.delivery, found.delivery) as DirectoryDomain['delivery'],
  }
  return { ...domain, resource: drifted, ...(writer && { writer }) }
}

// --- reading ---

/** Undefined for what is neither a domain nor an account, which nobody here asks for. */
export function toStanding(profile: Profile, entry: Entry, place: Place): Standing | undefined {
  const values: Values = Object.fromEntries(entry.values)
  const mark = values['mwMark']?.[0] ?? null
  const writer = toWriter(values)
  const common = { dn: entry.dn, csn: one(values, 'entryCSN'), values, ...(writer && { writer }) }
  switch (place.kind) {
    case 'domain':
      return { ...common, mark, resource: toDomain(profile, place.name, values) }
    case 'account':
      return { ...common, mark, resource: toAccount(profile, place.address as Address, place.domain, values) }
    case 'other': {
      // Somebody's own entry that has an address of the domain: an account to keep out of the way of, never ours.
      const address = values['mail']?.map(text => text.toLowerCase()).find(text => text.endsWith(`@${place.domain}`))
      if (address === undefined) return undefined
      return { ...common, mark: null, resource: toAccount(profile, address as Address, place.domain, values) }
    }
    case 'outside':
      return undefined
  }
}

/** RFC 4512 section 3.4: who modified the entry last, and when (RFC 4517 section 3.3.13, which slapd writes in UTC). */
function toWriter(values: Values): LastWriter | undefined {
  const by = values['modifiersName']?.[0]
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d+)?Z$/.exec(one(values, 'modifyTimestamp'))
  if (by === undefined || parts === null) return undefined
  const [year = 0, month = 0, ...rest] = parts.slice(1).map(Number)
  return { by, at: Date.UTC(year, month - 1, ...rest) }
}

function toDomain(profile: Profile, name: string, values: Values): DirectoryDomain {
  const domain = name as DirectoryDomain['domain']
  const found: DirectoryDomain = {
    provider: 'directory',
    kind: 'domain',
    key: domain,
    domain,
    institution: one(values, 'mwInstitution'),
    // The casts claim no more than the attribute does: another word in it is reported as that word.
    delivery: one(values, 'mwDelivery') as DirectoryDomain['delivery'],
    login: one(values, 'mwLoginStatus') as Status,
    collection: one(values, 'mwCollectionStatus') as Status,
    nextHop: values['mwNextHop']?.[0] ?? null,
  }
  return { ...found, login: withMirrors(profile, found.login, values, profile.domain.mirrors(found)) }
}

function toAccount(profile: Profile, key: Address, domain: string, values: Values): DirectoryAccount {
  const { address, aliases, networks, quota, mirrors } = profile.account
  const nets = values[networks]?.[0]
  const status = one(values, 'mwAccountStatus')
  return {
    provider: 'directory',
    kind: 'account',
    key,
    // Of an address there is one; what stands beside it is shown.
    address: (sorted(values[address]).join(', ') || key) as Address,
    domain: domain as DirectoryAccount['domain'],
    role: one(values, 'mwRole') as AccountRole,
    status: withMirrors(profile, status as Status, values, mirrors(gatesOf(values, status))),
    allowNets: nets === undefined ? null : nets === nowhere ? [] : nets.split(','),
    quotaBytes: Number(one(values, quota.attribute)) * quota.unit,
    // A set in the directory: in whatever order it comes.
    aliases: sorted(values[aliases]) as Address[],
  }
}

export const gatesOf = (values: Values, status: string): Gates => ({
  status,
  domainStatus: one(values, 'mwDomainStatus'),
  may: values['mwMay'] ?? [],
})

/** A status with what its mirrors say against it: `suspended, mailEnabled TRUE`. No status reads like this, so it differs from any that is wanted. */
function withMirrors(profile: Profile, status: Status, values: Values, wanted: Values): Status {
  const against = Object.entries(wanted)
    .filter(([name, texts]) => joined(oursOf(profile, name, values)) !== joined(texts))
    .map(([name]) => `${name} ${sorted(oursOf(profile, name, values)).join('+') || 'nothing'}`)
  return [status, ...against].join(', ') as Status
}

/** Of an attribute with several owners, the values that are ours to say. */
export function oursOf({ shared }: Profile, name: string, values: Values): readonly string[] {
  const ours = shared[name]
  const found = values[name] ?? []
  return ours === undefined ? found : found.map(text => text.toLowerCase()).filter(text => ours.includes(text))
}

export const joined = (texts: readonly string[] | undefined) => sorted(texts).join('\n')

function one(values: Values, name: string): string {
  return values[name]?.[0] ?? ''
}

function sorted(values: readonly string[] = []): string[] {
  return [...values].sort()
}

/** An attribute that was asked for, and that the entry as it stands must have; undefined when none is missing. */
export function missingFrom({ required }: Profile, { values }: Entry, asked: readonly string[]): string | undefined {
  const classes = values.get('objectClass') ?? []
  const musts = classes.flatMap(name => required[name.toLowerCase()] ?? [])
  return ['objectClass', 'entryCSN', ...musts].find(name => asked.includes(name) && !values.has(name))
}
