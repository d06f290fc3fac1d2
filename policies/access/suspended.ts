/**
 * `suspended`: the sender side is under a hold (S37, contract section 6). A login is closed by the levers of sending and
 * of its own doors, so that a session that was open before, or a cached password, gains nothing. A drill is no hold.
 */
import { holdOn, isInForce } from '../../agent/decision/party.ts'
import { classOf } from '../../agent/decision/scope.ts'
import type { Party } from '../../agent/decision/tables.ts'
import type { Scope } from '../../agent/model/entity.ts'
import type { Hold, Lever } from '../../agent/model/incident.ts'
import { type AccessFacts, type AccessPolicy, isMail, type Judgement, languageOf } from '../policy.ts'

const loginLevers: readonly Lever[] = ['send', 'submission', 'login']
const administratorLevers: readonly Lever[] = [...loginLevers, 'administrator']
const relayLevers: readonly Lever[] = ['send', 'relay']
/** Behind no login and no declared relay, a held domain's name is still a held domain's name. */
const inboundLevers: readonly Lever[] = ['send']

export const suspended: AccessPolicy = {
  name: 'suspended',
  judge(facts): Judgement {
    if (facts.login === null ? !isMail(facts) : facts.stage === 'none') return undefined
    const hold = findHold(facts)
    if (hold === undefined) return 'passed'
    return {
      effect: 'reject',
      refusal: 'policyRefused',
      text: 'suspended',
      detail: hold.scope.account ?? hold.scope.domain,
      language: facts.relay?.language ?? languageOf(facts, facts.login ?? facts.sender),
      source: { incident: hold.incident },
    }
  },
}

function findHold(facts: AccessFacts): Hold | undefined {
  const { snapshot, login, relay, sender } = facts
  if (login !== null) {
    const isAdministrator = login.mailbox?.role === 'administrator'
    return holdOn(snapshot, login, isAdministrator ? administratorLevers : loginLevers, () => reachOf(facts, login))
  }
  if (relay !== null && sender.form === 'null') return holdOnRelay(facts)
  const levers = relay === null ? inboundLevers : relayLevers
  return holdOn(snapshot, sender, levers, () => reachOf(facts, sender))
}

/** How far the mail of a party goes; undefined before there is a recipient. */
function reachOf({ recipient }: AccessFacts, { managed }: Party): Scope | undefined {
  return recipient === null ? undefined : classOf(recipient, managed?.institution)
}

/** A bounce names no domain, so a relay whose institution has a held domain may not send any. */
function holdOnRelay({ snapshot, relay, recipient }: AccessFacts): Hold | undefined {
  for (const [name, holds] of snapshot.holds.domains) {
    if (snapshot.domains.get(name)?.institution !== relay) continue
    const reach = () => (recipient === null || relay === null ? undefined : classOf(recipient, relay))
    const closing = holds.find(hold => hold.levers.some(lever => relayLevers.includes(lever)) && isInForce(hold, reach))
    if (closing !== undefined) return closing
  }
  return undefined
}
