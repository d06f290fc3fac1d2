/**
 * The rows of the tables that live decisions look things up in: data only. Who builds them is `image.ts` and
 * `snapshot.ts`; who looks up is `party.ts`.
 */
import type { Place } from '../core/diagnostic.ts'
import type { Access, Exception, Language, MailDomain, Scope } from '../model/entity.ts'
import type { Hold } from '../model/incident.ts'
import type { Ip } from '../model/ip.ts'
import type { Address, DomainName } from '../model/name.ts'
import type { Role, Standing } from './book.ts'
import type { NetworkSet } from './network.ts'

export type InstitutionRow = {
  readonly name: string
  readonly language: Language
  readonly networks: NetworkSet
  /** Of its servers with role `collect`. */
  readonly collectors: NetworkSet
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

/** A mailbox as it is looked up; where it is declared tells `placeOf` in `party.ts`. */
export type MailboxRow = {
  /** The same for the same mailbox, within one snapshot. */
  readonly number: number
  readonly address: Address
  readonly role: Role
  readonly domain: DomainRow
  readonly standing: Standing
  readonly send: Scope
  readonly receive: Scope
  readonly access: Access
  readonly exceptions: readonly Exception[]
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
