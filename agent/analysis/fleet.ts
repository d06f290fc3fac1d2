/**
 * One of two fleets under comparison, as the live decision sees it: its snapshot at an instant, and questions to it. The
 * rules themselves stand in `policies/` alone: whatever is told here was decided there. Pure.
 */

import type { Instant } from '../core/clock.ts'
import { isActive } from '../core/clock.ts'
import { decide, policies, toFacts } from '../decision/decide.ts'
import { findParty, modeOf } from '../decision/party.ts'
import type { Snapshot } from '../decision/snapshot.ts'
import type { Party } from '../decision/tables.ts'
import type { PolicyName } from '../manifest/schema.ts'
import type { Exception } from '../model/entity.ts'
import type { PolicyRequest } from '../standards/policy-delegation.ts'

export type Fleet = { readonly snapshot: Snapshot; readonly at: Instant }

/** What is asked; the rest of a request decides nothing. */
export type Question = Pick<PolicyRequest, 'state' | 'clientAddress' | 'sender' | 'recipient' | 'login'>

/**
 * What becomes of a request: the decision's answer, and what stands around it. A login that the fleet's directory does not
 * hold cannot be used, and a stranger's mail for a domain that is not managed here is refused by Postfix itself
 * (`reject_unauth_destination`); the live decision has nothing against either, since neither is its affair.
 */
export function permits(fleet: Fleet, question: Question): boolean {
  const { snapshot, at } = fleet
  const request = { ...question, instance: '' }
  if (decide(snapshot, request, { at, usage: null }).effect !== 'dunno') return false
  const { login, relay, recipient } = toFacts(snapshot, request, { at, usage: null })
  if (login !== null) return login.managed !== undefined
  return relay !== null || recipient === null || recipient.managed !== undefined
}

/** Both fleets asked once more: what is told has to hold by the decision itself. */
export function isWitnessed(
  { direction, witness }: { readonly direction: 'gained' | 'lost'; readonly witness: Question },
  before: Fleet,
  after: Fleet,
): boolean {
  const [from, to] = direction === 'gained' ? [before, after] : [after, before]
  return permits(to, witness) && !permits(from, witness)
}

/** True when one of these policies alone would refuse, or make it wait, in its mode. */
export function isRefusedBy(fleet: Fleet, question: Question, names: readonly PolicyName[]): boolean {
  const { snapshot, at } = fleet
  const facts = toFacts(snapshot, { ...question, instance: '' }, { at, usage: null })
  return policies.some(policy => {
    if (!names.includes(policy.name) || modeOf(snapshot, policy.name) !== 'enforce') return false
    const judgement = policy.judge(facts)
    return typeof judgement === 'object' && judgement.effect !== 'dunno'
  })
}

export function liveExceptions({ at }: Fleet, party: Party, kind: Exception['kind']): string[] {
  const { exceptions = [] } = party.mailbox ?? {}
  const live = exceptions.filter(exception => exception.kind === kind && isActive({ until: exception.until }, at))
  return [...new Set(live.map(exception => whatOf(exception)))].sort()
}

/** All that the decision reads of a party, but its name: parties with equal texts fare alike. */
export function traitsOf(fleet: Fleet, address: string) {
  const party = findParty(fleet.snapshot, address)
  const { managed, mailbox } = party
  const exceptions = (kind: Exception['kind']) => (mailbox?.exceptions.length ? liveExceptions(fleet, party, kind) : [])
  const send = exceptions('send')
  const receive = exceptions('receive')
  const access = exceptions('access')
  const holds = managed === undefined ? '' : holdText(fleet.snapshot, party)
  const standing = `${managed?.standing ?? party.scope}/${mailbox?.standing ?? '-'}/${mailbox?.role ?? '-'}/${holds}`
  return {
    party,
    institution: managed?.institution.name ?? null,
    mailbox: mailbox?.address ?? null,
    send,
    receive,
    login: `${standing} ${mailbox?.access ?? '-'} ${access}`,
    write: `${standing} ${mailbox?.send ?? '-'} ${send}`,
    hear: `${standing} ${managed?.inboundWhenSuspended} ${mailbox?.receive ?? '-'} ${receive}`,
  }
}

export type Traits = ReturnType<typeof traitsOf>

function holdText({ holds }: Snapshot, { managed, mailbox }: Party): string {
  if (managed === undefined || holds.domains.size + holds.accounts.size === 0) return ''
  const own = mailbox === undefined ? [] : (holds.accounts.get(mailbox.address) ?? [])
  return [...(holds.domains.get(managed.name) ?? []), ...own].map(({ levers }) => levers.join('+')).join(',')
}

/** What an exception gives, in a word. */
export function whatOf(exception: Exception): string {
  switch (exception.kind) {
    case 'access':
      return exception.access
    case 'rate':
      return `${exception.recipientsPerHour}/h ${exception.recipientsPerDay}/d`
    default:
      return exception.target
  }
}
