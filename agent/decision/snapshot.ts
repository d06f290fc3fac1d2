/**
 * The tables that live decisions look things up in: a projection of the world, immutable, built whole and swapped in at
 * once. Nothing in it depends on time; exceptions carry their own ends. Holds stand apart, so that a suspension flips
 * them without building the rest again (contract section 6). Pure.
 */
import type { Instant } from '../core/clock.ts'
import type { Institution, Language, MailDomain } from '../model/entity.ts'
import type { Hold } from '../model/incident.ts'
import type { Address, DomainName } from '../model/name.ts'
import type { World } from '../model/world.ts'
import { buildParties, standingOf } from './mailboxes.ts'
import { buildPrefixTable, type PrefixTable } from './network.ts'
import type { DomainRow, HoldTable, InstitutionRow, Mode, Party } from './tables.ts'

export type Snapshot = {
  readonly builtAt: Instant
  readonly language: Language
  readonly timeZone: string
  readonly domains: ReadonlyMap<string, DomainRow>
  /** By canonical address, aliases included: the common case costs one look-up and no parsing. */
  readonly parties: ReadonlyMap<string, Party>
  /** Declared servers with role `relay` of institutions in service. */
  readonly relays: PrefixTable<InstitutionRow>
  readonly national: {
    readonly suffixes: ReadonlySet<string>
    readonly domains: ReadonlySet<string>
    readonly networks: PrefixTable<true>
    readonly networkTexts: readonly string[]
  }
  readonly modes: Readonly<Record<string, Mode>>
  readonly limits: { readonly recipientsPerHour: number; readonly recipientsPerDay: number }
  readonly holds: HoldTable
}

export function buildSnapshot(world: World): Snapshot {
  const { config } = world
  const institutions = new Map<string, InstitutionRow>()
  for (const institution of world.institutions.values()) institutions.set(institution.name, toRow(institution))
  const domains = new Map<string, DomainRow>()
  for (const { domain, state } of world.domains.values()) {
    const institution = institutions.get(domain.institution) ?? unknownInstitution(domain, config.operator.language)
    domains.set(domain.name, {
      name: domain.name,
      institution,
      standing: standingOf(state),
      inboundWhenSuspended: domain.inboundWhenSuspended,
      place: domain.place,
    })
  }
  const parties = buildParties(world, domains)
  const serving = new Set([...domains.values()].filter(row => row.standing === 'live').map(row => row.institution))
  return {
    builtAt: world.at,
    language: config.operator.language,
    timeZone: config.operator.timeZone,
    domains,
    parties,
    relays: buildPrefixTable(relayEntries(world, institutions, serving)),
    national: {
      suffixes: new Set(config.national.suffixes),
      domains: new Set(config.national.domains),
      networks: tableOf(config.national.networks),
      networkTexts: config.national.networks,
    },
    modes: config.modes,
    limits: config.limits,
    holds: toHoldTable(world.holds, parties),
  }
}

/** The same tables under other holds. Costs as much as there are holds. */
export function withHolds(snapshot: Snapshot, holds: readonly Hold[]): Snapshot {
  return { ...snapshot, holds: toHoldTable(holds, snapshot.parties) }
}

function tableOf(networks: readonly string[]): PrefixTable<true> {
  return buildPrefixTable(networks.map(network => [network, true] as const))
}

function toRow(institution: Institution): InstitutionRow {
  const collectorTexts = institution.servers
    .filter(server => server.roles.includes('collect'))
    .flatMap(server => server.networks)
  return {
    name: institution.name,
    language: institution.language,
    networks: tableOf(institution.networks),
    collectors: tableOf(collectorTexts),
    networkTexts: institution.networks,
    collectorTexts,
  }
}

/** A domain whose owner is not known goes on with no network at all: nobody may log in from anywhere. */
function unknownInstitution({ institution }: MailDomain, language: Language): InstitutionRow {
  const nowhere = tableOf([])
  return { name: institution, language, networks: nowhere, collectors: nowhere, networkTexts: [], collectorTexts: [] }
}

function* relayEntries(
  world: World,
  rows: ReadonlyMap<string, InstitutionRow>,
  serving: ReadonlySet<InstitutionRow>,
): Iterable<readonly [string, InstitutionRow]> {
  for (const { name, servers } of world.institutions.values()) {
    const row = rows.get(name)
    // An institution without a domain in service has nobody to speak for.
    if (row === undefined || !serving.has(row)) continue
    for (const server of servers) {
      if (server.roles.includes('relay')) for (const network of server.networks) yield [network, row]
    }
  }
}

function toHoldTable(holds: readonly Hold[], parties: Snapshot['parties']): HoldTable {
  const domains = new Map<DomainName, Hold[]>()
  const accounts = new Map<Address, Hold[]>()
  for (const hold of holds) {
    const { account, domain } = hold.scope
    if (account === null) domains.set(domain, [...(domains.get(domain) ?? []), hold])
    else {
      // A hold that names an alias means the mailbox.
      const address = parties.get(account)?.mailbox?.address ?? account
      accounts.set(address, [...(accounts.get(address) ?? []), hold])
    }
  }
  return { domains, accounts }
}
