/**
 * `mailwarden explain`: the live decision for a mail that nobody sent, with every policy's verdict and the line or
 * incident that it comes from (contract section 4). What the question leaves open is assumed, and said. Pure.
 */
import { probationOf } from '../../policies/access/rate.ts'
import { type AccessFacts, authorOf, type Judgement, type Source } from '../../policies/policy.ts'
import { formatInstant, type Instant } from '../core/clock.ts'
import type { PolicyName } from '../manifest/schema.ts'
import { type CountryFinding, findCountry, nationalPrefixes } from '../model/country.ts'
import { parseIp } from '../model/ip.ts'
import { placeAt } from './book.ts'
import { decide, type Effect, judgeAll, type Stated, toFacts, toStated } from './decide.ts'
import { findParty, modeOf } from './party.ts'
import { classOf } from './scope.ts'
import type { Snapshot } from './snapshot.ts'

export type ExplainQuery = {
  readonly login?: string
  readonly sender?: string
  readonly recipient: string
  readonly client?: string
  readonly at: Instant
}

export type Explanation = {
  readonly version: 1
  readonly effect: Effect
  readonly reason: PolicyName | 'permitted'
  readonly reply: string
  /** All whose mode is not `off`; `dunno` with the reason `passed` or `not concerned` where nothing speaks against. */
  readonly verdicts: readonly Stated[]
  readonly source:
    | { readonly file: string; readonly line: number; readonly column: number }
    | { readonly incident: string }
    | null
  /** What country data say of the client's address, and the row; null without country data or an address. */
  readonly country: (CountryFinding & { readonly address: string }) | null
  /** The tighter limits that the login writes under after an incident; null when it is on none. */
  readonly probation: { readonly incident: string; readonly until: string; readonly percent: number } | null
  /** What the question did not say. */
  readonly assumed: { readonly sender?: string; readonly client?: string }
}

export function explain(snapshot: Snapshot, query: ExplainQuery): Explanation {
  const { recipient, at } = query
  const login = query.login ?? ''
  const sender = query.sender ?? (login === '' ? '' : senderOf(snapshot, login))
  const clientAddress = query.client ?? clientFor(snapshot, login, sender)
  const request = { state: 'RCPT', clientAddress, sender, recipient, login, instance: 'explain' }
  const circumstances = { at, usage: null }
  const decision = decide(snapshot, request, circumstances)
  const { effect, reason, reply } = decision
  const facts = toFacts(snapshot, request, circumstances)
  const source = decision.source ?? (effect === 'dunno' ? permittingSetting(facts) : null)
  return {
    version: 1,
    effect,
    reason,
    reply,
    verdicts: listVerdicts(snapshot, facts),
    source:
      source === null || 'incident' in source
        ? source
        : { file: source.file, line: source.line, column: source.column },
    country: countryFor(snapshot, clientAddress),
    probation: probationView(facts),
    assumed: {
      ...(query.sender === undefined && { sender }),
      ...(query.client === undefined && { client: clientAddress }),
    },
  }
}

function countryFor({ national: { country } }: Snapshot, address: string): Explanation['country'] {
  const ip = parseIp(address)
  return ip === undefined || country === null ? null : { address, ...findCountry(country, ip) }
}

function probationView(facts: AccessFacts): Explanation['probation'] {
  const found = facts.login === null ? undefined : probationOf(facts, facts.login)
  return found === undefined
    ? null
    : { incident: found.incident, until: formatInstant(found.until), percent: found.percent }
}

function listVerdicts(snapshot: Snapshot, facts: AccessFacts): Stated[] {
  return judgeAll(facts).flatMap(({ policy, judgement }) => {
    const mode = modeOf(snapshot, policy)
    return mode === 'off' ? [] : state(policy, judgement, mode === 'observe')
  })
}

function state(policy: PolicyName, judgement: Judgement, observed: boolean): Stated[] {
  if (judgement === undefined) return [{ policy, effect: 'dunno', reason: 'not concerned' }]
  if (judgement === 'passed') return [{ policy, effect: 'dunno', reason: 'passed' }]
  return [toStated({ policy, verdict: judgement, observed })]
}

/** The account's own line that reaches as far as this mail goes; null where the domain's defaults or the agent's decide. */
function permittingSetting(facts: AccessFacts): Source | null {
  const author = authorOf(facts)
  const { book } = facts.snapshot
  if (author !== undefined) return placeAt(book, author.number, 'send') ?? null
  const mailbox = facts.recipient?.mailbox
  return mailbox === undefined ? null : (placeAt(book, mailbox.number, 'receive') ?? null)
}

function senderOf(snapshot: Snapshot, login: string): string {
  const { mailbox, text } = findParty(snapshot, login)
  return mailbox?.address ?? text
}

/**
 * Inside the institution for a login, in a national network for a stranger with a national sender; nowhere else, and
 * nowhere at all where nothing is declared: an address made up would make the answer up.
 */
function clientFor(snapshot: Snapshot, login: string, sender: string): string {
  if (login !== '') {
    const mailbox = findParty(snapshot, login).mailbox
    const institution = mailbox?.domain.institution
    const networks = mailbox?.role === 'collector' ? institution?.collectorTexts : institution?.networkTexts
    return addressIn(networks?.[0])
  }
  const isNational = classOf(findParty(snapshot, sender), undefined) !== 'international'
  return isNational ? addressIn(nationalNetwork(snapshot)) : ''
}

/** One of the operator's networks, or the first one that country data name. */
function nationalNetwork({ national: { networkTexts, country } }: Snapshot): string | undefined {
  if (networkTexts.length > 0 || country === null) return networkTexts[0]
  const [first] = nationalPrefixes(country)
  return first
}

/** The network's own address: it is inside, and that is all that is asked of it. */
function addressIn(network: string | undefined): string {
  return network?.split('/')[0] ?? ''
}
