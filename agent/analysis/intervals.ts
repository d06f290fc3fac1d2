/**
 * Client addresses as intervals of one line: IPv4 first, IPv6 behind it, without the IPv6 that is IPv4 in disguise
 * (RFC 4291 section 2.5.5.2), which the live decision reads as IPv4. Sets are sorted and merged, so equal sets have equal
 * texts. Pure.
 */
import type { NetworkSet } from '../decision/network.ts'

/** Both ends belong to it. */
export type Interval = readonly [from: bigint, to: bigint]
export type AddressSet = readonly Interval[]

const v4End = (1n << 32n) - 1n
const v6Begin = v4End + 1n
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
  if (at <= v4End) return [24n, 16n, 8n, 0n].map(shift => (at >> shift) & 255n).join('.')
  const value = at - v6Begin
  const words = Array.from({ length: 8 }, (_, word) => ((value >> BigInt(112 - word * 16)) & 0xffffn).toString(16))
  // RFC 5952 section 4.2: the longest run of zeros is left out.
  const [longest = ''] = (words.join(':').match(/\b0(?::0)+\b/g) ?? []).sort((a, b) => b.length - a.length)
  return longest === '' ? words.join(':') : words.join(':').replace(longest, '::').replace(/:{3,}/, '::')
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
