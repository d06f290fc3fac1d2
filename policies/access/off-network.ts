/**
 * `off-network`: an account is used from where its `access` allows (S20, S44, D4). The collector's login works only from
 * the institution's declared collecting servers. A client whose address is not known is outside.
 */
import { type Instant, isActive } from '../../agent/core/clock.ts'
import { contains } from '../../agent/decision/network.ts'
import { placeOf } from '../../agent/decision/party.ts'
import { isNationalAddress } from '../../agent/decision/scope.ts'
import type { Snapshot } from '../../agent/decision/snapshot.ts'
import type { MailboxRow } from '../../agent/decision/tables.ts'
import type { ReasonText } from '../../agent/decision/texts.ts'
import type { Access, Exception } from '../../agent/model/entity.ts'
import type { Ip } from '../../agent/model/ip.ts'
import { type AccessPolicy, isMail, type Judgement, languageOf } from '../policy.ts'

export const offNetwork: AccessPolicy = {
  name: 'off-network',
  judge(facts): Judgement {
    const { snapshot, login, client, at } = facts
    const mailbox = login?.mailbox
    if (login === null || mailbox === undefined || !isMail(facts)) return undefined
    if (isWithin(snapshot, mailbox, mailbox.access, client)) return 'passed'
    const language = languageOf(facts, login)
    const exception = exceptionFor(snapshot, mailbox, client, at)
    if (exception !== undefined) {
      return { effect: 'dunno', text: 'accessException', detail: exception.request, language, source: exception.place }
    }
    return {
      effect: 'reject',
      refusal: 'policyRefused',
      text: textFor(mailbox),
      detail: facts.clientText,
      language,
      source: placeOf(snapshot, mailbox, 'access'),
    }
  },
}

function isWithin(snapshot: Snapshot, mailbox: MailboxRow, access: Access, client: Ip | undefined): boolean {
  const { institution } = mailbox.domain
  if (mailbox.role === 'collector') return contains(institution.collectors, client)
  switch (access) {
    case 'anywhere':
      return true
    case 'national':
      return contains(institution.networks, client) || isNationalAddress(snapshot, client)
    case 'institution':
      return contains(institution.networks, client)
  }
}

function exceptionFor(
  snapshot: Snapshot,
  mailbox: MailboxRow,
  client: Ip | undefined,
  at: Instant,
): Exception | undefined {
  return mailbox.exceptions.find(
    exception =>
      exception.kind === 'access' &&
      isActive({ until: exception.until }, at) &&
      isWithin(snapshot, mailbox, exception.access, client),
  )
}

function textFor({ role, access }: MailboxRow): ReasonText {
  if (role === 'collector') return 'offCollector'
  return access === 'national' ? 'offNational' : 'offInstitution'
}
