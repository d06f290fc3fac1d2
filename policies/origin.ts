/**
 * How far away a mail comes from, as one institution sees it: the more foreign of sender and client address for
 * strangers, the institution for who logged in or speaks through a declared relay. An address that nothing is known of says
 * nothing (ADR 17). Pure.
 */
import { classOf, classOfClient, moreForeign } from '../agent/decision/scope.ts'
import type { InstitutionRow } from '../agent/decision/tables.ts'
import type { Scope } from '../agent/model/entity.ts'
import type { AccessFacts } from './policy.ts'

export function classOfOrigin(facts: AccessFacts, institution: InstitutionRow): Scope {
  const { snapshot, login, relay, sender, client } = facts
  if (login !== null) return classOf(login, institution)
  const ofSender = classOf(sender, institution)
  if (relay !== null) {
    const ofRelay: Scope = relay === institution ? 'local' : 'national'
    return sender.form === 'null' ? ofRelay : moreForeign(ofSender, ofRelay)
  }
  const ofClient = classOfClient(snapshot, client, institution)
  if (ofClient === undefined) return sender.form === 'null' ? 'national' : ofSender
  return sender.form === 'null' ? ofClient : moreForeign(ofSender, ofClient)
}
