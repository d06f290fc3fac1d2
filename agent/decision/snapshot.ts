/**
 * The tables that live decisions look things up in: a projection of the world, immutable, built whole and swapped in at
 * once. Nothing in it depends on time; exceptions carry their own ends. Holds stand apart, so that a suspension flips
 * them without building the rest again (contract section 6). Pure.
 */
import type { Instant } from '../core/clock.ts'
import type { Place } from '../core/diagnostic.ts'
import type { PolicyName } from '../manifest/schema.ts'
import type { Access, Exception, Institution, Language, MailDomain, Scope } from '../model/entity.ts'
import type { Hold, Lever } from '../model/incident.ts'
import { type Address, type DomainName, toAddress } from '../model/name.ts'
import { type DomainState, isProvisioned, type World, type WorldAccount } from '../model/world.ts'
import { parseEnvelopeAddress } from './address.ts'
import { buildPrefixTable, type Ip, type PrefixTable } from './network.ts'

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
  /** Its domain, when it is managed here. Of an odd address too: this only ever speaks against it. */
  readonly managed: DomainRow | undefined
  /** Never of an odd address. */
  readonly mailbox: MailboxRow | undefined
}

export type HoldTable = {
  readonly domains: ReadonlyMap<DomainName, readonly Hold[]>
  readonly accounts: ReadonlyMap<Address, readonly Hold[]>
}

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

/** Names that RFC 2142 section 4 and RFC 5321 section 4.5.1 want answered in every domain: the administrator's. */
const administratorNames = ['postmaster', 'abuse'] as const

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

/** The hold that closes one of `levers` for a party: of the whole domain first, then of the account. */
export function holdOn(snapshot: Snapshot, party: Party, levers: readonly Lever[]): Hold | undefined {
  const { domains, accounts } = snapshot.holds
  if (party.managed === undefined || domains.size + accounts.size === 0) return undefined
  const closing = (holds: readonly Hold[] | undefined) =>
    holds?.find(hold => hold.levers.some(lever => levers.includes(lever)))
  const ofDomain = closing(domains.get(party.managed.name))
  if (ofDomain !== undefined || party.mailbox === undefined) return ofDomain
  return closing(accounts.get(party.mailbox.address))
}

export function modeOf(snapshot: Snapshot, policy: PolicyName): Mode {
  return snapshot.modes[policy] ?? 'enforce'
}

/** Looks an address of a request up. Text that is no address is a party too: a foreign one. */
export function findParty(snapshot: Snapshot, text: string): Party {
  const known = snapshot.parties.get(text)
  if (known !== undefined) return known
  const address = parseEnvelopeAddress(text)
  const nobody = { form: address.form, text, domain: null, ip: undefined, managed: undefined, mailbox: undefined }
  switch (address.form) {
    case 'null':
    case 'bare':
      return nobody
    case 'literal':
      return { ...nobody, ip: address.ip }
    case 'odd':
      return { ...nobody, domain: address.domain, managed: snapshot.domains.get(address.domain ?? '') }
    case 'plain': {
      const { localpart, domain } = address
      const managed = snapshot.domains.get(domain)
      const full = `${localpart}@${domain}`
      if (managed === undefined) return { ...nobody, text: full, domain }
      const plus = localpart.indexOf('+')
      const canonical = plus > 0 ? `${localpart.slice(0, plus)}@${domain}` : full
      return snapshot.parties.get(canonical) ?? { ...nobody, text: canonical, domain, managed }
    }
  }
}

function standingOf(state: DomainState): Standing {
  return state === 'withdrawn' ? 'withdrawn' : isProvisioned(state) ? 'live' : 'absent'
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

function buildParties(world: World, domains: ReadonlyMap<string, DomainRow>): ReadonlyMap<string, Party> {
  const parties = new Map<string, Party>()
  const enter = (address: Address, mailbox: MailboxRow) => {
    const known = parties.get(address)?.mailbox
    // Names are unique among valid manifests; if two claim one after all, the one in service has it.
    if (known !== undefined && (known.standing === 'live' || mailbox.standing !== 'live')) return
    const { domain } = mailbox
    parties.set(address, { form: 'plain', text: address, domain: domain.name, ip: undefined, managed: domain, mailbox })
  }
  const rows: [WorldAccount['account'], MailboxRow][] = []
  for (const { domain } of world.domains.values()) {
    const row = domains.get(domain.name)
    if (row === undefined) continue
    enter(domain.administrator, serviceMailbox(domain.administrator, 'administrator', row))
    if (domain.collector !== null) enter(domain.collector, serviceMailbox(domain.collector, 'collector', row))
  }
  for (const { account, state } of world.accounts.values()) {
    const domain = domains.get(account.domain)
    if (domain === undefined) continue
    const { address, send, receive, access, exceptions, place, places } = account
    // Withdrawn is for good, whatever else is in the way.
    const standing = domain.standing === 'live' || state === 'withdrawn' ? standingOf(state) : domain.standing
    const mailbox = {
      address,
      role: 'user',
      domain,
      standing,
      send,
      receive,
      access,
      exceptions,
      place,
      places,
    } as const
    enter(address, mailbox)
    rows.push([account, mailbox])
  }
  // Names before aliases, and both before the names that every domain has, so that none takes another's.
  for (const [account, own] of rows) {
    const mailbox = parties.get(account.address)?.mailbox ?? own
    for (const alias of account.aliases) enter(alias, mailbox)
  }
  for (const { domain } of world.domains.values()) {
    const mailbox = parties.get(domain.administrator)?.mailbox
    if (mailbox === undefined) continue
    for (const localpart of administratorNames) {
      const address = toAddress(localpart, domain.name)
      if (parties.get(address)?.mailbox?.standing !== 'live') enter(address, mailbox)
    }
  }
  return parties
}

/**
 * Administrator and collector have no scopes of their own: they write as far as an account does by default, and hear
 * everybody, since postmaster@ and abuse@ must be heard by strangers (RFC 2142, RFC 5321 section 4.5.1).
 */
function serviceMailbox(address: Address, role: 'administrator' | 'collector', domain: DomainRow): MailboxRow {
  return {
    address,
    role,
    domain,
    standing: domain.standing,
    send: 'national',
    receive: 'international',
    access: 'institution',
    exceptions: [],
    place: domain.place,
    places: {},
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
