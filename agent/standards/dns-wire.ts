/**
 * Names and RDATA as octets, written and read: RFC 1035 sections 3 and 4.1.4, RFC 3596 (AAAA), RFC 2782 (SRV), RFC 8659
 * (CAA). Names are written in full, never compressed: RFC 3597 section 4 lets that be done for few types. Pure; reading
 * throws on nothing and follows no pointer forwards.
 */
import type { RecordType } from '../model/resource.ts'
import { parseLabels, type Rdata, splitText } from './dns-text.ts'

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

/** The root for a text that is no name. */
export function nameOctets(name: string): Buffer {
  const labels = parseLabels(name) ?? []
  const parts = labels.flatMap(label => [Buffer.from([label.length]), Buffer.from(label, 'latin1')])
  return Buffer.concat([...parts, Buffer.from([0])])
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
