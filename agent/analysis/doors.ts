/** From where logins may be used, and who acts in a fleet at all. Pure. */
import type { Landscape } from './blocks.ts'
import { type Case, type Comparison, type Doors, directions, firstClient, question, remember } from './case.ts'
import { type Fleet, permits, type Question, type Traits, traitsOf } from './fleet.ts'
import { formatAddress, merged, piecesOf, toAddressSet, without } from './intervals.ts'
import { regionsOf } from './regions.ts'

/** From where the login of a case may be used, in the one fleet and in the other. */
export function createDoors(land: Landscape) {
  const { before, after } = land
  const national = [before, after].map(({ snapshot }) => regionsOf(snapshot).national)
  return remember(
    ({ principal, one, other }): readonly [Doors, Doors] => {
      const rows = [one, other].map(({ party }) => party.managed?.institution).filter(row => row !== undefined)
      const sets = rows.flatMap(row => [toAddressSet(row.networks), toAddressSet(row.collectors)])
      const pieces = piecesOf([...sets, ...(`${one.login}${other.login}`.includes('national') ? national : [])])
      const ask = (fleet: Fleet, clientAddress: string) =>
        permits(fleet, question({ login: principal.address, sender: principal.address, clientAddress }))
      const doorsOf = (fleet: Fleet): Doors => ({
        clients: merged(pieces.filter(([from]) => ask(fleet, formatAddress(from)))),
        unknown: ask(fleet, ''),
      })
      return [doorsOf(before), doorsOf(after)]
    },
    ({ one, other }) =>
      `${one.institution}|${other.institution}|${one.login}|${other.login}|${isOwn(one)}|${isOwn(other)}`,
  )
}

export const isOwn = ({ mailbox }: Traits) => mailbox !== null

export function compareLogin({ land, collect }: Comparison, { principal }: Case, doors: readonly [Doors, Doors]): void {
  for (const way of directions(land)) {
    const [to, from] = [doors[way.index], doors[1 - way.index]!]
    const clients = without(to.clients, from.clients)
    const unknown = to.unknown && !from.unknown
    if (clients.length === 0 && !unknown) continue
    const { address } = principal
    const clientAddress = firstClient({ clients, unknown })
    const witness = question({ login: address, sender: address, clientAddress })
    collect.add({ direction: way.direction, right: 'log-in', clients, unknown }, principal.name, witness)
  }
}

/** One of each kind by domain: which of two with equal traits writes makes no difference to whom they write to. */
export function findActors(
  index: 0 | 1,
  addresses: readonly string[],
  land: Landscape,
  doors: (one: Case) => readonly [Doors, Doors],
  acting: (traits: Traits, address: string, open: Doors) => Partial<Question> | null,
): ReadonlyMap<string, readonly Question[]> {
  const found = new Map<string, Question[]>()
  const seen = new Set<string>()
  for (const address of addresses) {
    const domain = address.slice(address.indexOf('@') + 1)
    const one = traitsOf(land.before, address)
    const other = traitsOf(land.after, address)
    const key = `${domain}|${one.write}|${other.write}|${one.login}|${other.login}`
    if (seen.has(key)) continue
    seen.add(key)
    const open = doors({ principal: { name: address, address }, one, other })[index]
    // Behind a hold on logins, a relay may still bring the account's mail.
    const act = acting(index === 0 ? one : other, address, open)
    if (act === null) continue
    const actor = question(act)
    found.set(domain, [...(found.get(domain) ?? []), actor])
  }
  return found
}
