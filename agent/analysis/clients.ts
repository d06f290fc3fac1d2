/**
 * Client addresses, cut where either fleet tells them apart: by the institutions that they may speak for as declared
 * relays, and, as one institution sees strangers and logins, by its networks and the national ones. Pure.
 */
import { matchesOf, type PrefixTable, parseIp } from '../decision/network.ts'
import type { InstitutionRow } from '../decision/tables.ts'
import { withAll } from './blocks.ts'
import type { Fleet } from './fleet.ts'
import { type AddressSet, everywhere, formatAddress, merged, piecesOf, toAddressSet, without } from './intervals.ts'

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
  readonly isKnown: boolean
  readonly example: string
}

export function ownNetworks(row: InstitutionRow | undefined, kind: 'networks' | 'collectors'): AddressSet {
  return row === undefined ? [] : toAddressSet(row[kind])
}

export function clientClasses(
  { strangers }: RelayMap,
  own: readonly [AddressSet, AddressSet],
  national: readonly [AddressSet, AddressSet],
): ClientClass[] {
  const classes: ClientClass[] = [
    { ownBefore: false, ownAfter: false, nationalBefore: false, nationalAfter: false, isKnown: false, example: '' },
  ]
  for (let bits = 0; bits < 16; bits += 1) {
    const [ownBefore, ownAfter, nationalBefore, nationalAfter] = [1, 2, 4, 8].map(bit => (bits & bit) !== 0) as [
      boolean,
      boolean,
      boolean,
      boolean,
    ]
    // The small sets first: what is left of them costs little to cut further.
    const cuts = [
      [own[0], ownBefore],
      [own[1], ownAfter],
      [national[0], nationalBefore],
      [national[1], nationalAfter],
    ] as const
    const [first] = withAll(strangers, cuts)
    if (first === undefined) continue
    const example = formatAddress(first[0])
    classes.push({ ownBefore, ownAfter, nationalBefore, nationalAfter, isKnown: true, example })
  }
  return classes
}
