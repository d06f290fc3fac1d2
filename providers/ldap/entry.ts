/**
 * Entries to resources and back: which attributes are ours, what they say, and which of them differ. Whatever else
 * stands in an entry (userPassword, description, telephoneNumber, other classes) belongs to others and is never named in
 * a write. Reading reports what stands, odd values included, so that drift shows. Pure. Schema: config/ldap.
 */
import { Attribute, Change, type Entry } from 'ldapts'
import { type Address, localpartOf } from '../../agent/model/name.ts'
import type { AccountRole, DirectoryAccount, DirectoryDomain, Status } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { LastWriter, Observed } from '../provider.ts'
import type { Place } from './dn.ts'

export type Values = Readonly<Record<string, readonly string[]>>

/** An entry as it was read. `csn` names this version of it: it is another one after any write by anybody. */
export type Standing<R extends DirectoryResource = DirectoryResource> = Observed<R> & {
  readonly dn: string
  readonly csn: string
  readonly values: Values
}

const domainClasses = ['domain', 'mwDomain'] as const
const accountClasses = ['inetOrgPerson', 'inetLocalMailRecipient', 'mwAccount'] as const

const ownedByDomain = [
  'mwInstitution',
  'mwDelivery',
  'mwLoginStatus',
  'mwCollectionStatus',
  'mwNextHop',
  'mwMark',
] as const
const ownedByAccount = [
  'mwAddress',
  'mwRole',
  'mwAccountStatus',
  'mwAllowNets',
  'mwQuotaBytes',
  'mailLocalAddress',
  'mwMark',
  'mwDomainStatus',
  'mwMay',
] as const

/** All that is ever asked for. */
export const readAttributes = [
  'objectClass',
  'entryCSN',
  'modifiersName',
  'modifyTimestamp',
  'mail',
  ...new Set<string>([...ownedByDomain, ...ownedByAccount]),
] as const

/** From nowhere; a list that Dovecot cannot parse denies everyone, and the filters ask for this one beside. */
const nowhere = 'none'

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
    const wanted = carriedBy(resource.role, domain.resource)
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
export function toStanding(entry: Entry, place: Place): Standing | undefined {
  const values: Values = Object.fromEntries(
    Object.entries(entry).map(([name, value]) => [name, name === 'dn' ? [] : textsOf(value)]),
  )
  const mark = values['mwMark']?.[0] ?? null
  const writer = toWriter(values)
  const common = { dn: entry.dn, csn: one(values, 'entryCSN'), values, ...(writer && { writer }) }
  switch (place.kind) {
    case 'domain':
      return { ...common, mark, resource: toDomain(place.name, values) }
    case 'account':
      return { ...common, mark, resource: toAccount(place.address as Address, place.domain, values) }
    case 'other': {
      // Somebody's own entry that has an address of the domain: an account to keep out of the way of, never ours.
      const address = values['mail']?.map(text => text.toLowerCase()).find(text => text.endsWith(`@${place.domain}`))
      if (address === undefined) return undefined
      return { ...common, mark: null, resource: toAccount(address as Address, place.domain, values) }
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

function toDomain(name: string, values: Values): DirectoryDomain {
  const domain = name as DirectoryDomain['domain']
  return {
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
}

function toAccount(key: Address, domain: string, values: Values): DirectoryAccount {
  const nets = values['mwAllowNets']?.[0]
  return {
    provider: 'directory',
    kind: 'account',
    key,
    address: (values['mwAddress']?.[0] ?? key) as Address,
    domain: domain as DirectoryAccount['domain'],
    role: one(values, 'mwRole') as AccountRole,
    status: one(values, 'mwAccountStatus') as Status,
    allowNets: nets === undefined ? null : nets === nowhere ? [] : nets.split(','),
    quotaBytes: Number(one(values, 'mwQuotaBytes')),
    // A set in the directory: in whatever order it comes.
    aliases: sorted(values['mailLocalAddress']) as Address[],
  }
}

function textsOf(value: Entry[string]): string[] {
  return (Array.isArray(value) ? value : [value]).map(item => (typeof item === 'string' ? item : item.toString('utf8')))
}

function one(values: Values, name: string): string {
  return values[name]?.[0] ?? ''
}

function sorted(values: readonly string[] = []): string[] {
  return [...values].sort()
}

// --- writing ---

/** What our attributes of the entry should hold; an empty list stands for an absent attribute. */
export function ownedOf(resource: DirectoryResource, mark: string, carried: Carried | undefined): Values {
  if (resource.kind === 'domain')
    return {
      mwInstitution: given(resource.institution),
      mwDelivery: [resource.delivery],
      mwLoginStatus: [resource.login],
      mwCollectionStatus: [resource.collection],
      mwNextHop: given(resource.nextHop),
      mwMark: [mark],
    }
  const { allowNets } = resource
  return {
    mwAddress: [resource.address],
    mwRole: [resource.role],
    mwAccountStatus: [resource.status],
    mwAllowNets: allowNets === null ? [] : [allowNets.length === 0 ? nowhere : allowNets.join(',')],
    mwQuotaBytes: [String(resource.quotaBytes)],
    mailLocalAddress: resource.aliases,
    mwMark: [mark],
    ...(carried === undefined ? {} : { mwDomainStatus: [carried.mwDomainStatus], mwMay: carried.mwMay }),
  }
}

function given(text: string | null): string[] {
  return text === null || text === '' ? [] : [text]
}

export function newEntry(resource: DirectoryResource, owned: Values): Attribute[] {
  const birth: Values =
    resource.kind === 'domain'
      ? { objectClass: domainClasses, dc: [resource.domain] }
      : {
          objectClass: accountClasses,
          mail: [resource.address],
          // inetOrgPerson cannot be without them. From here on they belong to whoever keeps people's names.
          cn: [localpartOf(resource.address)],
          sn: [localpartOf(resource.address)],
        }
  return Object.entries({ ...birth, ...owned })
    .filter(([, values]) => values.length > 0)
    .map(([type, values]) => new Attribute({ type, values: [...values] }))
}

/** Replaces those of our attributes that differ, adds those of our classes that are not there, and names nothing else. */
export function differencesTo(standing: Values, kind: DirectoryResource['kind'], owned: Values): Change[] {
  const held = new Set(standing['objectClass']?.map(name => name.toLowerCase()))
  const classes = (kind === 'domain' ? domainClasses : accountClasses).filter(name => !held.has(name.toLowerCase()))
  return [
    ...(classes.length === 0 ? [] : [change('add', 'objectClass', classes)]),
    ...Object.entries(owned)
      .filter(([name, values]) => sorted(standing[name]).join('\n') !== sorted(values).join('\n'))
      .map(([name, values]) => change('replace', name, values)),
  ]
}

export function change(operation: 'add' | 'replace', type: string, values: readonly string[]): Change {
  return new Change({ operation, modification: new Attribute({ type, values: [...values] }) })
}
