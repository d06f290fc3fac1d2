/** What stands on PowerDNS is what is answered, each batch raises the serial once, and a record that is refused stops no other. */
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { RRsetResource } from '../../agent/model/resource.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import type { PowerDns } from '../../providers/powerdns/powerdns.ts'
import { dnsStates } from '../conformance/samples.ts'
import { create, never, remove, results, rrset, soa, update, zone } from '../dns/bench.ts'
import { backends, type Pdns, startPdns, whyNoPdns } from '../servers/pdns.ts'
import { describeServers } from '../servers/suite.ts'
import { applyTo, openOn, reach } from './shared.ts'

const { full } = dnsStates
const a = 'a.example'
const isRRset = (resource: DnsResource): resource is RRsetResource => resource.kind === 'rrset'

/** The values that a resolver is given for an RRset, in the resource's form. */
async function answered(pdns: Pdns, { owner, type }: RRsetResource): Promise<string[]> {
  const resolver = pdns.resolver()
  const name = owner.replace(/^\*/, 'anything')
  switch (type) {
    case 'SOA': {
      const { nsname, hostmaster, refresh, retry, expire, minttl } = await resolver.resolveSoa(name)
      return [`${nsname} ${hostmaster} ${refresh} ${retry} ${expire} ${minttl}`]
    }
    case 'MX':
      return (await resolver.resolveMx(name)).map(({ priority, exchange }) => `${priority} ${exchange}`)
    case 'TXT':
      return (await resolver.resolveTxt(name)).map(strings =>
        // The octets come as one character each.
        Buffer.from(strings.join(''), 'latin1').toString('utf8'),
      )
    case 'SRV':
      return (await resolver.resolveSrv(name)).map(one => `${one.priority} ${one.weight} ${one.port} ${one.name}`)
    case 'CAA':
      return (await resolver.resolveCaa(name)).map(({ critical, issue }) => `${critical} issue "${issue}"`)
    case 'A':
      return resolver.resolve4(name)
    case 'AAAA':
      return resolver.resolve6(name)
    case 'NS':
      return resolver.resolveNs(name)
    case 'CNAME':
      return resolver.resolveCname(name)
    case 'PTR':
      return resolver.resolvePtr(name)
  }
}

for (const backend of backends)
  describeServers(
    `what PowerDNS with ${backend} answers`,
    () => whyNoPdns(backend),
    () => {
      let pdns: Pdns
      let dns: PowerDns
      beforeAll(async () => {
        pdns = await startPdns({ backend })
        dns = openOn(pdns)
      })
      afterAll(async () => {
        await dns?.[Symbol.asyncDispose]()
        await pdns?.stop()
      })
      const serials = async () => Promise.all([a, 'b.cu'].map(async apex => (await pdns.zone(apex)).serial))
      const asked = async () => (await pdns.resolver().resolveSoa(a)).serial

      test('every sample record, and every change of one', async () => {
        await reach(dns, [...full, rrset('b.cu', '7', 'PTR', ['host.b.cu'])])
        for (const resource of full.filter(isRRset))
          expect([resource.key, (await answered(pdns, resource)).toSorted()]).toEqual([resource.key, resource.values])
        await reach(dns, dnsStates.changed)
        for (const resource of dnsStates.changed.filter(isRRset))
          expect([resource.key, (await answered(pdns, resource)).toSorted()]).toEqual([resource.key, resource.values])
        await expect(pdns.resolver().resolve6(`www.${a}`)).rejects.toMatchObject({ code: 'ENODATA' })
        await reach(dns, [])
        await expect(pdns.resolver().resolveSoa(a)).rejects.toMatchObject({ code: 'EREFUSED' })
      })

      test('the serial rises once for each zone and batch with a real change, and not without one', async () => {
        await reach(dns, full)
        const [first = 0, other = 0] = await serials()
        expect(await asked()).toBe(first)
        const mx = rrset(a, '@', 'MX', ['10 mx1.operator.example', '20 mx2.operator.example'])
        const www = rrset(a, 'www', 'A', ['192.0.2.10', '192.0.2.11'])
        const newSoa = { ...soa(a), ttl: 60 }
        const batches = [
          [update(mx, { ...mx, ttl: 60 }), create(rrset(a, 'new', 'A', ['192.0.2.1'])), remove(www)],
          [update(soa(a), newSoa)],
          [remove(newSoa), remove(rrset(a, 'new', 'A', ['192.0.2.1']))],
          [create(soa(a))],
        ]
        for (const [index, batch] of batches.entries()) {
          expect(new Set(results(await applyTo(dns, batch)))).toEqual(new Set(['applied']))
          expect(await serials()).toEqual([first + index + 1, other])
          expect(await asked()).toBe(first + index + 1)
          await applyTo(dns, batch)
          expect(await serials()).toEqual([first + index + 1, other])
        }
        expect(results(await applyTo(dns, [update({ ...mx, ttl: 7 }, { ...mx, ttl: 8 })]))).toEqual(['conflict'])
        expect(await serials()).toEqual([first + batches.length, other])
        await reach(dns, [])
      })

      test('a zone that begins again begins above its last serial', async () => {
        await reach(dns, full)
        const [first = 0] = await serials()
        await reach(dns, [])
        // Later by a second at least, as any removal that was meant.
        const later = openOn(pdns, { clock: inAMinute })
        await reach(later, full)
        expect((await serials())[0]).toBeGreaterThan(first)
        await later[Symbol.asyncDispose]()
        await reach(dns, [])
      })

      test('a zone without a SOA of ours is made, shows none, and takes ours later', async () => {
        expect(results(await applyTo(dns, [create(zone(a))]))).toEqual(['applied'])
        expect((await dns.observe('all', never)).map(({ resource }) => resource.kind)).toEqual(['zone'])
        const { serial } = await pdns.zone(a)
        expect(results(await applyTo(dns, [create(soa(a))]))).toEqual(['applied'])
        expect((await pdns.zone(a)).serial).toBe(serial + 1)
        expect(results(await applyTo(dns, [remove(soa(a)), remove(zone(a))]))).toEqual(['applied', 'applied'])
        expect(await pdns.zone(a)).toBeUndefined()
      })

      test('an RRset that PowerDNS refuses fails with its words, the neighbours go on, in one step', async () => {
        const cname = rrset(a, 'www', 'CNAME', ['x.example'])
        const outside = { ...rrset(a, 'x', 'A', ['192.0.2.1']), owner: 'x.elsewhere.example' }
        const spelled = rrset(a, 'odd', 'A', ['192.0.2.1'])
        const odd = { ...spelled, owner: `o\\@d.${a}` }
        const bad = [cname, outside, odd].map(create)
        for (const around of [full, []]) {
          // In a new zone, and in one that stands.
          const wanted = around.length > 0 ? full : [rrset(a, 'n1', 'A', ['192.0.2.1']), rrset(a, 'n2', 'MX', ['0 .'])]
          const before = around.length > 0 ? undefined : (await serials())[0]
          const outcomes = await applyTo(dns, [...bad, ...wanted.map(create)])
          const failed = outcomes.filter(({ result }) => result === 'failed')
          expect(outcomes.filter(({ result }) => result === 'applied').length).toBe(wanted.length)
          expect(failed.map(({ ref }) => ref.key).sort()).toEqual(bad.map(({ ref }) => ref.key).sort())
          expect(failed.every(({ detail }) => (detail ?? '').length > 10)).toBe(true)
          if (before !== undefined) expect((await serials())[0]).toBe(before + 1)
        }
        const observed = await dns.observe('all', never)
        expect(observed.length).toBe(full.length + 2)
        await reach(dns, [])
      })

      test('what is written is what is read: any text, any name that the API takes, any of the types', async () => {
        await reach(dns, [zone(a), soa(a)])
        await fc.assert(
          fc.asyncProperty(fc.array(anyRRset, { minLength: 1, maxLength: 6 }), async drawn => {
            const unique = new Map(drawn.map(one => dns.canonical(one)).map(one => [one.key, one]))
            // An alias has no neighbours.
            const owners = new Set([...unique.values()].map(one => (isRRset(one) ? one.owner : '')))
            const wanted = [...owners].flatMap(owner => {
              const here = [...unique.values()].filter(one => isRRset(one) && one.owner === owner)
              const alias = here.find(one => isRRset(one) && one.type === 'CNAME')
              return alias === undefined ? here : [alias]
            })
            for (const one of wanted) expect([one, dns.check(one)]).toEqual([one, []])
            await reach(dns, [zone(a), soa(a)])
            const outcomes = await applyTo(dns, wanted.map(create))
            expect(outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
            const observed = await dns.observe({ domains: [a] }, never)
            const ours = observed.map(({ resource }) => resource).filter(one => isRRset(one) && one.type !== 'SOA')
            const sorted = (all: readonly DnsResource[]) => all.toSorted((x, y) => (x.key < y.key ? -1 : 1))
            expect(sorted(ours)).toEqual(sorted(wanted))
          }),
          { numRuns: 60 },
        )
        await reach(dns, [])
      })

      test('what it cannot hold is a diagnostic, and what it can is held', async () => {
        const codes = (resource: DnsResource) => dns.check(resource).map(({ code }) => code)
        expect(codes(rrset(a, '@', 'A', ['192.0.2.256']))).toEqual(['E-RECORD-VALUE'])
        expect(codes(rrset(a, '@', 'TXT', ['half \ud800']))).toEqual(['E-RECORD-VALUE'])
        expect(codes(rrset(a, '@', 'TXT', ['x'.repeat(65_000)]))).toEqual(['E-RECORD-SIZE'])
        expect(codes({ ...rrset(a, 'x', 'A', ['192.0.2.1']), owner: `o\\@d.${a}` })).toEqual(['E-RECORD-NAME'])
        expect(codes(rrset(a, 'x', 'MX', ['10 under_score.example']))).toEqual(['E-RECORD-VALUE'])
        expect(codes(rrset(a, 'x', 'CAA', ['0 issue ""']))).toEqual(['E-RECORD-VALUE'])
        expect(codes(rrset(a, '_mailwarden', 'TXT', ['x']))).toEqual(['E-RECORD-NAME'])
        expect(codes(zone('*.example'))).toEqual(['E-RECORD-NAME'])
        const big = rrset(a, 'big', 'TXT', ['ñ'.repeat(32_000)])
        const many = rrset(
          a,
          'many',
          'A',
          Array.from({ length: 2_000 }, (_, n) => `10.0.${n >> 8}.${n & 255}`),
        )
        const state = [zone(a), soa(a), big, many]
        for (const one of state) expect(codes(one)).toEqual([])
        await reach(dns, state.map(dns.canonical))
        const text = execFileSync('/usr/bin/dig', [
          '+tcp',
          '+short',
          '@127.0.0.1',
          '-p',
          `${pdns.dnsPort}`,
          big.owner,
          'TXT',
        ])
        expect(text.toString().match(/\\195/g)?.length).toBe(32_000)
        await reach(dns, [])
      })
    },
  )

const inAMinute = { ...systemClock, now: () => systemClock.now() + 60_000 }

/** A host's name, as PowerDNS takes it in NS, MX and SRV. */

const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9_/-]{0,20}[a-z0-9])?$/)
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map(labels => labels.join('.'))
const host = fc
  .array(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/), { minLength: 1, maxLength: 3 })
  .map(labels => `${labels.join('.')}.example`)
const u16 = fc.integer({ min: 0, max: 65_535 })
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 700 }),
  fc.string({
    unit: fc.constantFrom('"', '\\', ';', ' ', 'é', '\0', '\n', '\\195', '()', '\ufeff', '漢'),
    maxLength: 300,
  }),
  fc.integer({ min: 250, max: 520 }).map(length => '\\'.repeat(length)),
)
const values = fc.oneof(
  fc.tuple(fc.constant('TXT' as const), fc.uniqueArray(text, { minLength: 1, maxLength: 3 })),
  fc.tuple(fc.constant('A' as const), fc.array(fc.ipV4(), { minLength: 1, maxLength: 4 })),
  fc.tuple(fc.constant('AAAA' as const), fc.array(fc.ipV6(), { minLength: 1, maxLength: 4 })),
  fc.tuple(fc.constant('CNAME' as const), fc.tuple(host)),
  fc.tuple(fc.constant('NS' as const), fc.array(host, { minLength: 1, maxLength: 2 })),
  fc.tuple(fc.constant('PTR' as const), fc.array(host, { minLength: 1, maxLength: 2 })),
  fc.tuple(
    fc.constant('MX' as const),
    fc.tuple(fc.tuple(u16, fc.oneof(host, fc.constant('.'))).map(mx => mx.join(' '))),
  ),
  fc.tuple(fc.constant('SRV' as const), fc.tuple(fc.tuple(u16, u16, u16, host).map(srv => srv.join(' ')))),
  fc.tuple(
    fc.constant('CAA' as const),
    fc.tuple(
      fc
        .tuple(
          fc.constantFrom(0, 128),
          fc.constantFrom('issue', 'iodef'),
          fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }),
        )
        .map(([flags, tag, value]) => `${flags} ${tag} "${value.replace(/["\\]/g, '\\$&')}"`),
    ),
  ),
)
const anyRRset = fc
  .tuple(
    fc.oneof(
      name,
      name.map(one => `*.${one}`),
    ),
    values,
    fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  )
  .map(([owner, [type, list], ttl]) => rrset(a, owner, type, list, ttl))
