/**
 * `rate`: distinct recipients outside the institution, per login, in a rolling hour and day (C-MAIL-02). Only a login
 * spends; nobody spends another's allowance by writing their name. Mail waits, it is not refused.
 */
import { isActive } from '../../agent/core/clock.ts'
import { classOf } from '../../agent/decision/scope.ts'
import type { Snapshot } from '../../agent/decision/snapshot.ts'
import type { Party } from '../../agent/decision/tables.ts'
import type { Probation } from '../../agent/model/incident.ts'
import { type AccessFacts, type AccessPolicy, type Judgement, languageOf } from '../policy.ts'

export const rate: AccessPolicy = {
  name: 'rate',
  judge(facts): Judgement {
    const { snapshot, login, recipient, usage, at } = facts
    const spend = spendOf(facts)
    if (spend === null || login === null || recipient === null || usage === null) return undefined
    const probation = probationOf(facts, login)
    const allowance = probation === undefined ? allowanceOf(facts, login) : undefined
    const { recipientsPerHour, recipientsPerDay } = allowance ?? limitsUnder(snapshot.limits, probation)
    // Old counts do not trigger again: on probation only what came after the release counts.
    const { hour, day } = usage.after(spend.login, spend.recipient, at, probation?.since)
    const overDay = day > recipientsPerDay
    if (!overDay && hour <= recipientsPerHour) return 'passed'
    return {
      effect: 'defer',
      refusal: 'policyDeferred',
      text: overDay ? 'rateDay' : 'rateHour',
      detail: String(overDay ? recipientsPerDay : recipientsPerHour),
      language: languageOf(facts, login),
      source: probation === undefined ? (allowance?.place ?? null) : { incident: probation.incident },
    }
  },
}

/** What a declared sender may send, until its last day; never less than everybody. On probation it has none. */
function allowanceOf({ at, snapshot }: AccessFacts, { mailbox }: Party) {
  if (mailbox === undefined || mailbox.exceptions.length === 0) return undefined
  const live = mailbox.exceptions.filter(one => one.kind === 'rate').filter(({ until }) => isActive({ until }, at))
  const found = live.toSorted((a, b) => b.recipientsPerDay - a.recipientsPerDay)[0]
  if (found === undefined) return undefined
  const { limits } = snapshot
  return {
    recipientsPerHour: Math.max(limits.recipientsPerHour, found.recipientsPerHour),
    recipientsPerDay: Math.max(limits.recipientsPerDay, found.recipientsPerDay),
    place: found.place,
  }
}

/** Of the account, or of its domain: the stricter one. */
export function probationOf({ snapshot, at }: AccessFacts, { mailbox, managed }: Party): Probation | undefined {
  if (snapshot.probations.size === 0) return undefined
  const found = [snapshot.probations.get(mailbox?.address ?? ''), snapshot.probations.get(managed?.name ?? '')]
  return found
    .flatMap(one => (one !== undefined && one.until > at ? [one] : []))
    .toSorted((a, b) => a.percent - b.percent)[0]
}

function limitsUnder(limits: Snapshot['limits'], probation: Probation | undefined): Snapshot['limits'] {
  if (probation === undefined) return limits
  const part = (limit: number) => Math.max(1, Math.floor((limit * probation.percent) / 100))
  return { recipientsPerHour: part(limits.recipientsPerHour), recipientsPerDay: part(limits.recipientsPerDay) }
}

/** What a permitted RCPT adds to the counters. */
export type Spend = { readonly login: string; readonly recipient: string }

export function spendOf({ login, recipient }: AccessFacts): Spend | null {
  if (login === null || recipient === null) return null
  if (classOf(recipient, login.managed?.institution) === 'local') return null
  return { login: login.mailbox?.address ?? login.text, recipient: recipient.text }
}
