/**
 * What mailwarden makes in other systems, as plain data. The same types are desired by `desired/`, reported by
 * `Provider.observe`, compared by `plan/diff.ts` and written by `Provider.apply`.
 */
import type { Address, DomainName } from './name.ts'

export type ProviderName = 'directory' | 'dns' | 'lists'
export type Kind = 'zone' | 'rrset' | 'domain' | 'account' | 'member'

/** Prints as `dns:rrset:hcg.sld.cu/hcg.sld.cu/MX`; see `formatRef`. */
export type Ref = { readonly provider: ProviderName; readonly kind: Kind; readonly key: string }

export function formatRef(ref: Ref): string {
  return `${ref.provider}:${ref.kind}:${ref.key}`
}

/** Status of a door: `suspended` is a hold that a release lifts, `closed` is withdrawn for good. */
export type Status = 'active' | 'suspended' | 'closed'

/** A zone itself. Key: the apex. */
export type ZoneResource = {
  readonly provider: 'dns'
  readonly kind: 'zone'
  readonly key: string
  readonly apex: DomainName
}

export type RecordType = 'SOA' | 'NS' | 'MX' | 'A' | 'AAAA' | 'CNAME' | 'TXT' | 'SRV' | 'CAA' | 'PTR'

/**
 * One RRset. Key: `<zone>/<owner>/<type>`, all names canonical (lower case, no final dot).
 * `values` are in presentation form with absolute names without the final dot, sorted:
 *   MX `10 mx1.example` (null MX: `0 .`) · SRV `0 1 587 mail.example` · TXT the text as it is, unquoted and unsplit ·
 *   CAA `0 issue "ca.example"` · SOA `mname rname refresh retry expire minimum` (no serial: that is the server's).
 */
export type RRsetResource = {
  readonly provider: 'dns'
  readonly kind: 'rrset'
  readonly key: string
  readonly zone: DomainName
  readonly owner: string
  readonly type: RecordType
  /** Seconds. */
  readonly ttl: number
  readonly values: readonly string[]
}

/** A mail domain in the directory. Key: the domain. One write of `login` closes every login of the domain. */
export type DirectoryDomain = {
  readonly provider: 'directory'
  readonly kind: 'domain'
  readonly key: string
  readonly domain: DomainName
  readonly institution: string
  readonly delivery: 'multipop' | 'mailboxes' | 'relay'
  /** Logins and submission of everyone in the domain. */
  readonly login: Status
  /** Login of the collector (`delivery: multipop`). */
  readonly collection: Status
  /** Where `delivery: relay` sends the mail: `host` or `[address]`; null otherwise. */
  readonly nextHop: string | null
}

export type AccountRole = 'user' | 'administrator' | 'collector'

/** A login and mailbox. Key: the address. */
export type DirectoryAccount = {
  readonly provider: 'directory'
  readonly kind: 'account'
  readonly key: string
  readonly address: Address
  readonly domain: DomainName
  readonly role: AccountRole
  /** The account's own status, independent of its domain's. */
  readonly status: Status
  /** CIDR list that logins are accepted from, sorted; empty means from nowhere, null means from anywhere. */
  readonly allowNets: readonly string[] | null
  /** Bytes; 0 means no limit of its own. */
  readonly quotaBytes: number
  /** More addresses of the same mailbox, sorted. */
  readonly aliases: readonly Address[]
}

/** What the operator's lists are about (S45): changes of the service, modifications of terms, incidents. */
export const listTopics = ['changes', 'modifications', 'incidents'] as const
export type ListTopic = (typeof listTopics)[number]

/**
 * An address on a distribution list. Key: `<list>/<address>`. It belongs to no domain: a hold on the domain of the
 * address or of the list doesn't touch it. No list server keeps why somebody is a member, so `institutions` and `topics`
 * stand beside our mark; both are empty for who came in another way.
 */
export type ListMember = {
  readonly provider: 'lists'
  readonly kind: 'member'
  readonly key: string
  readonly list: Address
  readonly address: Address
  /** Names of the institutions that the person speaks for, sorted: one may speak for several. */
  readonly institutions: readonly string[]
  /** Topics that the configuration gives the list, sorted: one list may serve several. */
  readonly topics: readonly ListTopic[]
}

export type Resource = ZoneResource | RRsetResource | DirectoryDomain | DirectoryAccount | ListMember

export function refOf(resource: Resource): Ref {
  return { provider: resource.provider, kind: resource.kind, key: resource.key }
}
