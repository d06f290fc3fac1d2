/**
 * `rate`: distinct recipients outside the institution, per login, in a rolling hour and day (C-MAIL-02). Only a login
 * spends; nobody spends another's allowance by writing their name. Mail waits, it is not refused.
 */
import { classOf } from '../../agent/decision/scope.ts'
import { type AccessFacts, type AccessPolicy, type Judgement, languageOf } from '../policy.ts'

export const rate: AccessPolicy = {
  name: 'rate',
  judge(facts): Judgement {
    const { snapshot, login, recipient, usage, at } = facts
    const spend = spendOf(facts)
    if (spend === null || login === null || recipient === null || usage === null) return undefined
    const { recipientsPerHour, recipientsPerDay } = snapshot.limits
    const { hour, day } = usage.after(spend.login, spend.recipient, at)
    const overDay = day > recipientsPerDay
    if (!overDay && hour <= recipientsPerHour) return 'passed'
    return {
      effect: 'defer',
      refusal: 'policyDeferred',
      text: overDay ? 'rateDay' : 'rateHour',
      detail: String(overDay ? recipientsPerDay : recipientsPerHour),
      language: languageOf(facts, login),
      source: null,
    }
  },
}

/** What a permitted RCPT adds to the counters. */
export type Spend = { readonly login: string; readonly recipient: string }

export function spendOf({ login, recipient }: AccessFacts): Spend | null {
  if (login === null || recipient === null) return null
  if (classOf(recipient, login.managed?.institution) === 'local') return null
  return { login: login.mailbox?.address ?? login.text, recipient: recipient.text }
}
