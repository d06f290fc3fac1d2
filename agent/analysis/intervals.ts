/**
 * Client addresses as intervals of one line: IPv4 first, IPv6 behind it, without the IPv6 that is IPv4 in disguise
 * (RFC 4291 section 2.5.5.2), which the live decision reads as IPv4. Sets are sorted and merged, so equal sets have equal
 * texts. Pure.
 */
import type { NetworkSet } from '../decision/network.ts'
import { formatIp } from '../model/ip.ts'

/** Both ends belong to it. */
export type Interval = readonly [from: bigint, to: bigint]
export type AddressSet = readonly Interval[]

const v4End = (1n << 32n) - 1n
/** Where IPv6 begins on the line. */
export const v6Begin = v4End + 1n
const end = v6Begin + (1n << 128n) - 1n
const mappedBegin = v6Begin + (0xffffn << 32n)
const mappedEnd = mappedBegin + v4End

/** Every address that a client can have. */
export const everywhere: AddressSet = [
  [0n, v4End],
  [v6Begin, mappedBegin - 1n],
  [mappedEnd + 1n, end],
]

export function toAddressSet({ v4, v6 }: NetworkSet): AddressSet {
  const intervals: Interval[] = []
  for (let at = 0; at < v4.length; at += 2) intervals.push([BigInt(v4[at]!), BigInt(v4[at + 1]!)])
  for (let at = 0; at < v6.length; at += 2) intervals.push([v6Begin + v6[at]!, v6Begin + v6[at + 1]!])
  return intersect(intervals, everywhere)
}

export function intersect(one: AddressSet, other: AddressSet): AddressSet {
  const found: Interval[] = []
  for (let a = 0, b = 0; a < one.length && b < other.length; ) {
    const [from, to] = one[a]!
    const [start, stop] = other[b]!
    const low = from > start ? from : start
    const high = to < stop ? to : stop
    if (low <= high) found.push([low, high])
    if (to < stop) a += 1
    else b += 1
  }
  return found
}

export function without(set: AddressSet, taken: AddressSet): AddressSet {
  return intersect(set, complementOf(taken))
}

function complementOf(set: AddressSet): AddressSet {
  const found: Interval[] = []
  let from = 0n
  for (const [start, stop] of set) {
    if (start > from) found.push([from, start - 1n])
    from = stop + 1n
  }
  if (from <= end) found.push([from, end])
  return found
}

/** Neighbours are one interval in it. */
export function union(one: AddressSet, other: AddressSet): AddressSet {
  return intersect(complementOf(intersect(complementOf(one), complementOf(other))), everywhere)
}

/** The pieces that the ends of `sets` cut the whole line into: no set holds a part of one. */
export function piecesOf(sets: readonly AddressSet[]): AddressSet {
  const cuts = new Set<bigint>()
  for (const [from, to] of [...sets.flat(), ...everywhere]) {
    cuts.add(from)
    cuts.add(to + 1n)
  }
  const begins = [...cuts].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const pieces = begins.flatMap((from, at): Interval[] =>
    at + 1 < begins.length ? [[from, begins[at + 1]! - 1n]] : [],
  )
  return intersect(pieces, everywhere)
}

/** The first address of a set that a few intervals do not take. */
export function firstOutside(set: AddressSet, few: AddressSet): bigint | undefined {
  for (const interval of set) {
    const [left] = without([interval], few)
    if (left !== undefined) return left[0]
  }
  return undefined
}

/** The first address of a few intervals that a set holds, however many intervals it has. */
export function firstWithin(set: AddressSet, few: AddressSet): bigint | undefined {
  for (const [from, to] of few) {
    // The first interval that ends at `from` or behind it.
    let low = 0
    let high = set.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (set[middle]![1] < from) low = middle + 1
      else high = middle
    }
    const start = set[low]?.[0]
    if (start !== undefined && start <= to) return start > from ? start : from
  }
  return undefined
}

/** Neighbours become one; IPv4 never runs into IPv6. */
export function merged(pieces: AddressSet): AddressSet {
  const found: [bigint, bigint][] = []
  for (const [from, to] of pieces) {
    const last = found.at(-1)
    if (last !== undefined && last[1] + 1n === from && from !== v6Begin) last[1] = to
    else found.push([from, to])
  }
  return found
}

/** An address of the line as a client of Postfix has it. */
export function formatAddress(at: bigint): string {
  return formatIp(at <= v4End ? Number(at) : at - v6Begin)
}

/** CIDR where an interval is one network, else both ends. */
export function formatInterval([from, to]: Interval): string {
  const size = to - from + 1n
  const isNetwork = (size & (size - 1n)) === 0n && ((from > v4End ? from - v6Begin : from) & (size - 1n)) === 0n
  if (size === 1n) return formatAddress(from)
  if (!isNetwork) return `${formatAddress(from)}–${formatAddress(to)}`
  const bits = from <= v4End ? 32 : 128
  return `${formatAddress(from)}/${bits - (size.toString(2).length - 1)}`
}
