/**
 * `scope-receive`: from how far an account is written to (S21, S43). Anyone can write any sender, so for strangers the
 * more foreign of sender and client address counts, once the operator has told which addresses are national; a null
 * sender has the address alone. An address that country data do not know says nothing (ADR 17). Who logged in, or speaks through a declared relay, is as near as their institution.
 */
import { placeOf } from '../../agent/decision/party.ts'
import { exceptionFor, isBeyond } from '../../agent/decision/scope.ts'
import { classOfOrigin } from '../origin.ts'
import { type AccessPolicy, type Judgement, languageOf } from '../policy.ts'

export const scopeReceive: AccessPolicy = {
  name: 'scope-receive',
  judge(facts): Judgement {
    const { recipient, sender, at } = facts
    const mailbox = recipient?.mailbox
    if (recipient === null || mailbox?.standing !== 'live') return undefined
    const scope = classOfOrigin(facts, mailbox.domain.institution)
    if (!isBeyond(scope, mailbox.receive)) return 'passed'
    const language = languageOf(facts, recipient)
    const exception = exceptionFor(mailbox.exceptions, 'receive', sender, at)
    if (exception !== undefined) {
      return { effect: 'dunno', text: 'receiveException', detail: exception.request, language, source: exception.place }
    }
    return {
      effect: 'reject',
      refusal: 'policyRefused',
      text: mailbox.receive === 'local' ? 'receiveNational' : 'receiveInternational',
      detail: sender.domain ?? sender.text,
      language,
      source: placeOf(facts.snapshot, mailbox, 'receive'),
    }
  },
}
