/** What breaks, and what others do in the same zones: the server killed, a key refused, a record refused, foreign records. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import { formatRef, refOf } from '../../agent/model/resource.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { openPowerDns } from '../../providers/powerdns/powerdns.ts'
import { ProviderFailure } from '../../providers/provider.ts'
import { dnsStates } from '../conformance/samples.ts'
import { create, never, remove, rrset, soa, update, zone } from '../dns/bench.ts'
import { backends, type Pdns, startPdns, whyNoPdns } from '../servers/pdns.ts'
import { describeServers } from '../servers/suite.ts'

const kills = 25

for (const backend of backends)
  describeServers(`PowerDNS on ${backend}, when things break`, whyNoPdns, () => {
    let pdns: Pdns
    beforeAll(async () => {
      pdns = await startPdns(backend)
    })
    afterAll(() => pdns?.close())
    beforeEach(async () => {
      const { json } = await pdns.api('GET', '/zones')
      for (const { id } of json) await pdns.api('DELETE', `/zones/${id}`)
    })
    const open = (over: { key?: Secret; url?: string } = {}) =>
      openPowerDns({ url: pdns.url, key: pdns.key, clock: systemClock, timeoutMs: 2_000, ...over })
    const apply = async (
      provider: ReturnType<typeof open>,
      changes: readonly Change<DnsResource>[],
      each: () => void = () => {},
    ): Promise<Outcome[]> => {
      const outcomes: Outcome[] = []
      const marked = changes.map(change => ({ change, mark: markOf('here', change.ref) }))
      for await (const outcome of provider.apply(marked, never)) {
        outcomes.push(outcome)
        each()
      }
      return outcomes
    }
    const results = (outcomes: readonly Outcome[]) => [...new Set(outcomes.map(({ result }) => result))]
    const fleet = (count: number): DnsResource[] =>
      Array.from({ length: count }, (_, n) => `z${n}.example`).flatMap(apex => [
        zone(apex),
        soa(apex),
        rrset(apex, '@', 'NS', ['ns1.operator.example']),
        rrset(apex, '@', 'MX', ['10 mx1.operator.example']),
      ])

    test(`the server killed ${kills} times in mid-apply: what was said is true, and it converges with nothing twice`, async () => {
      await using provider = open()
      const wanted = fleet(12)
      for (let round = 0; round < kills; round += 1) {
        const observed = await provider.observe('all', never)
        const standing = new Map(observed.map(({ resource }) => [formatRef(refOf(resource)), resource]))
        // Every second round takes all of it away again, so that there is always something to be cut.
        const changes =
          round % 2 === 0
            ? wanted.filter(one => !standing.has(formatRef(refOf(one)))).map(create)
            : [...standing.values()].map(remove)
        let killed: Promise<void> | undefined
        const outcomes = await apply(provider, changes, () => {
          killed ??= pdns.stop('SIGKILL')
        })
        await (killed ?? pdns.stop('SIGKILL'))
        await pdns.start()
        const after = new Set((await provider.observe('all', never)).map(({ resource }) => formatRef(refOf(resource))))
        expect(outcomes).toHaveLength(changes.length)
        const action = new Map(changes.map(change => [formatRef(change.ref), change.action]))
        for (const { ref, result } of outcomes)
          if (result === 'applied')
            expect([formatRef(ref), after.has(formatRef(ref))]).toEqual([
              formatRef(ref),
              action.get(formatRef(ref)) === 'create',
            ])
      }
      const last = new Set((await provider.observe('all', never)).map(({ resource }) => formatRef(refOf(resource))))
      await apply(provider, wanted.filter(one => !last.has(formatRef(refOf(one)))).map(create))
      const observed = await provider.observe('all', never)
      expect(observed.map(({ resource }) => formatRef(refOf(resource))).toSorted()).toEqual(
        wanted.map(one => formatRef(refOf(one))).toSorted(),
      )
      for (const { resource, mark } of observed) expect(mark).toBe(markOf('here', refOf(resource)))
    }, 120_000)

    test('a wrong key, a server that is down and one that is another are told apart, and no zone reads as absent', async () => {
      await using wrong = open({ key: new Secret('canary-of-a-key') })
      const refused = await wrong.observe('all', never).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(ProviderFailure)
      expect(refused).toMatchObject({ kind: 'unauthorized', retry: 'never' })
      expect(String((refused as Error).stack) + JSON.stringify(refused)).not.toContain('canary-of-a-key')
      await using away = open({ url: 'http://127.0.0.1:1' })
      await expect(away.observe({ domains: ['a.example'] }, never)).rejects.toMatchObject({ kind: 'unreachable' })
      expect(results(await apply(away, [create(zone('a.example'))]))).toEqual(['failed'])
    })

    test('a record that the server refuses fails alone, with its reason', async () => {
      await using provider = open()
      const apex = 'a.example'
      const base = [zone(apex), soa(apex), rrset(apex, '@', 'NS', ['ns1.operator.example'])]
      expect(results(await apply(provider, base.map(create)))).toEqual(['applied'])
      // An alias beside other data is none (RFC 1034 section 3.6.2).
      const bad = rrset(apex, '@', 'CNAME', ['b.example'])
      const good = rrset(apex, 'www', 'A', ['192.0.2.1'])
      const outcomes = await apply(provider, [create(bad), create(good)])
      const of = (resource: DnsResource) => outcomes.find(({ ref }) => ref.key === resource.key)
      expect(of(good)?.result).toBe('applied')
      expect(of(bad)?.result).toBe('failed')
      expect(of(bad)?.detail).toContain('CNAME')
    })

    test('a thousand records of others, their comments and zone settings survive everything', async () => {
      await using provider = open()
      const apex = 'a.example'
      const rrsets = Array.from({ length: 1_000 }, (_, n) => ({
        name: `h${n}.${apex}.`,
        type: n % 2 === 0 ? 'A' : 'TXT',
        ttl: 60,
        records: [{ content: n % 2 === 0 ? '192.0.2.9' : `"${n}"`, disabled: false }],
      }))
      const made = await pdns.api('POST', '/zones', {
        name: `${apex}.`,
        kind: 'Native',
        nameservers: ['ns.other.example.'],
        rrsets,
      })
      expect(made.status).toBe(201)
      await pdns.api('POST', `/zones/${apex}./metadata`, { kind: 'ALLOW-AXFR-FROM', metadata: ['192.0.2.0/24'] })
      const foreign = async () => {
        const { json } = await pdns.api('GET', `/zones/${apex}.`)
        return JSON.stringify(
          json.rrsets
            .filter(({ name }: { name: string }) => name.startsWith('h'))
            .toSorted((a: any, b: any) => (a.name < b.name ? -1 : 1)),
        )
      }
      const before = await foreign()
      const ours = rrset(apex, 'mail', 'A', ['192.0.2.1'])
      expect(results(await apply(provider, [create(ours)]))).toEqual(['applied'])
      expect(results(await apply(provider, [update(ours, { ...ours, ttl: 77 })]))).toEqual(['applied'])
      expect(results(await apply(provider, [create(rrset(apex, 'h0', 'A', ['192.0.2.1']))]))).toEqual(['conflict'])
      expect(results(await apply(provider, [remove({ ...ours, ttl: 77 })]))).toEqual(['applied'])
      // Nor does the zone go: it is not ours, and not empty.
      expect(results(await apply(provider, [remove(zone(apex))]))).toEqual(['conflict'])
      expect(await foreign()).toBe(before)
      const { json } = await pdns.api('GET', `/zones/${apex}./metadata/ALLOW-AXFR-FROM`)
      expect(json.metadata).toEqual(['192.0.2.0/24'])
    })

    test('each batch raises the serial, whatever it changes, and one without a change does not', async () => {
      await using provider = open()
      const serial = async () => (await pdns.api('GET', '/zones/a.example.')).json.serial as number
      expect(results(await apply(provider, dnsStates.full.map(create)))).toEqual(['applied'])
      const first = await serial()
      const mx = dnsStates.full.find(one => one.key === 'a.example/a.example/MX')
      if (mx?.kind !== 'rrset') throw new Error('the sample has no MX')
      expect(results(await apply(provider, [update(mx, { ...mx, ttl: 77 })]))).toEqual(['applied'])
      const second = await serial()
      expect(second).toBeGreaterThan(first)
      expect(results(await apply(provider, [update(mx, { ...mx, ttl: 77 })]))).toEqual(['applied'])
      expect(await serial()).toBe(second)
    })
  })

describe('options', () => {
  test('what can’t be used is refused before anything is asked', () => {
    expect(() =>
      openPowerDns({ url: 'http://127.0.0.1:1', key: new Secret('x'), clock: systemClock, inFlight: 0 }),
    ).toThrow(ProviderFailure)
  })
})
