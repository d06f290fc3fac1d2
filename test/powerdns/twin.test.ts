/**
 * PowerDNS behind a lying twin. An incomplete reading is an exception, never an absence; an outcome says no more than is
 * so; nothing is made twice; and when the lies end, everything converges.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { openPowerDns, type PowerDns } from '../../providers/powerdns/powerdns.ts'
import { type Observed, type Provider, ProviderFailure } from '../../providers/provider.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { dnsSample, dnsStates } from '../conformance/samples.ts'
import { create, never, remove, results, rrset, soa, zone } from '../dns/bench.ts'
import { backends, type Pdns, startPdns, whyNoPdns } from '../servers/pdns.ts'
import { describeServers } from '../servers/suite.ts'
import { type Fault, faults, type PlanOptions, seeded, seededPlan, startTwin, type Twin } from '../twins/powerdns.ts'
import { applyTo, changesFrom, openOn, reach } from './shared.ts'

const timeoutMs = 200 // a real answer takes a few milliseconds; the twin's slow ones have no end
/** Time-outs as they are, pauses between attempts shortened. */
const clock = {
  ...systemClock,
  sleep: (ms: number, signal: AbortSignal) => systemClock.sleep(ms === timeoutMs ? ms : ms / 20, signal),
}
const { small, full, changed } = dnsStates
const text = (observed: readonly Observed<DnsResource>[]) =>
  observed
    .map(one => canonicalJson(one))
    .toSorted()
    .join('\n')

/** A pass that could not read is begun anew, as the reconcile loop does. */
function patient(provider: PowerDns): Provider<DnsResource> {
  return {
    ...provider,
    async observe(scope, signal) {
      for (let pass = 1; ; pass += 1)
        try {
          return await provider.observe(scope, signal)
        } catch (error) {
          if (!(error instanceof ProviderFailure) || error.retry === 'never' || pass === 5) throw error
        }
    },
  }
}

/** Those that wait for the time-out are rarer here, for the time that they take. */
const quick = faults.filter(fault => fault !== 'slow' && fault !== 'late')
const mostlyQuick = [...quick, ...quick, ...quick, ...faults]

for (const backend of backends)
  describeServers(
    `the lying twin of PowerDNS with ${backend}`,
    () => whyNoPdns(backend),
    () => {
      let pdns: Pdns
      beforeAll(async () => {
        pdns = await startPdns({ backend })
      })
      afterAll(() => pdns?.stop())
      const wipe = async () => {
        const { json } = await pdns.api('GET', '/zones')
        for (const { id } of json) await pdns.api('DELETE', `/zones/${id}`)
      }
      async function twinned(options: PlanOptions): Promise<{ twin: Twin; dns: PowerDns } & AsyncDisposable> {
        const twin = await startTwin(pdns.url, seededPlan(options), options.seed)
        const dns = openPowerDns({ url: twin.url, key: pdns.key, clock, timeoutMs })
        return {
          twin,
          dns,
          async [Symbol.asyncDispose]() {
            await dns[Symbol.asyncDispose]()
            await twin.stop()
            await wipe()
          },
        }
      }

      describe('with one answer in eight a lie', () => {
        let seed = 0
        testProvider<DnsResource>({
          name: `the twin of PowerDNS with ${backend}`,
          async open() {
            seed += 1
            const { twin, dns } = await twinned({ seed, rate: 0.125, inARowMax: 1, kinds: mostlyQuick })
            return {
              provider: patient(dns),
              writeBehind: async (resource, value) => {
                await twin.idle()
                await pdns.writeBehind(resource, value)
              },
              close: async () => {
                await twin.stop()
                await wipe()
              },
            }
          },
          reopen: async () => openOn(pdns),
          sample: dnsSample,
          skip: [],
        })
      })

      test('a reading through any single fault is the truth or an exception', async () => {
        await using direct = openOn(pdns)
        await reach(direct, full)
        const truth = text(await direct.observe('all', never))
        for (const kind of faults)
          for (const [rate, inARowMax] of [
            [1, 20],
            [0.5, 2],
          ] as const) {
            const twin = await startTwin(pdns.url, seededPlan({ seed: 7, rate, inARowMax, kinds: [kind] }))
            await using dns = openPowerDns({ url: twin.url, key: pdns.key, clock, timeoutMs })
            for (const scope of ['all', { domains: ['b.cu', 'a.example'] }] as const) {
              const seen = await dns.observe(scope, never).catch((error: unknown) => error)
              if (seen instanceof Error) expect([kind, seen]).toEqual([kind, expect.any(ProviderFailure)])
              else expect([kind, text(seen as Observed<DnsResource>[])]).toEqual([kind, truth])
            }
            expect(twin.told.get(kind)).toBeGreaterThan(0)
            await twin.stop()
          }
        await wipe()
      })

      test('no outcome says more than is so, nothing is made twice, and after the lies it converges', async () => {
        const told = new Map<Fault, number>()
        const tally = new Map<string, number>()
        for (let seed = 1; seed <= 5; seed += 1) {
          await using both = await twinned({ seed, rate: 0.4, inARowMax: 9 })
          const { twin, dns } = both
          await using direct = openOn(pdns)
          const random = seeded(seed)
          for (let round = 0; round < 5; round += 1) {
            const before = await direct.observe('all', never)
            const seen = await dns.observe('all', never).catch((error: unknown) => error)
            if (seen instanceof Error) {
              expect(seen).toBeInstanceOf(ProviderFailure)
            } else expect([seed, round, text(seen as Observed<DnsResource>[])]).toEqual([seed, round, text(before)])
            const wanted = [[], small, full, changed][Math.floor(random() * 4)] ?? []
            const changes = changesFrom(before, wanted)
            const outcomes = await applyTo(dns, changes)
            await twin.idle()
            expect(outcomes.length).toBe(changes.length)
            const standing = new Map((await direct.observe('all', never)).map(one => [keyOf(one.resource), one]))
            for (const change of changes) {
              const outcome = outcomes.find(({ ref }) => ref.key === change.ref.key && ref.kind === change.ref.kind)
              const found = standing.get(`${change.ref.kind} ${change.ref.key}`)?.resource ?? null
              const is = (resource: DnsResource | null) => canonicalJson(found) === canonicalJson(resource)
              const where = [seed, round, change.action, change.ref.key, outcome?.result, outcome?.detail]
              if (outcome?.result === 'applied') expect([...where, is(change.after)]).toEqual([...where, true])
              else if (outcome?.result !== 'unknown') expect([...where, is(change.before)]).toEqual([...where, true])
              tally.set(outcome?.result ?? 'none', (tally.get(outcome?.result ?? 'none') ?? 0) + 1)
            }
          }
          twin.honest()
          await reach(dns, full)
          const { json: zones } = await pdns.api('GET', '/zones')
          expect(zones.map(({ name }: any) => name).sort()).toEqual(['a.example.', 'b.cu.'])
          for (const apex of ['a.example', 'b.cu']) {
            const { rrsets } = await pdns.zone(apex)
            const contents = rrsets.flatMap(({ name, type, records }: any) =>
              records.map(({ content }: any) => `${name} ${type} ${content}`),
            )
            expect(new Set(contents).size).toBe(contents.length)
            const comments = rrsets.map(({ comments }: any) => comments.length)
            expect(Math.max(...comments)).toBeLessThanOrEqual(1)
          }
          for (const [fault, count] of twin.told) told.set(fault, (told.get(fault) ?? 0) + count)
        }
        // Void unless every fault was met, and some of the work was done all the same.
        expect([...told.keys()].sort()).toEqual([...faults].sort())
        expect(tally.get('applied') ?? 0).toBeGreaterThan(50)
      })

      test('a refusal without words still finds the RRset at fault, and the neighbours go on', async () => {
        const twin = await startTwin(pdns.url, () => 'vague')
        await using dns = openPowerDns({ url: twin.url, key: pdns.key, clock })
        const hosts = Array.from({ length: 13 }, (_, n) => rrset('a.example', `h${n}`, 'A', [`192.0.2.${n}`]))
        const bad = [3, 9].map(n => ({ ...rrset('a.example', `x${n}`, 'A', ['192.0.2.1']), owner: `x${n}.b.example` }))
        for (const fresh of [[zone('a.example'), soa('a.example')], []]) {
          const wanted = [...fresh, ...hosts.map(host => ({ ...host, ttl: fresh.length + 1 }))]
          const changes =
            fresh.length > 0
              ? wanted.map(create)
              : changesFrom(await dns.observe('all', never), [zone('a.example'), soa('a.example'), ...wanted])
          const mixed = [...changes.slice(0, 5), ...bad.map(create), ...changes.slice(5)]
          const outcomes = await applyTo(dns, mixed)
          const failed = outcomes.filter(({ result }) => result !== 'applied')
          expect(failed.map(({ ref, result }) => [ref.key, result]).sort()).toEqual(
            bad.map(({ key }) => [key, 'failed']),
          )
          expect(outcomes.length).toBe(mixed.length)
        }
        await twin.stop()
        await wipe()
      })

      test('a deletion whose reply is lost is seen to be done', async () => {
        await using direct = openOn(pdns)
        for (const kind of ['cut', 'half', '500-after', 'slow', 'late', 'empty-after'] as const) {
          await reach(direct, full)
          const once = new Set<string>()
          const twin = await startTwin(pdns.url, ({ method, path }) => {
            if (method === 'GET' || once.has(path)) return null
            once.add(path)
            return kind
          })
          await using dns = openPowerDns({ url: twin.url, key: pdns.key, clock, timeoutMs })
          const outcomes = await applyTo(dns, full.map(remove))
          expect([kind, ...new Set(results(outcomes))]).toEqual([kind, 'applied'])
          expect(await direct.observe('all', never)).toEqual([])
          expect(once.size).toBe(2)
          await twin.stop()
        }
      })
    },
  )

function keyOf({ kind, key }: DnsResource): string {
  return `${kind} ${key}`
}
