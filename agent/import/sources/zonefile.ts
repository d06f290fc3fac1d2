/**
 * A master file (RFC 1035 section 5, RFC 2308 section 4 for `$TTL`) to RRsets. `$INCLUDE` is refused, since it reads
 * whatever file a stranger names; types that manifests do not have are reported. It never throws, whatever it reads,
 * and guesses nothing: a record that is not understood is reported with its line. Pure.
 */
import type { DomainName } from '../../model/name.ts'
import type { RecordType, RRsetResource } from '../../model/resource.ts'
import type { DnsResource } from '../../standards/dns-resource.ts'
import { canonicalValues, formatLabels, parseLabels, parseRdata } from '../../standards/dns-text.ts'
import type { Left, LeftReason } from '../estate.ts'
import { type Line, octetsOf, readLines, type Word } from './zone-tokens.ts'

export type ZoneFile = { readonly dns: readonly DnsResource[]; readonly left: readonly Left[] }

const recordTypes: ReadonlySet<string> = new Set(['SOA', 'NS', 'MX', 'A', 'AAAA', 'CNAME', 'TXT', 'SRV', 'CAA', 'PTR'])
const ttlMax = 2 ** 31 - 1 // RFC 2181 section 8
const leftMax = 1_000 // lines reported; a file that is none has as many faults as lines

type Reading = {
  readonly zone: DomainName
  readonly file: string
  origin: string
  /** Of `$TTL`. */
  ttlDefault: number | undefined
  /** Of the record before. */
  ttlLast: number | undefined
  ttlSoa: number | undefined
  owner: string | undefined
  readonly sets: Map<string, { owner: string; type: RecordType; ttl: number; values: string[] }>
  readonly left: Left[]
}

/** @param file as it is named in what is reported. */
export function readZoneFile(text: string, zone: DomainName, file: string): ZoneFile {
  const reading: Reading = {
    zone,
    file,
    origin: zone,
    ttlDefault: undefined,
    ttlLast: undefined,
    ttlSoa: undefined,
    owner: undefined,
    sets: new Map(),
    left: [],
  }
  for (const line of readLines(text.replace(/^\ufeff/, ''))) readLine(reading, line)
  const rrsets = [...reading.sets.values()].map(
    ({ owner, type, ttl, values }): RRsetResource => ({
      provider: 'dns',
      kind: 'rrset',
      key: `${zone}/${owner}/${type}`,
      zone,
      owner,
      type,
      ttl,
      values: canonicalValues(type, values),
    }),
  )
  return {
    dns: [{ provider: 'dns', kind: 'zone', key: zone, apex: zone }, ...rrsets],
    left: reading.left,
  }
}

function readLine(reading: Reading, line: Line): void {
  const [first] = line.words
  if (line.fault !== null) return void leave(reading, line, 'syntax')
  if (first !== undefined && !line.blank && !first.quoted && first.text.startsWith('$'))
    return void directive(reading, line)
  let words = line.words
  if (!line.blank) {
    const name = first === undefined || first.quoted ? undefined : absolute(reading, first.text)
    // What follows with a blank owner belongs to no other name.
    reading.owner = name
    words = words.slice(1)
  }
  const { owner } = reading
  if (owner === undefined) return void leave(reading, line, 'name')
  const head = readHead(words)
  if (head === undefined) return void leave(reading, line, 'syntax')
  if (head.foreignClass) return void leave(reading, line, 'class')
  if (owner !== reading.zone && !owner.endsWith(`.${reading.zone}`)) return void leave(reading, line, 'outside')
  if (head.ttl !== undefined) reading.ttlLast = head.ttl
  if (!recordTypes.has(head.type)) return void leave(reading, line, 'type')
  const type = head.type as RecordType
  const value = rdataOf(reading, type, head.rest)
  if (value === undefined) return void leave(reading, line, 'value')
  if (type === 'SOA') {
    if (owner !== reading.zone || reading.sets.has(`${owner}/SOA`)) return void leave(reading, line, 'value')
    reading.ttlSoa = Number(value.split(' ').at(-1))
  }
  // RFC 2308 section 4, then what name servers do with a file that says nothing.
  const ttl = head.ttl ?? reading.ttlDefault ?? reading.ttlLast ?? reading.ttlSoa
  if (ttl === undefined) return void leave(reading, line, 'syntax')
  reading.ttlLast = ttl
  const set = reading.sets.get(`${owner}/${type}`)
  // RFC 2181 section 5.2: one time to live for a set. Which one a name server takes depends on the order of the file.
  if (set !== undefined && set.ttl !== ttl) leave(reading, line, 'ttl')
  if (set === undefined) reading.sets.set(`${owner}/${type}`, { owner, type, ttl, values: [value] })
  else set.values.push(value)
}

function leave({ left, file }: Reading, { line, words }: Line, reason: LeftReason): void {
  if (left.length >= leftMax) return
  const what = words.map(({ text, quoted }) => (quoted ? `"${text}"` : text)).join(' ')
  left.push({ where: `${file}:${line}`, what: what.length > 200 ? `${what.slice(0, 200)}…` : what, reason })
}

function directive(reading: Reading, line: Line): void {
  const [name, argument, more] = line.words.map(({ text }) => text)
  if (name?.toUpperCase() === '$ORIGIN' && argument !== undefined && more === undefined) {
    const origin = absolute(reading, argument)
    if (origin === undefined) return void leave(reading, line, 'name')
    reading.origin = origin
  } else if (name?.toUpperCase() === '$TTL' && argument !== undefined && more === undefined) {
    const ttl = parseTtl(argument)
    if (ttl === undefined) return void leave(reading, line, 'value')
    reading.ttlDefault = ttl
  } else leave(reading, line, 'directive')
}

/** Canonical, without the final dot. */
function absolute({ origin }: Reading, text: string): string | undefined {
  if (text === '@') return origin
  const labels = parseLabels(text)
  if (labels === undefined) return undefined
  const ends = /(?:^|[^\\])(?:\\\\)*\.$/.test(text)
  const whole = ends || origin === '.' ? labels : [...labels, ...(parseLabels(origin) ?? [])]
  const name = formatLabels(whole)
  return parseLabels(name) === undefined ? undefined : name
}

/** Seconds, also as `1h30m`. */
function parseTtl(text: string): number | undefined {
  if (!/^(?:\d{1,10}[smhdw]?)+$/i.test(text)) return undefined
  const unit = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const
  let seconds = 0
  for (const [, amount, letter = 's'] of text.matchAll(/(\d+)([smhdw]?)/gi))
    seconds += Number(amount) * unit[(letter.toLowerCase() || 's') as keyof typeof unit]
  return seconds <= ttlMax ? seconds : undefined
}

type Head = {
  readonly ttl: number | undefined
  readonly foreignClass: boolean
  readonly type: string
  readonly rest: readonly Word[]
}

/** `[TTL] [class] type` or `[class] [TTL] type`. */
function readHead(words: readonly Word[]): Head | undefined {
  let ttl: number | undefined
  let foreignClass: boolean | undefined
  for (const [index, { text, quoted }] of words.entries()) {
    if (quoted) return undefined
    if (ttl === undefined && /^\d/.test(text)) {
      ttl = parseTtl(text)
      if (ttl === undefined) return undefined
    } else if (foreignClass === undefined && /^(?:IN|CH|HS|CS|CLASS\d+)$/i.test(text))
      foreignClass = !/^(?:IN|CLASS1)$/i.test(text)
    else if (/^[A-Z][A-Z0-9-]*$/i.test(text))
      return { ttl, foreignClass: foreignClass ?? false, type: text.toUpperCase(), rest: words.slice(index + 1) }
    else return undefined
  }
  return undefined
}

/** The value as resources have it; undefined when it is none of the type. */
function rdataOf(reading: Reading, type: RecordType, words: readonly Word[]): string | undefined {
  // RFC 3597: data in hexadecimal; it may be anything.
  if (words[0]?.text === '\\#' || words.length === 0) return undefined
  const texts = words.map(({ text }) => text)
  const name = (index: number) => absolute(reading, texts[index] ?? '') ?? ''
  const join = (count: number, ...parts: readonly string[]) =>
    words.length === count && !words.some(({ quoted }) => quoted) ? checked(type, parts.join(' ')) : undefined
  switch (type) {
    case 'A':
    case 'AAAA':
      return join(1, texts[0] ?? '')
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return join(1, name(0))
    case 'MX':
      return join(2, texts[0] ?? '', name(1))
    case 'SRV':
      return join(4, ...texts.slice(0, 3), name(3))
    case 'SOA': {
      const times = texts.slice(3).map(parseTtl)
      if (!/^\d{1,10}$/.test(texts[2] ?? '') || times.includes(undefined)) return undefined
      return join(7, name(0), name(1), times.join(' '))
    }
    case 'CAA': {
      const value = decoded(words.slice(2))
      if (words.length !== 3 || value === undefined) return undefined
      return checked(type, `${texts[0]} ${texts[1]} "${value.replace(/["\\]/g, '\\$&')}"`)
    }
    case 'TXT':
      return decoded(words)
  }
}

function checked(type: RecordType, value: string): string | undefined {
  return parseRdata(type, value) === undefined ? undefined : value
}

/** Character-strings joined, as text; undefined when the octets are none. */
function decoded(words: readonly Word[]): string | undefined {
  const pieces = words.map(({ text }) => octetsOf(text))
  if (pieces.some(piece => piece === undefined || piece.length > 255)) return undefined
  const octets = Buffer.concat(pieces as Uint8Array[])
  const text = octets.toString('utf8')
  return Buffer.from(text, 'utf8').equals(octets) ? text : undefined
}
