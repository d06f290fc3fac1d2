/**
 * From an existing estate to drafts of manifests: which domains there are and whose, what of them is declared already,
 * and how mailwarden would make each of them differ from what stands. Pure.
 */
import { desiredDirectory } from '../desired/directory.ts'
import type { Account, Institution, MailDomain } from '../model/entity.ts'
import { type Address, type DomainName, domainOf, toAddress } from '../model/name.ts'
import { formatRef, type RRsetResource, refOf } from '../model/resource.ts'
import type { AgentConfig } from '../model/world.ts'
import { canonicalDirectoryResource } from '../standards/directory-resource.ts'
import { canonicalRRset, zoneOf } from '../standards/dns-resource.ts'
import { type AccountDraft, administratorOf, draftAccounts } from './accounts.ts'
import {
  compareText,
  type Difference,
  type ImportedAccount,
  type ImportedDomain,
  type ImportedEstate,
  type ImportedHolder,
  type Left,
} from './estate.ts'
import type { Known } from './known.ts'
import { compareZone, derive, draftZone, isOwnKey, nowhere, toExtra, worldOf } from './zone.ts'

/** Stands where only a person can say which institution it is; no name of one may look like it, so `validate` objects. */
export const unnamed = 'COMPLETAR'

export type DraftOptions = {
  /** Owner of everything; null: as the source says. */
  readonly institution: string | null
  readonly known: Known
  readonly config: AgentConfig
  readonly holders: ReadonlyMap<string, ImportedHolder>
}

export type DomainDraft = {
  readonly name: DomainName
  readonly institution: string
  /** null: it is declared already, and only accounts are added. */
  readonly document: {
    readonly domain: MailDomain
    readonly extra: readonly RRsetResource[]
    /** The source said so; else it is a guess. */
    readonly deliveryKnown: boolean
  } | null
  readonly accounts: readonly AccountDraft[]
}

export type InstitutionDraft = {
  readonly name: string
  readonly networks: readonly string[]
  readonly servers: readonly {
    readonly host: string
    readonly addresses: readonly string[]
    readonly role: 'collect' | 'relay'
  }[]
}

export type Drafts = {
  readonly institutions: readonly InstitutionDraft[]
  readonly domains: readonly DomainDraft[]
  readonly differences: readonly Difference[]
  readonly left: readonly Left[]
}

export function draft(estate: ImportedEstate, options: DraftOptions): Drafts {
  const left: Left[] = [...estate.left]
  const differences: Difference[] = []
  const found = partsOf(estate)
  const institutions = new Map<string, Institution>()
  const skeletons: InstitutionDraft[] = []
  const domains: DomainDraft[] = []
  for (const part of found) {
    const { name } = part
    if (!name.includes('.') || /\.arpa$/.test(name)) {
      left.push({ where: `domain:${name}`, what: name, reason: 'reverse' })
      continue
    }
    if (part.domain !== undefined && part.domain.status !== 'active') {
      left.push({ where: `domain:${name}`, what: name, reason: 'suspended' })
      continue
    }
    const declared = options.known.domains.get(name)
    const owner = declared?.institution ?? ownerOf(part, options)
    if (!institutions.has(owner)) {
      const siblings = found.filter(other => ownerOf(other, options) === owner)
      const skeleton = skeletonOf(owner, siblings)
      institutions.set(owner, options.known.institutions.get(owner) ?? toInstitution(skeleton))
      if (!options.known.institutions.has(owner)) skeletons.push(skeleton)
    }
    const institution = institutions.get(owner) as Institution
    const drafted =
      declared === undefined
        ? draftDomain(part, institution, options)
        : draftDeclared(part, declared, institution, options)
    domains.push(drafted.draft)
    differences.push(...drafted.differences)
    left.push(...drafted.left)
  }
  return {
    institutions: skeletons.toSorted((a, b) => compareText(a.name, b.name)),
    domains: domains.filter(({ document, accounts }) => document !== null || accounts.length > 0),
    differences: differences.toSorted((a, b) => compareText(a.subject, b.subject)),
    left,
  }
}

type Part = {
  readonly name: DomainName
  readonly domain: ImportedDomain | undefined
  /** undefined: no zone of it was read. */
  readonly records: readonly RRsetResource[]
  readonly accounts: readonly ImportedAccount[]
  readonly standing: ImportedEstate['standing']
}

function partsOf({ dns, domains, accounts, standing }: ImportedEstate): Part[] {
  const records = Map.groupBy(dns, zoneOf)
  const logins = Map.groupBy(accounts, ({ address }) => domainOf(address))
  const entries = Map.groupBy(standing, resource => resource.domain)
  const known = new Map(domains.map(domain => [domain.name, domain]))
  const names = [...new Set([...records.keys(), ...logins.keys(), ...known.keys()])].toSorted(compareText)
  return names.map(name => ({
    name,
    domain: known.get(name),
    records: (records.get(name) ?? []).filter(resource => resource.kind === 'rrset'),
    accounts: logins.get(name) ?? [],
    standing: entries.get(name) ?? [],
  }))
}

const labelForm = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/

function ownerOf({ domain }: Part, { institution }: DraftOptions): string {
  const told = domain?.institution ?? ''
  return institution ?? (labelForm.test(told) ? told : unnamed)
}

/** An institution that no manifest declares: the little that systems tell of it. */
function skeletonOf(name: string, parts: readonly Part[]): InstitutionDraft {
  const administrators = parts.flatMap(({ accounts }) => accounts.filter(({ role }) => role === 'administrator'))
  const networks = [...new Set(administrators.flatMap(({ allowNets }) => allowNets ?? []))].toSorted(compareText)
  const servers = parts.flatMap(({ domain, accounts }): InstitutionDraft['servers'][number][] => {
    const hop = domain?.delivery === 'relay' ? domain.nextHop : null
    const address = /^\[(?:IPv6:)?([^\]]+)\]$/i.exec(hop ?? '')?.[1]
    const collectors = accounts.filter(({ role }) => role === 'collector').flatMap(({ allowNets }) => allowNets ?? [])
    return [
      ...(hop === null
        ? []
        : [{ host: address ? '' : hop, addresses: address ? [address] : [], role: 'relay' as const }]),
      ...(collectors.length === 0 ? [] : [{ host: '', addresses: collectors, role: 'collect' as const }]),
    ]
  })
  const distinct = new Map(servers.map(server => [JSON.stringify(server), server]))
  return {
    name,
    networks,
    servers: [...distinct].toSorted(([a], [b]) => compareText(a, b)).map(([, server]) => server),
  }
}

function toInstitution({ name, networks, servers }: InstitutionDraft): Institution {
  return {
    name,
    title: '',
    province: '',
    language: 'es',
    director: { name: '', email: null, phone: null },
    representative: null,
    networks,
    servers: servers.map(({ host, addresses, role }) => ({
      host: host as DomainName,
      networks: addresses,
      roles: [role],
    })),
    contractUntil: null,
    place: nowhere,
  }
}

type Drafted = {
  readonly draft: DomainDraft
  readonly differences: readonly Difference[]
  readonly left: readonly Left[]
}

function draftDomain(part: Part, institution: Institution, options: DraftOptions): Drafted {
  const { name, domain: told, accounts } = part
  const { config, known, holders } = options
  const collector =
    told?.collector ?? accounts.find(({ role }) => role === 'collector')?.address.replace(/@[^@]*$/, '') ?? null
  const delivery = collector !== null ? 'multipop' : (told?.delivery ?? 'mailboxes')
  // Without its login the schema has no multipop: what was told is then a difference that the plan will show.
  const safeDelivery = delivery === 'multipop' && collector === null ? 'mailboxes' : delivery
  const administrator = administratorOf(accounts)
  const drafted = draftAccounts({
    accounts,
    administrator,
    collector,
    taken: known.addresses,
    institution,
    config,
    holders,
  })
  const live = drafted.accounts.filter(({ withdrawn }) => !withdrawn)
  const collectorQuota = accounts.find(({ role }) => role === 'collector')?.quotaBytes ?? 0
  const bare: MailDomain = {
    name,
    institution: institution.name,
    delivery: safeDelivery,
    administrator: toAddress(administrator, name),
    collector: collector === null ? null : toAddress(collector, name),
    accountsMax: live.length,
    storageBytes: Math.max(
      collectorQuota,
      live.reduce((sum, { quotaBytes }) => sum + quotaBytes, 0),
    ),
    inboundWhenSuspended: 'defer',
    ttl: 3600,
    extra: [],
    place: nowhere,
  }
  const zone = draftZone(bare, part.records, { config, institution })
  const domain = { ...bare, ttl: zone.ttl, extra: zone.extra.map(toExtra) }
  const deliveryKnown = told?.delivery != null || collector !== null
  return {
    draft: {
      name,
      institution: institution.name,
      document: { domain, extra: zone.extra, deliveryKnown },
      accounts: drafted.accounts,
    },
    differences: [...zone.differences, ...compareDirectory(part, domain, drafted.accounts, institution, options)],
    left: [...zone.left, ...drafted.left],
  }
}

/** A domain that has its manifest: what stands beyond it is reported, and accounts that no list has become one. */
function draftDeclared(
  part: Part,
  declared: MailDomain | null,
  institution: Institution,
  { config, known, holders }: DraftOptions,
): Drafted {
  const { name, accounts, records } = part
  const drafted = draftAccounts({
    accounts,
    administrator: declared === null ? administratorOf(accounts) : declared.administrator.replace(/@[^@]*$/, ''),
    collector: declared?.collector?.replace(/@[^@]*$/, '') ?? null,
    taken: known.addresses,
    institution,
    config,
    holders,
  })
  const standing = records
    .map(canonicalRRset)
    .filter(record => !isOwnKey(record))
    .toSorted((a, b) => compareText(a.key, b.key))
  const wanted = declared === null ? new Map() : derive(declared, { config, institution })
  const zone = compareZone(standing, wanted, new Map(standing.map(({ key }) => [key, 'declared' as const])))
  return {
    draft: { name, institution: institution.name, document: null, accounts: drafted.accounts },
    differences: zone.differences,
    left: [...zone.left, ...drafted.left],
  }
}

/** What the directory holds against what the drafts ask of it, field by field. */
function compareDirectory(
  part: Part,
  domain: MailDomain,
  accounts: readonly AccountDraft[],
  institution: Institution,
  { config }: DraftOptions,
): Difference[] {
  const world = worldOf(domain, config, institution)
  const live = accounts.map((account, order) => toAccount(account, domain, order))
  const entries = desiredDirectory({
    ...world,
    accounts: new Map(
      live.map(account => {
        const state = account.state === 'withdrawn' ? ('withdrawn' as const) : ('active' as const)
        return [account.address, { account, state, holds: [], blockedBy: [], leaving: false }]
      }),
    ),
  })
  const wanted = new Map(entries.map(({ resource }) => [formatRef(refOf(resource)), resource]))
  return part.standing.flatMap((resource): Difference[] => {
    const subject = formatRef(refOf(resource))
    const declared = wanted.get(subject)
    if (declared === undefined) return []
    const before = canonicalDirectoryResource(resource) as unknown as Record<string, unknown>
    const after = canonicalDirectoryResource(declared) as unknown as Record<string, unknown>
    const fields = Object.keys(after).filter(key => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    const only = (one: Record<string, unknown>) => Object.fromEntries(fields.map(key => [key, one[key]]))
    return fields.length === 0 ? [] : [{ subject, standing: only(before), declared: only(after) }]
  })
}

function toAccount(draft: AccountDraft, domain: MailDomain, order: number): Account {
  return {
    address: draft.address,
    domain: domain.name,
    institution: domain.institution,
    state: draft.withdrawn ? 'withdrawn' : 'active',
    holder: { name: '', id: '', post: '', purpose: '' },
    category: 'other',
    request: '',
    agreementDate: '',
    order,
    send: 'national',
    receive: 'international',
    access: draft.access,
    aliases: draft.aliases.map(alias => `${alias}@${domain.name}` as Address),
    exceptions: [],
    quotaBytes: draft.quotaBytes,
    place: nowhere,
    places: {},
  }
}
