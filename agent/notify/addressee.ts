/** Whom a notice can reach at all. Pure. */
import { domainOf, parseAddress } from '../model/name.ts'

/** An address that a notice about a suspension can reach: well-formed and outside every held domain. */
export function reachable(email: string | null, held: ReadonlySet<string>): string | null {
  const address = email === null ? undefined : parseAddress(email)
  return address === undefined || held.has(domainOf(address)) ? null : address
}
