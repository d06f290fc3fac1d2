/**
 * Client addresses, cut where either fleet tells them apart: by the institutions that they may speak for as declared
 * relays, and, as one institution sees strangers and logins, by its networks and the national ones. Pure.
 */
import { matchesOf, type PrefixTable } from '../decision/network.ts'
import type { InstitutionRow } from '../decision/tables.ts'
import { parseIp } from '../model/ip.ts'
import { withAll } from './blocks.ts'
import type { Fleet } from './fleet.ts'
import {
  type AddressSet,
  everywhere,
  firstOutside,
  firstWithin,
  formatAddress,
  merged,
  piecesOf,
  toAddressSet,
  union,
  without,
} from './intervals.ts'
import type { Regions } from './regions.ts'

/** Clients that speak for the same institutions, in one fleet and in the other. */
export type RelayClass = {
  readonly before: readonly string[]
  readonly after: readonly string[]
  readonly clients: AddressSet
  readonly example: string
}

export type RelayMap = { readonly classes: readonly RelayClass[]; readonly strangers: AddressSet }

export function mapRelays(before: Fleet, after: Fleet): RelayMap {
  const tables = [before.snapshot.relays, after.snapshot.relays] as const
  const classes = new Map<string, { before: string[]; after: string[]; clients: AddressSet[] }>()
  for (const piece of piecesOf(tables.flatMap(networksOf))) {
    const ip = parseIp(formatAddress(piece[0]))
    const [one, other] = tables.map(table => [...new Set(matchesOf(table, ip).map(({ name }) => name))])
    if (one!.length + other!.length === 0) continue
    const key = JSON.stringify([one, other])
    const known = classes.get(key)
    if (known === undefined) classes.set(key, { before: one!, after: other!, clients: [[piece]] })
    else known.clients.push([piece])
  }
  const found = [...classes.values()].map(({ clients, ...names }): RelayClass => {
    const all = merged(clients.flat())
    return { ...names, clients: all, example: formatAddress(all[0]![0]) }
  })
  const taken = merged(found.flatMap(({ clients }) => clients).sort(([a], [b]) => (a < b ? -1 : 1)))
  return { classes: found, strangers: without(everywhere, taken) }
}

function networksOf(table: PrefixTable<InstitutionRow>): AddressSet[] {
  const v4 = table.v4.flatMap(({ length, values }) =>
    [...values.keys()].map(from => toAddressSet({ v4: [from, from + 2 ** (32 - length) - 1], v6: [] })),
  )
  const v6 = table.v6.flatMap(({ length, values }) =>
    [...values.keys()].map(from => toAddressSet({ v4: [], v6: [from, from + (1n << BigInt(128 - length)) - 1n] })),
  )
  return [...v4, ...v6]
}

/** Strangers as an account sees them: each bit says whether a set holds the address. Without one: address not known. */
export type ClientClass = {
  readonly ownBefore: boolean
  readonly ownAfter: boolean
  readonly nationalBefore: boolean
  readonly nationalAfter: boolean
  /** Of no country that is known. */
  readonly unknownBefore: boolean
  readonly unknownAfter: boolean
  readonly isKnown: boolean
  readonly example: string
}

export function ownNetworks(row: InstitutionRow | undefined, kind: 'networks' | 'collectors'): AddressSet {
  return row === undefined ? [] : toAddressSet(row[kind])
}

type Region = Pick<ClientClass, 'nationalBefore' | 'nationalAfter' | 'unknownBefore' | 'unknownAfter'> & {
  readonly clients: AddressSet
}

/** Strangers by country alone, the same for every institution. */
export function clientRegions({ strangers }: RelayMap, before: Regions, after: Regions): Region[] {
  const regions: Region[] = []
  const places = ['national', 'unknown', 'foreign'] as const
  const cutsOf = ({ national, unknown }: Regions, place: (typeof places)[number]) =>
    [
      [national, place === 'national'],
      [unknown, place === 'unknown'],
    ] as const
  for (const one of places)
    for (const other of places) {
      const clients = withAll(strangers, [...cutsOf(before, one), ...cutsOf(after, other)])
      if (clients.length === 0) continue
      regions.push({
        nationalBefore: one === 'national',
        nationalAfter: other === 'national',
        unknownBefore: one === 'unknown',
        unknownAfter: other === 'unknown',
        clients,
      })
    }
  return regions
}

/** The regions as one institution sees them, by its own networks, which are few. */
export function clientClasses(
  regions: readonly Region[],
  [before, after]: readonly [AddressSet, AddressSet],
): ClientClass[] {
  const unknown = { nationalBefore: false, nationalAfter: false, unknownBefore: false, unknownAfter: false }
  const classes: ClientClass[] = [{ ...unknown, ownBefore: false, ownAfter: false, isKnown: false, example: '' }]
  const both = union(before, after)
  for (const { clients, ...region } of regions)
    for (const [ownBefore, ownAfter] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const isOutside = !ownBefore && !ownAfter
      const own = withAll(both, [
        [before, ownBefore],
        [after, ownAfter],
      ])
      const first = isOutside ? firstOutside(clients, both) : firstWithin(clients, own)
      if (first !== undefined)
        classes.push({ ...region, ownBefore, ownAfter, isKnown: true, example: formatAddress(first) })
    }
  return classes
}
