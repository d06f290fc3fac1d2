/**
 * How near or far an address is (contract section 5): local, national, international, always as seen from one
 * institution. What cannot be judged is international. Pure.
 */
import { type Instant, isActive } from '../core/clock.ts'
import { countryOf } from '../model/country.ts'
import { type Exception, type Scope, scopes } from '../model/entity.ts'
import type { Ip } from '../model/ip.ts'
import { isAtOrBelow } from '../model/name.ts'
import { contains, isEmpty } from './network.ts'
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

/** Of its networks, or country data give it to the country. What no registry knows is not national (ADR 17). */
export function isNationalAddress({ national }: Snapshot, ip: Ip | undefined): boolean {
  if (contains(national.networks, ip)) return true
  return ip !== undefined && national.country !== null && countryOf(national.country, ip) === 'national'
}

/**
 * Of a client that speaks for nobody. Its institution's own network is local, whatever it is worth nationally. Undefined
 * where the address says nothing about a country: the operator has not told which are national, or has country data and
 * they do not know it. A registry's gap costs nobody their mail (ADR 17).
 */
export function classOfClient(snapshot: Snapshot, ip: Ip | undefined, institution: InstitutionRow): Scope | undefined {
  const { networks, country } = snapshot.national
  if (isEmpty(networks) && country === null) return undefined
  if (contains(institution.networks, ip)) return 'local'
  if (contains(networks, ip)) return 'national'
  if (ip === undefined || country === null) return 'international'
  switch (countryOf(country, ip)) {
    case 'national':
      return 'national'
    case 'foreign':
      return 'international'
    case 'unknown':
      return undefined
  }
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
