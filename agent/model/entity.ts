/**
 * What manifests declare, resolved: names canonical, defaults filled in, days turned into instants, each with its place.
 * Everything here is plain JSON, since the register keeps the last valid version of it per institution.
 */
import type { Instant } from '../core/clock.ts'
import type { Place } from '../core/diagnostic.ts'
import type { Address, DomainName } from './name.ts'
import type { RecordType } from './resource.ts'

/** How far mail may go or come from, in growing order. */
export const scopes = ['local', 'national', 'international'] as const
export type Scope = (typeof scopes)[number]

/** From where a login is accepted, in growing order. */
export const accesses = ['institution', 'national', 'anywhere'] as const
export type Access = (typeof accesses)[number]

/** In priority order (S50 to S55). */
export const categories = [
  'doctor-of-science',
  'professor',
  'researcher',
  'manager',
  'mission-collaborator',
  'care',
  'other',
] as const
export type Category = (typeof categories)[number]

export const languages = ['es', 'en'] as const
export type Language = (typeof languages)[number]

export type Person = { readonly name: string; readonly email: string | null; readonly phone: string | null }

/** A mail server that the institution runs. `networks` are CIDR. */
export type InstitutionServer = {
  readonly host: DomainName
  readonly networks: readonly string[]
  readonly roles: readonly ('collect' | 'relay')[]
}

export type Institution = {
  readonly name: string
  readonly title: string
  readonly province: string
  readonly language: Language
  readonly director: Person
  /** Of today; null when none is named. */
  readonly representative: (Person & { readonly id: string }) | null
  /** CIDR, both families. */
  readonly networks: readonly string[]
  readonly servers: readonly InstitutionServer[]
  readonly contractUntil: Instant | null
  readonly place: Place
}

export type ExtraRecord = {
  /** Absolute owner name. */
  readonly owner: string
  readonly type: RecordType
  readonly values: readonly string[]
  readonly ttl: number | null
  readonly place: Place
}

export type MailDomain = {
  readonly name: DomainName
  readonly institution: string
  readonly delivery: 'multipop' | 'mailboxes' | 'relay'
  readonly administrator: Address
  /** Only with delivery multipop. */
  readonly collector: Address | null
  readonly accountsMax: number
  readonly storageBytes: number
  readonly inboundWhenSuspended: 'keep' | 'defer' | 'reject'
  /** Mailboxes that care depends on (P1, P17); absent: none is named. */
  readonly critical?: readonly Address[]
  /** Seconds. */
  readonly ttl: number
  readonly extra: readonly ExtraRecord[]
  readonly place: Place
}

/** A dated widening under a signed request. `until` is the instant at which its last day is over. */
export type Exception = {
  readonly request: string
  readonly until: Instant
  readonly place: Place
} & (
  | {
      readonly kind: 'send' | 'receive' /** A domain (itself and all below it) or one address. */
      readonly target: string
    }
  | { readonly kind: 'access'; readonly access: Access }
  /** More distinct recipients outside the institution than the operator's limits allow: a declared sender. */
  | { readonly kind: 'rate'; readonly recipientsPerHour: number; readonly recipientsPerDay: number }
)

export type Account = {
  readonly address: Address
  readonly domain: DomainName
  readonly institution: string
  readonly state: 'active' | 'withdrawn'
  readonly holder: { readonly name: string; readonly id: string; readonly post: string; readonly purpose: string }
  readonly category: Category
  readonly request: string
  /** Day of the council's agreement; the second key of the queue. */
  readonly agreementDate: string
  /** Order among the accounts of its domain, in the files; the third key of the queue. */
  readonly order: number
  readonly send: Scope
  readonly receive: Scope
  readonly access: Access
  readonly aliases: readonly Address[]
  readonly exceptions: readonly Exception[]
  readonly quotaBytes: number
  readonly place: Place
  /** Lines of single settings, where they are written: keys `send`, `receive`, `access`, `state`. */
  readonly places: Readonly<Record<string, Place>>
}

export type Waiver = {
  readonly name: string
  readonly control: string
  readonly subject: string
  readonly reason: string
  readonly owner: string
  readonly approvedBy: string
  readonly from: Instant
  readonly until: Instant
  readonly place: Place
}

/** All that stands under one institution: the unit in which valid manifests are accepted and kept. */
export type InstitutionEstate = {
  readonly institution: Institution
  readonly domains: readonly MailDomain[]
  readonly accounts: readonly Account[]
}
