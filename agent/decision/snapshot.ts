/**
 * The tables that live decisions look things up in: opened from an image whole, immutable, and swapped in at once. Holds
 * stand apart, so that a suspension flips them without building the rest again (contract section 6). Pure.
 */
import type { PolicyName } from '../manifest/schema.ts'
import type { CountryTable } from '../model/country.ts'
import type { Exception, Language } from '../model/entity.ts'
import type { Hold, Probation } from '../model/incident.ts'
import type { Address, DomainName } from '../model/name.ts'
import type { SignalSettings } from '../model/signal.ts'
import type { World } from '../model/world.ts'
import { addressAt, type Book, findEntry, findMailbox, ownEntry } from './book.ts'
import { buildHosts, type Hosts } from './hosts.ts'
import { buildImage, type InstitutionImage, type Mode, type SnapshotImage } from './image.ts'
import { buildNetworkSet, buildPrefixTable, type NetworkSet, type PrefixTable } from './network.ts'
import type { DomainRow, HoldTable, InstitutionRow } from './tables.ts'

export type Snapshot = {
  readonly language: Language
  readonly timeZone: string
  readonly domains: ReadonlyMap<string, DomainRow>
  /** The same by number, as the book names them. */
  readonly domainRows: readonly DomainRow[]
  readonly hosts: Hosts
  readonly book: Book
  readonly exceptions: ReadonlyMap<number, readonly Exception[]>
  /** Declared servers with role `relay` of institutions in service. */
  readonly relays: PrefixTable<InstitutionRow>
  readonly national: {
    readonly suffixes: ReadonlySet<string>
    readonly domains: ReadonlySet<string>
    readonly networks: NetworkSet
    readonly networkTexts: readonly string[]
    /** null where none are configured. */
    readonly country: CountryTable | null
  }
  readonly modes: Readonly<Partial<Record<PolicyName, Mode>>>
  readonly limits: { readonly recipientsPerHour: number; readonly recipientsPerDay: number }
  readonly signals: SignalSettings
  readonly holds: HoldTable
  /** By domain or address; of one scope the newest, whose counts began last. */
  readonly probations: ReadonlyMap<string, Probation>
}

export function buildSnapshot(world: World): Snapshot {
  return openSnapshot(buildImage(world))
}

/** Costs as much as there are domains and institutions, whatever the number of accounts. */
export function openSnapshot(image: SnapshotImage): Snapshot {
  const { language, timeZone, book, exceptions, modes, limits, national } = image
  const institutions = image.institutions.map(toRow)
  const domainRows = image.domains.map(({ institution, ...domain }): DomainRow => {
    return { ...domain, institution: institutions[institution]! }
  })
  return {
    language,
    timeZone,
    domains: new Map(domainRows.map(row => [row.name, row])),
    domainRows,
    hosts: buildHosts(
      domainRows.map(({ name }) => name),
      national,
    ),
    book,
    exceptions,
    relays: buildPrefixTable(relayEntries(image, institutions)),
    national: {
      suffixes: new Set(national.suffixes),
      domains: new Set(national.domains),
      networks: buildNetworkSet(national.networks),
      networkTexts: national.networks,
      country: image.country,
    },
    modes,
    limits,
    signals: image.signals,
    holds: toHoldTable(image.holds, book),
    probations: new Map(
      image.probations.map(probation => [probation.scope.account ?? probation.scope.domain, probation]),
    ),
  }
}

/** The same tables under other holds. Costs as much as there are holds. */
export function withHolds(snapshot: Snapshot, holds: readonly Hold[]): Snapshot {
  return { ...snapshot, holds: toHoldTable(holds, snapshot.book) }
}

/** An address of the policy service, with the modes that differ there. */
export type PolicyListener = { readonly on: string; readonly modes: Snapshot['modes'] }

/** The same tables with other modes for some policies. */
export function withModes(snapshot: Snapshot, modes: Snapshot['modes']): Snapshot {
  return Object.keys(modes).length === 0 ? snapshot : { ...snapshot, modes: { ...snapshot.modes, ...modes } }
}

function toRow({ name, language, networks, collectors }: InstitutionImage): InstitutionRow {
  return {
    name,
    language,
    networks: buildNetworkSet(networks),
    collectors: buildNetworkSet(collectors),
    networkTexts: networks,
    collectorTexts: collectors,
  }
}

function* relayEntries(
  { institutions, domains }: SnapshotImage,
  rows: readonly InstitutionRow[],
): Iterable<readonly [string, InstitutionRow]> {
  // An institution without a domain in service has nobody to speak for.
  const serving = new Set(domains.filter(({ standing }) => standing === 'live').map(({ institution }) => institution))
  for (const [number, { relays }] of institutions.entries())
    if (serving.has(number)) for (const network of relays) yield [network, rows[number]!]
}

function toHoldTable(holds: readonly Hold[], book: Book): HoldTable {
  const domains = new Map<DomainName, Hold[]>()
  const accounts = new Map<Address, Hold[]>()
  for (const hold of holds) {
    const { account, domain } = hold.scope
    if (account === null) domains.set(domain, [...(domains.get(domain) ?? []), hold])
    else {
      // A hold that names an alias means the mailbox.
      const mailbox = findMailbox(book, findEntry(book, account))
      const address = mailbox < 0 ? account : addressAt(book, ownEntry(book, mailbox))
      accounts.set(address, [...(accounts.get(address) ?? []), hold])
    }
  }
  return { domains, accounts }
}
