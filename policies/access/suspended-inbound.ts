/** `suspended-inbound`: the recipient is under a hold; its domain says what becomes of mail meanwhile (S37). */
import { holdOn } from '../../agent/decision/party.ts'
import type { Lever } from '../../agent/model/incident.ts'
import { classOfOrigin } from '../origin.ts'
import { type AccessPolicy, type Judgement, languageOf } from '../policy.ts'

const levers: readonly Lever[] = ['receive']

export const suspendedInbound: AccessPolicy = {
  name: 'suspended-inbound',
  judge(facts): Judgement {
    const { snapshot, recipient } = facts
    if (recipient?.managed === undefined) return undefined
    const { institution } = recipient.managed
    const hold = holdOn(snapshot, recipient, levers, () => classOfOrigin(facts, institution))
    if (hold === undefined) return 'passed'
    const opinion = {
      detail: hold.scope.account ?? hold.scope.domain,
      language: languageOf(facts, recipient),
      source: { incident: hold.incident },
    }
    switch (recipient.managed.inboundWhenSuspended) {
      case 'keep':
        return { ...opinion, effect: 'dunno', text: 'suspendedKept' }
      case 'defer':
        return { ...opinion, effect: 'defer', refusal: 'mailboxDeferred', text: 'suspendedInbound' }
      case 'reject':
        return { ...opinion, effect: 'reject', refusal: 'mailboxDisabled', text: 'suspendedInbound' }
    }
  },
}
