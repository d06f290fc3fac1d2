/**
 * Who should be on the operator's distribution lists (S45): director and representative of every institution that has a
 * domain in service. Pure. A hold changes nothing here: whoever is suspended must hear of it. Who was replaced is simply
 * not wanted any more, so the comparison takes them off.
 */
import type { Diagnostic, Place } from '../core/diagnostic.ts'
import type { Institution, Person } from '../model/entity.ts'
import { type Address, parseAddress } from '../model/name.ts'
import type { ListsOfTopics } from '../model/providers.ts'
import { type ListMember, type ListTopic, listTopics } from '../model/resource.ts'
import { isProvisioned, type World } from '../model/world.ts'
import { canonicalListMember, listMemberKey } from '../standards/list-resource.ts'

export type DesiredMember = { readonly resource: ListMember; readonly source: Place }

/** @param world without what is leaving: an institution whose last domain goes has nobody on the lists. */
export function desiredMembers(world: World): readonly DesiredMember[] {
  const members = new Map<string, DesiredMember>()
  const lists = topicsByList(world)
  for (const institution of served(world))
    for (const person of peopleOf(institution)) {
      const address = addressOf(person, lists)
      if (address === undefined) continue
      for (const [list, topics] of lists) {
        const key = listMemberKey(list, address)
        // The same person may speak for several institutions, or be director and representative of small ones.
        const { resource: known, source = institution.place } = members.get(key) ?? {}
        const institutions = [...(known?.institutions ?? []), institution.name]
        const member = { provider: 'lists', kind: 'member', key, list, address, institutions, topics } as const
        members.set(key, { resource: canonicalListMember(member), source })
      }
    }
  return [...members.values()]
}

/** People who should be on a list and can't be: nobody is subscribed silently nowhere. */
export function membersWithoutAddress(world: World): readonly Diagnostic[] {
  const lists = topicsByList(world)
  if (lists.size === 0) return []
  return served(world).flatMap(institution =>
    peopleOf(institution)
      .filter(person => addressOf(person, lists) === undefined)
      .map(
        (person): Diagnostic => ({
          severity: 'warning',
          code: 'W-LIST-ADDRESS',
          values: { person: person.name, institution: institution.name },
          place: institution.place,
          subject: `institution:${institution.name}`,
        }),
      ),
  )
}

/** Institutions with a domain in service, held ones included; what is withdrawn or was never live gives no seat. */
function served(world: World): readonly Institution[] {
  const names = new Set(
    [...world.domains.values()]
      .filter(({ state }) => isProvisioned(state) && state !== 'withdrawn')
      .map(({ domain }) => domain.institution),
  )
  return [...world.institutions.values()].filter(({ name }) => names.has(name))
}

function peopleOf({ director, representative }: Institution): readonly Person[] {
  return representative === null ? [director] : [director, representative]
}

/** A list on a list would send everything in a circle. */
function addressOf({ email }: Person, lists: ReadonlyMap<Address, unknown>): Address | undefined {
  const address = email === null ? undefined : parseAddress(email)
  return address === undefined || lists.has(address) ? undefined : address
}

function topicsByList(world: World): ReadonlyMap<Address, readonly ListTopic[]> {
  const { lists } = world.config.providers
  const byTopic: ListsOfTopics = lists.kind === 'none' ? {} : lists.topics
  const byList = new Map<Address, ListTopic[]>()
  for (const topic of listTopics) {
    const list = byTopic[topic]
    if (list !== undefined) byList.set(list, [...(byList.get(list) ?? []), topic])
  }
  return byList
}
