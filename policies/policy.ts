/**
 * What a row of the live decision is: facts in, a judgement out. One file per row in `access/`, pure, without an order of
 * its own; precedence, modes and replies are `agent/decision/decide.ts`'s. A policy cannot permit: the most it can say
 * is that it has nothing against.
 */
import type { Instant } from '../agent/core/clock.ts'
import type { Place } from '../agent/core/diagnostic.ts'
import type { Snapshot } from '../agent/decision/snapshot.ts'
import type { InstitutionRow, MailboxRow, Party } from '../agent/decision/tables.ts'
import type { ReasonText } from '../agent/decision/texts.ts'
import type { PolicyName } from '../agent/manifest/schema.ts'
import type { Language } from '../agent/model/entity.ts'
import type { Ip } from '../agent/model/ip.ts'
import type { Address } from '../agent/model/name.ts'
import type { Refusal } from '../agent/standards/smtp-reply.ts'

/** The manifest line or the incident that an opinion rests on. */
export type Source = Place | { readonly incident: string }

/** Distinct external recipients of a login, the one at hand included. */
export interface UsageView {
  /** @param since what was written before that instant does not count; absent: all does. */
  after(
    login: Address | string,
    recipient: string,
    at: Instant,
    since?: Instant,
  ): { readonly hour: number; readonly day: number }
}

/**
 * What is being asked. `session`: nothing is known but the client and perhaps a login (CONNECT, EHLO). `sender`: a mail
 * without a recipient to judge (MAIL, DATA, END-OF-MESSAGE). `recipient`: RCPT. `none`: no mail at all (VRFY, ETRN).
 */
export type Stage = 'none' | 'session' | 'sender' | 'recipient'

export type AccessFacts = {
  readonly snapshot: Snapshot
  readonly at: Instant
  readonly stage: Stage
  readonly client: Ip | undefined
  readonly clientText: string
  /** Null without authentication. */
  readonly login: Party | null
  /** The institution that the client speaks for as its declared relay; null for a login and for inbound mail. */
  readonly relay: InstitutionRow | null
  readonly sender: Party
  /** Null but in stage `recipient`. */
  readonly recipient: Party | null
  readonly usage: UsageView | null
}

export type Verdict =
  | (Opinion & { readonly effect: 'reject' | 'defer'; readonly refusal: Refusal })
  /** Worth telling, though nothing follows: an exception that matched, a hold that keeps inbound mail. */
  | (Opinion & { readonly effect: 'dunno' })

type Opinion = {
  readonly text: ReasonText
  /** Goes into the text: a name, an address, a number. */
  readonly detail: string
  readonly language: Language
  readonly source: Source | null
}

/** `passed`: asked, and nothing against. undefined: not a matter of this policy. */
export type Judgement = Verdict | 'passed' | undefined

export interface AccessPolicy {
  readonly name: PolicyName
  judge(facts: AccessFacts): Judgement
}

/** True where the envelope sender is known. */
export function isMail(facts: AccessFacts): boolean {
  return facts.stage === 'sender' || facts.stage === 'recipient'
}

/** Whose mail it is: the login's mailbox, or the sender's behind its institution's relay; undefined for inbound mail. */
export function authorOf(facts: AccessFacts): MailboxRow | undefined {
  if (facts.login !== null) return facts.login.mailbox
  if (facts.relay === null) return undefined
  const { mailbox } = facts.sender
  return mailbox?.domain.institution === facts.relay ? mailbox : undefined
}

/** The language of a party's institution; the operator's for strangers. */
export function languageOf(facts: AccessFacts, party: Party | null): Language {
  return party?.managed?.institution.language ?? facts.snapshot.language
}
