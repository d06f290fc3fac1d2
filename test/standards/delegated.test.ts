/** The registries' statistics files: hostile text, and tables of intervals against a plain scan of the rows. */
import { describe, expect, test } from 'vitest'
import { countryLinesMax, countryOf, findCountry, nationalPrefixes } from '../../agent/model/country.ts'
import { formatIp, type Ip, parseIp } from '../../agent/model/ip.ts'
import { toCountryTable } from '../../agent/policy-test/world.ts'
import { createDelegatedParser, delegatedLineMax } from '../../agent/standards/delegated-statistics.ts'
import { buildCountryTable } from '../../agent/standards/delegated-table.ts'
import { chooseSeed, createRandom, randomStatistics } from '../decision/generate.ts'
import { countryNaively } from '../decision/naive.ts'

const header = '2|lacnic|20260101|0|19870101|20260101|-0500'
const words = { national: 'cu', foreign: 'other', unknown: '?' } as const

function parse(text: string, pieces = 1 << 20) {
  const parser = createDelegatedParser('a/file', ['cu'])
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += pieces) parser.push(bytes.subarray(at, at + pieces))
  return parser.end()
}

function findingsOf(text: string): string[] {
  return parse(text).diagnostics.map(({ values, place }) => `${place?.line} ${values.reason}`)
}

describe('a file', () => {
  const text = [
    '# a comment, ñ included',
    '2.3|lacnic|20260102|5|19870101|20260101|-0500',
    'lacnic|*|ipv4|*|3|summary',
    'lacnic|*|ipv6|*|1|summary',
    'lacnic|*|asn|*|1|summary',
    '',
    'lacnic|CU|ipv4|198.51.100.0|300|20200101|allocated|a|e-stats',
    'lacnic|es|ipv4|203.0.113.0|256|00000000|ASSIGNED',
    'lacnic||ipv4|192.0.2.0|256||available',
    'lacnic|CU|asn|64500|1|20200101|assigned|a',
    'lacnic|CU|ipv6|2001:db8::|32|20200101|allocated|a',
  ].join('\n')

  test('is read the same in any pieces and with either end of line', () => {
    const whole = parse(text)
    expect(whole.diagnostics).toEqual([])
    expect(whole.source).toEqual({ file: 'a/file', registry: 'lacnic', serial: '20260102', date: '2026-01-01' })
    expect(whole.v4.map(({ value, line }) => [value, line])).toEqual([
      ['national', 7],
      ['foreign', 8],
      ['unknown', 9],
    ])
    expect(whole.v6).toEqual([{ from: 0x20010db8n << 96n, to: (0x20010db9n << 96n) - 1n, value: 'national', line: 11 }])
    for (const pieces of [1, 2, 7, 64]) expect(parse(text, pieces)).toEqual(whole)
    expect(parse(text.replaceAll('\n', '\r\n'))).toEqual(whole)
  })

  test('cut anywhere before its last row is an error, so nothing of it is used', () => {
    const last = text.lastIndexOf('\n')
    for (let length = 0; length < last; length += 1)
      expect(parse(text.slice(0, length)).diagnostics, `${length}`).not.toEqual([])
  })
})

describe('a line that is wrong is told with its number', () => {
  test.each([
    ['lacnic|CU|ipv4|198.51.100.0|256|20200101', 'country.fields'],
    ['arin|CU|ipv4|198.51.100.0|256|20200101|allocated', 'country.registry'],
    ['nobody|CU|ipv4|198.51.100.0|256|20200101|allocated', 'country.registry'],
    ['lacnic|CUB|ipv4|198.51.100.0|256|20200101|allocated', 'country.code'],
    ['lacnic|CU|ipv5|198.51.100.0|256|20200101|allocated', 'country.type'],
    ['lacnic|CU|ipv4|198.51.100|256|20200101|allocated', 'country.address'],
    ['lacnic|CU|ipv4|198.051.100.0|256|20200101|allocated', 'country.address'],
    ['lacnic|CU|ipv4|2001:db8::|32|20200101|allocated', 'country.address'],
    ['lacnic|CU|ipv4|198.51.100.0|0|20200101|allocated', 'country.count'],
    ['lacnic|CU|ipv4|198.51.100.0|-1|20200101|allocated', 'country.count'],
    ['lacnic|CU|ipv4|198.51.100.0|1e3|20200101|allocated', 'country.count'],
    ['lacnic|CU|ipv4|255.255.255.255|2|20200101|allocated', 'country.end'],
    ['lacnic|CU|ipv4|198.51.100.0|9999999999|20200101|allocated', 'country.end'],
    ['lacnic|CU|ipv6|2001:db8::|0|20200101|allocated', 'country.prefix'],
    ['lacnic|CU|ipv6|2001:db8::|129|20200101|allocated', 'country.prefix'],
    ['lacnic|CU|ipv6|2001:db8::1|64|20200101|allocated', 'country.bits'],
    ['lacnic|CU|ipv6|::ffff:198.51.100.0|128|20200101|allocated', 'country.address'],
    ['lacnic|CU|ipv6|2001:db8::%1|64|20200101|allocated', 'country.address'],
    ['lacnic|CU|ipv4|198.51.100.0|256|2020-01-01|allocated', 'country.date'],
    ['lacnic|CU|ipv4|198.51.100.0|256|20200101|mine', 'country.status'],
    ['lacnic|CU|asn|x|1|20200101|allocated', 'country.number'],
    ['lacnic|*|ipv4|*|many|summary', 'country.summary'],
    ['lacnic|CU|ipv4|198.51.100.0|256|20200101|allocated\u0000', 'country.letters'],
    [`#${'x'.repeat(delegatedLineMax)}`, 'country.long'],
    [`lacnic|${'x'.repeat(5_000_000)}`, 'country.long'],
  ])('%.60s', (row, reason) => {
    expect(findingsOf(`${header}\n# second\n${row}\n`)).toEqual([`3 ${reason}`])
  })

  test.each([
    ['', '1 country.empty'],
    ['\n\n# nothing\n', '1 country.empty'],
    ['<html>', '1 country.header'],
    ['lacnic|CU|ipv4|198.51.100.0|256|20200101|allocated', '1 country.header'],
    ['1|lacnic|20260101|0|19870101|20260101|-0500', '1 country.version'],
    ['2|lacnic|20260101|x|19870101|20260101|-0500', '1 country.header'],
    ['2|lacnic|x|0|19870101|20260230|-0500', '1 country.date'],
  ])('header %j', (text, finding) => {
    expect(findingsOf(text)[0]).toBe(finding)
  })

  test('and of a file that is something else the first ones are enough', () => {
    const { diagnostics } = parse('nonsense\n'.repeat(50_000))
    expect(diagnostics.length).toBeLessThan(50)
    expect(diagnostics[0]?.values).toMatchObject({ found: 'nonsense' })
  })

  test('more lines than any registry has', () => {
    expect(findingsOf(`${header}\n${'\n'.repeat(countryLinesMax)}`)).toEqual([`${countryLinesMax + 1} country.lines`])
  })
})

describe('the table', () => {
  const table = toCountryTable(
    `${header}
lacnic|ES|ipv4|203.0.113.0|256|20200101|assigned|b
lacnic|CU|ipv4|198.51.100.0|300|20200101|allocated|a
lacnic|CU|ipv4|198.51.100.0|300|20200101|allocated|a
lacnic|CU|ipv4|10.0.0.0|16777216|20200101|allocated|a
lacnic|EU|ipv4|192.0.2.0|256|20200101|allocated|c
lacnic|CU|ipv6|2001:db8:c0::|44|20200101|allocated|a
lacnic|CU|ipv6|2001:db8:ffff:ffff:ffff:ffff:ffff:ffff|128|20200101|allocated|a
`,
  )
  const told = (text: string) => countryOf(table, parseIp(text)!)

  test.each([
    ['198.51.99.255', 'unknown'],
    ['198.51.100.0', 'national'],
    ['198.51.101.43', 'national'],
    ['198.51.101.44', 'unknown'],
    ['203.0.112.255', 'unknown'],
    ['203.0.113.0', 'foreign'],
    ['203.0.113.255', 'foreign'],
    ['203.0.114.0', 'unknown'],
    ['0.0.0.0', 'unknown'],
    ['255.255.255.255', 'unknown'],
    ['10.1.2.3', 'unknown'],
    ['192.0.2.1', 'unknown'],
    ['2001:db8:bf:ffff:ffff:ffff:ffff:ffff', 'unknown'],
    ['2001:db8:c0::', 'national'],
    ['2001:db8:cf:ffff:ffff:ffff:ffff:ffff', 'national'],
    ['2001:db8:d0::', 'unknown'],
    ['2001:db8:ffff:ffff:ffff:ffff:ffff:fffe', 'unknown'],
    ['2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 'national'],
    ['2001:db9::', 'unknown'],
    ['::', 'unknown'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'unknown'],
    ['::ffff:198.51.100.1', 'national'],
  ])('%s is %s', (ip, value) => {
    expect(told(ip)).toBe(value)
  })

  test('knows the row', () => {
    expect(findCountry(table, parseIp('203.0.113.7')!).source).toMatchObject({ file: 'country', line: 2 })
    expect(findCountry(table, parseIp('192.0.2.7')!).source).toMatchObject({ line: 6 })
    expect(findCountry(table, parseIp('192.0.3.7')!).source).toBeNull()
  })

  test('the fewest prefixes cover what is national and nothing else', () => {
    expect([...nationalPrefixes(table)]).toEqual([
      '198.51.100.0/24',
      '198.51.101.0/27',
      '198.51.101.32/29',
      '198.51.101.40/30',
      '2001:db8:c0::/44',
      '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128',
    ])
    const touching = toCountryTable(
      `${header}\nlacnic|CU|ipv4|198.51.101.0|256||assigned\nlacnic|CU|ipv4|198.51.100.0|256||assigned`,
    )
    expect([...nationalPrefixes(touching)]).toEqual(['198.51.100.0/23'])
  })

  test('two rows that contradict each other are nobody’s, and both are told', () => {
    const file = parse(
      `${header}\nlacnic|CU|ipv4|198.51.100.0|256||assigned\nlacnic|ES|ipv4|198.51.100.9|1||assigned\n`,
    )
    const built = buildCountryTable([file], ['cu'])
    expect(built.diagnostics).toMatchObject([
      {
        code: 'W-COUNTRY-CONTRADICTION',
        values: { address: '198.51.100.9', other: 'a/file:3' },
        place: { line: 2 },
      },
    ])
    const at = (text: string) => countryOf(built.table, parseIp(text)!)
    expect(['198.51.100.8', '198.51.100.9', '198.51.100.10'].map(at)).toEqual(['national', 'unknown', 'national'])
  })

  test('any rows in any order say what a scan of the rows says, at every edge', () => {
    const random = createRandom(chooseSeed())
    const seen = new Map<string, number>()
    for (let count = 0; count < 400; count += 1) {
      const text = randomStatistics(random)
      const built = toCountryTable(text)
      const edges = parse(text)
      const ips: Ip[] = [
        ...edges.v4.flatMap(({ from, to }) => [from - 1, from, to, to + 1]),
        ...edges.v6.flatMap(({ from, to }) => [from - 1n, from, to, to + 1n]),
      ]
      for (const ip of ips) {
        const value = countryOf(built, ip)
        expect(words[value], `${formatIp(ip)} in\n${text}`).toBe(countryNaively(text, formatIp(ip)))
        seen.set(value, (seen.get(value) ?? 0) + 1)
      }
    }
    for (const value of ['national', 'foreign', 'unknown']) expect(seen.get(value) ?? 0, value).toBeGreaterThan(100)
  })
})

test('an address as text is the address again', () => {
  for (const text of ['0.0.0.0', '198.51.100.255', '::', '::1', '2001:db8::1:0:0:1', '2001:db8:0:1:1:1:1:1', '1::'])
    expect(formatIp(parseIp(text)!)).toBe(text)
})
