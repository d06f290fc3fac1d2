/**
 * What should stand in the directory: domains with their two doors, the administrator, the collector, the accounts (S20,
 * S22, S23; contract sections 2 and 6). Pure; the time is `world.at`. It never reads what a provider reports.
 *
 * Of the levers only four reach the directory. `send`, `receive` and `relay` are the live decision's alone, so a
 * suspension with `--only send` changes nothing here. Precedence: withdrawn, then suspended, then the rest.
 */
import { isActive } from '../core/clock.ts'
import type { Diagnostic, Place } from '../core/diagnostic.ts'
import { nationalPrefixes } from '../model/country.ts'
import type { Access, Account, Institution, MailDomain } from '../model/entity.ts'
import type { Hold, Lever } from '../model/incident.ts'
import { type Address, toAddress } from '../model/name.ts'
import type { AccountRole, DirectoryAccount, DirectoryDomain, Status } from '../model/resource.ts'
import { isProvisioned, type World, type WorldAccount, type WorldDomain } from '../model/world.ts'
import { allowNetsBytesMax } from '../standards/directory-resource.ts'

export type DesiredEntry = {
  readonly resource: DirectoryDomain | DirectoryAccount
  readonly source: Place | null
  /** Ids of the incidents that shaped the resource, sorted. */
  readonly holds: readonly string[]
}

/** Of the whole list, the rest is for the institution's networks and the operator's. Some 300 prefixes. */
const countryNetworksBytesMax = allowNetsBytesMax - 1_500

/** Names that RFC 2142 section 4 and RFC 5321 section 4.5.1 want answered in every domain. */
const administratorNames = ['postmaster', 'abuse'] as const

/** Lever by lever: what a hold on a whole domain closes, and what a hold on one account does. */
const domainLoginLevers: readonly Lever[] = ['login', 'submission']
const collectionLevers: readonly Lever[] = ['collection']
const administratorLevers: readonly Lever[] = ['administrator']
const accountLevers: Readonly<Record<AccountRole, readonly Lever[]>> = {
  user: ['login', 'submission'],
  administrator: ['login', 'submission', 'administrator'],
  collector: ['login', 'submission', 'collection'],
}

export function desiredDirectory(world: World): readonly DesiredEntry[] {
  const holdsByAccount = Map.groupBy(
    world.holds.filter(hold => hold.scope.account !== null),
    hold => hold.scope.account as Address,
  )
  const accounts = Map.groupBy(
    [...world.accounts.values()].filter(account => isProvisioned(account.state)),
    account => account.account.domain,
  )
  const national = [...world.config.national.networks, ...(countryNetworks(world) ?? [])]
  return [...world.domains.values()]
    .filter(domain => isProvisioned(domain.state))
    .flatMap(domain =>
      desiredOfDomain({ world, national, domain, holdsByAccount, accounts: accounts.get(domain.domain.name) ?? [] }),
    )
}

/**
 * What country data add to the login door, as the fewest prefixes; undefined where they do not fit. Then they are all left
 * out: half a country would be a riddle, and an account that can't be written could not be suspended either (ADR 17).
 */
function countryNetworks({ country }: World): readonly string[] | undefined {
  if (country === null) return []
  const networks: string[] = []
  let bytes = 0
  for (const prefix of nationalPrefixes(country)) {
    bytes += prefix.length + 1
    if (bytes > countryNetworksBytesMax) return undefined
    networks.push(prefix)
  }
  return networks
}

/** Said once, not for each account. */
export function checkCountryNetworks(world: World): readonly Diagnostic[] {
  if (countryNetworks(world) !== undefined) return []
  const countries = (world.country?.countries ?? []).join(', ').toUpperCase()
  const values = { countries, limit: String(countryNetworksBytesMax) }
  return [{ severity: 'warning', code: 'W-COUNTRY-NETWORKS', values }]
}

type DomainFacts = {
  readonly world: World
  /** Networks that `access: national` opens. */
  readonly national: readonly string[]
  readonly domain: WorldDomain
  readonly accounts: readonly WorldAccount[]
  readonly holdsByAccount: ReadonlyMap<Address, readonly Hold[]>
}

function desiredOfDomain(facts: DomainFacts): DesiredEntry[] {
  const { domain, accounts } = facts
  const special = new Set<Address>([domain.domain.administrator])
  if (domain.domain.collector !== null) special.add(domain.domain.collector)
  return [
    desiredDomain(facts),
    desiredAdministrator(facts),
    ...(domain.domain.collector === null ? [] : [desiredCollector(facts, domain.domain.collector)]),
    // An address that is the administrator's or the collector's is one login, and stands above already.
    ...accounts.filter(({ account }) => !special.has(account.address)).map(account => desiredUser(facts, account)),
  ]
}

function desiredDomain({ world, domain }: DomainFacts): DesiredEntry {
  const { domain: declared } = domain
  const login = doorUnder(domain.holds, domainLoginLevers)
  const collection = doorUnder(domain.holds, collectionLevers)
  const closed = domain.state === 'withdrawn'
  return {
    resource: {
      provider: 'directory',
      kind: 'domain',
      key: declared.name,
      domain: declared.name,
      institution: declared.institution,
      delivery: declared.delivery,
      login: closed ? 'closed' : login.status,
      collection: closed ? 'closed' : collection.status,
      nextHop: nextHopOf(declared, world.institutions.get(declared.institution)),
    },
    source: declared.place,
    holds: closed ? [] : distinct([...login.holds, ...collection.holds]),
  }
}

function desiredAdministrator(facts: DomainFacts): DesiredEntry {
  const { world, domain, accounts } = facts
  const { administrator, name, institution, place } = domain.domain
  const listed = accounts.find(({ account }) => account.address === administrator)?.account
  const held = new Set(accounts.flatMap(({ account }) => [account.address, ...account.aliases]))
  const aliases = administratorNames
    .map(localpart => toAddress(localpart, name))
    .filter(address => address !== administrator && address !== domain.domain.collector && !held.has(address))
  return accountEntry(facts, {
    address: administrator,
    role: 'administrator',
    domainLevers: administratorLevers,
    closed: domain.state === 'withdrawn',
    allowNets: world.institutions.get(institution)?.networks ?? [],
    quotaBytes: listed?.quotaBytes ?? 0,
    aliases: [...aliases, ...(listed?.aliases ?? [])],
    source: place,
  })
}

function desiredCollector(facts: DomainFacts, address: Address): DesiredEntry {
  const { world, domain } = facts
  const { institution, storageBytes, place } = domain.domain
  const servers = world.institutions.get(institution)?.servers ?? []
  return accountEntry(facts, {
    address,
    role: 'collector',
    // Its door is the domain's `collection`.
    domainLevers: [],
    closed: domain.state === 'withdrawn',
    // No server declared: from nowhere, never from anywhere.
    allowNets: servers.filter(server => server.roles.includes('collect')).flatMap(server => server.networks),
    // It holds the mail of the whole domain.
    quotaBytes: storageBytes,
    aliases: [],
    source: place,
  })
}

function desiredUser(facts: DomainFacts, { account, state }: WorldAccount): DesiredEntry {
  return accountEntry(facts, {
    address: account.address,
    role: 'user',
    // One write of the domain's `login` closes them all, so no hold on a domain is written account by account.
    domainLevers: [],
    closed: state === 'withdrawn' || facts.domain.state === 'withdrawn',
    allowNets: allowNetsOf(facts, account),
    quotaBytes: account.quotaBytes,
    aliases: account.aliases,
    source: (state === 'withdrawn' ? account.places.state : undefined) ?? account.place,
  })
}

type AccountPlan = {
  readonly address: Address
  readonly role: AccountRole
  /** Levers of a hold on the whole domain that close this one account. */
  readonly domainLevers: readonly Lever[]
  readonly closed: boolean
  readonly allowNets: readonly string[] | null
  readonly quotaBytes: number
  readonly aliases: readonly Address[]
  readonly source: Place
}

function accountEntry({ domain, holdsByAccount }: DomainFacts, plan: AccountPlan): DesiredEntry {
  const own = doorUnder(holdsByAccount.get(plan.address) ?? [], accountLevers[plan.role])
  const inherited = doorUnder(domain.holds, plan.domainLevers)
  const suspended = own.status === 'suspended' || inherited.status === 'suspended'
  return {
    resource: {
      provider: 'directory',
      kind: 'account',
      key: plan.address,
      address: plan.address,
      domain: domain.domain.name,
      role: plan.role,
      status: plan.closed ? 'closed' : suspended ? 'suspended' : 'active',
      allowNets: plan.allowNets === null ? null : distinct(plan.allowNets),
      quotaBytes: plan.quotaBytes,
      aliases: distinct(plan.aliases),
    },
    source: plan.source,
    holds: plan.closed ? [] : distinct([...own.holds, ...inherited.holds]),
  }
}

function doorUnder(holds: readonly Hold[], levers: readonly Lever[]): { status: Status; holds: readonly string[] } {
  const closing = holds.filter(hold => hold.levers.some(lever => levers.includes(lever)))
  return { status: closing.length > 0 ? 'suspended' : 'active', holds: closing.map(hold => hold.incident) }
}

/** Networks that an account may log in from at `world.at` (S20): its access, widened by every live exception. */
function allowNetsOf({ world, national }: DomainFacts, account: Account): readonly string[] | null {
  const own = world.institutions.get(account.institution)?.networks ?? []
  const granted = new Set<Access>([account.access])
  for (const exception of account.exceptions)
    if (exception.kind === 'access' && isActive({ until: exception.until }, world.at)) granted.add(exception.access)
  if (granted.has('anywhere')) return null
  return granted.has('national') ? [...national, ...own] : own
}

/**
 * Where the mail of a relay domain goes: the first server with that role. A single address that the manifests give goes
 * before the name, since a name inside an institution's network often has no public address.
 */
function nextHopOf(domain: MailDomain, institution: Institution | undefined): string | null {
  if (domain.delivery !== 'relay') return null
  const server = institution?.servers.find(candidate => candidate.roles.includes('relay'))
  if (server === undefined) return null
  const addresses = server.networks.flatMap(network => singleAddress(network) ?? [])
  return addresses.length === 1 ? `[${addresses[0]}]` : server.host
}

/** The address of a network of one: `10.20.0.5/32`, `2001:db8::5/128`, or without a length. */
function singleAddress(network: string): string | undefined {
  const [address = '', length] = network.split('/')
  const whole = address.includes(':') ? '128' : '32'
  return length === undefined || length === whole ? address : undefined
}

function distinct<T extends string>(values: readonly T[]): readonly T[] {
  return [...new Set(values)].sort()
}
