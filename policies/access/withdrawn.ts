/** `withdrawn`: a domain or account whose service was withdrawn neither writes nor is written to (S36). Nothing lifts it. */
import type { Party } from '../../agent/decision/tables.ts'
import { type AccessPolicy, isMail, type Judgement, languageOf, type Source } from '../policy.ts'

export const withdrawn: AccessPolicy = {
  name: 'withdrawn',
  judge(facts): Judgement {
    const { stage, login, recipient } = facts
    if (stage === 'none') return undefined
    const sender = isMail(facts) ? facts.sender : null
    for (const party of [login, sender]) {
      if (party === null || !isWithdrawn(party)) continue
      return {
        effect: 'reject',
        refusal: 'policyRefused',
        text: 'withdrawnSender',
        detail: party.text,
        language: languageOf(facts, party),
        source: sourceOf(party),
      }
    }
    if (recipient !== null && isWithdrawn(recipient)) {
      return {
        effect: 'reject',
        refusal: 'mailboxGone',
        text: 'withdrawnRecipient',
        detail: recipient.text,
        language: languageOf(facts, recipient),
        source: sourceOf(recipient),
      }
    }
    return 'passed'
  },
}

function isWithdrawn({ managed, mailbox }: Party): boolean {
  return managed?.standing === 'withdrawn' || mailbox?.standing === 'withdrawn'
}

function sourceOf({ managed, mailbox }: Party): Source | null {
  if (managed?.standing === 'withdrawn') return managed.place
  return mailbox?.places.state ?? mailbox?.place ?? null
}
