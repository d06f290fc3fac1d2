/** UPDATE messages octet by octet, RDATA there and back, names with pointers of every kind. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RecordType } from '../../agent/model/resource.ts'
import { parseMessage } from '../../agent/standards/dns-message.ts'
import { formatRdata, parseRdata } from '../../agent/standards/dns-text.ts'
import { encodeUpdate, updateOverhead } from '../../agent/standards/dns-update.ts'
import {
  expandRdata,
  fromRdata,
  readName,
  readSoa,
  toRdata,
  typeCodes,
  typeName,
} from '../../agent/standards/dns-wire.ts'

const address = Buffer.from([192, 0, 2, 1])

describe('an UPDATE', () => {
  const octets = encodeUpdate(0x1234, {
    zone: 'a.example',
    prerequisites: [
      { needs: 'rrset-is', owner: 'www.a.example', type: 'A', rdata: [address, address] },
      { needs: 'rrset-absent', owner: 'www.a.example', type: 'CNAME' },
      { needs: 'name-unused', owner: 'new.a.example' },
    ],
    steps: [
      { step: 'add', owner: 'www.a.example', type: 'A', ttl: 300, rdata: address },
      { step: 'delete-rrset', owner: 'www.a.example', type: 'AAAA' },
      { step: 'delete-record', owner: 'www.a.example', type: 'A', rdata: address },
    ],
  })

  test('has the classes and TTLs that say what is meant (RFC 2136 sections 2.4 and 2.5)', () => {
    const message = parseMessage(octets)!
    expect([message.id, message.opcode, message.question]).toEqual([0x1234, 5, { name: 'a.example', type: 6 }])
    const shape = (records: typeof message.answers) =>
      records.map(({ owner, type, class: cls, ttl, rdata }) => [owner, type, cls, ttl, rdata.length])
    expect(shape(message.answers)).toEqual([
      ['www.a.example', 1, 1, 0, 4],
      ['www.a.example', 1, 1, 0, 4],
      ['www.a.example', 5, 254, 0, 0],
      ['new.a.example', 255, 254, 0, 0],
    ])
    expect(shape(message.authorities)).toEqual([
      ['www.a.example', 1, 1, 300, 4],
      ['www.a.example', 28, 255, 0, 0],
      ['www.a.example', 1, 254, 0, 4],
    ])
  })

  test('is as long as its parts say', () => {
    expect(encodeUpdate(1, { zone: 'a.example', prerequisites: [], steps: [] }).length).toBe(
      updateOverhead('a.example'),
    )
  })
})

describe('RDATA', () => {
  const values: readonly (readonly [RecordType, string])[] = [
    ['A', '192.0.2.10'],
    ['AAAA', '2001:db8::1'],
    ['AAAA', '::'],
    ['NS', 'ns1.operator.example'],
    ['CNAME', '_x.y_z.example'],
    ['PTR', 'host.example'],
    ['MX', '10 mx1.operator.example'],
    ['MX', '0 .'],
    ['SRV', '0 1 587 mail.operator.example'],
    ['TXT', ''],
    ['TXT', 'key="quoted" \\ and é'],
    ['TXT', 'x'.repeat(700)],
    ['CAA', '0 issue "ca.example; a=\\"b\\\\c\\""'],
    ['SOA', 'ns.example host\\.master.example 10800 3600 604800 3600'],
  ]

  test.each(values)('of %s %s is read as it was written', (type, value) => {
    const octets = toRdata(parseRdata(type, value)!, 42)
    expect(formatRdata(fromRdata(typeCodes[type], octets)!)).toBe(value)
    expect(expandRdata(octets, typeCodes[type], 0, octets.length)).toEqual(octets)
    for (let end = 0; end < octets.length; end += 1) {
      const cut = fromRdata(typeCodes[type], octets.subarray(0, end))
      if (cut !== undefined) expect(formatRdata(cut)).not.toBe(value)
    }
  })

  test('of any octets is read or not, without a crash, and what is read is canonical', () => {
    const types = fc.constantFrom(...Object.values(typeCodes), 52)
    fc.assert(
      fc.property(types, fc.uint8Array({ maxLength: 80 }), (type, octets) => {
        const rdata = fromRdata(type, Buffer.from(octets))
        expandRdata(Buffer.from(octets), type, 0, octets.length)
        if (rdata === undefined || rdata.type === 'TXT' || rdata.type === 'CAA') return
        const written = toRdata(rdata, readSoa(Buffer.from(octets))?.serial ?? 0)
        expect(formatRdata(fromRdata(type, written)!)).toBe(formatRdata(rdata))
      }),
      { numRuns: 20_000 },
    )
  })

  test('has its serial beside its value', () => {
    const octets = toRdata(parseRdata('SOA', 'ns.example h.example 1 2 3 4')!, 4_294_967_295)
    expect(readSoa(octets)?.serial).toBe(4_294_967_295)
    expect([typeName(6), typeName(52)]).toEqual(['SOA', 'TYPE52'])
  })
})

describe('a name', () => {
  const read = (hex: string, at = 0) => readName(Buffer.from(hex, 'hex'), at)

  test('follows pointers back, and only back', () => {
    // 0: a.b  5: pointer to 0  7: c + pointer to 2
    const octets = '01610162000161c0000163c002'
    expect(read(octets, 5)).toEqual({ labels: ['a', 'a', 'b'], end: 9 })
    expect(read(octets, 9)).toEqual({ labels: ['c', 'b'], end: 13 })
    expect(read('c000')).toBeUndefined()
    expect(read('c002c000')).toBeUndefined()
    expect(read('0161c000', 0)).toBeUndefined()
    expect(read('')).toBeUndefined()
    expect(read('0561')).toBeUndefined()
    expect(read('40')).toBeUndefined()
    expect(read('c0')).toBeUndefined()
  })

  test('ends at 255 octets, however it is composed', () => {
    const label = (length: number) => `${length.toString(16).padStart(2, '0')}${'61'.repeat(length)}`
    expect(read(`${label(63)}${label(63)}${label(63)}${label(61)}00`)?.labels.length).toBe(4)
    expect(read(`${label(63)}${label(63)}${label(63)}${label(62)}00`)).toBeUndefined()
  })
})
