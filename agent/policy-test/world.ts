/** A small world from a table's `estate`: what the loader would make of manifests, without papers. Pure. */
import { assert } from '../core/assert.ts'
import { endOfDay } from '../core/clock.ts'
import type { Place } from '../core/diagnostic.ts'
import type { EstateText } from '../manifest/schema-decisions.ts'
import type { Path } from '../manifest/tree.ts'
import type { CountryTable } from '../model/country.ts'
import type { Account, Exception, Institution, MailDomain } from '../model/entity.ts'
import { type Hold, levers } from '../model/incident.ts'
import { type Address, type DomainName, domainOf } from '../model/name.ts'
import type { AgentConfig, World, WorldAccount, WorldDomain } from '../model/world.ts'
import { createDelegatedParser } from '../standards/delegated-statistics.ts'
import { buildCountryTable } from '../standards/delegated-table.ts'

/** The lines of one statistics file as a table, with what is wrong with them. */
export function countryOf(text: string, countries: readonly string[] = ['cu']) {
  if (text === '') return { table: null, diagnostics: [] }
  const parser = createDelegatedParser('country', countries)
  parser.push(Buffer.from(text))
  const file = parser.end()
  return { table: buildCountryTable([file], countries).table, diagnostics: file.diagnostics }
}

/** The table of one file. @throws when it has a mistake: whoever asks has looked. */
export function toCountryTable(text: string, countries: readonly string[] = ['cu']): CountryTable {
  const { table, diagnostics } = countryOf(text, countries)
  assert(table !== null && diagnostics.length === 0, `country data of a table: ${JSON.stringify(diagnostics)}`)
  return table
}

export const timeZone = 'America/Havana'
export const at = Date.parse('2026-06-15T12:00:00Z')

/** Where something of the estate stands: `['accounts', 'a@b.example', 'send']`. */
export type Placer = (path: Path) => Place

/** For an estate that no file holds: each thing on a line of its own, so that it can be told which one was named. */
function countingPlacer(): Placer {
  let line = 0
  return () => {
    line += 1
    return { file: 'estate.yaml', line, column: 3 }
  }
}

export function toHolds(estate: EstateText): Hold[] {
  return (estate.holds ?? []).map(({ incident, domain, account, levers: some }) => ({
    incident,
    scope: { domain: domain as DomainName, account: (account ?? null) as Address | null },
    levers: some ?? levers,
    since: at - 1000,
  }))
}

export function toWorld(estate: EstateText, place: Placer = countingPlacer()): World {
  const holds = toHolds(estate)
  const institutions = new Map(
    Object.entries(estate.institutions).map(([name, text]) => [name, toInstitution(name, text, place)]),
  )
  const domains = new Map<DomainName, WorldDomain>()
  for (const [name, text] of Object.entries(estate.domains)) {
    const domain = toDomain(name as DomainName, text, place)
    const own = holds.filter(hold => hold.scope.domain === name && hold.scope.account === null)
    const state = text.state ?? (own.length > 0 ? 'suspended' : 'active')
    domains.set(domain.name, { domain, state, holds: own, blockedBy: [], leaving: false })
  }
  const accounts = new Map<Address, WorldAccount>()
  for (const [address, text] of Object.entries(estate.accounts)) {
    const domain = domains.get(domainOf(address as Address))
    if (domain === undefined) throw new Error(`no domain for ${address}`)
    const account = toAccount(address as Address, text, domain.domain, place)
    const own = holds.filter(hold => hold.scope.account === address)
    // As the world joins them: the domain's own end is the account's.
    const fallen = domain.state === 'withdrawn' || domain.state === 'blocked' ? domain.state : undefined
    const state = fallen ?? text.state ?? (own.length > 0 ? 'suspended' : 'active')
    accounts.set(account.address, { account, state, holds: own, blockedBy: [], leaving: false })
  }
  return {
    at,
    config: toConfig(estate),
    institutions,
    domains,
    accounts,
    waivers: [],
    dkim: new Map(),
    country: estate.country === undefined ? null : toCountryTable(estate.country),
    holds,
    diagnostics: [],
  }
}

/** A world of manifests under what a table says beside accounts: what is national, modes, limits, and holds of its own. */
export function withCircumstances(
  world: World,
  { national, modes, limits, country }: EstateText,
  holds: readonly Hold[],
): World {
  const config = {
    ...world.config,
    national: { ...world.config.national, ...national } as AgentConfig['national'],
    modes: { ...world.config.modes, ...modes },
    limits: { ...world.config.limits, ...limits },
  }
  const table = country === undefined ? world.country : toCountryTable(country)
  return { ...world, config, country: table, holds: [...world.holds, ...holds] }
}

function toInstitution(name: string, text: EstateText['institutions'][string], place: Placer): Institution {
  const nobody = { name: '', email: null, phone: null }
  return {
    name,
    title: name,
    province: '',
    language: text.language ?? 'es',
    director: nobody,
    representative: null,
    networks: text.networks ?? [],
    servers: (text.servers ?? []).map(({ networks, roles }) => ({
      host: 'mail.example' as DomainName,
      networks,
      roles,
    })),
    contractUntil: null,
    place: place(['institutions', name]),
  }
}

function toDomain(name: DomainName, text: EstateText['domains'][string], place: Placer): MailDomain {
  return {
    name,
    institution: text.institution,
    delivery: text.collector === undefined ? 'mailboxes' : 'multipop',
    administrator: `admin@${name}` as Address,
    collector: text.collector === undefined ? null : (`${text.collector}@${name}` as Address),
    accountsMax: 1000,
    storageBytes: 1e12,
    inboundWhenSuspended: text.inbound ?? 'defer',
    ttl: 3600,
    extra: [],
    place: place(['domains', name]),
  }
}

function toAccount(address: Address, text: EstateText['accounts'][string], domain: MailDomain, place: Placer): Account {
  return {
    address,
    domain: domain.name,
    institution: domain.institution,
    state: text.state === 'withdrawn' ? 'withdrawn' : 'active',
    holder: { name: '', id: '', post: '', purpose: '' },
    category: 'other',
    request: 'SC-1',
    agreementDate: '2026-01-01',
    order: 0,
    send: text.send ?? 'national',
    receive: text.receive ?? 'international',
    access: text.access ?? 'institution',
    aliases: (text.aliases ?? []).map(alias => `${alias}@${domain.name}` as Address),
    exceptions: (text.except ?? []).map((text, index) =>
      toException(text, place(['accounts', address, 'except', index])),
    ),
    quotaBytes: 1,
    place: place(['accounts', address]),
    places: Object.fromEntries(
      (['send', 'receive', 'access', 'state'] as const)
        .filter(key => text[key])
        .map(key => [key, place(['accounts', address, key])]),
    ),
  }
}

type ExceptionText = NonNullable<EstateText['accounts'][string]['except']>[number]

function toException({ send, receive, access, rate, until }: ExceptionText, place: Place): Exception {
  const base = { request: 'SC-2', until: endOfDay(until, timeZone), place }
  if (access !== undefined) return { ...base, kind: 'access', access }
  if (rate !== undefined) return { ...base, kind: 'rate', ...rate }
  return send === undefined
    ? { ...base, kind: 'receive', target: receive ?? '' }
    : { ...base, kind: 'send', target: send }
}

function toConfig(estate: EstateText): AgentConfig {
  return {
    operator: {
      name: 'Operator',
      language: 'en',
      timeZone,
      officeHours: '',
      support: null,
      security: null,
      people: [],
    },
    national: { suffixes: ['cu'], domains: [], networks: [], ...estate.national },
    modes: estate.modes ?? {},
    limits: { deletes: 5, updatePercent: 30, recipientsPerHour: 200, recipientsPerDay: 500, ...estate.limits },
    // Decisions read nothing else of it.
  } as unknown as AgentConfig
}
