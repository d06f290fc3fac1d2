/**
 * The statistics files of the regional internet registries (`delegated`, `delegated-extended`; the RIR statistics
 * exchange format, version 2): whom each range of addresses was given to, by country. A file comes in pieces and may be
 * anybody's: lines and findings are bounded, and each line that is not of the form is a finding. It decides nothing: rows
 * become a table in `delegated-table.ts`. Pure.
 */
import type { Diagnostic } from '../core/diagnostic.ts'
import { type CountrySource, type CountryValue, countryLinesMax } from '../model/country.ts'
import { parseIp } from '../model/ip.ts'

/** A range, both ends within it. `unknown`: given to nobody, or to no country. */
export type DelegatedRow<T> = { readonly from: T; readonly to: T; readonly value: CountryValue; readonly line: number }

export type DelegatedFile = {
  /** null without a header that can be read; then there are errors. */
  readonly source: CountrySource | null
  readonly v4: readonly DelegatedRow<number>[]
  readonly v6: readonly DelegatedRow<bigint>[]
  /** The national countries that a row gives something to, in lower case. */
  readonly countries: ReadonlySet<string>
  readonly diagnostics: readonly Diagnostic[]
}

export interface DelegatedParser {
  /** @returns rows of addresses so far. */
  push(bytes: Uint8Array): number
  end(): DelegatedFile
}

/** Rows have some eighty letters; comments of the registries stay below this, too. */
export const delegatedLineMax = 512
/** Enough to see what a file is that is none; it is refused after the first. */
const findingsMax = 20

/** `nro` is all of them in one file; `iana` stands in it for what no registry has. */
const registries = new Set(['afrinic', 'apnic', 'arin', 'iana', 'lacnic', 'nro', 'ripencc'])
const given = new Set(['allocated', 'assigned'])
const withheld = new Set(['available', 'reserved', 'ianapool'])
/** ISO 3166-1 gives these to no country: regions of registries, and nobody. */
const noCountries = new Set(['', 'AP', 'EU', 'ZZ'])

type Counted = 'asn' | 'ipv4' | 'ipv6'
const counted: readonly Counted[] = ['asn', 'ipv4', 'ipv6']

/** What is wrong with a line: a phrase of the message table. */
type Wrong = `country.${string}`

/**
 * @param file as findings name it.
 * @param countries the national ones, in lower case.
 */
export function createDelegatedParser(file: string, countries: readonly string[]): DelegatedParser {
  const national = new Set(countries.map(country => country.toUpperCase()))
  const diagnostics: Diagnostic[] = []
  const v4: DelegatedRow<number>[] = []
  const v6: DelegatedRow<bigint>[] = []
  const seen = new Set<string>()
  const told: Partial<Record<Counted, number>> = {}
  const found: Record<Counted, number> = { asn: 0, ipv4: 0, ipv6: 0 }
  const decoder = new TextDecoder('latin1')
  let source: CountrySource | null = null
  let records = 0
  let line = 0
  let rest = ''
  let isTooLong = false

  const wrong = (reason: Wrong, text: string) => {
    if (diagnostics.length >= findingsMax) return
    const values = { reason, found: printable(text) }
    diagnostics.push({ severity: 'error', code: 'E-COUNTRY-ROW', values, place: { file, line, column: 1 } })
  }

  const readLine = (raw: string) => {
    line += 1
    if (line > countryLinesMax) {
      if (line === countryLinesMax + 1) wrong('country.lines', '')
      return
    }
    const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    if (isTooLong || text.length > delegatedLineMax) {
      isTooLong = false
      return wrong('country.long', text.slice(0, delegatedLineMax))
    }
    if (text.trim() === '' || text.startsWith('#')) return
    const reason = /[^\x20-\x7e]/.test(text) ? 'country.letters' : readFields(text.split('|'))
    if (reason !== undefined) wrong(reason, text)
  }

  const readFields = (fields: readonly string[]): Wrong | undefined => {
    if (source === null) {
      const header = readHeader(fields)
      if (typeof header === 'string') return header
      source = { file, ...header.source }
      records = header.records
      return undefined
    }
    const [registry = '', country = '', type = '', start = '', value = '', date = '', status = ''] = fields
    if (fields.length === 6 && date.trim() === 'summary') return readSummary(type, value)
    if (fields.length < 7) return 'country.fields'
    if (!registries.has(registry) || (registry !== source.registry && source.registry !== 'nro'))
      return 'country.registry'
    if (!/^([A-Za-z]{2})?$/.test(country)) return 'country.code'
    if (!/^(\d{8})?$/.test(date)) return 'country.date'
    const state = status.toLowerCase()
    if (!given.has(state) && !withheld.has(state)) return 'country.status'
    const code = country.toUpperCase()
    const named = given.has(state) && !noCountries.has(code)
    const reason = readRow(type, start, value, !named ? 'unknown' : national.has(code) ? 'national' : 'foreign')
    if (reason === undefined && type !== 'asn' && named && national.has(code)) seen.add(code.toLowerCase())
    return reason
  }

  const readSummary = (type: string, value: string): Wrong | undefined => {
    if (!isCounted(type) || !/^\d{1,9}$/.test(value)) return 'country.summary'
    // The combined file has one summary of each registry.
    told[type] = (told[type] ?? 0) + Number(value)
    return undefined
  }

  const readRow = (type: string, start: string, size: string, value: CountryValue): Wrong | undefined => {
    if (!isCounted(type)) return 'country.type'
    found[type] += 1
    if (type === 'asn') return /^\d{1,10}$/.test(start) && /^\d{1,10}$/.test(size) ? undefined : 'country.number'
    const from = parseIp(start)
    if (type === 'ipv4') {
      if (typeof from !== 'number') return 'country.address'
      // A count, which need be no power of two.
      if (!/^[1-9]\d{0,9}$/.test(size)) return 'country.count'
      const to = from + Number(size) - 1
      if (to > 0xffff_ffff) return 'country.end'
      v4.push({ from, to, value, line })
      return undefined
    }
    if (typeof from !== 'bigint') return 'country.address'
    if (!/^[1-9]\d{0,2}$/.test(size) || Number(size) > 128) return 'country.prefix'
    const hosts = (1n << BigInt(128 - Number(size))) - 1n
    if ((from & hosts) !== 0n) return 'country.bits'
    v6.push({ from, to: from + hosts, value, line })
    return undefined
  }

  /** A download that was cut has fewer rows than it says; taken for whole it would make strangers of half a country. */
  const checkCounts = () => {
    line = Math.max(1, line)
    const short = (type: string, said: number, is: number) => {
      if (is < said) wrong('country.cut', `${type}: ${is} < ${said}`)
    }
    for (const type of counted) if (told[type] !== undefined) short(type, told[type], found[type])
    if (Object.keys(told).length === 0) short('asn + ipv4 + ipv6', records, found.asn + found.ipv4 + found.ipv6)
  }

  return {
    push(bytes) {
      const lines = (rest + decoder.decode(bytes)).split('\n')
      rest = lines.pop() ?? ''
      for (const text of lines) readLine(text)
      // Its end may be far away, and is not kept.
      if (rest.length > delegatedLineMax + 1) {
        isTooLong = true
        rest = rest.slice(0, delegatedLineMax + 1)
      }
      return v4.length + v6.length
    },
    end() {
      if (rest !== '') readLine(rest)
      if (source === null && diagnostics.length === 0) {
        line = 1
        wrong('country.empty', '')
      } else if (diagnostics.length === 0) checkCounts()
      return { source, v4, v6, countries: seen, diagnostics }
    },
  }
}

/** `2|lacnic|20260101|97301|19870101|20260101|-0300`: version, registry, serial, records, first and last day, zone. */
function readHeader(
  fields: readonly string[],
): { readonly source: Omit<CountrySource, 'file'>; readonly records: number } | Wrong {
  const [version = '', registry = '', serial = '', records = '', , end = ''] = fields
  if (fields.length < 6 || !registries.has(registry)) return 'country.header'
  if (!/^2(\.\d{1,2})?$/.test(version)) return 'country.version'
  if (!/^[\w.-]{1,40}$/.test(serial) || !/^\d{1,9}$/.test(records)) return 'country.header'
  const date = readDay(end) ?? readDay(serial)
  return date === undefined ? 'country.date' : { source: { registry, serial, date }, records: Number(records) }
}

/** A day that there is; registries write 00000000 for one that they do not know. */
function readDay(text: string): string | undefined {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(text) ?? []
  const date = `${year}-${month}-${day}`
  const time = Date.parse(`${date}T00:00:00Z`)
  return Number.isFinite(time) && new Date(time).toISOString().startsWith(date) ? date : undefined
}

function isCounted(type: string): type is Counted {
  return (counted as readonly string[]).includes(type)
}

const foundMax = 60

function printable(text: string): string {
  const safe = text.replace(/[^\x20-\x7e]/g, '?')
  return safe.length > foundMax ? `${safe.slice(0, foundMax)}…` : safe
}
