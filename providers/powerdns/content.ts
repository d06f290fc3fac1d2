/**
 * Values between the resource's form and the content of PowerDNS's records: names with their final dot, text quoted and
 * in strings of at most 255 octets, SOA with its serial. What is written is what is read back. RFC 1035 section 5.1. Pure.
 */
import type { RecordType } from '../../agent/model/resource.ts'
import { formatMasterValue, formatRdata, parseRdata } from '../../agent/standards/dns-text.ts'

const types: Readonly<Record<RecordType, true>> = {
  SOA: true,
  NS: true,
  MX: true,
  A: true,
  AAAA: true,
  CNAME: true,
  TXT: true,
  SRV: true,
  CAA: true,
  PTR: true,
}

/** A type that we have resources for. */
export function isOurType(type: string): type is RecordType {
  return Object.hasOwn(types, type)
}

/**
 * @returns undefined when the value is none of its type, and for a CAA without a value: PowerDNS 4.7 over LMDB dies of
 * it, again at each reading. `";"` means the same (RFC 8659 section 4.2).
 */
export function toContent(type: RecordType, value: string, serial: number): string | undefined {
  const rdata = parseRdata(type, value)
  if (rdata === undefined || (rdata.type === 'CAA' && rdata.value === '')) return undefined
  return formatMasterValue(rdata, serial)
}

/** Content that a third party wrote otherwise than we would stays as it is, so that it shows up as what it is. */
export function fromContent(type: RecordType, content: string): string {
  if (type === 'TXT') return textOf(content) ?? content
  if (type === 'SOA') {
    const fields = content.split(/\s+/)
    return fields.length === 7 ? [...fields.slice(0, 2), ...fields.slice(3)].join(' ') : content
  }
  if (type === 'AAAA') return content.replace(/:(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...octets) => `:${hextets(octets)}`)
  if (type !== 'CAA') return content
  const parts = /^(\d+)\s+([a-z0-9]+)\s+(.+)$/is.exec(content)
  const flags = Number(parts?.[1])
  const value = textOf(parts?.[3] ?? '')
  if (parts === null || value === undefined || flags > 255) return content
  return formatRdata({ type: 'CAA', flags, tag: (parts[2] ?? '').toLowerCase(), value })
}

/** PowerDNS writes `::1:0` with its end as an IPv4 address, which a parser may take for one mapped to IPv6 (RFC 4291 section 2.5.5). */
function hextets(octets: readonly string[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = octets.map(Number)
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}

/** The serial in a SOA's content; undefined when there is none. */
export function serialOf(content: string): number | undefined {
  const serial = content.split(/\s+/)[2]
  return serial !== undefined && /^\d{1,10}$/.test(serial) ? Number(serial) : undefined
}

/** The same content with another serial. */
export function withSerial(content: string, serial: number): string {
  return content.split(/\s+/).with(2, String(serial)).join(' ')
}

/** RFC 1982 section 3.1: serial numbers go round. Zero is passed over: some take it for "unset". */
export function nextSerial(serial: number): number {
  const next = (serial + 1) % 2 ** 32
  return next === 0 ? 1 : next
}

/** The text of character-strings, put together; undefined when they are none or their octets are no UTF-8. */
export function textOf(content: string): string | undefined {
  const parts: Uint8Array[] = []
  const string = /\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^"\\\s]*(?:\\.[^"\\\s]*)+|[^"\\\s]+))(?=\s|$)/suy
  const text = content.trim()
  while (string.lastIndex < text.length) {
    const found = string.exec(text)
    const octets = found === null ? undefined : unescaped(found[1] ?? found[2] ?? '')
    if (octets === undefined) return undefined
    parts.push(octets)
  }
  try {
    // A byte order mark is text like any other here.
    return text === '' ? undefined : utf8.decode(Buffer.concat(parts))
  } catch {
    return undefined
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** RFC 1035 section 5.1: `\DDD` is an octet, a backslash before anything else only takes its meaning away. */
function unescaped(text: string): Uint8Array | undefined {
  if (!text.includes('\\')) return Buffer.from(text)
  const parts: Uint8Array[] = []
  let length = 0
  for (const [piece, code, character] of text.matchAll(/\\(\d{3})|\\([^\d])|[^\\]+/gsu)) {
    length += piece.length
    if (code !== undefined && Number(code) > 255) return undefined
    parts.push(code === undefined ? Buffer.from(character ?? piece) : Uint8Array.of(Number(code)))
  }
  return length === text.length ? Buffer.concat(parts) : undefined
}
