/**
 * What a user would see and should see, as data: the questions that are asked of the platform after a change, and what
 * came of them. A question knows what is wanted; it never knows how it is asked.
 */
import type { Address, DomainName } from './name.ts'
import type { SecretPlace } from './providers.ts'
import type { RRsetResource } from './resource.ts'

/** A server that people log in to. */
export type LoginDoor = {
  /** In findings and messages: `imap mail.operator.example:993`. */
  readonly name: string
  readonly protocol: 'imap' | 'pop3' | 'submission'
  readonly host: string
  readonly port: number
  readonly tls: 'tls' | 'starttls' | 'none'
  readonly caFile: string | null
  /** The name that the certificate must have. */
  readonly serverName: string
}

export type VerifyConfig = {
  /** Asked one by one for each zone; none: zones are not asked for. */
  readonly nameServers: readonly { readonly host: string; readonly port: number }[]
  /** `embedded`: the one name server is ours, and answers only while the daemon runs. */
  readonly nameServersFrom: 'configuration' | 'embedded'
  readonly doors: readonly LoginDoor[]
  /** Logs in as anybody, with his rights and limits and without his password; null: no login is tried. */
  readonly master: { readonly user: string; readonly separator: string; readonly password: SecretPlace } | null
  /** Accounts of each domain that logins are tried with, beside its administrator. */
  readonly sample: number
  /** A message of the administrator to himself, read and deleted again. */
  readonly delivery: boolean
  /** How long what is not yet as wanted is asked again: secondaries and caches need their time. */
  readonly patienceMs: number
}

export type ZoneProbe = {
  readonly kind: 'zone'
  readonly domain: DomainName
  readonly rrsets: readonly RRsetResource[]
}

export type LoginProbe = {
  readonly kind: 'login'
  readonly domain: DomainName
  readonly account: Address
  /** Name of a LoginDoor. */
  readonly door: string
  /** The address that the client says to have. */
  readonly from: string
  readonly wanted: 'accepted' | 'refused'
}

export type DeliveryProbe = {
  readonly kind: 'delivery'
  readonly domain: DomainName
  readonly account: Address
  readonly from: string
}

export type Probe = ZoneProbe | LoginProbe | DeliveryProbe

/** `unproved`: nobody answered, or the answer says nothing either way. */
export type Seen = { readonly result: 'as-wanted' | 'otherwise' | 'unproved'; readonly detail: string }

export type Finding = { readonly probe: Probe; readonly seen: Seen }
