/**
 * The world: manifests joined with the register. Pure. The rule that everything rests on: an entity with an error keeps
 * its last accepted version, an entity that is gone goes on until its removal was applied, and a hold outranks both.
 */
import type { Instant } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import { digestOf } from '../core/digest.ts'
import { openHolds, openProbations, withdrawnDomains } from '../incident/lifecycle.ts'
import type { CountryTable } from '../model/country.ts'
import { type Account, categories, type Institution, type InstitutionEstate, type MailDomain } from '../model/entity.ts'
import { type Hold, inbounds, levers } from '../model/incident.ts'
import type { Address, DomainName } from '../model/name.ts'
import type { AgentConfig, CheckedEstate, DomainState, World, WorldAccount, WorldDomain } from '../model/world.ts'
import { withHeldBack } from './held-back.ts'
import type { History } from './history.ts'

/** One entity as it is in force, with what speaks against it. */
type InForce<T> = {
  readonly entity: T
  readonly blockedBy: readonly Diagnostic[]
  readonly leaving: boolean
  readonly live: boolean
}

type JoinedInstitution = {
  readonly institution: Institution
  readonly domains: readonly InForce<MailDomain>[]
  readonly accounts: readonly InForce<Account>[]
}

const noEstate: InstitutionEstate = { institution: null as never, domains: [], accounts: [] }

/** True when the institution last had something from a file that can't be read now: it keeps all that it had. */
function isFrozen(accepted: InstitutionEstate, unreadable: readonly string[]): boolean {
  if (unreadable.length === 0) return false
  const files = new Set(
    [accepted.institution, ...accepted.domains, ...accepted.accounts].map(entity => entity.place.file),
  )
  // A name that ends in a slash is a folder that can't be listed; `./` is all of them.
  const covers = (name: string, file: string) =>
    name === './' || (name.endsWith('/') ? file.startsWith(name) : file === name)
  return unreadable.some(name => [...files].some(file => covers(name, file)))
}

function keep<T>(entity: T): InForce<T> {
  return { entity, blockedBy: [], leaving: false, live: true }
}

function frozen(accepted: InstitutionEstate): JoinedInstitution {
  return {
    institution: accepted.institution,
    domains: accepted.domains.map(keep),
    accounts: accepted.accounts.map(keep),
  }
}

type Joiner = {
  readonly checked: CheckedEstate
  readonly stands: (entity: 'domain' | 'account', name: string) => boolean
  /** Another institution declares it, and nothing speaks against that: then it is theirs. */
  readonly declaredElsewhere: (domain: DomainName, institution: string) => boolean
  /** Another institution declares it with mistakes: it is not gone, and not theirs yet. */
  readonly errorsElsewhere: (domain: DomainName, institution: string) => readonly Diagnostic[]
  /** A file that nobody is known to own can't be read: what is missing may be in it, so nothing leaves. */
  readonly nothingLeaves: boolean
}

/** Current entities over accepted ones, entity by entity. */
function joinInstitution(
  name: string,
  now: InstitutionEstate,
  accepted: InstitutionEstate | undefined,
  joiner: Joiner,
): JoinedInstitution {
  const { blocked } = joiner.checked
  const institutionErrors = blocked.get(`institution:${name}`) ?? []
  const before = accepted ?? noEstate
  const institution = institutionErrors.length > 0 && accepted ? accepted.institution : now.institution

  const domains = joinEntities({
    now: now.domains,
    before: before.domains.filter(domain => !joiner.declaredElsewhere(domain.name, name)),
    key: domain => domain.name,
    errors: domain => [...institutionErrors, ...(blocked.get(`domain:${domain.name}`) ?? [])],
    errorsOfAbsent: domain => [
      ...institutionErrors,
      ...(blocked.get(`domain:${domain.name}`) ?? []),
      ...joiner.errorsElsewhere(domain.name, name),
    ],
    stands: domain => joiner.stands('domain', domain.name),
    nothingLeaves: joiner.nothingLeaves,
  })
  const domainErrors = new Map(domains.map(domain => [domain.entity.name, domain.blockedBy]))
  const accountErrors = (account: Account) => [
    ...(domainErrors.get(account.domain) ?? institutionErrors),
    ...(blocked.get(`account:${account.address}`) ?? []),
  ]
  const accounts = joinEntities({
    now: now.accounts,
    before: before.accounts.filter(account => !joiner.declaredElsewhere(account.domain, name)),
    key: account => account.address,
    errors: accountErrors,
    errorsOfAbsent: account => [...accountErrors(account), ...joiner.errorsElsewhere(account.domain, name)],
    stands: account => joiner.stands('account', account.address),
    nothingLeaves: joiner.nothingLeaves,
    // Closing needs no papers: withdrawn goes before everything.
    overrides: account => account.state === 'withdrawn',
  })
  return { institution, domains, accounts }
}

function joinEntities<T>(sources: {
  now: readonly T[]
  before: readonly T[]
  key: (entity: T) => string
  errors: (entity: T) => readonly Diagnostic[]
  errorsOfAbsent: (entity: T) => readonly Diagnostic[]
  stands: (entity: T) => boolean
  nothingLeaves: boolean
  overrides?: (entity: T) => boolean
}): InForce<T>[] {
  const before = new Map(sources.before.map(entity => [sources.key(entity), entity]))
  const joined: InForce<T>[] = []
  for (const entity of sources.now) {
    const accepted = before.get(sources.key(entity))
    before.delete(sources.key(entity))
    const blockedBy = sources.errors(entity)
    if (blockedBy.length === 0) joined.push(keep(entity))
    else if (accepted !== undefined) {
      const inForce = sources.overrides?.(entity) ? entity : accepted
      joined.push({ entity: inForce, blockedBy, leaving: false, live: true })
    } else joined.push({ entity, blockedBy, leaving: false, live: false })
  }
  for (const entity of before.values()) {
    const blockedBy = sources.errorsOfAbsent(entity)
    // Its shape is broken, so it isn't among the current ones; or what it belongs to is: nothing is pruned.
    if (blockedBy.length > 0) joined.push({ entity, blockedBy, leaving: false, live: true })
    else if (sources.nothingLeaves) joined.push(keep(entity))
    else if (sources.stands(entity)) joined.push({ entity, blockedBy: [], leaving: true, live: true })
  }
  return joined
}

function joinAll(checked: CheckedEstate, history: History): Map<string, JoinedInstitution> {
  const { unreadable } = checked
  const standing = new Set<string>()
  for (const { ref } of history.owned.values()) {
    if (ref.kind === 'account') standing.add(`account:${ref.key}`)
    else if (ref.kind !== 'member')
      standing.add(`domain:${ref.kind === 'domain' ? ref.key : (ref.key.split('/')[0] ?? '')}`)
  }
  const claims = new Map<DomainName, { owner: string; errors: readonly Diagnostic[] }>()
  for (const [name, estate] of checked.estates)
    for (const { name: domain } of estate.domains) {
      const errors = [
        ...(checked.blocked.get(`institution:${name}`) ?? []),
        ...(checked.blocked.get(`domain:${domain}`) ?? []),
      ]
      claims.set(domain, { owner: name, errors })
    }
  const known = [...history.accepted.values()].map(({ estate }) => estate)
  const elsewhere = (domain: DomainName, institution: string) => {
    const claim = claims.get(domain)
    return claim === undefined || claim.owner === institution ? undefined : claim
  }
  const joiner: Joiner = {
    checked,
    stands: (entity, name) => standing.has(`${entity}:${name}`),
    declaredElsewhere: (domain, institution) => elsewhere(domain, institution)?.errors.length === 0,
    errorsElsewhere: (domain, institution) => elsewhere(domain, institution)?.errors ?? [],
    nothingLeaves: unreadable.some(name => !known.some(estate => isFrozen(estate, [name]))),
  }
  const joined = new Map<string, JoinedInstitution>()
  // Who can't be read keeps all that it had: it comes first, and what others claim of it meanwhile waits.
  for (const [name, { estate }] of history.accepted) if (isFrozen(estate, unreadable)) joined.set(name, frozen(estate))
  for (const name of new Set([...history.accepted.keys(), ...checked.estates.keys()])) {
    const accepted = history.accepted.get(name)?.estate
    const now = checked.estates.get(name)
    if (joined.has(name)) continue
    if (now !== undefined) joined.set(name, joinInstitution(name, now, accepted, joiner))
    else if (accepted !== undefined) {
      // The whole institution is gone from the manifests, or its own document has a broken shape.
      const absent = { institution: accepted.institution, domains: [], accounts: [] }
      const left = joinInstitution(name, absent, accepted, joiner)
      const broken = checked.blocked.has(`institution:${name}`)
      if (broken || left.domains.length + left.accounts.length > 0) joined.set(name, left)
    }
  }
  return joined
}

/** What the register should keep as the last valid manifests: per institution, entities that are live, blocked or leaving. */
export function estatesInForce(read: CheckedEstate, history: History): Map<string, InstitutionEstate> {
  const checked = withHeldBack(read, history)
  const estates = new Map<string, InstitutionEstate>()
  for (const [name, joined] of joinAll(checked, history)) {
    const domains = joined.domains.filter(domain => domain.live).map(domain => domain.entity)
    const accounts = joined.accounts.filter(account => account.live).map(account => account.entity)
    const known = history.accepted.has(name) || (checked.blocked.get(`institution:${name}`) ?? []).length === 0
    if (known) estates.set(name, { institution: joined.institution, domains, accounts })
  }
  return estates
}

/** Entries that are due because valid manifests differ from the accepted ones: names to accept and names to drop. */
export function pendingAcceptance(
  checked: CheckedEstate,
  history: History,
): { accept: [string, InstitutionEstate, string][]; drop: string[] } {
  const inForce = estatesInForce(checked, history)
  const accept: [string, InstitutionEstate, string][] = []
  for (const [name, estate] of inForce) {
    const digest = digestOf(estate)
    if (history.accepted.get(name)?.digest !== digest) accept.push([name, estate, digest])
  }
  return { accept, drop: [...history.accepted.keys()].filter(name => !inForce.has(name)) }
}

/** Addresses of the accounts that have room within their domain's limits, best-placed first (S18, S50 to S55). */
function placed(domain: MailDomain, accounts: readonly Account[]): Set<Address> {
  const rank = new Map(categories.map((category, index) => [category, index]))
  const waiting = accounts
    .filter(account => account.state === 'active')
    .toSorted(
      (a, b) =>
        (rank.get(a.category) ?? 0) - (rank.get(b.category) ?? 0) ||
        (a.agreementDate < b.agreementDate ? -1 : a.agreementDate > b.agreementDate ? 1 : 0) ||
        a.order - b.order,
    )
  const within = new Set<Address>()
  let bytes = 0
  for (const account of waiting) {
    if (within.size >= domain.accountsMax || bytes + account.quotaBytes > domain.storageBytes) continue
    within.add(account.address)
    bytes += account.quotaBytes
  }
  return within
}

/** A manifest edited during a hold may close inbound mail further, never open it. */
function underHolds(domain: MailDomain, holds: readonly Hold[]): MailDomain {
  const declared = holds.flatMap(hold => (hold.scope.domain === domain.name ? (hold.inbound ?? []) : []))
  const rank = Math.max(...[domain.inboundWhenSuspended, ...declared].map(inbound => inbounds.indexOf(inbound)))
  const inboundWhenSuspended = inbounds[rank] ?? domain.inboundWhenSuspended
  return inboundWhenSuspended === domain.inboundWhenSuspended ? domain : { ...domain, inboundWhenSuspended }
}

function stateUnder(holds: readonly Hold[]): DomainState {
  if (holds.length === 0) return 'active'
  const held = new Set(holds.flatMap(hold => hold.levers))
  return levers.every(lever => held.has(lever)) ? 'suspended' : 'restricted'
}

function queuedDiagnostic(account: Account, domain: MailDomain): Diagnostic {
  return {
    severity: 'warning',
    code: 'E-QUOTA',
    values: { address: account.address, domain: domain.name, accounts: String(domain.accountsMax) },
    place: account.place,
    subject: `account:${account.address}`,
  }
}

/** Joins manifests and register at an instant. Deterministic: equal arguments, equal world. */
export function joinWorld(
  config: AgentConfig,
  { country, ...read }: CheckedEstate & { readonly country: CountryTable | null },
  history: History,
  at: Instant,
): World {
  const checked = withHeldBack(read, history)
  const holds = openHolds(history.incidents)
  const withdrawn = withdrawnDomains(history.incidents)
  const institutions = new Map<string, Institution>()
  const domains = new Map<DomainName, WorldDomain>()
  const accounts = new Map<Address, WorldAccount>()
  const diagnostics = [...checked.diagnostics]
  for (const [name, joined] of joinAll(checked, history)) {
    institutions.set(name, joined.institution)
    for (const { entity, blockedBy, leaving, live } of joined.domains) {
      const domain = underHolds(entity, holds)
      const own = holds.filter(hold => hold.scope.domain === domain.name && hold.scope.account === null)
      const state = withdrawn.has(domain.name) ? 'withdrawn' : live ? stateUnder(own) : 'blocked'
      // Claimed by one institution, standing under another that has mistakes or can't be read: what stands goes on.
      const standing = domains.get(domain.name)
      if (standing !== undefined && (!live || standing.domain.institution !== name)) continue
      domains.set(domain.name, { domain, state, holds: own, blockedBy, leaving })
    }
    const byDomain = Map.groupBy(joined.accounts, account => account.entity.domain)
    for (const [domainName, inForce] of byDomain) {
      const domain = domains.get(domainName)
      const within = domain
        ? placed(
            domain.domain,
            inForce.filter(account => account.live).map(account => account.entity),
          )
        : new Set<Address>()
      const foreign = domain !== undefined && domain.domain.institution !== name
      for (const { entity: account, blockedBy, leaving, live: declared } of inForce) {
        const live = declared && !foreign
        if (!live && accounts.has(account.address)) continue
        const own = holds.filter(hold => hold.scope.account === account.address)
        const queued = live && account.state === 'active' && !within.has(account.address)
        if (queued && domain) diagnostics.push(queuedDiagnostic(account, domain.domain))
        const state = accountState(account, { live, queued, domain: domain?.state ?? 'blocked', holds: own })
        accounts.set(account.address, { account, state, holds: own, blockedBy, leaving })
      }
    }
  }
  return {
    at,
    config,
    institutions,
    domains,
    accounts,
    waivers: checked.waivers,
    dkim: history.dkim,
    country,
    holds,
    probations: openProbations(history.incidents, at),
    diagnostics,
  }
}

function accountState(
  account: Account,
  facts: { live: boolean; queued: boolean; domain: DomainState; holds: readonly Hold[] },
): DomainState {
  if (!facts.live || facts.domain === 'blocked') return 'blocked'
  if (account.state === 'withdrawn' || facts.domain === 'withdrawn') return 'withdrawn'
  if (facts.queued) return 'queued'
  return stateUnder(facts.holds)
}
