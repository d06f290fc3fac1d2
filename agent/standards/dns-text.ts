/**
 * DNS data as text: names with escapes, the values of RRsets in their one canonical form, and whole zone files.
 * RFC 1035 section 5 (master files), RFC 3596 (AAAA), RFC 2782 (SRV), RFC 8659 (CAA), RFC 5952 (text of IPv6).
 * Pure. A value that does not parse is never repaired by guessing.
 */
import ipaddr from 'ipaddr.js'
import type { RecordType } from '../model/resource.ts'

export const nameOctetsMax = 255 // RFC 1035 section 2.3.4, the root label included
export const labelOctetsMax = 63 // RFC 1035 section 2.3.4
export const textChunkOctetsMax = 255 // RFC 1035 section 3.3: a character-string has one octet of length

/** One value of an RRset, taken apart. Names are canonical text: lower case, no final dot, the root is `.`. */
export type Rdata =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'NS' | 'CNAME' | 'PTR'; readonly target: string }
  | { readonly type: 'MX'; readonly preference: number; readonly exchange: string }
  | {
      readonly type: 'SRV'
      readonly priority: number
      readonly weight: number
      readonly port: number
      readonly target: string
    }
  | { readonly type: 'TXT'; readonly text: string }
  | { readonly type: 'CAA'; readonly flags: number; readonly tag: string; readonly value: string }
  | {
      readonly type: 'SOA'
      readonly mname: string
      readonly rname: string
      /** refresh, retry, expire, minimum in seconds. The serial belongs to the server, not to the value. */
      readonly times: readonly [number, number, number, number]
    }

/** Labels of a name with its escapes undone, one character an octet; the root has none. Undefined when it is no name. */
export function parseLabels(text: string): readonly string[] | undefined {
  if (text === '.') return []
  // Nearly all names are of this form, and a zone has thousands.
  if (text.length <= nameOctetsMax - 2 && /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/i.test(text))
    return text.split('.')
  const labels: string[] = []
  let label = ''
  const pieces = text.match(/\\\d{3}|\\[^\d]|[^\\]/gsu) ?? []
  if (pieces.join('') !== text || text === '') return undefined
  for (const [index, piece] of pieces.entries()) {
    if (piece !== '.') {
      const code = piece.length === 4 ? Number(piece.slice(1)) : (piece.at(-1) ?? '').charCodeAt(0)
      if (code > 255) return undefined
      label += String.fromCharCode(code)
    } else if (label === '') return undefined
    else {
      labels.push(label)
      label = ''
      if (index === pieces.length - 1) break
    }
  }
  if (label !== '') labels.push(label)
  const octets = labels.reduce((sum, one) => sum + one.length + 1, 1)
  return octets <= nameOctetsMax && labels.every(one => one.length <= labelOctetsMax) ? labels : undefined
}

/** The canonical text of a name: lower case, no final dot, octets with a meaning of their own escaped. */
export function formatLabels(labels: readonly string[]): string {
  const escaped = (label: string) =>
    /^[a-z0-9_-]*$/.test(label)
      ? label
      : label
          .replace(/[A-Z]/g, letter => letter.toLowerCase())
          .replace(/[.\\"();@$]/g, '\\$&')
          .replace(/[^\x21-\x7e]/g, octet => `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`)
  return labels.length === 0 ? '.' : labels.map(escaped).join('.')
}

/** A mail address as a name, for SOA: dots of the local part are escaped (RFC 1035 section 8). */
export function mailboxName(address: string): string {
  const at = address.lastIndexOf('@')
  return formatLabels([address.slice(0, at), ...address.slice(at + 1).split('.')])
}

function parseName(text: string): string | undefined {
  const labels = parseLabels(text)
  return labels === undefined ? undefined : formatLabels(labels)
}

/** A name of a host or of a service: letters, digits, hyphens, underscores. The root stands for "none". */
function parseTarget(text: string): string | undefined {
  const name = parseName(text)
  return name !== undefined && (name === '.' || name.split('.').every(label => /^[a-z0-9_-]+$/.test(label)))
    ? name
    : undefined
}

function parseInteger(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined
  const value = Number(text)
  return value <= max ? value : undefined
}

const uint16Max = 0xffff
const uint32Max = 0xffffffff

function parseIpv4(value: string): Rdata | undefined {
  return ipaddr.IPv4.isValidFourPartDecimal(value) ? { type: 'A', address: value } : undefined
}

function parseIpv6(value: string): Rdata | undefined {
  // A zone index is no part of an address in DNS.
  if (value.includes('%') || !value.includes(':') || !ipaddr.IPv6.isValid(value)) return undefined
  return { type: 'AAAA', address: ipaddr.IPv6.parse(value).toRFC5952String() }
}

function parseMx(value: string): Rdata | undefined {
  const [preference, exchange, more] = value.split(/\s+/)
  const number = parseInteger(preference, uint16Max)
  const name = exchange === undefined ? undefined : parseTarget(exchange)
  return number === undefined || name === undefined || more !== undefined
    ? undefined
    : { type: 'MX', preference: number, exchange: name }
}

function parseSrv(value: string): Rdata | undefined {
  const fields = value.split(/\s+/)
  const [priority, weight, port] = fields.map(field => parseInteger(field, uint16Max))
  const target = fields.length === 4 ? parseTarget(fields[3] ?? '') : undefined
  return priority === undefined || weight === undefined || port === undefined || target === undefined
    ? undefined
    : { type: 'SRV', priority, weight, port, target }
}

function parseCaa(value: string): Rdata | undefined {
  const parts = /^(\d+)\s+([a-z0-9]{1,255})\s+(?:"((?:[^"\\]|\\.)*)"|([^\s"\\]+))$/isu.exec(value)
  const flags = parseInteger(parts?.[1], 255)
  if (parts === null || flags === undefined) return undefined
  const text = parts[3] !== undefined ? parts[3].replace(/\\(.)/gsu, '$1') : (parts[4] ?? '')
  return { type: 'CAA', flags, tag: (parts[2] ?? '').toLowerCase(), value: text }
}

function parseSoa(value: string): Rdata | undefined {
  const [mname, rname, ...numbers] = value.split(/\s+/)
  const names = [parseTarget(mname ?? ''), parseName(rname ?? '')]
  const [refresh, retry, expire, minimum] = numbers.map(number => parseInteger(number, uint32Max))
  if (names[0] === undefined || names[1] === undefined || numbers.length !== 4) return undefined
  if (refresh === undefined || retry === undefined || expire === undefined || minimum === undefined) return undefined
  return { type: 'SOA', mname: names[0], rname: names[1], times: [refresh, retry, expire, minimum] }
}

/** @returns undefined when the value is none of that type. */
export function parseRdata(type: RecordType, value: string): Rdata | undefined {
  const trimmed = type === 'TXT' ? value : value.trim()
  switch (type) {
    case 'A':
      return parseIpv4(trimmed)
    case 'AAAA':
      return parseIpv6(trimmed)
    case 'NS':
    case 'CNAME':
    case 'PTR': {
      const target = parseTarget(trimmed)
      return target === undefined ? undefined : { type, target }
    }
    case 'MX':
      return parseMx(trimmed)
    case 'SRV':
      return parseSrv(trimmed)
    case 'TXT':
      return { type, text: value }
    case 'CAA':
      return parseCaa(trimmed)
    case 'SOA':
      return parseSoa(trimmed)
    default:
      // Data of a third party may have any type; what is not known here is carried as text.
      return undefined
  }
}

/** The canonical value, as `model/resource.ts` describes it. */
export function formatRdata(rdata: Rdata): string {
  switch (rdata.type) {
    case 'A':
    case 'AAAA':
      return rdata.address
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return rdata.target
    case 'MX':
      return `${rdata.preference} ${rdata.exchange}`
    case 'SRV':
      return `${rdata.priority} ${rdata.weight} ${rdata.port} ${rdata.target}`
    case 'TXT':
      return rdata.text
    case 'CAA':
      return `${rdata.flags} ${rdata.tag} "${rdata.value.replace(/["\\]/g, '\\$&')}"`
    case 'SOA':
      return `${rdata.mname} ${rdata.rname} ${rdata.times.join(' ')}`
  }
}

/** Canonical, sorted, each once. A value that does not parse stays as it is, so that it shows up as what it is. */
export function canonicalValues(type: RecordType, values: readonly string[]): string[] {
  const canonical = values.map(value => {
    const rdata = parseRdata(type, value)
    return rdata === undefined ? value : formatRdata(rdata)
  })
  return [...new Set(canonical)].sort()
}

/** The octets of a text in character-strings of at most 255. Even an empty text is one string. */
export function splitText(text: string): Uint8Array[] {
  const octets = new TextEncoder().encode(text)
  const chunks: Uint8Array[] = []
  for (let start = 0; start < octets.length; start += textChunkOctetsMax)
    chunks.push(octets.subarray(start, start + textChunkOctetsMax))
  return chunks.length === 0 ? [octets] : chunks
}

function quoted(octets: Uint8Array): string {
  const characters = Array.from(octets, octet => {
    if (octet === 0x22 || octet === 0x5c) return `\\${String.fromCharCode(octet)}`
    return octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : `\\${String(octet).padStart(3, '0')}`
  })
  return `"${characters.join('')}"`
}

function dotted(name: string): string {
  return name === '.' ? name : `${name}.`
}

/** The value as a zone file has it: names with their final dot, text quoted and chunked, SOA with its serial. */
export function formatMasterValue(rdata: Rdata, serial: number): string {
  switch (rdata.type) {
    case 'A':
    case 'AAAA':
      return rdata.address
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return dotted(rdata.target)
    case 'MX':
      return `${rdata.preference} ${dotted(rdata.exchange)}`
    case 'SRV':
      return `${rdata.priority} ${rdata.weight} ${rdata.port} ${dotted(rdata.target)}`
    case 'TXT':
      return splitText(rdata.text).map(quoted).join(' ')
    case 'CAA':
      return `${rdata.flags} ${rdata.tag} ${quoted(new TextEncoder().encode(rdata.value))}`
    case 'SOA':
      return `${dotted(rdata.mname)} ${dotted(rdata.rname)} ${serial} ${rdata.times.join(' ')}`
  }
}

export type ZoneFileRRset = {
  readonly owner: string
  readonly type: RecordType
  readonly ttl: number
  readonly values: readonly string[]
}

/** A zone file (RFC 1035 section 5), SOA first. Values that are none of their type are left out. */
export function formatZoneFile(rrsets: readonly ZoneFileRRset[], serial: number): string {
  const soaFirst = [...rrsets].sort((a, b) => Number(b.type === 'SOA') - Number(a.type === 'SOA'))
  const lines = soaFirst.flatMap(({ owner, type, ttl, values }) =>
    values
      .map(value => parseRdata(type, value))
      .filter(rdata => rdata !== undefined)
      .map(rdata => `${dotted(owner)} ${ttl} IN ${type} ${formatMasterValue(rdata, serial)}\n`),
  )
  return lines.join('')
}
