/**
 * Every outcome that a row of the live decision can have: policy, effect and text; and that it has nothing against. What
 * decision tables should reach. A text that is new does not compile before it stands here. Pure.
 */
import type { Effect, Stated } from '../decision/decide.ts'
import { type ReasonText, reasonTexts } from '../decision/texts.ts'
import { type PolicyName, policyNames } from '../manifest/schema.ts'

export type Outcome = {
  readonly policy: PolicyName
  readonly effect: Effect
  /** `passed`: asked, and nothing against. */
  readonly text: ReasonText | 'passed'
}

const refusing: Readonly<Record<ReasonText, readonly [policy: PolicyName, ...effects: Effect[]]>> = {
  withdrawnSender: ['withdrawn', 'reject'],
  withdrawnRecipient: ['withdrawn', 'reject'],
  suspended: ['suspended', 'reject'],
  suspendedInbound: ['suspended-inbound', 'defer', 'reject'],
  suspendedKept: ['suspended-inbound', 'dunno'],
  unknownLogin: ['unknown-account', 'reject'],
  unknownRelaySender: ['unknown-account', 'reject'],
  unknownRecipient: ['unknown-account', 'reject'],
  senderMismatch: ['sender-mismatch', 'reject'],
  offInstitution: ['off-network', 'reject'],
  offCollector: ['off-network', 'reject'],
  offNational: ['off-network', 'reject'],
  accessException: ['off-network', 'dunno'],
  sendNational: ['scope-send', 'reject'],
  bounceInternational: ['scope-send', 'reject'],
  sendInternational: ['scope-send', 'reject'],
  sendException: ['scope-send', 'dunno'],
  receiveNational: ['scope-receive', 'reject'],
  receiveInternational: ['scope-receive', 'reject'],
  receiveException: ['scope-receive', 'dunno'],
  spoofedSender: ['spoofed-sender', 'reject'],
  rateHour: ['rate', 'defer'],
  rateDay: ['rate', 'defer'],
}

/** In the order of the table. */
export const outcomes: readonly Outcome[] = policyNames.flatMap((policy): Outcome[] => {
  const own = Object.entries(refusing).filter(([, [of]]) => of === policy)
  const told = own.flatMap(([text, [, ...effects]]) =>
    effects.map(effect => ({ policy, effect, text: text as ReasonText })),
  )
  return [...told, { policy, effect: 'dunno', text: 'passed' }]
})

export function formatOutcome({ policy, effect, text }: Outcome): string {
  return `${policy} ${effect} ${text}`
}

/** What a verdict is an instance of, told by its text; undefined for `not concerned`. */
export function outcomeOf({ policy, effect, reason }: Stated): Outcome | undefined {
  if (reason === 'passed') return { policy, effect, text: 'passed' }
  return outcomes.find(outcome => outcome.policy === policy && outcome.effect === effect && says(outcome.text, reason))
}

function says(text: Outcome['text'], reason: string): boolean {
  if (text === 'passed') return false
  return Object.values(reasonTexts[text]).some(template => {
    const [before = '', after = ''] = template.split('{detail}')
    // The detail comes in brackets, or not at all.
    return reason === before + after || (reason.startsWith(`${before} (`) && reason.endsWith(`)${after}`))
  })
}
