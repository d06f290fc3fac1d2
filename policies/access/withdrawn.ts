/** `withdrawn`: a domain or account whose service was withdrawn neither writes nor is written to (S36). Nothing lifts it. */
import { placeOf } from '../../agent/decision/party.ts'
import type { Snapshot } from '../../agent/decision/snapshot.ts'
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
        source: sourceOf(facts.snapshot, party),
      }
    }
    if (recipient !== null && isWithdrawn(recipient)) {
      return {
        effect: 'reject',
        refusal: 'mailboxGone',
        text: 'withdrawnRecipient',
        detail: recipient.text,
        language: languageOf(facts, recipient),
        source: sourceOf(facts.snapshot, recipient),
      }
    }
    return 'passed'
  },
}

function isWithdrawn({ managed, mailbox }: Party): boolean {
  return managed?.standing === 'withdrawn' || mailbox?.standing === 'withdrawn'
}

function sourceOf(snapshot: Snapshot, { managed, mailbox }: Party): Source | null {
  if (managed?.standing === 'withdrawn') return managed.place
  return mailbox === undefined ? null : placeOf(snapshot, mailbox, 'state')
}
