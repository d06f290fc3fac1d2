/** `sender-mismatch`: who logged in writes under an address of their own account, or under none (C-NET-04, S21). */
import { placeOf } from '../../agent/decision/party.ts'
import type { Party } from '../../agent/decision/tables.ts'
import { type AccessPolicy, isMail, type Judgement, languageOf } from '../policy.ts'

export const senderMismatch: AccessPolicy = {
  name: 'sender-mismatch',
  judge(facts): Judgement {
    const { login, sender } = facts
    if (login === null || !isMail(facts)) return undefined
    if (sender.form === 'null' || isSame(login, sender)) return 'passed'
    return {
      effect: 'reject',
      refusal: 'policyRefused',
      text: 'senderMismatch',
      detail: sender.text,
      language: languageOf(facts, login),
      source: login.mailbox === undefined ? null : placeOf(facts.snapshot, login.mailbox),
    }
  },
}

function isSame(login: Party, sender: Party): boolean {
  if (login.mailbox !== undefined) return sender.mailbox?.number === login.mailbox.number
  return login.form === 'plain' && sender.form === 'plain' && login.text === sender.text
}
