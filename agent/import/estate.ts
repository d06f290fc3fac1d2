/**
 * What an existing estate is to an import: plain data from any source, what could not be taken along, and what would
 * change. Types only. Passwords have no place in any of them.
 */

import type { Address, DomainName } from '../model/name.ts'
import type { AccountRole, Status } from '../model/resource.ts'
import type { DirectoryResource } from '../standards/directory-resource.ts'
import type { DnsResource } from '../standards/dns-resource.ts'

/** Why something stands in no manifest; each has its sentence in the texts of the command line. */
export const leftReasons = [
  'syntax',
  'directive',
  'class',
  'type',
  'value',
  'ttl',
  'name',
  'outside',
  'derived',
  'signature',
  'hidden',
  'many',
  'reverse',
  'declared',
  'suspended',
  'reserved',
  'taken',
  'several',
  'forward',
  'unresolved',
  'network',
  'unknown',
] as const
export type LeftReason = (typeof leftReasons)[number]

/** `where`: a line of a file, an entry, or a resource. `what` is never a secret. */
export type Left = { readonly where: string; readonly what: string; readonly reason: LeftReason }

/** It stands with one value, and what mailwarden makes of the manifests is another: the next plan would change it. */
export type Difference = { readonly subject: string; readonly standing: unknown; readonly declared: unknown }

/** Parts of a holder that a source knows; what is absent only a person can fill in. */
export type ImportedHolder = {
  readonly name?: string
  readonly id?: string
  readonly post?: string
  readonly purpose?: string
  readonly category?: string
}

export type ImportedDomain = {
  readonly name: DomainName
  /** As the source names its owner; null when it knows none. */
  readonly institution: string | null
  /** null: not known. */
  readonly delivery: 'multipop' | 'mailboxes' | 'relay' | null
  readonly nextHop: string | null
  readonly status: Status
  /** Local part; null when none is known. */
  readonly collector: string | null
}

export type ImportedAccount = {
  readonly address: Address
  readonly role: AccountRole
  readonly status: Status
  /** Within the domain of the account. */
  readonly aliases: readonly string[]
  /** null: not known. */
  readonly quotaBytes: number | null
  /** null: from anywhere; undefined: not known. */
  readonly allowNets: readonly string[] | null | undefined
  readonly holder: ImportedHolder
  /** Where it was read: part of what is reported of it. */
  readonly where: string
}

export type ImportedEstate = {
  readonly dns: readonly DnsResource[]
  readonly domains: readonly ImportedDomain[]
  readonly accounts: readonly ImportedAccount[]
  /** What stands in our own directory, to be compared with what the manifests will want; empty for other sources. */
  readonly standing: readonly DirectoryResource[]
  readonly left: readonly Left[]
}

export const emptyEstate: ImportedEstate = { dns: [], domains: [], accounts: [], standing: [], left: [] }

/** Deterministic in any locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
