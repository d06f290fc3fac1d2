/**
 * From signals to what is due about them (mission section 8, P18). Pure, and computed anew each time from the register and
 * the instant: what was closed or proposed is no longer due, so a restart forgets nothing and does nothing twice. It never
 * closes what is closed, counts nothing from before a release, and in a storm leaves everything to people.
 */
import type { Instant } from '../core/clock.ts'
import { dayMs } from '../core/clock.ts'
import type { Incident, Incidents } from '../incident/incident.ts'
import type { DetectionConfig } from '../model/detection.ts'
import type { HoldScope, IncidentClass } from '../model/incident.ts'
import type { Address, DomainName } from '../model/name.ts'
import type { DetectionBook, Rule, SeenSignal, Storm } from './book.ts'
import { type Reach, signOf } from './signs.ts'

export type Standing = {
  readonly book: DetectionBook
  readonly incidents: Incidents
  readonly config: DetectionConfig
  /** Whom a signal is of: a managed account or domain; undefined for a prefix, a stranger, an address of a relay. */
  readonly scopeOf: (subject: string) => HoldScope | undefined
  readonly administratorOf: (domain: DomainName) => Address | undefined
  /** Domains that are managed here. */
  readonly domains: number
}

export type Due =
  | {
      readonly kind: 'close' | 'propose'
      readonly scope: HoldScope
      readonly rule: Rule
      readonly class: IncidentClass
      readonly signals: readonly SeenSignal[]
    }
  | { readonly kind: 'storm'; readonly first: DomainName; readonly counts: Omit<Storm, 'at' | 'index'> }

type Close = Exclude<Due, { kind: 'storm' }>

/** What closes by itself must be of the hour. */
const freshMs = 3_600_000
/** Two families need not speak in the same hour. */
const familiesMs = dayMs
export const restrictedMax = 3
/** A fleet of five domains has no tenth worth counting. */
const stormDomainsMin = 3

/** Until when signals close nothing; null when no storm is on. */
export function stormUntil({ storm, resumedAt }: DetectionBook, at: Instant): Instant | null {
  if (storm === null || (resumedAt !== null && resumedAt >= storm.at)) return null
  return at < storm.at + freshMs ? storm.at + freshMs : null
}

export function dueAnswers(standing: Standing, at: Instant): readonly Due[] {
  const { book, config } = standing
  if (config.restrict === 'off' || stormUntil(book, at) !== null) return []
  const found = byScope(standing, at)
  const accounts = [...found.accounts.values()].flatMap(of => accountDue(standing, of, at))
  const domains = [...found.domains.values()].flatMap(of => domainDue(standing, of, at))
  const closing = [...atMostThree(standing, accounts, at), ...domains.filter(({ kind }) => kind === 'close')]
  const storm = stormOf(standing, closing, [...accounts, ...domains], at)
  if (storm !== undefined) return [storm]
  const proposing = domains.filter(({ kind }) => kind === 'propose')
  if (config.restrict === 'enforce') return [...closing, ...proposing]
  return [...closing.map(close => ({ ...close, kind: 'propose' as const })), ...proposing].filter(one =>
    isNewProposal(book, one, at),
  )
}

type OfScope = { readonly scope: HoldScope; readonly signals: SeenSignal[] }

/** Signals that count, by account and by domain; an account's are its domain's too. */
function byScope(
  standing: Standing,
  at: Instant,
): { accounts: ReadonlyMap<string, OfScope>; domains: ReadonlyMap<string, OfScope> } {
  const accounts = new Map<string, OfScope>()
  const domains = new Map<string, OfScope>()
  const add = (to: Map<string, OfScope>, key: string, scope: HoldScope, signal: SeenSignal) => {
    const known = to.get(key) ?? { scope, signals: [] }
    known.signals.push(signal)
    to.set(key, known)
  }
  const since = notBefore(standing.book)
  const ends = new Map<string, Instant>()
  const endOf = (scope: HoldScope): Instant => {
    const key = scope.account ?? scope.domain
    const end = ends.get(key) ?? endedAt(standing.incidents, scope)
    ends.set(key, end)
    return end
  }
  for (const signal of standing.book.signals) {
    if (signal.at <= since || at - signal.at >= familiesMs || !counts(signal)) continue
    const scope = standing.scopeOf(signal.subject)
    if (scope === undefined || standing.incidents.withdrawals.has(scope.domain)) continue
    if (scope.account !== null && signal.at > endOf(scope)) add(accounts, scope.account, scope, signal)
    const domain = { domain: scope.domain, account: null }
    if (signal.at > endOf(domain)) add(domains, scope.domain, domain, signal)
  }
  // A domain whose accounts people restricted may have no signal at all.
  for (const { scope } of standing.incidents.byId.values())
    if (!domains.has(scope.domain))
      domains.set(scope.domain, { scope: { domain: scope.domain, account: null }, signals: [] })
  return { accounts, domains }
}

/** What came in a storm was left to people, and stays with them. */
function notBefore({ storm, resumedAt }: DetectionBook): Instant {
  if (storm === null) return Number.NEGATIVE_INFINITY
  const end = storm.at + freshMs
  return resumedAt !== null && resumedAt >= storm.at ? Math.min(resumedAt, end) : end
}

function counts({ code, level }: SeenSignal): boolean {
  const sign = signOf(code)
  if (sign === undefined || !(reaches(code, 'account') || reaches(code, 'domain'))) return false
  return level === 'act' || sign.from === 'alert'
}

function reaches(code: string, reach: Reach): boolean {
  return signOf(code)?.reach.includes(reach) ?? false
}

/** Mission section 6, state 11: counters start at the release. Drills and duplicates end nothing. */
export function endedAt({ byId }: Incidents, { domain, account }: HoldScope): Instant {
  let last = Number.NEGATIVE_INFINITY
  for (const { scope, drill, ended } of byId.values()) {
    if (drill || ended === null || ended.how === 'duplicate' || scope.domain !== domain) continue
    if (scope.account === null || scope.account === account) last = Math.max(last, ended.at)
  }
  return last
}

/** Under a hold of its own or of its domain. */
function isHeld({ byId }: Incidents, { domain, account }: HoldScope): boolean {
  return [...byId.values()].some(
    ({ scope, drill, ended }) =>
      !drill && ended === null && scope.domain === domain && (scope.account === null || scope.account === account),
  )
}

function accountDue({ incidents }: Standing, { scope, signals }: OfScope, at: Instant): Close[] {
  const fresh = signals.filter(
    signal => at - signal.at < freshMs && reaches(signal.code, 'account') && signal.level === 'act',
  )
  const [first] = fresh
  if (first === undefined || isHeld(incidents, scope)) return []
  return [{ kind: 'close', scope, rule: 'account', class: classOf(first), signals: fresh }]
}

/** The three cases that need no person come first; else two families speak to one. */
function domainDue(standing: Standing, { scope, signals }: OfScope, at: Instant): Close[] {
  const { incidents, administratorOf } = standing
  if (isHeld(incidents, scope) || incidents.withdrawals.has(scope.domain)) return []
  const close = (rule: Rule, of: readonly SeenSignal[], cls: IncidentClass): Close[] => [
    { kind: 'close', scope, rule, class: cls, signals: of },
  ]
  const unregistered = signals.filter(({ code, at: then }) => code === 'SIG-UNKNOWN-RELAY' && at - then < freshMs)
  if (unregistered.length > 0) return close('unregistered', unregistered, 'unauthorized-use-of-resources')
  const administrator = administratorOf(scope.domain)
  const ofAdministrator = signals.filter(({ subject }) => standing.scopeOf(subject)?.account === administrator)
  // One witness restricts him as anybody; two of different kinds confirm it.
  if (administrator !== undefined && familiesOf(ofAdministrator).size >= 2)
    return close('administrator', ofAdministrator, 'privileged-account-compromise')
  if (restricted(standing, scope.domain, at).size >= restrictedMax)
    return close(
      'three-accounts',
      signals.filter(signal => at - signal.at < freshMs),
      'spam',
    )
  const isOfDomain = signals.some(({ code }) => reaches(code, 'domain'))
  if (!isOfDomain || familiesOf(signals).size < 2) return []
  const proposal: Close = { kind: 'propose', scope, rule: 'two-families', class: classOf(signals[0]!), signals }
  return isNewProposal(standing.book, proposal, at) ? [proposal] : []
}

function familiesOf(signals: readonly SeenSignal[]): ReadonlySet<string> {
  return new Set(signals.flatMap(({ code }) => signOf(code)?.family ?? []))
}

const classOf = ({ code }: SeenSignal): IncidentClass => signOf(code)?.class ?? 'misconfiguration'

/** Accounts of the domain restricted within the hour, by whomever; where signals only propose, those that would be. */
function restricted({ incidents, book, config }: Standing, domain: DomainName, at: Instant): ReadonlySet<string> {
  const since = Math.max(at - freshMs, endedAt(incidents, { domain, account: null }))
  const isOfHour = (then: Instant) => then > since
  const isOurs = ({ scope, drill, ended, declaredAt }: Incident) =>
    scope.domain === domain && scope.account !== null && !drill && ended?.how !== 'annulled' && isOfHour(declaredAt)
  const closed = [...incidents.byId.values()].filter(isOurs).map(({ scope }) => scope.account ?? '')
  const would = book.answers.filter(
    ({ how, scope, at: then }) =>
      how === 'proposed' && scope.domain === domain && scope.account !== null && isOfHour(then),
  )
  return new Set([...closed, ...(config.restrict === 'observe' ? would.map(({ scope }) => scope.account ?? '') : [])])
}

/** The third closes the domain: with more at once the others need no incident of their own. */
function atMostThree(standing: Standing, accounts: readonly Close[], at: Instant): readonly Close[] {
  const left = new Map<DomainName, number>()
  return accounts.filter(({ scope }) => {
    const room = left.get(scope.domain) ?? restrictedMax - restricted(standing, scope.domain, at).size
    left.set(scope.domain, room - 1)
    return room > 0
  })
}

/** P18: many places at once are a mistake of ours, a dead resolver, an attack on the trigger itself. */
function stormOf(
  { book, config, domains }: Standing,
  closing: readonly Close[],
  all: readonly Close[],
  at: Instant,
): Due | undefined {
  const since = Math.max(at - freshMs, book.resumedAt ?? Number.NEGATIVE_INFINITY)
  const now = closing.filter(close => config.restrict === 'enforce' || isNewProposal(book, close, at))
  const [newest] = now
  if (newest === undefined) return undefined
  const wanted = config.restrict === 'enforce' ? 'closed' : 'proposed'
  const done = book.answers.filter(
    ({ at: then, how, rule }) => then > since && how === wanted && rule !== 'two-families',
  )
  const touched = new Set([...done, ...now].map(({ scope }) => scope.domain))
  const domainsMax = Math.max(stormDomainsMin, Math.ceil((domains * config.storm.domainsPercent) / 100))
  if (done.length + now.length <= config.storm.holds && touched.size <= domainsMax) return undefined
  const signals = new Set(all.flatMap(one => one.signals.map(({ index }) => index)))
  const accounts = all.filter(({ scope }) => scope.account !== null).length
  const counts = { domains: new Set(all.map(({ scope }) => scope.domain)).size, accounts, signals: signals.size }
  return { kind: 'storm', first: newest.scope.domain, counts }
}

/** The same is proposed once an hour, as a signal is told. */
function isNewProposal({ answers }: DetectionBook, { scope, rule }: Close, at: Instant): boolean {
  const windowMs = rule === 'two-families' ? familiesMs : freshMs
  return !answers.some(
    answer =>
      answer.how === 'proposed' &&
      answer.scope.domain === scope.domain &&
      answer.scope.account === scope.account &&
      (answer.rule === rule || scope.account === null) &&
      answer.at <= at &&
      at - answer.at < windowMs,
  )
}
