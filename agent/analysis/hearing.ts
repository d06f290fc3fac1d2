/** From whom accounts may hear: what a recipient's side has against a mail, by the way it comes. Pure. */
import { findParty, modeOf } from '../decision/party.ts'
import { type Block, type Landscape, type PlacedBlock, partition } from './blocks.ts'
import { type Case, type Comparison, directions, type Found, isSteady, isWitness, question, remember } from './case.ts'
import { type ClientClass, clientClasses, clientRegions } from './clients.ts'
import { type Fleet, isRefusedBy, type Question } from './fleet.ts'
import { toAddressSet } from './intervals.ts'
import type { Origin } from './lines.ts'
import { regionsOf } from './regions.ts'

export function createHears(comparison: Comparison) {
  const { land, relays, collect } = comparison
  const { before, after } = land
  const regions = clientRegions(relays, regionsOf(before.snapshot), regionsOf(after.snapshot))
  const clientsOf = remember(
    ({ one, other }) => {
      const sets = [one, other].map(({ party }) =>
        party.managed ? toAddressSet(party.managed.institution.networks) : [],
      )
      return clientClasses(regions, [sets[0]!, sets[1]!])
    },
    ({ one, other }) => `${one.institution}|${other.institution}`,
  )
  const judged = new Map<string, Found<Origin>>()
  return (one: Case) => {
    const isHere = one.one.institution !== null || one.other.institution !== null
    if (!isHere) return
    // Equal where nothing that this account hears by has changed.
    const key = `${one.one.institution}|${one.other.institution}|${one.one.hear}|${one.other.hear}|${ownKey(one)}`
    let found = judged.get(key)
    if (found === undefined) {
      found = judgeHearing(comparison, one, clientsOf(one))
      judged.set(key, found)
    }
    const recipient = one.principal.address
    for (const { direction, items, witness } of found)
      collect.add({ direction, right: 'hear', origins: items }, one.principal.name, { ...witness, recipient })
  }
}

/** An account that is excepted by its own address, or that stands for itself in a witness, is judged by itself. */
export function ownKey({ principal, one, other }: Case): string {
  return [...one.receive, ...other.receive].some(target => target.includes('@') && target === principal.address)
    ? principal.address
    : ''
}

const atRecipient = ['withdrawn', 'suspended-inbound'] as const

export function judgeHearing(comparison: Comparison, one: Case, clients: readonly ClientClass[]): Found<Origin> {
  const { land } = comparison
  const recipient = one.principal.address
  const targets = [...new Set([...one.one.receive, ...one.other.receive])].sort()
  const institutions = [one.one.institution, one.other.institution] as const
  const blocks = partition(land, institutions, targets)
  const hears = (fleet: Fleet, origin: Origin, asked: Question): boolean => {
    if (isRefusedBy(fleet, question({ recipient }), atRecipient)) return false
    if (origin.way === 'stranger') {
      if (findParty(fleet.snapshot, recipient).managed === undefined) return false
      if (isRefusedBy(fleet, question({ recipient }), ['unknown-account'])) return false
    }
    return !isRefusedBy(fleet, asked, ['scope-receive'])
  }
  return directions(land).flatMap(way => {
    const cells: { origin: Origin; witness: Question }[] = []
    for (const { origin, example, questions } of originsOf(comparison, one, blocks, clients)) {
      const asked = { ...example, recipient, state: 'RCPT' }
      if (!hears(way.to, origin, asked) || hears(way.from, origin, asked)) continue
      for (const candidate of questions(way.to)) {
        const witness = { ...candidate, recipient, state: 'RCPT' }
        if (!isWitness(witness, way)) continue
        cells.push({ origin, witness })
        break
      }
    }
    const [first] = cells
    if (first === undefined) return []
    return [{ direction: way.direction, items: cells.map(({ origin }) => origin), witness: first.witness }]
  })
}

type Asked = {
  readonly origin: Origin
  readonly example: Question
  /** Those who would really come that way in a fleet, until one is a witness. */
  readonly questions: (fleet: Fleet) => Iterable<Question>
}

export function* originsOf(
  { land, relays, actorsOf }: Comparison,
  { one, other }: Case,
  blocks: readonly PlacedBlock[],
  clients: readonly ClientClass[],
): Iterable<Asked> {
  const all = [land.before, land.after]
  const isLax = (name: 'sender-mismatch' | 'unknown-account' | 'spoofed-sender') =>
    all.some(({ snapshot }) => modeOf(snapshot, name) !== 'enforce')
  const logins = blocks.filter(
    ({ block, domains }) => domains !== undefined || block.kind === 'address' || isUnstable(land, block),
  )
  function* actors(fleet: Fleet, { block, domains }: PlacedBlock): Iterable<Question> {
    const found = actorsOf(fleet)
    if (block.kind === 'address') {
      const domain = block.name.slice(block.name.indexOf('@') + 1)
      for (const actor of found.get(domain) ?? []) {
        yield { ...actor, login: actor.login === '' ? '' : block.name, sender: block.name }
      }
    } else for (const domain of domains ?? ('name' in block ? [block.name] : [])) yield* found.get(domain) ?? []
  }
  for (const login of logins) {
    const example = question({ login: login.example, sender: login.example })
    yield {
      origin: { way: 'login', from: login.block, sender: 'own' },
      example,
      questions: fleet => actors(fleet, login),
    }
    const others = isLax('sender-mismatch') ? blocks : blocks.filter(({ block }) => block.kind === 'null')
    for (const { block, example: sender } of others)
      yield {
        origin: { way: 'login', from: login.block, sender: block },
        example: { ...example, sender },
        *questions(fleet) {
          for (const actor of actors(fleet, login)) yield { ...actor, sender }
        },
      }
  }
  const outside = isLax('spoofed-sender') ? blocks : blocks.filter(({ domains }) => domains === undefined)
  for (const { block, example: sender } of outside)
    for (const client of clients) {
      const example = question({ sender, clientAddress: client.example })
      yield { origin: { way: 'stranger', from: block, client }, example, questions: () => [example] }
    }
  const [a, b] = [one.institution, other.institution]
  for (const institution of new Set([a, b, null])) {
    const matching = relays.classes.filter(isSteady).filter(({ before: [first] }) => {
      return institution === null ? first !== a && first !== b : first === institution
    })
    const [first] = matching
    if (first === undefined) continue
    const relay = institution === null ? null : a === b ? '' : institution
    const senders = isLax('unknown-account') ? blocks : blocks.filter(({ block }) => block.kind === 'null')
    for (const { block, example: sender } of senders)
      yield {
        origin: { way: 'relay', from: block, relay },
        example: question({ sender, clientAddress: first.example }),
        questions: () => matching.map(({ example }) => question({ sender, clientAddress: example })),
      }
  }
}

export function isUnstable({ unstable }: Landscape, block: Block): boolean {
  return block.kind === 'domain' && unstable.has(block.name)
}
