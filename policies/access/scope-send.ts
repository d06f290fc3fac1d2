/**
 * `scope-send`: how far an account may write (S21, S43), recipient by recipient. Only a login or a declared relay speaks
 * for an account; what an unauthenticated sender claims gains no scope. A relay's bounce belongs to no account: it has
 * the scope that accounts have by default.
 */
import { placeOf } from '../../agent/decision/party.ts'
import { classOf, exceptionFor, isBeyond } from '../../agent/decision/scope.ts'
import type { Scope } from '../../agent/model/entity.ts'
import { type AccessFacts, type AccessPolicy, authorOf, type Judgement, languageOf } from '../policy.ts'

const bounceScope: Scope = 'national'

export const scopeSend: AccessPolicy = {
  name: 'scope-send',
  judge(facts): Judgement {
    const { recipient, at } = facts
    const author = authorOf(facts)
    const isBounce = facts.relay !== null && facts.sender.form === 'null'
    const institution = author?.domain.institution ?? (isBounce ? facts.relay : null)
    if (recipient === null || institution === null) return undefined
    const limit = author?.send ?? bounceScope
    const scope = classOf(recipient, institution)
    if (!isBeyond(scope, limit)) return 'passed'
    const language = languageFor(facts)
    const exception = author && exceptionFor(author.exceptions, 'send', recipient, at)
    if (exception !== undefined) {
      return { effect: 'dunno', text: 'sendException', detail: exception.request, language, source: exception.place }
    }
    return {
      effect: 'reject',
      refusal: 'policyRefused',
      text: isBounce ? 'bounceInternational' : limit === 'local' ? 'sendNational' : 'sendInternational',
      detail: recipient.domain ?? recipient.text,
      language,
      source: author === undefined ? null : placeOf(facts.snapshot, author, 'send'),
    }
  },
}

function languageFor(facts: AccessFacts) {
  return facts.relay?.language ?? languageOf(facts, facts.login)
}
