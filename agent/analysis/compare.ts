/**
 * Two fleets compared: who gains and loses which right. Accounts with equal traits are judged once, and each cell (an
 * account's traits, a block of the other side) by the policies themselves on one example of it. What is told carries a
 * request that the two fleets decide differently; a cell without one changes nothing for anybody and is not told (ADR 20).
 * Pure.
 */
import { addressesIn } from '../decision/book.ts'
import { policies } from '../decision/decide.ts'
import { findParty, modeOf } from '../decision/party.ts'
import type { Snapshot } from '../decision/snapshot.ts'
import type { DomainRow } from '../decision/tables.ts'
import type { PolicyName } from '../manifest/schema.ts'
import { type Landscape, surveyLandscape } from './blocks.ts'
import type { Case, Comparison, Principal } from './case.ts'
import { mapRelays, type RelayMap } from './clients.ts'
import { createCollector } from './collect.ts'
import { compareRelays } from './compare-relays.ts'
import { compareLogin, createDoors, findActors } from './doors.ts'
import { type Fleet, type Question, traitsOf } from './fleet.ts'
import { createHears } from './hearing.ts'
import type { AddressSet } from './intervals.ts'
import type { Difference, SettingChange } from './lines.ts'
import { compareForeignNames, compareSigning, createBorrowing, createSenders } from './names.ts'
import { regionsOf } from './regions.ts'
import { createActing, createWrites } from './writing.ts'

export function compareFleets(before: Fleet, after: Fleet): Difference {
  const addresses = [...new Set([before, after].flatMap(fleet => [...addressesOf(fleet)]))].sort()
  const land = surveyLandscape(before, after, unusedLabel(before, after, addresses))
  const relays = mapRelays(before, after)
  const collect = createCollector()
  const doors = createDoors(land)
  const acting = createActing({ relays })
  const actors = new Map<Fleet, ReadonlyMap<string, readonly Question[]>>()
  const actorsOf = (fleet: Fleet) => {
    const known =
      actors.get(fleet) ??
      findActors(fleet === before ? 0 : 1, addresses, land, doors, (...asked) => acting(fleet, ...asked))
    actors.set(fleet, known)
    return known
  }
  const names = new Map<Fleet, ReadonlyMap<string | null, readonly string[]>>()
  const namesOf = (fleet: Fleet, mailbox: string) => {
    const known = names.get(fleet) ?? Map.groupBy(addresses, address => traitsOf(fleet, address).mailbox)
    names.set(fleet, known)
    return known.get(mailbox) ?? []
  }
  const comparison: Comparison = { land, relays, collect, namesOf, actorsOf }
  const cases = [...changedCases(land, relays, principals(land, addresses))]
  const senders = createSenders(comparison)
  const writes = createWrites(comparison)
  const hears = createHears(comparison)
  const borrowing = createBorrowing(comparison)
  for (const one of cases) {
    compareLogin(comparison, one, doors(one))
    senders(one)
    writes(one, doors(one))
    hears(one)
    compareSigning(comparison, one, doors)
    borrowing(one)
  }
  compareForeignNames(comparison)
  compareRelays(comparison, addresses)
  return { lines: collect.lines(), settings: settingsOf(before, after), lax: laxOf(before, after) }
}

function* addressesOf({ snapshot: { book, exceptions } }: Fleet): Iterable<string> {
  yield* addressesIn(book)
  // A name that an exception singles out may be written to where its neighbours, nobody's like it, may not.
  for (const list of exceptions.values())
    for (const exception of list) if ('target' in exception && exception.target.includes('@')) yield exception.target
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
  if (!haveSameRegions(one, other)) return true
  if (nationalOf(one) !== nationalOf(other)) return true
  if (policies.some(({ name }) => modeOf(one, name) !== modeOf(other, name))) return true
  // To everybody else a managed domain is national, whoever's it is.
  return [...unstable].some(domain => findParty(one, `x@${domain}`).scope !== findParty(other, `x@${domain}`).scope)
}

function haveSameRegions(one: Snapshot, other: Snapshot): boolean {
  if (one.national.country === other.national.country) return true
  const isSame = (a: AddressSet, b: AddressSet) =>
    a.length === b.length && a.every(([from, to], at) => from === b[at]![0] && to === b[at]![1])
  const [before, after] = [regionsOf(one), regionsOf(other)]
  const isTold = (one.national.country === null) === (other.national.country === null)
  return isTold && isSame(before.national, after.national) && isSame(before.unknown, after.unknown)
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

/** Where one of these is not enforced, what names that nobody has may do is not compared for each of them (ADR 20). */
const identityPolicies = ['unknown-account', 'sender-mismatch', 'spoofed-sender'] as const

function laxOf(before: Fleet, after: Fleet): readonly PolicyName[] {
  return identityPolicies.filter(name => [before, after].some(({ snapshot }) => modeOf(snapshot, name) !== 'enforce'))
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
