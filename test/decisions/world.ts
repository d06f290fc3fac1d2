/** A small world from a table's `estate`: what the loader would make of manifests, without papers. */
import { endOfDay } from '../../agent/core/clock.ts'
import type { Place } from '../../agent/core/diagnostic.ts'
import type { CountryTable } from '../../agent/model/country.ts'
import type { Access, Account, Exception, Institution, Language, MailDomain, Scope } from '../../agent/model/entity.ts'
import { type Hold, type Lever, levers } from '../../agent/model/incident.ts'
import { type Address, type DomainName, domainOf } from '../../agent/model/name.ts'
import type { AgentConfig, DomainState, World, WorldAccount, WorldDomain } from '../../agent/model/world.ts'
import { createDelegatedParser } from '../../agent/standards/delegated-statistics.ts'
import { buildCountryTable } from '../../agent/standards/delegated-table.ts'

export type EstateText = {
  readonly national?: Partial<AgentConfig['national']>
  /** A statistics file of the registries, as text. */
  readonly country?: string
  readonly modes?: AgentConfig['modes']
  readonly limits?: Partial<AgentConfig['limits']>
  readonly institutions: Readonly<
    Record<
      string,
      {
        readonly language?: Language
        readonly networks?: readonly string[]
        readonly servers?: readonly {
          readonly networks: readonly string[]
          readonly roles: readonly ('collect' | 'relay')[]
        }[]
      }
    >
  >
  readonly domains: Readonly<
    Record<
      string,
      {
        readonly institution: string
        readonly state?: DomainState
        readonly inbound?: MailDomain['inboundWhenSuspended']
        readonly collector?: string
      }
    >
  >
  readonly accounts: Readonly<
    Record<
      string,
      {
        readonly send?: Scope
        readonly receive?: Scope
        readonly access?: Access
        readonly state?: DomainState
        readonly aliases?: readonly string[]
        /** `until` is the last day. */
        readonly except?: readonly {
          readonly send?: string
          readonly receive?: string
          readonly access?: Access
          readonly until: string
        }[]
      }
    >
  >
  readonly holds?: readonly {
    readonly incident: string
    readonly domain: string
    readonly account?: string
    readonly levers?: readonly Lever[]
  }[]
}

/** The table of one file. @throws when it has a mistake: examples have none. */
export function toCountryTable(text: string, countries: readonly string[] = ['cu']): CountryTable {
  const parser = createDelegatedParser('country', countries)
  parser.push(Buffer.from(text))
  const file = parser.end()
  if (file.diagnostics.length > 0) throw new Error(JSON.stringify(file.diagnostics))
  return buildCountryTable([file], countries).table
}

export const timeZone = 'America/Havana'
export const at = Date.parse('2026-06-15T12:00:00Z')

let line = 0
/** Each thing on a line of its own, so that a test can tell which one was named. */
function nextPlace(): Place {
  line += 1
  return { file: 'estate.yaml', line, column: 3 }
}

export function toHolds(estate: EstateText): Hold[] {
  return (estate.holds ?? []).map(({ incident, domain, account, levers: some }) => ({
    incident,
    scope: { domain: domain as DomainName, account: (account ?? null) as Address | null },
    levers: some ?? levers,
    since: at - 1000,
  }))
}

export function toWorld(estate: EstateText): World {
  line = 0
  const holds = toHolds(estate)
  const institutions = new Map(
    Object.entries(estate.institutions).map(([name, text]) => [name, toInstitution(name, text)]),
  )
  const domains = new Map<DomainName, WorldDomain>()
  for (const [name, text] of Object.entries(estate.domains)) {
    const domain = toDomain(name as DomainName, text)
    const own = holds.filter(hold => hold.scope.domain === name && hold.scope.account === null)
    const state = text.state ?? (own.length > 0 ? 'suspended' : 'active')
    domains.set(domain.name, { domain, state, holds: own, blockedBy: [], leaving: false })
  }
  const accounts = new Map<Address, WorldAccount>()
  for (const [address, text] of Object.entries(estate.accounts)) {
    const domain = domains.get(domainOf(address as Address))
    if (domain === undefined) throw new Error(`no domain for ${address}`)
    const account = toAccount(address as Address, text, domain.domain)
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

function toInstitution(name: string, text: EstateText['institutions'][string]): Institution {
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
    place: nextPlace(),
  }
}

function toDomain(name: DomainName, text: EstateText['domains'][string]): MailDomain {
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
    place: nextPlace(),
  }
}

function toAccount(address: Address, text: EstateText['accounts'][string], domain: MailDomain): Account {
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
    exceptions: (text.except ?? []).map(toException),
    quotaBytes: 1,
    place: nextPlace(),
    places: Object.fromEntries(
      (['send', 'receive', 'access', 'state'] as const).filter(key => text[key]).map(key => [key, nextPlace()]),
    ),
  }
}

function toException({
  send,
  receive,
  access,
  until,
}: NonNullable<EstateText['accounts'][string]['except']>[number]): Exception {
  const base = { request: 'SC-2', until: endOfDay(until, timeZone), place: nextPlace() }
  if (access !== undefined) return { ...base, kind: 'access', access }
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
