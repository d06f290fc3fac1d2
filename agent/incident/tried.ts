/**
 * Doors tried as a thief would, under a hold (P7, P14): logins with the right password that are refused, or
 * are not. What a try found outweighs what a directory says of itself: a door that let somebody in is failed until a
 * later try finds it closed. Pure.
 */
import { formatInstant, type Instant, parseInstant } from '../core/clock.ts'
import { type Lever, levers } from '../model/incident.ts'
import { type Address, type DomainName, domainOf } from '../model/name.ts'
import type { LoginDoor, Seen } from '../model/verify.ts'
import type { Actor, NewEntry, Stored } from '../register/register.ts'
import { textOf, wordsOf } from './facts.ts'
import type { Incident, Incidents, Tried } from './incident.ts'
import { leverEntries } from './recovery.ts'
import { standingHold } from './stages.ts'

/** One login that was tried. */
export type LoginTry = {
  readonly account: Address
  readonly protocol: LoginDoor['protocol']
  readonly wanted: 'accepted' | 'refused'
  readonly seen: Seen['result']
}

/** Who has a lever of their own. */
export type SpecialLogins = (
  domain: DomainName,
) => { readonly administrator: Address; readonly collector: Address | null } | undefined

function leverOf({ account, protocol }: LoginTry, special: SpecialLogins): Lever {
  const own = special(domainOf(account))
  if (protocol === 'submission') return 'submission'
  return account === own?.collector ? 'collection' : 'login'
}

/** What the tries say of each open incident, where it is news: once, and whenever another door stands open. */
export function triedEntries(
  incidents: Incidents,
  tries: readonly LoginTry[],
  special: SpecialLogins,
  by: { readonly actor: Actor; readonly at: Instant },
): NewEntry[] {
  return [...incidents.byId.values()].flatMap(incident => {
    const { id, scope, drill, ended, release, declaredAt } = incident
    // While a release goes on in stages some may come in again.
    if (drill || ended !== null || release !== null) return []
    const held = standingHold(incident)?.levers ?? []
    const own = tries.filter(
      one =>
        one.wanted === 'refused' &&
        domainOf(one.account) === scope.domain &&
        (scope.account === null || scope.account === one.account) &&
        held.includes(leverOf(one, special)),
    )
    const proved = own.filter(({ seen }) => seen !== 'unproved')
    if (proved.length === 0) return []
    const open = levers.filter(lever => proved.some(one => one.seen === 'otherwise' && leverOf(one, special) === lever))
    const isKnown = incident.tried !== null && incident.tried.open.join() === open.join()
    if (isKnown) return []
    const refused = proved.filter(({ seen }) => seen === 'as-wanted').length
    const facts = { incident: id, tries: proved.length, refused, open, afterMs: by.at - declaredAt }
    const entry = {
      kind: 'suspension.tried',
      actor: by.actor,
      at: formatInstant(by.at),
      subject: id,
      rule: 'P14',
      facts,
    }
    const failed = open.map(lever => ({ incident: id, lever, state: 'failed' as const }))
    return [entry, ...leverEntries(incidents, failed, by)]
  })
}

export function foldTried(incident: Incident, { at, facts }: Stored): Incident {
  const words = wordsOf(facts['open'])
  const count = (name: string) => (typeof facts[name] === 'number' ? facts[name] : 0)
  const tried: Tried = {
    at: parseInstant(textOf(at) ?? '') ?? 0,
    tries: count('tries'),
    refused: count('refused'),
    open: levers.filter(lever => words.includes(lever)),
  }
  return { ...incident, tried }
}

/** Domains under a hold whose doors let somebody in when they were last tried. */
export function stillOpen(incidents: Incidents): readonly DomainName[] {
  const open = [...incidents.byId.values()].filter(
    ({ drill, ended, release, tried }) => !drill && ended === null && release === null && (tried?.open.length ?? 0) > 0,
  )
  return [...new Set(open.map(({ scope }) => scope.domain))]
}
