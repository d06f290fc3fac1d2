/**
 * Rows of the registries' files as one table of intervals: overlaps, doubles and any order come out the same. Where two
 * rows contradict each other nobody knows, and it is said (ADR 17). Pure.
 */
import type { Diagnostic, Place } from '../core/diagnostic.ts'
import {
  type CountrySource,
  type CountryTable,
  type CountryValue,
  countryFilesMax,
  packMark,
  v6Words,
} from '../model/country.ts'
import { formatIp, type Ip } from '../model/ip.ts'
import type { DelegatedFile, DelegatedRow } from './delegated-statistics.ts'

/** A registry's mistake is seen from its first few; a file that contradicts all of another would fill a log. */
const contradictionsMax = 20

/**
 * Space that no registry gives out, whatever a file says: RFC 1122, 1918, 3927, 5771, 6598. Documentation (RFC 5737, 3849)
 * is left out: examples are made of it.
 */
const neverGiven4: readonly (readonly [from: number, to: number])[] = [
  [0x0000_0000, 0x00ff_ffff],
  [0x0a00_0000, 0x0aff_ffff],
  [0x6440_0000, 0x647f_ffff],
  [0x7f00_0000, 0x7fff_ffff],
  [0xa9fe_0000, 0xa9fe_ffff],
  [0xac10_0000, 0xac1f_ffff],
  [0xc0a8_0000, 0xc0a8_ffff],
  [0xe000_0000, 0xffff_ffff],
]
/** RFC 4291 section 2.4: global unicast is given out of 2000::/3 alone. */
const neverGiven6: readonly (readonly [from: bigint, to: bigint])[] = [
  [0n, (1n << 125n) - 1n],
  [1n << 126n, (1n << 128n) - 1n],
]

/** A row of one of the files; its line is 0 where no row is meant. */
type Span<T> = DelegatedRow<T> & { readonly file: number; readonly isGiven: boolean }
type Interval<T> = { readonly start: T; readonly mark: number }

/** @param files each without errors, `countryFilesMax` at most. */
export function buildCountryTable(
  files: readonly DelegatedFile[],
  countries: readonly string[],
): { readonly table: CountryTable; readonly diagnostics: readonly Diagnostic[] } {
  const sources = files.flatMap(({ source }): CountrySource[] => (source === null ? [] : [source]))
  const diagnostics: Diagnostic[] = []
  const contradiction = (at: Ip, one: Span<Ip>, other: Span<Ip>) => {
    if (diagnostics.length >= contradictionsMax) return
    const place = ({ file, line }: Span<Ip>): Place => ({ file: sources[file]?.file ?? '', line, column: 1 })
    const against = place(other)
    const values = { address: formatIp(at), other: `${against.file}:${against.line}` }
    diagnostics.push({ severity: 'warning', code: 'W-COUNTRY-CONTRADICTION', values, place: place(one) })
  }
  const rows4 = files.slice(0, countryFilesMax).flatMap(({ v4 }, file) => v4.map(row => spanOf(row, file)))
  const rows6 = files.slice(0, countryFilesMax).flatMap(({ v6 }, file) => v6.map(row => spanOf(row, file)))
  const v4 = sweep<number>([...rows4, ...neverGiven4.map(withheldSpan)], 0, to => to + 1, contradiction)
  const v6 = sweep<bigint>([...rows6, ...neverGiven6.map(withheldSpan)], 0n, to => to + 1n, contradiction)
  const table = {
    countries,
    sources,
    v4Starts: words(v4.length),
    v4Marks: words(v4.length),
    v6Starts: words(v6.length * v6Words),
    v6Marks: words(v6.length),
  }
  for (const [at, { start, mark }] of v4.entries()) {
    table.v4Starts[at] = start
    table.v4Marks[at] = mark
  }
  for (const [at, { start, mark }] of v6.entries()) {
    for (let word = 0; word < v6Words; word += 1)
      table.v6Starts[at * v6Words + word] = Number((start >> BigInt(32 * (v6Words - 1 - word))) & 0xffff_ffffn)
    table.v6Marks[at] = mark
  }
  return { table, diagnostics }
}

function spanOf<T>(row: DelegatedRow<T>, file: number): Span<T> {
  return { ...row, file, isGiven: true }
}

function withheldSpan<T>([from, to]: readonly [T, T]): Span<T> {
  return { from, to, value: 'unknown', line: 0, file: 0, isGiven: false }
}

/** From the first address to the last: what every span that is open there says. */
function sweep<T extends Ip>(
  spans: readonly Span<T>[],
  first: T,
  next: (to: T) => T,
  contradiction: (at: T, one: Span<T>, other: Span<T>) => void,
): Interval<T>[] {
  const events = spans.flatMap(span => [
    { at: span.from, span, opens: true },
    { at: next(span.to), span, opens: false },
  ])
  events.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
  const withheld = new Set<Span<T>>()
  const open: Readonly<Record<CountryValue, Set<Span<T>>>> = {
    unknown: new Set(),
    national: new Set(),
    foreign: new Set(),
  }
  const blamed = new Set<Span<T>>()
  const markHere = (at: T): number => {
    if (withheld.size > 0) return packMark('unknown', 0, 0)
    const [national, foreign, unknown] = [one(open.national), one(open.foreign), one(open.unknown)]
    if (national !== undefined && foreign !== undefined) {
      if (!blamed.has(national)) contradiction(at, national, foreign)
      blamed.add(national)
      return packMark('unknown', national.file, national.line)
    }
    const span = national ?? foreign ?? unknown
    return span === undefined ? packMark('unknown', 0, 0) : packMark(span.value, span.file, span.line)
  }
  const intervals: Interval<T>[] = []
  const close = (at: T) => {
    const mark = markHere(at)
    if (intervals.at(-1)?.mark !== mark) intervals.push({ start: at, mark })
  }
  let at = first
  for (const event of events) {
    if (event.at !== at) close(at)
    at = event.at
    const set = event.span.isGiven ? open[event.span.value] : withheld
    if (event.opens) set.add(event.span)
    else set.delete(event.span)
  }
  // What comes after the last event is beyond the last address: space that is never given out reaches up to it.
  return intervals
}

function one<T>(set: ReadonlySet<T>): T | undefined {
  return set.values().next().value
}

function words(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(count * Uint32Array.BYTES_PER_ELEMENT))
}
