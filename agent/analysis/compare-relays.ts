/**
 * Clients that speak for other institutions than before. Everything about mail that they bring without a login is judged
 * otherwise, so a line says it for all of it, with one request for each direction in which something changes. And the
 * bounces of relays, which belong to no account. Pure.
 */
import { type Landscape, partition } from './blocks.ts'
import { type Comparison, directions, isSteady, isWitness, question } from './case.ts'
import { type Question, traitsOf } from './fleet.ts'

export function compareRelays(comparison: Comparison, addresses: readonly string[]): void {
  const { land, relays, collect } = comparison
  for (const { before, after, clients, example, ...relay } of relays.classes) {
    if (isSteady({ before, after, clients, example, ...relay })) continue
    const questions = [...askedOf(comparison, [...before, ...after], example, addresses)]
    for (const way of directions(land)) {
      const witness = questions.find(asked => isWitness(asked, way))
      if (witness !== undefined)
        collect.add({ direction: way.direction, right: 'speak', clients, before, after }, null, witness)
    }
  }
  compareBounces(comparison)
}

function* askedOf(
  { land }: Comparison,
  institutions: readonly string[],
  clientAddress: string,
  addresses: readonly string[],
): Iterable<Question> {
  const mine = new Set(institutions)
  const own = addresses.filter(address => {
    const domain = address.slice(address.indexOf('@') + 1)
    return [land.before, land.after].some(({ snapshot }) =>
      mine.has(snapshot.domains.get(domain)?.institution.name ?? ''),
    )
  })
  const outside = partition(land, [null, null], []).map(({ example }) => example)
  for (const sender of [...outside, ...own]) {
    yield question({ sender, clientAddress })
    for (const recipient of outside) if (recipient !== '') yield question({ sender, clientAddress, recipient })
  }
  for (const recipient of addresses) yield question({ clientAddress, recipient })
  // What one account sends another may change where neither changes towards the rest of the world.
  const recipients = oneOfEach(land, addresses, 'hear')
  for (const sender of oneOfEach(land, own, 'write'))
    for (const recipient of recipients) yield question({ sender, clientAddress, recipient })
}

/** One of those that fare alike; whom an exception singles out stands for itself. */
function oneOfEach(land: Landscape, addresses: readonly string[], right: 'hear' | 'write'): readonly string[] {
  const singled = new Set(
    [land.before, land.after].flatMap(({ snapshot }) =>
      [...snapshot.exceptions.values()].flat().flatMap(item => ('target' in item ? [item.target] : [])),
    ),
  )
  const found = new Map<string, string>()
  for (const address of addresses) {
    const [one, other] = [land.before, land.after].map(fleet => traitsOf(fleet, address))
    const kind = singled.has(address)
      ? address
      : `${one!.institution}|${one![right]}|${other!.institution}|${other![right]}`
    if (!found.has(kind)) found.set(kind, address)
  }
  return [...found.values()]
}

function compareBounces({ land, relays, collect }: Comparison): void {
  for (const relay of relays.classes.filter(isSteady)) {
    const institution = relay.before[0] ?? null
    for (const way of directions(land)) {
      // A hold on a domain of the institution closes its bounces too, so they may come and go with the domain.
      const bounce = question({ clientAddress: relay.example })
      if (isWitness(bounce, way)) {
        const what = { direction: way.direction, right: 'relay', clients: relay.clients } as const
        collect.add(what, `<>@${institution}`, bounce)
      }
      // Whether relays bring names from elsewhere hangs on the mode of `unknown-account` alone.
      const foreign = question({ sender: `${land.nobody}@${land.elsewhere}`, clientAddress: relay.example })
      if (isWitness(foreign, way))
        collect.add({ direction: way.direction, right: 'relay', clients: relay.clients }, '*', foreign)
      const cells = partition(land, [institution, institution], []).flatMap(placed => {
        if (placed.block.kind === 'null') return []
        const asked = question({ clientAddress: relay.example, recipient: placed.example })
        return isWitness(asked, way) ? [{ block: placed.block, witness: asked }] : []
      })
      const [first] = cells
      if (first === undefined) continue
      const blocks = cells.map(({ block }) => block)
      collect.add({ direction: way.direction, right: 'write', blocks }, `<>@${institution}`, first.witness)
    }
  }
}
