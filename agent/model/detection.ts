/** `spec.detection`, resolved: what signals may do by themselves (mission section 8, P18). */

import type { DomainName } from './name.ts'
import type { SecretPlace } from './providers.ts'

export type RestrictMode = 'off' | 'observe' | 'enforce'

export type DetectionConfig = {
  readonly restrict: RestrictMode
  /** Where abuse reports come in, and which of them count; null: none are read. */
  readonly reports: ReportsConfig | null
  /** null: none are asked. */
  readonly blocklists: BlocklistsConfig | null
  readonly logins: LoginsConfig
  /** Beyond either, within an hour, nothing is closed without a person. */
  readonly storm: { readonly holds: number; readonly domainsPercent: number }
}

export type ReportsConfig = {
  readonly mailbox: {
    readonly host: string
    readonly port: number
    readonly tls: 'tls' | 'starttls' | 'none'
    readonly caFile: string | null
    readonly serverName: string
    readonly user: string
    readonly password: SecretPlace
    readonly folder: string
  }
  /** Of our own server in Authentication-Results (RFC 8601 section 2.5), in lower case. */
  readonly authservId: string
  /** Domains whose reports count, themselves and what is below them. */
  readonly reporters: readonly DomainName[]
}

export type BlocklistsConfig = {
  readonly resolver: { readonly host: string; readonly port: number }
  readonly lists: readonly { readonly zone: DomainName; readonly of: 'addresses' | 'domains' }[]
  /** Addresses that our mail leaves from. */
  readonly relays: readonly string[]
}

export type LoginsConfig = {
  /** Where Dovecot logs; none: logins are not looked at. */
  readonly logs: readonly string[]
  /** CIDR. Who comes through them is not seen. */
  readonly proxies: readonly string[]
}
