/**
 * How near or far an address is (contract section 5): local, national, international, always as seen from one
 * institution. What cannot be judged is international. Pure.
 */
import { type Instant, isActive } from '../core/clock.ts'
import { type Exception, type Scope, scopes } from '../model/entity.ts'
import { isAtOrBelow } from '../model/name.ts'
import { contains, type Ip, isEmpty } from './network.ts'
import type { Snapshot } from './snapshot.ts'
import type { InstitutionRow, Party } from './tables.ts'

export function isBeyond(scope: Scope, limit: Scope): boolean {
  return scopes.indexOf(scope) > scopes.indexOf(limit)
}

export function moreForeign(one: Scope, other: Scope): Scope {
  return isBeyond(one, other) ? one : other
}

export function classOf(party: Party, institution: InstitutionRow | undefined): Scope {
  const { managed } = party
  if (managed === undefined || party.form !== 'plain') return party.scope
  return managed.standing === 'live' && managed.institution === institution ? 'local' : party.scope
}

/** True once the operator has told which addresses are national; before, an address says nothing about a country. */
export function areAddressesJudged(snapshot: Snapshot): boolean {
  return !isEmpty(snapshot.national.networks)
}

/** Of a client that speaks for nobody. Its institution's own network is local, whatever it is worth nationally. */
export function classOfClient(snapshot: Snapshot, ip: Ip | undefined, institution: InstitutionRow): Scope {
  if (contains(institution.networks, ip)) return 'local'
  return contains(snapshot.national.networks, ip) ? 'national' : 'international'
}

/** The exception that reaches a correspondent now. An odd address is reached by none. */
export function exceptionFor(
  exceptions: readonly Exception[],
  kind: 'send' | 'receive',
  party: Party,
  at: Instant,
): Exception | undefined {
  const { form, domain, text } = party
  if (exceptions.length === 0 || form !== 'plain' || domain === null) return undefined
  return exceptions.find(exception => {
    if (exception.kind !== kind || !isActive({ until: exception.until }, at)) return false
    return exception.target.includes('@') ? exception.target === text : isAtOrBelow(domain, exception.target)
  })
}
