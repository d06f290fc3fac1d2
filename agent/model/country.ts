/**
 * Country data as live decisions look it up: of every address whether it is national, foreign, or unknown, in intervals
 * that cover all of IPv4 and IPv6. The tables lie in shared memory, so that another thread reads them where they are.
 * Who makes them from the registries' files is `standards/delegated-table.ts`. Pure.
 */
import { formatIp, type Ip } from './ip.ts'

/**
 * `unknown`: no registry says anything about it, or says that it is nobody's, or two rows contradict each other, or it is
 * space that no registry gives out (private, loopback). What follows from it is each policy's own (ADR 17).
 */
export const countryValues = ['unknown', 'national', 'foreign'] as const
export type CountryValue = (typeof countryValues)[number]

/** Where country data come from, and which countries are national. */
export type CountrySetting = {
  /** Absolute; a file, or a folder of files. */
  readonly path: string
  /** ISO 3166-1 alpha-2 in lower case, as in `suffixes`. */
  readonly countries: readonly string[]
}

/** One statistics file, as its header names it. */
export type CountrySource = {
  /** Relative to the configuration. */
  readonly file: string
  readonly registry: string
  readonly serial: string
  /** The last day that it covers, `YYYY-MM-DD`. */
  readonly date: string
}

export type CountryTable = {
  readonly countries: readonly string[]
  readonly sources: readonly CountrySource[]
  /** First addresses of the intervals, in order, beginning with 0.0.0.0; each ends before the next one begins. */
  readonly v4Starts: Uint32Array
  /** Of each interval: its value and the row that it comes from (`packMark`). */
  readonly v4Marks: Uint32Array
  /** The same for IPv6, in four words each, the highest first. */
  readonly v6Starts: Uint32Array
  readonly v6Marks: Uint32Array
}

const wordBits = 32n
const wordMask = 0xffff_ffffn
export const v6Words = 4

// Two bits of value, seven of file, the rest line.
const valueBits = 2
const fileBits = 7
/** The five registries have one file each; a folder with more than a hundred is another folder. */
export const countryFilesMax = 2 ** fileBits
/** Lines of a file; the largest of a registry has some 300,000. */
export const countryLinesMax = 2 ** (32 - valueBits - fileBits) - 1

/** @param line from 1; 0: no row says it. */
export function packMark(value: CountryValue, file: number, line: number): number {
  return line * 2 ** (valueBits + fileBits) + file * 2 ** valueBits + countryValues.indexOf(value)
}

/** A binary search; of IPv4 it allocates nothing. */
export function countryOf(table: CountryTable, ip: Ip): CountryValue {
  return countryValues[markOf(table, ip) & 3]!
}

export type CountryFinding = {
  readonly value: CountryValue
  /** The row that says so; null where none does. */
  readonly source: (CountrySource & { readonly line: number }) | null
}

/** The same with its row, for people. */
export function findCountry(table: CountryTable, ip: Ip): CountryFinding {
  const mark = markOf(table, ip)
  const line = mark >>> (valueBits + fileBits)
  const source = table.sources[(mark >>> valueBits) & (countryFilesMax - 1)]
  return {
    value: countryValues[mark & 3]!,
    source: line === 0 || source === undefined ? null : { ...source, line },
  }
}

function markOf({ v4Starts, v4Marks, v6Starts, v6Marks }: CountryTable, ip: Ip): number {
  return typeof ip === 'number' ? v4Marks[lastAtMost4(v4Starts, ip)]! : v6Marks[lastAtMost6(v6Starts, ip)]!
}

/** The first interval begins at zero, so there always is one. */
function lastAtMost4(starts: Uint32Array, ip: number): number {
  let low = 1
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (starts[middle]! <= ip) low = middle + 1
    else high = middle
  }
  return low - 1
}

function lastAtMost6(starts: Uint32Array, ip: bigint): number {
  const first = Number(ip >> (3n * wordBits))
  const second = Number((ip >> (2n * wordBits)) & wordMask)
  const third = Number((ip >> wordBits) & wordMask)
  const fourth = Number(ip & wordMask)
  let low = 1
  let high = starts.length / v6Words
  while (low < high) {
    const middle = (low + high) >>> 1
    const at = middle * v6Words
    const order = starts[at]! - first || starts[at + 1]! - second || starts[at + 2]! - third || starts[at + 3]! - fourth
    if (order <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}

/**
 * What is national, as the fewest CIDR prefixes that cover it and nothing else: IPv4 first, in order. There may be
 * thousands: whoever has no room takes no more than they have.
 */
export function* nationalPrefixes(table: CountryTable): Iterable<string> {
  for (const [bits, intervals] of [
    [32n, v4Intervals(table, 'national')] as const,
    [128n, v6Intervals(table, 'national')] as const,
  ])
    for (const [from, to] of joined(intervals)) {
      for (let at = from; at <= to; ) {
        let hostBits = 0n
        // As large as its alignment allows and the interval holds.
        while (hostBits < bits && (at >> hostBits) % 2n === 0n && at + (2n << hostBits) - 1n <= to) hostBits += 1n
        yield `${formatIp(bits === 32n ? Number(at) : at)}/${bits - hostBits}`
        at += 1n << hostBits
      }
    }
}

type Interval = readonly [from: bigint, to: bigint]

/** All addresses of a value, in order; neighbours are one interval. */
export function countryIntervals(
  table: CountryTable,
  value: CountryValue,
): { readonly v4: readonly Interval[]; readonly v6: readonly Interval[] } {
  return { v4: [...joined(v4Intervals(table, value))], v6: [...joined(v6Intervals(table, value))] }
}

function* v4Intervals({ v4Starts, v4Marks }: CountryTable, value: CountryValue): Iterable<Interval> {
  for (let at = 0; at < v4Marks.length; at += 1)
    if (countryValues[v4Marks[at]! & 3] === value)
      yield [BigInt(v4Starts[at]!), BigInt(v4Starts[at + 1] ?? 2 ** 32) - 1n]
}

function* v6Intervals({ v6Starts, v6Marks }: CountryTable, value: CountryValue): Iterable<Interval> {
  const start = (at: number) =>
    at === v6Marks.length
      ? 1n << 128n
      : v6Starts.subarray(at * v6Words, (at + 1) * v6Words).reduce((sum, word) => (sum << wordBits) | BigInt(word), 0n)
  for (let at = 0; at < v6Marks.length; at += 1)
    if (countryValues[v6Marks[at]! & 3] === value) yield [start(at), start(at + 1) - 1n]
}

/** Rows that touch are one interval to whoever covers them. */
function* joined(intervals: Iterable<Interval>): Iterable<Interval> {
  let open: Interval | undefined
  for (const interval of intervals) {
    if (open !== undefined && interval[0] === open[1] + 1n) open = [open[0], interval[1]]
    else {
      if (open !== undefined) yield open
      open = interval
    }
  }
  if (open !== undefined) yield open
}
