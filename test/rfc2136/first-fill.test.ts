/** Zone files that new zones begin with: `named-checkzone` takes each, whatever is wanted in it, and finds in it what was written. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { RecordType, RRsetResource } from '../../agent/model/resource.ts'
import { canonicalRRset, checkDnsForm } from '../../agent/standards/dns-resource.ts'
import { toRdata } from '../../agent/standards/dns-wire.ts'
import { firstZoneFile } from '../../providers/rfc2136/first-fill.ts'
import { isOfMarks, marksRRsets, readMarks } from '../../providers/rfc2136/marks.ts'
import type { RRsetChange } from '../../providers/rfc2136/writing.ts'
import { create, markFor, rrset, soa } from '../dns/bench.ts'
import { run } from '../servers/mail-servers.ts'
import { absentOf, describeServers } from '../servers/suite.ts'

const apex = 'a.example'
const serial = 1_700_000_000
const marked = (resource: RRsetResource): RRsetChange =>
  ({ change: create(resource), mark: markFor(resource) }) as unknown as RRsetChange

const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?$/)
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map(labels => labels.join('.'))
const inside = fc.oneof(name, fc.constantFrom('@', '*', '*.deep', 'www', 'mx'))
const target = fc.oneof(
  name.map(one => `${one}.example`),
  inside.map(one => `${one.replace('*', 'x').replace('@', 'ns')}.${apex}`),
)
const values: Readonly<Record<Exclude<RecordType, 'SOA'>, fc.Arbitrary<string>>> = {
  A: fc.ipV4(),
  AAAA: fc.ipV6(),
  NS: target,
  CNAME: target,
  PTR: target,
  MX: fc.tuple(fc.nat(65_535), target).map(([preference, exchange]) => `${preference} ${exchange}`),
  SRV: fc.tuple(fc.nat(65_535), fc.nat(65_535), fc.nat(65_535), target).map(parts => parts.join(' ')),
  TXT: fc.oneof(
    fc.string({ maxLength: 600, unit: 'binary' }),
    fc.constantFrom('', 'a"b\\c', '; not a comment', '$ORIGIN x', '(', 'é\n'),
  ),
  CAA: fc.constantFrom('0 issue "ca.example"', '128 iodef "mailto:x@ca.example"', '0 issue ";"'),
}
const types = Object.keys(values) as Exclude<RecordType, 'SOA'>[]
const anRRset = fc
  .constantFrom(...types)
  .chain(type =>
    fc
      .tuple(inside, fc.array(values[type], { minLength: 1, maxLength: 3 }), fc.nat(100_000))
      .map(([owner, list, ttl]) => canonicalRRset(rrset(apex, owner, type, list, ttl))),
  )

describeServers(
  'a first zone file',
  () => absentOf(['/usr/bin/named-checkzone']),
  () => {
    const folder = mkdtempSync('/tmp/mwf-')
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    function check(text: string): string {
      const file = join(folder, 'zone')
      writeFileSync(file, text)
      const { status, stdout, stderr } = run('/usr/bin/named-checkzone', ['-i', 'local', '-D', '-q', apex, file])
      expect([status, stderr, status === 0 ? '' : text]).toEqual([0, '', ''])
      return stdout
    }

    test('is taken, whatever RRsets are wanted', () => {
      const all = fc.array(anRRset, { maxLength: 25 })
      let filled = 0
      fc.assert(
        fc.property(all, fc.boolean(), (wanted, withSoa) => {
          const one = new Map([...(withSoa ? [soa(apex)] : []), ...wanted].map(resource => [resource.key, resource]))
          const sound = [...one.values()].filter(resource => checkDnsForm(resource).length === 0)
          const text = firstZoneFile(apex, 'mw1:zone', sound.map(marked), serial)
          filled += text.split('\n').length
          expect(check(text)).toContain(String(serial))
        }),
        { numRuns: 250 },
      )
      expect(filled).toBeGreaterThan(1_500)
    }, 40_000)

    test('holds the marks of what stands in it, and of nothing else', () => {
      const wanted = [
        rrset(apex, 'www', 'A', ['192.0.2.1']),
        rrset(apex, 'both', 'CNAME', ['x.example']),
        rrset(apex, 'both', 'TXT', ['beside an alias']),
        rrset(apex, '@', 'MX', ['10 nowhere.a.example']),
        rrset(apex, 'sub', 'NS', ['www.a.example']),
      ]
      const dump = check(firstZoneFile(apex, 'mw1:zone', wanted.map(marked), serial))
      const has = (resource: RRsetResource) => dump.includes(markFor(resource))
      expect(wanted.map(has)).toEqual([true, false, true, false, true])
      expect(dump).toContain('mw1:zone')
      // Nobody's SOA and NS stand in for ours.
      expect(dump.match(/unset\.invalid\./g)?.length).toBe(3)
    })
  },
)

describe('marks', () => {
  test('are read as they were written, each at a name of its own, and taken for marks', () => {
    const owner = fc.oneof(name, fc.constantFrom('@', '*.wild', 'semi\\;colon', '\\032blank', '.'))
    const entries = fc.array(fc.tuple(owner, fc.constantFrom(...types), fc.stringMatching(/^mw1:[0-9a-f]{32}$/)), {
      maxLength: 300,
    })
    fc.assert(
      fc.property(entries, list => {
        const of = new Map(
          list.map(([one, type, mark]) => [one === '@' ? `${apex} ${type}` : `${one}.${apex} ${type}`, mark]),
        )
        of.set('. zone', 'mw1:zone')
        const rrsets = new Map(
          marksRRsets(apex, of).map(({ owner, values }) => [
            owner,
            values.map(text => toRdata({ type: 'TXT', text }, 0)),
          ]),
        )
        expect(rrsets.size).toBe(of.size)
        for (const [owner, rdata] of rrsets) expect(isOfMarks(apex, owner, 16, rdata)).toBe(true)
        const read = [...readMarks(apex, rrsets).of].map(([marked, { mark }]) => [marked, mark] as const)
        expect(new Map(read.sort())).toEqual(new Map([...of].sort()))
      }),
      { numRuns: 300 },
    )
  })
})
