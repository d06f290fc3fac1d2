/**
 * Names and RDATA as octets, written and read: RFC 1035 sections 3 and 4.1.4, RFC 3596 (AAAA), RFC 2782 (SRV), RFC 8659
 * (CAA). Names are written in full, never compressed: RFC 3597 section 4 lets that be done for few types. Pure; reading
 * throws on nothing and follows no pointer forwards.
 */
import ipaddr from 'ipaddr.js'
import type { RecordType } from '../model/resource.ts'
import { formatLabels, labelOctetsMax, nameOctetsMax, parseLabels, type Rdata, splitText } from './dns-text.ts'

export const typeCodes: Readonly<Record<RecordType, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  CAA: 257,
}

/** In full; the root for a text that is no name. */
export function nameOctets(name: string): Buffer {
  return labelOctets(parseLabels(name) ?? [])
}

function labelOctets(labels: readonly string[]): Buffer {
  const octets = Buffer.alloc(labels.reduce((sum, label) => sum + label.length + 1, 1))
  let at = 0
  for (const label of labels) {
    octets[at] = label.length
    at += 1 + octets.write(label, at + 1, 'latin1')
  }
  return octets
}

/** Numbers in network order, each with its size in octets. */
export function numbers(...values: readonly (readonly [number, 1 | 2 | 4 | 6])[]): Buffer {
  const octets = Buffer.alloc(values.reduce((sum, [, size]) => sum + size, 0))
  let at = 0
  for (const [value, size] of values) at = octets.writeUIntBE(value, at, size)
  return octets
}

function ipv6Octets(address: string): Buffer {
  const [head = '', tail] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16)))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const zeros = new Array<number>(8 - before.length - after.length).fill(0)
  return numbers(...[...before, ...zeros, ...after].map(group => [group, 2] as const))
}

/** RDATA with names in full: pointers are for the owner only. */
export function toRdata(rdata: Rdata, serial: number): Buffer {
  switch (rdata.type) {
    case 'A':
      return Buffer.from(rdata.address.split('.').map(Number))
    case 'AAAA':
      return ipv6Octets(rdata.address)
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return nameOctets(rdata.target)
    case 'MX':
      return Buffer.concat([numbers([rdata.preference, 2]), nameOctets(rdata.exchange)])
    case 'SRV':
      return Buffer.concat([numbers([rdata.priority, 2], [rdata.weight, 2], [rdata.port, 2]), nameOctets(rdata.target)])
    case 'TXT':
      return Buffer.concat(splitText(rdata.text).flatMap(chunk => [Buffer.from([chunk.length]), chunk]))
    case 'CAA':
      return Buffer.concat([
        numbers([rdata.flags, 1], [rdata.tag.length, 1]),
        Buffer.from(rdata.tag),
        Buffer.from(rdata.value),
      ])
    case 'SOA': {
      const times = rdata.times.map(time => [time, 4] as const)
      return Buffer.concat([nameOctets(rdata.mname), nameOctets(rdata.rname), numbers([serial, 4], ...times)])
    }
  }
}

/** Labels as `parseLabels` gives them, and where the name ends. Undefined when there is no name. */
export function readName(
  octets: Buffer,
  start: number,
): { readonly labels: readonly string[]; readonly end: number } | undefined {
  const labels: string[] = []
  let at = start
  let end: number | undefined
  let before = start
  let total = 1
  for (;;) {
    const length = octets[at]
    if (length === undefined) return undefined
    if (length === 0) return { labels, end: end ?? at + 1 }
    if (length >= 0xc0) {
      const low = octets[at + 1]
      if (low === undefined) return undefined
      const target = ((length & 0x3f) << 8) | low
      // RFC 1035 section 4.1.4: a pointer means a prior name. Going back each time, no chain of them is endless.
      if (target >= before) return undefined
      end ??= at + 2
      before = target
      at = target
    } else {
      total += length + 1
      if (length > labelOctetsMax || total > nameOctetsMax || at + 1 + length > octets.length) return undefined
      labels.push(octets.toString('latin1', at + 1, at + 1 + length))
      at += 1 + length
    }
  }
}

/** Octets before the names of a type's RDATA, and how many names there are: those that RFC 1035 lets a server compress. */
const compressible: Readonly<Record<number, { readonly before: number; readonly names: number }>> = {
  2: { before: 0, names: 1 },
  5: { before: 0, names: 1 },
  12: { before: 0, names: 1 },
  15: { before: 2, names: 1 },
  6: { before: 0, names: 2 },
}

/** RDATA with its names in full and in the case in which they came, so that it means the same outside its message. */
export function expandRdata(octets: Buffer, type: number, start: number, end: number): Buffer | undefined {
  const form = compressible[type]
  // An UPDATE that is given back may have a known type without data.
  if (form === undefined || start === end) return Buffer.from(octets.subarray(start, end))
  const parts: Uint8Array[] = [octets.subarray(start, start + form.before)]
  let at = start + form.before
  for (let left = form.names; left > 0; left -= 1) {
    const name = readName(octets, at)
    if (name === undefined || name.end > end) return undefined
    parts.push(labelOctets(name.labels))
    at = name.end
  }
  parts.push(octets.subarray(at, end))
  return Buffer.concat(parts)
}

const typeNames = new Map(Object.entries(typeCodes).map(([name, code]) => [code, name as RecordType]))

/** The name of a type: that of a type that is carried, `TYPE52` for any other (RFC 3597 section 5). */
export function typeName(code: number): string {
  return typeNames.get(code) ?? `TYPE${code}`
}

/** Taken apart; undefined when it is malformed or of a type that is not carried. @param rdata with its names in full. */
export function fromRdata(type: number, rdata: Buffer): Rdata | undefined {
  const known = typeNames.get(type)
  switch (known) {
    case 'A':
      return rdata.length === 4 ? { type: known, address: rdata.join('.') } : undefined
    case 'AAAA':
      return rdata.length === 16 ? { type: known, address: new ipaddr.IPv6([...rdata]).toRFC5952String() } : undefined
    case 'NS':
    case 'CNAME':
    case 'PTR': {
      const target = lastName(rdata, 0)
      return target === undefined ? undefined : { type: known, target }
    }
    case 'MX': {
      const exchange = lastName(rdata, 2)
      return exchange === undefined ? undefined : { type: known, preference: rdata.readUInt16BE(0), exchange }
    }
    case 'SRV': {
      const target = lastName(rdata, 6)
      if (target === undefined) return undefined
      const [priority, weight, port] = [rdata.readUInt16BE(0), rdata.readUInt16BE(2), rdata.readUInt16BE(4)]
      return { type: known, priority, weight, port, target }
    }
    case 'TXT':
      return readText(rdata)
    case 'CAA':
      return readCaa(rdata)
    case 'SOA':
      return readSoa(rdata)?.rdata
    default:
      return undefined
  }
}

/** The name that RDATA ends with. */
function lastName(rdata: Buffer, start: number): string | undefined {
  const name = readName(rdata, start)
  return name === undefined || name.end !== rdata.length ? undefined : formatLabels(name.labels)
}

function readText(rdata: Buffer): Rdata | undefined {
  const chunks: Buffer[] = []
  for (let at = 0; at < rdata.length; ) {
    const length = rdata[at] ?? 0
    if (at + 1 + length > rdata.length) return undefined
    chunks.push(rdata.subarray(at + 1, at + 1 + length))
    at += 1 + length
  }
  return chunks.length === 0 ? undefined : { type: 'TXT', text: Buffer.concat(chunks).toString('utf8') }
}

function readCaa(rdata: Buffer): Rdata | undefined {
  const tagLength = rdata[1]
  if (tagLength === undefined || tagLength === 0 || 2 + tagLength > rdata.length) return undefined
  const tag = rdata.toString('latin1', 2, 2 + tagLength).toLowerCase()
  return { type: 'CAA', flags: rdata[0] ?? 0, tag, value: rdata.toString('utf8', 2 + tagLength) }
}

/** A SOA with the serial, which is no part of its value. */
export function readSoa(
  octets: Buffer,
): { readonly rdata: Rdata & { readonly type: 'SOA' }; readonly serial: number } | undefined {
  const mname = readName(octets, 0)
  const rname = mname === undefined ? undefined : readName(octets, mname.end)
  if (mname === undefined || rname === undefined || rname.end + 20 !== octets.length) return undefined
  const number = (index: number) => octets.readUInt32BE(rname.end + 4 * index)
  return {
    serial: number(0),
    rdata: {
      type: 'SOA',
      mname: formatLabels(mname.labels),
      rname: formatLabels(rname.labels),
      times: [number(1), number(2), number(3), number(4)],
    },
  }
}
