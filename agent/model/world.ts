/**
 * The world: what the manifests say, joined with what the register tells. Both projections (`desired`, `snapshot`)
 * are functions of it, and of nothing else.
 */
import type { Instant } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import type { CountrySetting, CountryTable } from './country.ts'
import type { DetectionConfig } from './detection.ts'
import type { Account, Institution, InstitutionEstate, Language, MailDomain, Waiver } from './entity.ts'
import type { Hold, Probation } from './incident.ts'
import type { Address, DomainName } from './name.ts'
import type { ProvidersConfig } from './providers.ts'
import type { SignalSettings } from './signal.ts'
import type { VerifyConfig } from './verify.ts'

/** Of live policies by name; what is absent enforces. */
export type Modes = Readonly<Record<string, 'off' | 'observe' | 'enforce'>>

/** `host:port`, `unix:/absolute/path` or `systemd:name`, and the modes that differ for who asks there. */
export type PolicyAddress = { readonly on: string; readonly modes: Modes }

/** The agent's configuration, resolved: defaults filled in, paths absolute. */
export type AgentConfig = {
  readonly file: string
  readonly manifestsFolder: string
  readonly stateFolder: string
  readonly storeFile: string
  /** Files that keep the newest signed head; the first one stands in the state folder. */
  readonly witnessFiles: readonly string[]
  readonly operator: {
    readonly name: string
    readonly language: Language
    /** IANA name. */
    readonly timeZone: string
    readonly officeHours: string
    readonly support: string | null
    readonly security: string | null
    readonly people: readonly { readonly name: string; readonly role: string }[]
    /** Addresses, in the order in which they are told; absent: nobody but `security`. */
    readonly onCall?: readonly Address[]
  }
  readonly national: {
    /** A-labels without the leading dot. */
    readonly suffixes: readonly string[]
    readonly domains: readonly string[]
    readonly networks: readonly string[]
    readonly countryData: CountrySetting | null
  }
  readonly mail: {
    readonly mx: readonly { readonly host: DomainName; readonly priority: number }[]
    readonly nameServers: readonly DomainName[]
    readonly hostmaster: Address
    readonly submission: DomainName
    readonly web: DomainName
    readonly reports: Address
  }
  readonly providers: ProvidersConfig
  readonly verify: VerifyConfig
  readonly listen: { readonly policy: readonly PolicyAddress[] }
  /** Mode of each live policy; what is absent enforces. */
  readonly modes: Modes
  readonly evidence: {
    /** Mail logs; what was rotated away from each is found beside it. */
    readonly logs: readonly string[]
    /** Days after the end of an incident; null: nobody set a limit. Nothing is ever removed by itself. */
    readonly keepDays: number | null
  }
  readonly schedule: { readonly reconcile: string; readonly audit: string }
  readonly limits: {
    readonly deletes: number
    readonly updatePercent: number
    readonly recipientsPerHour: number
    readonly recipientsPerDay: number
  }
  readonly signals: SignalSettings
  readonly incidents: ReleaseTerms
  /** On which levers may be moved for practice. */
  readonly testDomains: readonly DomainName[]
  readonly detection: DetectionConfig
}

/** How services come back: waits between the stages, and what follows. A wait or a probation of 0 is none. */
export type ReleaseTerms = {
  readonly nationalAfterMs: number
  readonly internationalAfterMs: number
  readonly probationMs: number
  readonly probationPercent: number
}

/** The manifests after checking: every entity whose shape is sound, and what speaks against some of them. */
export type CheckedEstate = {
  readonly estates: ReadonlyMap<string, InstitutionEstate>
  readonly waivers: readonly Waiver[]
  /**
   * Errors by subject: `institution:<name>`, `domain:<name>`, `account:<address>`. A blocked entity may be absent
   * from `estates` (its shape is broken) or present (its papers are). Its last accepted version goes on.
   */
  readonly blocked: ReadonlyMap<string, readonly Diagnostic[]>
  /**
   * Files in which something could not be read or told apart (syntax, size, a document without identity). Every
   * institution that last had something from one of them keeps all that it had, and nothing of it is pruned.
   */
  readonly unreadable: readonly string[]
  /** Sorted by file, line, column; errors and warnings. */
  readonly diagnostics: readonly Diagnostic[]
}

export type DomainState = 'active' | 'queued' | 'blocked' | 'restricted' | 'suspended' | 'withdrawn'

export type WorldDomain = {
  readonly domain: MailDomain
  readonly state: DomainState
  /** Open holds on the whole domain. */
  readonly holds: readonly Hold[]
  readonly blockedBy: readonly Diagnostic[]
  /** Gone from the manifests, but what was made of it still stands: it goes on until a removal is applied. */
  readonly leaving: boolean
}

export type WorldAccount = {
  readonly account: Account
  /** `queued`: beyond the limits of the domain (S18); `blocked`: its papers are not in order and it never was live. */
  readonly state: DomainState
  /** Open holds on this account alone; those of the domain stand there. */
  readonly holds: readonly Hold[]
  readonly blockedBy: readonly Diagnostic[]
  /** As of `WorldDomain`. */
  readonly leaving: boolean
}

export type DkimKey = {
  readonly selector: string /** Base64 of the SubjectPublicKeyInfo (RFC 6376 section 3.6.1). */
  readonly publicKey: string
}

export type World = {
  readonly at: Instant
  readonly config: AgentConfig
  readonly institutions: ReadonlyMap<string, Institution>
  /** Every known domain, whatever its state. Only active, restricted, suspended and withdrawn ones are provisioned. */
  readonly domains: ReadonlyMap<DomainName, WorldDomain>
  readonly accounts: ReadonlyMap<Address, WorldAccount>
  readonly waivers: readonly Waiver[]
  readonly dkim: ReadonlyMap<DomainName, DkimKey>
  /** In force; null where none are configured. */
  readonly country: CountryTable | null
  /** Every open hold. */
  readonly holds: readonly Hold[]
  /** Those that have not ended; absent: none. */
  readonly probations?: readonly Probation[]
  readonly diagnostics: readonly Diagnostic[]
}

/** States in which a domain or an account stands in the directory and the zone. */
export function isProvisioned(state: DomainState): boolean {
  return state !== 'blocked' && state !== 'queued'
}
