/** Under which names mail is brought: one's own with a login, and those that strangers and relays may use. Pure. */
import { modeOf } from '../decision/party.ts'
import {
  type Case,
  type Comparison,
  type Doors,
  directions,
  firstClient,
  isOpen,
  isSteady,
  isWitness,
  question,
} from './case.ts'
import { type Traits, traitsOf } from './fleet.ts'
import { formatAddress, intersect } from './intervals.ts'

/** Names under which mail comes without a login: from strangers, and through relays that speak alike in both fleets. */
export function createSenders({ land, relays, collect }: Comparison) {
  const { strangers, classes } = relays
  const stranger = strangers[0] === undefined ? undefined : formatAddress(strangers[0][0])
  const steady = classes.filter(isSteady)
  const byInstitution = new Map<string, typeof steady>()
  for (const relay of steady)
    for (const name of relay.before) byInstitution.set(name, [...(byInstitution.get(name) ?? []), relay])
  const relaysOf = (...sides: readonly Traits[]) =>
    sides.flatMap(({ institution }) => byInstitution.get(institution ?? '') ?? [])
  // Only where relays may bring anybody's name does it matter to all of them.
  const isLax = [land.before, land.after].some(({ snapshot }) => modeOf(snapshot, 'unknown-account') !== 'enforce')
  return ({ principal, one, other }: Case) => {
    const sender = principal.address
    for (const way of directions(land)) {
      const asName = question({ sender, clientAddress: stranger ?? '' })
      if (isWitness(asName, way)) collect.add({ direction: way.direction, right: 'name' }, principal.name, asName)
      for (const { example, clients } of new Set(isLax ? steady : relaysOf(one, other))) {
        const asRelayed = question({ sender, clientAddress: example })
        if (isWitness(asRelayed, way))
          collect.add({ direction: way.direction, right: 'relay', clients }, principal.name, asRelayed)
      }
    }
  }
}

/** A name that has become another mailbox's: whose login may write under it now, and whose no more. */
export function compareSigning(
  { land, collect, namesOf }: Comparison,
  one: Case,
  doorsOf: (one: Case) => readonly [Doors, Doors],
): void {
  const { one: a, other: b, principal } = one
  if (a.mailbox === b.mailbox) return
  for (const way of directions(land)) {
    const owner = way.index === 1 ? b.mailbox : a.mailbox
    if (owner === null) continue
    const traits = { one: traitsOf(land.before, owner), other: traitsOf(land.after, owner) }
    const doors = doorsOf({ principal: { name: owner, address: owner }, ...traits })
    const clients = intersect(doors[0].clients, doors[1].clients)
    const clientAddress = firstClient(clients.length > 0 ? { clients, unknown: false } : doors[way.index])
    const witness = question({ login: owner, sender: principal.address, clientAddress })
    // Where the owner is new as well, that is told already.
    if (isWitness(witness, way) && isOpen(doors[1 - way.index]!))
      collect.add({ direction: way.direction, right: 'sign', names: [principal.address] }, owner, witness)
    // The name is a login as well: of another mailbox, it writes under that one's names.
    for (const sender of namesOf(way.to, owner)) {
      const { address } = principal
      const asLogin = question({ login: address, sender, clientAddress })
      if (isWitness(asLogin, way) && !isWitness({ ...asLogin, sender: address }, way))
        collect.add({ direction: way.direction, right: 'sign', names: [sender] }, address, asLogin)
    }
  }
}

/** Without `sender-mismatch` whoever logs in writes under any name: a right of all, told once. */
export function compareForeignNames({ land, collect, actorsOf }: Comparison): void {
  if (modeOf(land.before.snapshot, 'sender-mismatch') === modeOf(land.after.snapshot, 'sender-mismatch')) return
  const sender = `${land.nobody}@${land.elsewhere}`
  for (const way of directions(land)) {
    const witness = [...actorsOf(way.to).values()]
      .flat()
      .find(actor => actor.login !== '' && isWitness({ ...actor, sender }, way))
    if (witness !== undefined)
      collect.add({ direction: way.direction, right: 'sign', names: null }, null, { ...witness, sender })
  }
}

/** Where everybody may write under any name, a withdrawn one is nobody's any more: told once for all who log in. */
export function createBorrowing({ land, collect, actorsOf }: Comparison) {
  const isLax = [land.before, land.after].every(({ snapshot }) => modeOf(snapshot, 'sender-mismatch') !== 'enforce')
  return ({ principal, one, other }: Case) => {
    if (!isLax || one.login === other.login) return
    const sender = principal.address
    for (const way of directions(land)) {
      const actors = [...actorsOf(way.to).values()].flat().filter(({ login }) => login !== '')
      const witness = actors.find(actor => isWitness({ ...actor, sender }, way))
      if (witness !== undefined)
        collect.add({ direction: way.direction, right: 'sign', names: [principal.name] }, null, { ...witness, sender })
    }
  }
}
