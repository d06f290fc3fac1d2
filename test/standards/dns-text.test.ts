/** Names and values of DNS as text: what is canonical stays, what is none is refused, escapes come and go (K14). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RecordType } from '../../agent/model/resource.ts'
import {
  canonicalValues,
  formatLabels,
  formatRdata,
  formatZoneFile,
  mailboxName,
  parseLabels,
  parseRdata,
  splitText,
} from '../../agent/standards/dns-text.ts'

const octets = fc.array(
  fc.integer({ min: 0, max: 255 }).map(code => String.fromCharCode(code)),
  { minLength: 1, maxLength: 63 },
)
const anyLabel = octets.map(characters => characters.join('').replace(/[A-Z]/g, letter => letter.toLowerCase()))

describe('names', () => {
  test('labels of any octets come back from their text', () => {
    fc.assert(
      fc.property(fc.array(anyLabel, { maxLength: 3 }), labels => {
        expect(parseLabels(formatLabels(labels))).toEqual(labels)
      }),
    )
  })

  test('limits and escapes', () => {
    const label63 = 'a'.repeat(63)
    expect(parseLabels('a.example.')).toEqual(['a', 'example'])
    expect(parseLabels('a\\.b.example')).toEqual(['a.b', 'example'])
    expect(parseLabels('a\\046b.example')).toEqual(['a.b', 'example'])
    expect(parseLabels([label63, label63, label63, 'a'.repeat(61)].join('.'))).toHaveLength(4)
    expect(parseLabels([label63, label63, label63, 'a'.repeat(62)].join('.'))).toBeUndefined()
    for (const text of ['', '..', '.a', 'a..b', `${label63}a.b`, 'a\\', 'a\\25', 'a\\256', 'a\\1x', 'ñ\u0100'])
      expect([text, parseLabels(text)]).toEqual([text, undefined])
    expect(mailboxName('ana.ruiz@operator.example')).toBe('ana\\.ruiz.operator.example')
  })
})

describe('values', () => {
  const cases: [RecordType, string, string | undefined][] = [
    ['A', '192.0.2.1', '192.0.2.1'],
    ['A', '192.0.2', undefined],
    ['A', '0x7f.1', undefined],
    ['A', '2001:db8::1', undefined],
    ['AAAA', '2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['AAAA', '::', '::'],
    ['AAAA', '::ffff:192.0.2.1', '::ffff:c000:201'],
    ['AAAA', 'fe80::1%eth0', undefined],
    ['AAAA', '192.0.2.1', undefined],
    ['MX', '010  MX1.Example.', '10 mx1.example'],
    ['MX', '0 .', '0 .'],
    ['MX', '65536 mx.example', undefined],
    ['MX', 'mx.example', undefined],
    ['MX', '10 mx.example extra', undefined],
    ['SRV', '0 1 587 Mail.Example.', '0 1 587 mail.example'],
    ['SRV', '0 0 0 .', '0 0 0 .'],
    ['SRV', '0 1 587', undefined],
    ['CNAME', 'S1._domainkey.Mailer.example.', 's1._domainkey.mailer.example'],
    ['CNAME', 'a b.example', undefined],
    ['NS', '', undefined],
    ['CAA', '0 ISSUE ca.example', '0 issue "ca.example"'],
    ['CAA', '128 iodef "mailto:a\\"b@example"', '128 iodef "mailto:a\\"b@example"'],
    ['CAA', '256 issue "x"', undefined],
    ['TXT', ' as it is ', ' as it is '],
    ['SOA', 'NS1.example. Host\\.master.example. 1 2 3 4', 'ns1.example host\\.master.example 1 2 3 4'],
    ['SOA', 'ns1.example hostmaster.example 1 2 3 4 5', undefined],
  ]
  test.each(cases)('%s %j is %j', (type, value, canonical) => {
    const rdata = parseRdata(type, value)
    expect(rdata === undefined ? undefined : formatRdata(rdata)).toBe(canonical)
    if (rdata !== undefined) expect(parseRdata(type, formatRdata(rdata))).toEqual(rdata)
  })

  test('canonical values are sorted, each once, and canonical again', () => {
    expect(canonicalValues('MX', ['20 B.example', '10 a.example.', '20 b.example'])).toEqual([
      '10 a.example',
      '20 b.example',
    ])
    expect(canonicalValues('A', ['not an address'])).toEqual(['not an address'])
    const type = fc.constantFrom<RecordType>('A', 'AAAA', 'MX', 'SRV', 'TXT', 'CAA', 'SOA', 'NS', 'CNAME', 'PTR')
    fc.assert(
      fc.property(type, fc.array(fc.string()), (one, values) => {
        const once = canonicalValues(one, values)
        expect(canonicalValues(one, once)).toEqual(once)
      }),
    )
  })

  test('texts are cut at 255 octets, not characters, and lose nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 900 }), text => {
        const chunks = splitText(text)
        expect(chunks.every(chunk => chunk.length <= 255)).toBe(true)
        expect(Buffer.concat(chunks)).toEqual(Buffer.from(text, 'utf8'))
      }),
    )
    expect(splitText('').length).toBe(1)
  })

  test('a zone file has its SOA first, full names, quoted texts', () => {
    const text = formatZoneFile(
      [
        { owner: 'a.example', type: 'TXT', ttl: 60, values: ['a "b" \\ é', ''] },
        { owner: 'a.example', type: 'SOA', ttl: 60, values: ['ns1.b.example h.b.example 1 2 3 4'] },
        { owner: 'a.example', type: 'MX', ttl: 60, values: ['0 .', 'nonsense'] },
      ],
      9,
    )
    expect(text.split('\n')).toEqual([
      'a.example. 60 IN SOA ns1.b.example. h.b.example. 9 1 2 3 4',
      'a.example. 60 IN TXT "a \\"b\\" \\\\ \\195\\169"',
      'a.example. 60 IN TXT ""',
      'a.example. 60 IN MX 0 .',
      '',
    ])
  })
})
