/**
 * `unknown-account`: who writes from a managed domain is a live account of it (S27), and so is whom strangers write to.
 * A declared relay speaks for the registered accounts of its institution and nobody else (S26). Its bounces have a null
 * sender and pass here (RFC 5321 section 4.5.5).
 */
import { placeOf } from '../../agent/decision/party.ts'
import type { Party } from '../../agent/decision/tables.ts'
import { type AccessFacts, type AccessPolicy, isMail, type Judgement, languageOf, type Source } from '../policy.ts'

export const unknownAccount: AccessPolicy = {
  name: 'unknown-account',
  judge(facts): Judgement {
    if (facts.login !== null) return judgeLogin(facts, facts.login)
    if (!isMail(facts)) return undefined
    return facts.relay === null ? judgeRecipient(facts) : judgeRelaySender(facts)
  },
}

function isLive(party: Party): boolean {
  return party.mailbox?.standing === 'live'
}

function judgeLogin(facts: AccessFacts, login: Party): Judgement {
  if (!isMail(facts)) return undefined
  if (isLive(login)) return 'passed'
  // A login of a domain that is not managed here is the operator's own affair; one that is no address is nobody's.
  if (login.form === 'plain' && login.managed === undefined) return undefined
  return refuse(facts, 'unknownLogin', login)
}

function judgeRelaySender(facts: AccessFacts): Judgement {
  const { sender, relay } = facts
  if (sender.form === 'null') return 'passed'
  if (isLive(sender) && sender.managed?.institution === relay) return 'passed'
  return refuse(facts, 'unknownRelaySender', sender)
}

function judgeRecipient(facts: AccessFacts): Judgement {
  const { recipient } = facts
  if (recipient?.managed === undefined) return undefined
  return isLive(recipient) ? 'passed' : refuse(facts, 'unknownRecipient', recipient)
}

function refuse(
  facts: AccessFacts,
  text: 'unknownLogin' | 'unknownRelaySender' | 'unknownRecipient',
  party: Party,
): Judgement {
  const source: Source | null =
    party.mailbox === undefined ? (party.managed?.place ?? null) : placeOf(facts.snapshot, party.mailbox)
  return {
    effect: 'reject',
    refusal: text === 'unknownRecipient' ? 'mailboxUnknown' : 'policyRefused',
    text,
    detail: party.text,
    language: text === 'unknownRelaySender' && facts.relay ? facts.relay.language : languageOf(facts, party),
    source,
  }
}
