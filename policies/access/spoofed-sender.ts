/** `spoofed-sender`: a stranger writes under an address of a domain that is managed here (S26, C-NET-04). */
import { type AccessPolicy, isMail, type Judgement, languageOf } from '../policy.ts'

export const spoofedSender: AccessPolicy = {
  name: 'spoofed-sender',
  judge(facts): Judgement {
    const { login, relay, sender } = facts
    if (login !== null || relay !== null || !isMail(facts)) return undefined
    if (sender.managed === undefined) return 'passed'
    return {
      effect: 'reject',
      refusal: 'policyRefused',
      text: 'spoofedSender',
      detail: sender.managed.name,
      language: languageOf(facts, sender),
      source: sender.managed.place,
    }
  },
}
