/**
 * The live decision (contract section 5): one request, one snapshot, one answer. Pure: time and counters are arguments.
 * Reject beats defer beats dunno; among equals the order of the table gives the reply. It never permits.
 */

import { offNetwork } from '../../policies/access/off-network.ts'
import { rate, type Spend, spendOf } from '../../policies/access/rate.ts'
import { scopeReceive } from '../../policies/access/scope-receive.ts'
import { scopeSend } from '../../policies/access/scope-send.ts'
import { senderMismatch } from '../../policies/access/sender-mismatch.ts'
import { spoofedSender } from '../../policies/access/spoofed-sender.ts'
import { suspended } from '../../policies/access/suspended.ts'
import { suspendedInbound } from '../../policies/access/suspended-inbound.ts'
import { unknownAccount } from '../../policies/access/unknown-account.ts'
import { withdrawn } from '../../policies/access/withdrawn.ts'
import type { AccessFacts, AccessPolicy, Judgement, Source, Stage, UsageView, Verdict } from '../../policies/policy.ts'
import type { Instant } from '../core/clock.ts'
import type { PolicyName } from '../manifest/schema.ts'
import { parseIp } from '../model/ip.ts'
import { type ActionLine, formatAction, type PolicyRequest } from '../standards/policy-delegation.ts'
import { matchesOf } from './network.ts'
import { findParty, modeOf } from './party.ts'
import type { Snapshot } from './snapshot.ts'
import type { InstitutionRow, Party } from './tables.ts'
import { sayReason } from './texts.ts'

/** The order of the table: the first of equal effect gives the reply. */
export const policies: readonly AccessPolicy[] = [
  withdrawn,
  suspended,
  suspendedInbound,
  unknownAccount,
  senderMismatch,
  offNetwork,
  scopeSend,
  scopeReceive,
  spoofedSender,
  rate,
]

export type Effect = 'dunno' | 'defer' | 'reject'

/** A policy's opinion as people read it. `observed`: told, not applied, since the policy's mode is `observe`. */
export type Stated = {
  readonly policy: PolicyName
  readonly effect: Effect
  readonly reason: string
  readonly observed?: true
}

export type Decision = {
  readonly effect: Effect
  readonly reason: PolicyName | 'permitted'
  /** What Postfix is told. */
  readonly reply: ActionLine
  /** `mw-` and eight letters or digits, also at the end of the reply; empty when there is nothing to tell. */
  readonly id: string
  /** Opinions only; `explain` lists the policies that passed as well. */
  readonly verdicts: readonly Stated[]
  readonly source: Source | null
  /** To be counted, once the answer is given. */
  readonly spends: Spend | null
  /**
   * What is a sign of something beyond the refusal itself (`signals.ts`): a login wrote to a name of a managed domain that
   * nobody has, which Postfix refuses by itself; a null sender's mail came back to an account; a declared relay spoke in
   * the name of a domain of its institution, and of no account there (`account` is the domain).
   */
  readonly sign?: { readonly kind: 'unknown-recipient' | 'bounce' | 'unknown-relay'; readonly account: string }
}

export type Circumstances = { readonly at: Instant; readonly usage: UsageView | null }

const dunno = formatAction({ kind: 'dunno' })
const permitted: Decision = {
  effect: 'dunno',
  reason: 'permitted',
  reply: dunno,
  id: '',
  verdicts: [],
  source: null,
  spends: null,
}

export function decide(snapshot: Snapshot, request: PolicyRequest, circumstances: Circumstances): Decision {
  const facts = toFacts(snapshot, request, circumstances)
  let opinions: Judged[] | undefined
  for (const { policy, observed } of activeIn(snapshot)) {
    const judgement = policy.judge(facts)
    if (judgement === undefined || judgement === 'passed') continue
    opinions ??= []
    opinions.push({ policy: policy.name, verdict: judgement, observed })
  }
  const spends = facts.stage === 'recipient' ? spendOf(facts) : null
  if (opinions === undefined) {
    const sign = signOf(facts)
    if (sign !== undefined) return { ...permitted, spends, sign }
    return spends === null ? permitted : { ...permitted, spends }
  }
  const decision = conclude(opinions, request, circumstances.at, spends)
  const unregistered = opinions.some(({ verdict }) => verdict.text === 'unknownRelaySender')
  const { managed } = facts.sender
  return unregistered && managed !== undefined && managed.institution === facts.relay
    ? { ...decision, sign: { kind: 'unknown-relay', account: managed.name } }
    : decision
}

type Active = { readonly policy: AccessPolicy; readonly observed: boolean }

const active = new WeakMap<Snapshot['modes'], readonly Active[]>()

/** Those that are not off, by the modes of a snapshot, which it shares with its like under other holds. */
function activeIn(snapshot: Snapshot): readonly Active[] {
  let found = active.get(snapshot.modes)
  if (found === undefined) {
    found = policies.flatMap(policy => {
      const mode = modeOf(snapshot, policy.name)
      return mode === 'off' ? [] : [{ policy, observed: mode === 'observe' }]
    })
    active.set(snapshot.modes, found)
  }
  return found
}

function signOf({ login, sender, recipient }: AccessFacts): Decision['sign'] {
  if (recipient === null || recipient.managed === undefined) return undefined
  const { mailbox } = recipient
  if (login !== null) {
    return mailbox === undefined
      ? { kind: 'unknown-recipient', account: login.mailbox?.address ?? login.text }
      : undefined
  }
  return sender.form === 'null' && mailbox?.role === 'user' ? { kind: 'bounce', account: mailbox.address } : undefined
}

/** Every policy with its judgement and mode, for `explain`. */
export function judgeAll(
  facts: AccessFacts,
): readonly { readonly policy: PolicyName; readonly judgement: Judgement }[] {
  return policies.map(policy => ({ policy: policy.name, judgement: policy.judge(facts) }))
}

type Judged = { readonly policy: PolicyName; readonly verdict: Verdict; readonly observed: boolean }

function conclude(opinions: readonly Judged[], request: PolicyRequest, at: Instant, spends: Spend | null): Decision {
  const applied = opinions.filter(({ observed }) => !observed)
  const first = (effect: Effect) => applied.find(({ verdict }) => verdict.effect === effect)
  const deciding = first('reject') ?? first('defer')
  const verdicts = opinions.map(toStated)
  const id = decisionId(request, at)
  if (deciding === undefined || deciding.verdict.effect === 'dunno') {
    return { ...permitted, id, verdicts, source: first('dunno')?.verdict.source ?? null, spends }
  }
  const { policy, verdict } = deciding
  const { effect, refusal, source } = deciding.verdict
  const text = `${policy}: ${sayReason(verdict.text, verdict.language, verdict.detail)} [${id}]`
  const reply = formatAction({ kind: 'refuse', refusal, text })
  return { effect, reason: policy, reply, id, verdicts, source, spends: null }
}

export function toStated({ policy, verdict, observed }: Judged): Stated {
  const reason = sayReason(verdict.text, verdict.language, verdict.detail)
  return { policy, effect: verdict.effect, reason, ...(observed && { observed }) }
}

export function toFacts(snapshot: Snapshot, request: PolicyRequest, { at, usage }: Circumstances): AccessFacts {
  const stage = stageOf(request)
  const client = parseIp(request.clientAddress)
  const login = request.login === '' ? null : findParty(snapshot, request.login)
  const isOwn = login !== null && request.sender === request.login
  const sender = isOwn ? login : findParty(snapshot, request.sender)
  return {
    snapshot,
    at,
    stage,
    client,
    clientText: request.clientAddress,
    login,
    relay: login === null ? relayOf(matchesOf(snapshot.relays, client), sender) : null,
    sender,
    recipient: stage === 'recipient' ? findParty(snapshot, request.recipient) : null,
    usage,
  }
}

/** Where institutions share a server, it speaks for the one whose sender it brings. */
function relayOf(candidates: readonly InstitutionRow[], sender: Party): InstitutionRow | null {
  return candidates.find(candidate => candidate === sender.managed?.institution) ?? candidates[0] ?? null
}

/** DATA and END-OF-MESSAGE have no recipient, or one of several: recipients are judged at RCPT alone. */
function stageOf({ state, recipient }: PolicyRequest): Stage {
  switch (state) {
    case 'RCPT':
      // Without a recipient there is nothing of it to judge, and nobody that mail could go to.
      return recipient === '' ? 'sender' : 'recipient'
    case 'MAIL':
    case 'DATA':
    case 'BDAT':
    case 'END-OF-MESSAGE':
      return 'sender'
    case 'CONNECT':
    case 'HELO':
    case 'EHLO':
      return 'session'
    case 'VRFY':
    case 'ETRN':
      return 'none'
    default:
      // A state that we do not know, or none at all, is judged as far as the request goes.
      return recipient === '' ? 'sender' : 'recipient'
  }
}

// RFC 4648 section 7 (base32hex) in lower case.
const base32 = '0123456789abcdefghijklmnopqrstuv'
const idLength = 8 // 40 bits: of a million refusals a day, two share an id about every second day; their instants differ

/** The same for the same request at the same instant. Two FNV-1a hashes: it names a log line, it proves nothing. */
function decisionId({ instance, login, sender, recipient, state }: PolicyRequest, at: Instant): string {
  const text = `${at} ${state} ${instance} ${login} ${sender} ${recipient}`
  let high = 0x811c9dc5
  let low = 0x01000193
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    high = Math.imul(high ^ code, 0x01000193)
    low = Math.imul(low ^ (code + index), 0x85ebca6b)
    low ^= low >>> 13
  }
  let id = 'mw-'
  for (let index = 0; index < idLength; index += 1) {
    const word = index < idLength / 2 ? high : low
    id += base32[(word >>> ((index % 4) * 8 + 1)) & 31]
  }
  return id
}
