/**
 * Two fleets compared: who gains and loses which right. Accounts with equal traits are judged once, and each cell (an
 * account's traits, a block of the other side) by the policies themselves on one example of it. What is told carries a
 * request that the two fleets decide differently; a cell without one changes nothing for anybody and is not told (ADR 20).
 * Pure.
 */
import { addressAt } from '../decision/book.ts'
import { policies } from '../decision/decide.ts'
import { findParty, modeOf } from '../decision/party.ts'
import type { DomainRow } from '../decision/tables.ts'
import { type Block, type Landscape, type PlacedBlock, partition, surveyLandscape } from './blocks.ts'
import { type ClientClass, clientClasses, mapRelays, type RelayMap } from './clients.ts'
import { type Collector, createCollector } from './collect.ts'
import { compareRelays } from './compare-relays.ts'
import { type Fleet, isRefusedBy, permits, type Question, type Traits, traitsOf } from './fleet.ts'
import { type AddressSet, formatAddress, intersect, merged, piecesOf, toAddressSet, without } from './intervals.ts'
import type { Difference, Direction, Origin, SettingChange } from './lines.ts'

/** A name of a line, and the address to ask with. */
type Principal = { readonly name: string; readonly address: string }
type Case = { readonly principal: Principal; readonly one: Traits; readonly other: Traits }
type Doors = { readonly clients: AddressSet; readonly unknown: boolean }

export type Comparison = {
  readonly land: Landscape
  readonly relays: RelayMap
  readonly collect: Collector
  /** Addresses that act in a fleet, by domain: one of each kind, with a client. */
  readonly actorsOf: (fleet: Fleet) => ReadonlyMap<string, readonly Question[]>
}

export function compareFleets(before: Fleet, after: Fleet): Difference {
  const addresses = [...new Set([...addressesOf(before), ...addressesOf(after)])].sort()
  const land = surveyLandscape(before, after, unusedLabel(before, after, addresses))
  const relays = mapRelays(before, after)
  const collect = createCollector()
  const doors = createDoors(land)
  const actors = new Map<Fleet, ReadonlyMap<string, readonly Question[]>>()
  const actorsOf = (fleet: Fleet) => {
    const known = actors.get(fleet) ?? findActors(fleet === before ? 0 : 1, addresses, land, doors)
    actors.set(fleet, known)
    return known
  }
  const comparison: Comparison = { land, relays, collect, actorsOf }
  const cases = [...changedCases(land, relays, principals(land, addresses))]
  const senders = createSenders(comparison)
  const writes = createWrites(comparison)
  const hears = createHears(comparison)
  for (const one of cases) {
    compareLogin(comparison, one, doors(one))
    senders(one)
    writes(one, doors(one))
    hears(one)
    compareSigning(comparison, one, doors)
  }
  compareForeignNames(comparison)
  compareRelays(comparison, addresses)
  return { lines: collect.lines(), settings: settingsOf(before, after) }
}

function* addressesOf({ snapshot: { book } }: Fleet): Iterable<string> {
  for (let entry = 0; entry < book.addresses; entry += 1) yield addressAt(book, entry)
}

/** A label that occurs nowhere: what begins with it is nobody. */
function unusedLabel(before: Fleet, after: Fleet, addresses: readonly string[]): string {
  const texts = [before, after].flatMap(({ snapshot: { national, domains, exceptions } }) => [
    ...national.suffixes,
    ...national.domains,
    ...domains.keys(),
    ...[...exceptions.values()].flatMap(list => list.map(item => ('target' in item ? item.target : ''))),
  ])
  const isUsed = (label: string) => [addresses, texts].some(all => all.some(text => text.includes(label)))
  for (let at = 0; ; at += 1) {
    const label = `nobody${at === 0 ? '' : at}`
    if (!isUsed(label)) return label
  }
}

function* principals(land: Landscape, addresses: readonly string[]): Iterable<Principal> {
  for (const address of addresses) yield { name: address, address }
  for (const domain of land.domains) yield { name: `*@${domain}`, address: `${land.nobody}@${domain}` }
}

/** Those whose traits differ, or whose surroundings do. Nobody else fares otherwise. */
function* changedCases(land: Landscape, relays: RelayMap, all: Iterable<Principal>): Iterable<Case> {
  const { before, after } = land
  const isEverybody = isChangedForAll(land)
  const touched = touchedInstitutions(land, relays)
  for (const principal of all) {
    const one = traitsOf(before, principal.address)
    const other = traitsOf(after, principal.address)
    const isSame =
      one.institution === other.institution &&
      one.mailbox === other.mailbox &&
      one.login === other.login &&
      one.write === other.write &&
      one.hear === other.hear
    if (isEverybody || !isSame || touched.has(one.institution ?? '')) yield { principal, one, other }
  }
}

function isChangedForAll({ before, after, unstable }: Landscape): boolean {
  const [one, other] = [before.snapshot, after.snapshot]
  const nationalOf = ({ national: { suffixes, domains, networks } }: typeof one) =>
    JSON.stringify([[...suffixes].sort(), [...domains].sort(), networks.v4, networks.v6.map(String)])
  if (nationalOf(one) !== nationalOf(other)) return true
  if (policies.some(({ name }) => modeOf(one, name) !== modeOf(other, name))) return true
  // To everybody else a managed domain is national, whoever's it is.
  return [...unstable].some(domain => findParty(one, `x@${domain}`).scope !== findParty(other, `x@${domain}`).scope)
}

function touchedInstitutions({ before, after, unstable }: Landscape, { classes }: RelayMap): Set<string> {
  const touched = new Set<string>()
  for (const domain of unstable)
    for (const { snapshot } of [before, after]) {
      const row = snapshot.domains.get(domain)
      if (row !== undefined) touched.add(row.institution.name)
    }
  const networks = (row: DomainRow) =>
    [...row.institution.networkTexts, '/', ...row.institution.collectorTexts].join(' ')
  for (const [name, row] of before.snapshot.domains) {
    const other = after.snapshot.domains.get(name)
    if (other !== undefined && networks(row) !== networks(other)) touched.add(row.institution.name)
  }
  for (const { before: one, after: other } of classes)
    if (one.join(' ') !== other.join(' ')) for (const name of [...one, ...other]) touched.add(name)
  return touched
}

function remember<T>(make: (one: Case) => T, keyOf: (one: Case) => string): (one: Case) => T {
  const known = new Map<string, T>()
  return one => {
    const key = keyOf(one)
    let found = known.get(key)
    if (found === undefined) {
      found = make(one)
      known.set(key, found)
    }
    return found
  }
}

/** From where the login of a case may be used, in the one fleet and in the other. */
function createDoors(land: Landscape) {
  const { before, after } = land
  const national = [before, after].map(({ snapshot }) => toAddressSet(snapshot.national.networks))
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

const isOwn = ({ mailbox }: Traits) => mailbox !== null

export function question(asked: Partial<Question>): Question {
  const state = asked.recipient === undefined ? 'MAIL' : 'RCPT'
  return { state, clientAddress: '', sender: '', recipient: '', login: '', ...asked }
}

/** The two ways to look: what the later fleet permits and the earlier does not, and the reverse. */
export const directions = (land: Landscape) =>
  [
    { direction: 'gained', from: land.before, to: land.after, index: 1 },
    { direction: 'lost', from: land.after, to: land.before, index: 0 },
  ] as const satisfies readonly { direction: Direction; from: Fleet; to: Fleet; index: 0 | 1 }[]

export function isWitness(asked: Question, { from, to }: { readonly from: Fleet; readonly to: Fleet }): boolean {
  return permits(to, asked) && !permits(from, asked)
}

const firstClient = ({ clients }: Doors): string => (clients[0] === undefined ? '' : formatAddress(clients[0][0]))
const isOpen = ({ clients, unknown }: Doors): boolean => unknown || clients.length > 0

function compareLogin({ land, collect }: Comparison, { principal }: Case, doors: readonly [Doors, Doors]): void {
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

/** Names under which mail comes without a login: from strangers, and through relays that speak alike in both fleets. */
function createSenders({ land, relays, collect }: Comparison) {
  const { strangers, classes } = relays
  const stranger = strangers[0] === undefined ? undefined : formatAddress(strangers[0][0])
  const steady = classes.filter(isSteady)
  const byInstitution = new Map<string, typeof steady>()
  for (const relay of steady)
    for (const name of relay.before) byInstitution.set(name, [...(byInstitution.get(name) ?? []), relay])
  return ({ principal, one, other }: Case) => {
    const sender = principal.address
    for (const way of directions(land)) {
      const asName = question({ sender, clientAddress: stranger ?? '' })
      if (isWitness(asName, way)) collect.add({ direction: way.direction, right: 'name' }, principal.name, asName)
      for (const institution of new Set([one.institution, other.institution]))
        for (const { example, clients } of byInstitution.get(institution ?? '') ?? []) {
          const asRelayed = question({ sender, clientAddress: example })
          if (isWitness(asRelayed, way))
            collect.add({ direction: way.direction, right: 'relay', clients }, principal.name, asRelayed)
        }
    }
  }
}

export function isSteady({ before, after }: RelayMap['classes'][number]): boolean {
  return before.join(' ') === after.join(' ')
}

type Found<T> = readonly { readonly direction: Direction; readonly items: readonly T[]; readonly witness: Question }[]

/** How the account brings mail, in a fleet: by login, or through a relay; null where it can't at all. */
function createActing({ relays }: Comparison) {
  const byInstitution = new Map<string, string[]>()
  for (const { before, after, example } of relays.classes)
    for (const name of new Set([...before, ...after]))
      byInstitution.set(name, [...(byInstitution.get(name) ?? []), example])
  return (fleet: Fleet, { institution }: Traits, address: string, doors: Doors): Partial<Question> | null => {
    if (isOpen(doors)) return { login: address, sender: address, clientAddress: firstClient(doors) }
    for (const clientAddress of byInstitution.get(institution ?? '') ?? [])
      if (permits(fleet, question({ sender: address, clientAddress }))) return { sender: address, clientAddress }
    return null
  }
}

function institutionsKey(land: Landscape, { one, other }: Case, targets: readonly string[]): string {
  if (targets.length === 0 && land.unstable.size === 0 && one.institution === other.institution)
    return (land.ofInstitution.get(one.institution ?? '') ?? []).length > 0 ? '~' : '-'
  return `${one.institution} ${other.institution}`
}

function createWrites(comparison: Comparison) {
  const { land, collect } = comparison
  const acting = createActing(comparison)
  const judged = new Map<string, Found<Block>>()
  return (one: Case, doors: readonly [Doors, Doors]) => {
    const { address } = one.principal
    const acts = [
      acting(land.before, one.one, address, doors[0]),
      acting(land.after, one.other, address, doors[1]),
    ] as const
    const targets = [...new Set([...one.one.send, ...one.other.send])].sort()
    const how = acts.map(act => (act === null ? '-' : act.login === undefined ? 'relay' : 'login')).join(' ')
    const key = `${how}|${institutionsKey(land, one, targets)}|${one.one.write}|${one.other.write}`
    let found = judged.get(key)
    if (found === undefined) {
      const blocks = partition(land, [one.one.institution, one.other.institution], targets)
      found = directions(land).flatMap(way => {
        const act = acts[way.index]
        if (act === null) return []
        const cells = blocks.flatMap(placed => {
          const witness = recipientsOf(land, placed)
            .map(recipient => question({ ...act, recipient }))
            .find(asked => changesSending(asked, acts[1 - way.index]!, way) && isWitness(asked, way))
          return witness === undefined ? [] : [{ block: placed.block, witness }]
        })
        const [first] = cells
        if (first === undefined) return []
        return [{ direction: way.direction, items: cells.map(({ block }) => block), witness: first.witness }]
      })
      judged.set(key, found)
    }
    for (const { direction, items, witness } of found)
      collect.add({ direction, right: 'write', blocks: items }, one.principal.name, witness)
  }
}

/** True when it is the writer's own right that changes: a recipient's is told where the recipient is. */
function changesSending(asked: Question, other: Partial<Question> | null, { from }: { readonly from: Fleet }): boolean {
  return other === null || isRefusedBy(from, asked, ['scope-send'])
}

function* recipientsOf({ nobody }: Landscape, { example, domains }: PlacedBlock) {
  if (domains === undefined) yield example
  else for (const domain of domains) yield `${nobody}@${domain}`
}

function createHears(comparison: Comparison) {
  const { land, relays, collect } = comparison
  const { before, after } = land
  const national = [before, after].map(({ snapshot }) => toAddressSet(snapshot.national.networks))
  const clientsOf = remember(
    ({ one, other }) => {
      const sets = [one, other].map(({ party }) =>
        party.managed ? toAddressSet(party.managed.institution.networks) : [],
      )
      return clientClasses(relays, [sets[0]!, sets[1]!], [national[0]!, national[1]!])
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
function ownKey({ principal, one, other }: Case): string {
  return [...one.receive, ...other.receive].some(target => target.includes('@') && target === principal.address)
    ? principal.address
    : ''
}

const atRecipient = ['withdrawn', 'suspended-inbound'] as const

function judgeHearing(comparison: Comparison, one: Case, clients: readonly ClientClass[]): Found<Origin> {
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

function* originsOf(
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
        yield { ...actor, login: block.name, sender: block.name }
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

function isUnstable({ unstable }: Landscape, block: Block): boolean {
  return block.kind === 'domain' && unstable.has(block.name)
}

/** One of each kind by domain: which of two with equal traits writes makes no difference to whom they write to. */
function findActors(
  index: 0 | 1,
  addresses: readonly string[],
  land: Landscape,
  doors: (one: Case) => readonly [Doors, Doors],
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
    if (!isOpen(open)) continue
    const actor = question({ login: address, sender: address, clientAddress: firstClient(open) })
    found.set(domain, [...(found.get(domain) ?? []), actor])
  }
  return found
}

/** A name that has become another mailbox's: whose login may write under it now, and whose no more. */
function compareSigning(
  { land, collect }: Comparison,
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
  }
}

/** Without `sender-mismatch` whoever logs in writes under any name: a right of all, told once. */
function compareForeignNames({ land, collect, actorsOf }: Comparison): void {
  if (modeOf(land.before.snapshot, 'sender-mismatch') === modeOf(land.after.snapshot, 'sender-mismatch')) return
  const sender = `${land.nobody}@${land.elsewhere}`
  for (const way of directions(land)) {
    const witness = [...actorsOf(way.to).values()].flat().find(actor => isWitness({ ...actor, sender }, way))
    if (witness !== undefined)
      collect.add({ direction: way.direction, right: 'sign', names: null }, null, { ...witness, sender })
  }
}

function settingsOf(before: Fleet, after: Fleet): SettingChange[] {
  const [one, other] = [before.snapshot, after.snapshot]
  const changes = policies.map(({ name }) => ({
    setting: `policies.${name}`,
    before: modeOf(one, name) as string,
    after: modeOf(other, name) as string,
  }))
  for (const name of ['recipientsPerHour', 'recipientsPerDay'] as const)
    changes.push({ setting: `limits.${name}`, before: String(one.limits[name]), after: String(other.limits[name]) })
  return changes.filter(change => change.before !== change.after)
}
