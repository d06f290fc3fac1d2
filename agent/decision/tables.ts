/**
 * The rows of the tables that live decisions look things up in: data only. Who builds them is `snapshot.ts` and
 * `mailboxes.ts`; who looks up is `party.ts`.
 */
import type { Place } from '../core/diagnostic.ts'
import type { Access, Exception, Language, MailDomain, Scope } from '../model/entity.ts'
import type { Hold } from '../model/incident.ts'
import type { Address, DomainName } from '../model/name.ts'
import type { Ip, PrefixTable } from './network.ts'

export type Mode = 'off' | 'observe' | 'enforce'

/** `live`: in service, held or not. `absent`: known, never provisioned (blocked, queued), so nobody's mailbox. */
export type Standing = 'live' | 'withdrawn' | 'absent'

export type InstitutionRow = {
  readonly name: string
  readonly language: Language
  readonly networks: PrefixTable<true>
  /** Of its servers with role `collect`. */
  readonly collectors: PrefixTable<true>
  /** As text, for `explain`. */
  readonly networkTexts: readonly string[]
  readonly collectorTexts: readonly string[]
}

export type DomainRow = {
  readonly name: DomainName
  readonly institution: InstitutionRow
  readonly standing: Standing
  readonly inboundWhenSuspended: MailDomain['inboundWhenSuspended']
  readonly place: Place
}

export type MailboxRow = {
  readonly address: Address
  readonly role: 'user' | 'administrator' | 'collector'
  readonly domain: DomainRow
  readonly standing: Standing
  readonly send: Scope
  readonly receive: Scope
  readonly access: Access
  readonly exceptions: readonly Exception[]
  readonly place: Place
  /** Lines of single settings. */
  readonly places: Readonly<Record<string, Place>>
}

/** One side of a mail, looked up. */
export type Party = {
  readonly form: 'null' | 'bare' | 'plain' | 'literal' | 'odd'
  /** Canonical where `plain`; else as it came. */
  readonly text: string
  readonly domain: DomainName | null
  readonly ip: Ip | undefined
  /** How near it is to everybody outside its institution; judged once, since every policy asks. */
  readonly scope: Scope
  /** Its domain, when it is managed here. Of an odd address too: this only ever speaks against it. */
  readonly managed: DomainRow | undefined
  /** Never of an odd address. */
  readonly mailbox: MailboxRow | undefined
}

export type HoldTable = {
  readonly domains: ReadonlyMap<DomainName, readonly Hold[]>
  readonly accounts: ReadonlyMap<Address, readonly Hold[]>
}
