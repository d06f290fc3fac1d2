/**
 * Networks for live decisions: sets of networks as sorted intervals, tables of networks with values by prefix length. A
 * look-up does not get dearer with the number of networks. Pure.
 */
import { type Ip, parseIp } from '../model/ip.ts'

/** Canonical CIDR, or a single address; undefined for what can't be read. */
function parseNetwork(text: string): { readonly address: Ip; readonly length: number } | undefined {
  const [addressText = '', lengthText] = text.split('/')
  const address = parseIp(addressText)
  if (address === undefined) return undefined
  const bits = typeof address === 'number' ? 32 : 128
  const length = lengthText === undefined ? bits : Number(lengthText)
  return Number.isInteger(length) && length >= 0 && length <= bits ? { address, length } : undefined
}

function maskV4(address: number, length: number): number {
  return length === 0 ? 0 : ((address >>> (32 - length)) << (32 - length)) >>> 0
}

function maskV6(address: bigint, length: number): bigint {
  const rest = BigInt(128 - length)
  return (address >> rest) << rest
}

/** Addresses as intervals that neither touch nor overlap, in order: from, to (inclusive), from, to… */
export type NetworkSet = {
  readonly v4: readonly number[]
  readonly v6: readonly bigint[]
}

/** One that cannot be read holds nothing. */
export function buildNetworkSet(networks: Iterable<string>): NetworkSet {
  const v4: [number, number][] = []
  const v6: [bigint, bigint][] = []
  for (const text of networks) {
    const network = parseNetwork(text)
    if (network === undefined) continue
    const { address, length } = network
    if (typeof address === 'number') {
      const from = maskV4(address, length)
      v4.push([from, from + 2 ** (32 - length) - 1])
    } else {
      const from = maskV6(address, length)
      v6.push([from, from + (1n << BigInt(128 - length)) - 1n])
    }
  }
  return { v4: mergeIntervals(v4, to => to + 1), v6: mergeIntervals(v6, to => to + 1n) }
}

function mergeIntervals<T extends number | bigint>(intervals: [T, T][], next: (to: T) => T): T[] {
  const merged: [T, T][] = []
  for (const [from, to] of intervals.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    const last = merged.at(-1)
    if (last === undefined || from > next(last[1])) merged.push([from, to])
    else if (to > last[1]) last[1] = to
  }
  return merged.flat()
}

export function isEmpty({ v4, v6 }: NetworkSet): boolean {
  return v4.length + v6.length === 0
}

export function contains({ v4, v6 }: NetworkSet, ip: Ip | undefined): boolean {
  if (ip === undefined) return false
  return typeof ip === 'number' ? isWithin(v4, ip) : isWithin(v6, ip)
}

/** The last interval that begins at or before it is the only one that can hold it. */
function isWithin<T extends number | bigint>(bounds: readonly T[], ip: T): boolean {
  let low = 0
  let high = bounds.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (bounds[middle * 2]! <= ip) low = middle + 1
    else high = middle
  }
  return low > 0 && ip <= bounds[low * 2 - 1]!
}

type Level<K, T> = { readonly length: number; readonly values: ReadonlyMap<K, readonly T[]> }

export type PrefixTable<T> = {
  readonly v4: readonly Level<number, T>[]
  readonly v6: readonly Level<bigint, T>[]
}

/** One that cannot be read matches nothing. */
export function buildPrefixTable<T>(entries: Iterable<readonly [network: string, value: T]>): PrefixTable<T> {
  const v4 = new Map<number, Map<number, T[]>>()
  const v6 = new Map<number, Map<bigint, T[]>>()
  for (const [text, value] of entries) {
    const network = parseNetwork(text)
    if (network === undefined) continue
    const { address, length } = network
    if (typeof address === 'number') add(v4, length, maskV4(address, length), value)
    else add(v6, length, maskV6(address, length), value)
  }
  return { v4: levels(v4), v6: levels(v6) }
}

function add<K, T>(table: Map<number, Map<K, T[]>>, length: number, key: K, value: T): void {
  const level = table.get(length) ?? new Map<K, T[]>()
  table.set(length, level)
  const values = level.get(key) ?? []
  level.set(key, values)
  values.push(value)
}

function levels<K, T>(table: ReadonlyMap<number, ReadonlyMap<K, readonly T[]>>): readonly Level<K, T>[] {
  return [...table].map(([length, values]) => ({ length, values })).sort((a, b) => b.length - a.length)
}

const none: readonly never[] = []

/** Every value whose network contains the address, the longest prefix first. */
export function matchesOf<T>(table: PrefixTable<T>, ip: Ip | undefined): readonly T[] {
  let found: readonly T[] = none
  if (typeof ip === 'number') {
    for (const { length, values } of table.v4) found = joined(found, values.get(maskV4(ip, length)))
  } else if (ip !== undefined) {
    for (const { length, values } of table.v6) found = joined(found, values.get(maskV6(ip, length)))
  }
  return found
}

function joined<T>(found: readonly T[], more: readonly T[] | undefined): readonly T[] {
  if (more === undefined) return found
  return found.length === 0 ? more : [...found, ...more]
}
