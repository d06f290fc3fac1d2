/** PowerDNS that can't be asked, locks, or is killed in mid-apply: what is said of it is so, and the next pass finishes the work once. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Outcome } from '../../agent/model/change.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { replyOctetsMax } from '../../providers/powerdns/http.ts'
import { openPowerDns } from '../../providers/powerdns/powerdns.ts'
import { ProviderFailure } from '../../providers/provider.ts'
import { dnsStates } from '../conformance/samples.ts'
import { create, createTestClock, markFor, never, results, rrset, soa, zone } from '../dns/bench.ts'
import { ask, backends, type Pdns, startPdns, whyNoPdns } from '../servers/pdns.ts'
import { describeServers } from '../servers/suite.ts'
import { seededPlan, startTwin } from '../twins/powerdns.ts'
import { applyTo, changesFrom, openOn, reach } from './shared.ts'

const { full } = dnsStates
const killsMin = 25 // 50 over the two back ends

/** Some zones with some hosts each; the values differ from variant to variant. */
function estate(variant: number): DnsResource[] {
  return Array.from({ length: 12 }, (_, n) => `z${n}.example`).flatMap((apex, n) => [
    zone(apex),
    soa(apex),
    rrset(apex, '@', 'NS', ['ns1.operator.example']),
    ...Array.from({ length: 6 }, (_, host) => rrset(apex, `h${host}`, 'A', [`10.${variant}.${n}.${host}`])),
  ])
}

async function failureOf(promise: Promise<unknown>): Promise<ProviderFailure> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ProviderFailure)
  return error as ProviderFailure
}

test('options that cannot be used are refused, and nothing shows the key', () => {
  const key = new Secret('a-key-of-a-test')
  const open = (over: object) => () => openPowerDns({ url: 'http://127.0.0.1:1', key, clock: systemClock, ...over })
  for (const over of [
    { url: 'ftp://127.0.0.1' },
    { url: 'nonsense' },
    { url: 'http://me:secret@127.0.0.1' },
    { inFlight: 0 },
    { inFlight: 1.5 },
    { timeoutMs: 0 },
    { key: new Secret('two\nlines') },
  ])
    expect(open(over)).toThrow(ProviderFailure)
  const provider = open({ url: 'http://127.0.0.1:1/dns/' })()
  expect(provider.target).toBe('powerdns:http://127.0.0.1:1/dns/localhost')
  expect(inspect(provider, { depth: 9 })).not.toContain(key.reveal())
})

for (const backend of backends)
  describeServers(
    `PowerDNS with ${backend} in trouble`,
    () => whyNoPdns(backend),
    () => {
      let pdns: Pdns
      beforeAll(async () => {
        pdns = await startPdns({ backend })
      })
      afterAll(() => pdns?.stop())

      test('a wrong key is unauthorized, a wrong server is rejected, and nothing is done', async () => {
        const key = new Secret('wrong-key-of-a-test')
        await using stranger = openOn(pdns, { key })
        const failure = await failureOf(stranger.observe('all', never))
        expect(failure).toMatchObject({ kind: 'unauthorized', retry: 'never' })
        expect(await failureOf(stranger.observe({ domains: ['a.example'] }, never))).toMatchObject({
          kind: 'unauthorized',
        })
        const outcomes = await applyTo(stranger, full.map(create))
        expect(new Set(results(outcomes))).toEqual(new Set(['failed']))
        expect(`${inspect(failure, { depth: 9 })}${failure.stack}${JSON.stringify(outcomes)}`).not.toContain(
          key.reveal(),
        )
        await using elsewhere = openOn(pdns, { serverId: 'elsewhere' })
        expect(await failureOf(elsewhere.observe('all', never))).toMatchObject({ kind: 'rejected', retry: 'never' })
        await using right = openOn(pdns)
        expect(await right.observe('all', never)).toEqual([])
      })

      test('a server that is down is unreachable, and every change failed', async () => {
        await using dns = openOn(pdns)
        await pdns.kill()
        expect(await failureOf(dns.observe('all', never))).toMatchObject({ kind: 'unreachable', retry: 'later' })
        expect(await failureOf(dns.observe({ domains: ['a.example'] }, never))).toMatchObject({ kind: 'unreachable' })
        expect(new Set(results(await applyTo(dns, full.map(create))))).toEqual(new Set(['failed']))
        await pdns.start()
        await reach(dns, full)
        await reach(dns, [])
      })

      test('many writes at once: what locks is tried again, and everything is applied', async () => {
        const twin = await startTwin(pdns.url, () => null)
        await using dns = openOn(pdns, { inFlight: 16, url: twin.url })
        const locked = () => twin.statuses.filter(status => status === 500).length
        let variant = 0
        const rounds = backend === 'gsqlite3' ? 20 : 3
        for (; variant < rounds && locked() === 0; variant += 1) await reach(dns, estate(variant))
        if (backend === 'gsqlite3') {
          // Those sent together lock each other out; from then on they go one at a time.
          const first = locked()
          expect(first).toBeGreaterThan(0)
          expect(first).toBeLessThanOrEqual(16)
          for (const more of [1, 2, 3]) await reach(dns, estate(variant + more))
          expect(locked()).toBe(first)
        } else expect(locked()).toBe(0)
        await reach(dns, [])
        await twin.stop()
      })

      test(`killed in mid-apply ${killsMin} times and more: outcomes are so, nothing is made twice, and it converges`, async () => {
        await using dns = openOn(pdns)
        let kills = 0
        const tally: Record<string, number> = {}
        for (let variant = 0; kills < killsMin; variant += 1) {
          expect(variant).toBeLessThan(killsMin * 3)
          // In turn: everything is new, everything is edited, everything goes.
          const wanted = variant % 3 === 2 ? [] : estate(variant)
          const changes = changesFrom(await dns.observe('all', never), wanted)
          const marked = changes.map(change => ({
            change,
            mark: markFor((change.after ?? change.before) as DnsResource),
          }))
          const outcomes: Outcome[] = []
          // After so many changes had their outcome, with the next ones in flight.
          const after = (variant * 7) % changes.length
          let killed: Promise<void> | undefined
          const whenBegun = variant % 4 === 0
          if (whenBegun) killed = new Promise<void>(resolve => setImmediate(resolve)).then(pdns.kill)
          for await (const outcome of dns.apply(marked, never)) {
            outcomes.push(outcome)
            if (outcomes.length > after) killed ??= pdns.kill()
          }
          await (killed ?? pdns.kill())
          if (outcomes.some(({ result }) => result !== 'applied')) kills += 1
          await pdns.start()
          expect(outcomes.length).toBe(changes.length)
          const standing = new Map((await dns.observe('all', never)).map(({ resource }) => [keyOf(resource), resource]))
          for (const change of changes) {
            const outcome = outcomes.find(({ ref }) => ref.kind === change.ref.kind && ref.key === change.ref.key)
            const found = standing.get(`${change.ref.kind} ${change.ref.key}`) ?? null
            const where = [variant, change.action, change.ref.key, outcome?.result, outcome?.detail]
            const is = (resource: DnsResource | null) => canonicalJson(found) === canonicalJson(resource)
            tally[outcome?.result ?? 'none'] = (tally[outcome?.result ?? 'none'] ?? 0) + 1
            if (outcome?.result === 'applied') expect([...where, is(change.after)]).toEqual([...where, true])
            else if (outcome?.result === 'failed') expect([...where, is(change.before)]).toEqual([...where, true])
            else expect([...where, is(change.before) || is(change.after)]).toEqual([...where, true])
          }
          // The next pass finishes it.
          await reach(dns, wanted)
          const { json: zones } = await pdns.api('GET', '/zones')
          expect(zones.length).toBe(wanted.filter(({ kind }) => kind === 'zone').length)
          for (const { id } of zones) {
            const { rrsets } = (await pdns.api('GET', `/zones/${id}`)).json
            const contents = rrsets.flatMap(({ name, type, records }: any) =>
              records.map(({ content }: any) => `${name} ${type} ${content}`),
            )
            expect(new Set(contents).size).toBe(contents.length)
            expect(contents.filter((one: string) => !one.startsWith('_mailwarden')).length).toBe(8)
          }
        }
        // Void unless the kills met requests in flight.
        expect(tally['applied'] ?? 0).toBeGreaterThan(killsMin)
        expect(tally['unknown'] ?? 0).toBeGreaterThan(0)
        await reach(dns, [])
      }, 120_000)

      test('a reply too big is no reply, and one that never comes is a time-out', async () => {
        const flood = createServer((_, response) => {
          response.on('error', () => {})
          Readable.from(blanks()).pipe(response)
        })
        await new Promise<void>(resolve => flood.listen(0, '127.0.0.1', resolve))
        const { port } = flood.address() as AddressInfo
        await using flooded = openOn(pdns, { url: `http://127.0.0.1:${port}` })
        expect(await failureOf(flooded.observe('all', never))).toMatchObject({ kind: 'malformed-reply' })
        flood.closeAllConnections()
        await new Promise(resolve => flood.close(resolve))
        const twin = await startTwin(pdns.url, seededPlan({ seed: 1, rate: 1, inARowMax: 99, kinds: ['slow'] }))
        await using dns = openPowerDns({ url: twin.url, key: pdns.key, clock: systemClock, timeoutMs: 50 })
        expect(await failureOf(dns.observe('all', never))).toMatchObject({ kind: 'timeout', retry: 'later' })
        const outcomes = await applyTo(dns, full.map(create))
        expect(results(outcomes).every(result => result === 'failed' || result === 'unknown')).toBe(true)
        await twin.stop()
        await using right = openOn(pdns)
        await reach(right, full)
        await reach(right, [])
      })

      test('an abort ends a reading, and disposing ends everything', async () => {
        const dns = openOn(pdns)
        const stop = new AbortController()
        const reading = failureOf(dns.observe('all', stop.signal))
        stop.abort()
        expect(await reading).toMatchObject({ kind: 'timeout' })
        expect(await failureOf(dns.observe('all', AbortSignal.abort()))).toMatchObject({ kind: 'timeout' })
        await dns[Symbol.asyncDispose]()
        await dns[Symbol.asyncDispose]()
        await failureOf(dns.observe('all', never))
        expect(new Set(results(await applyTo(dns, full.map(create))))).toEqual(new Set(['skipped']))
      })

      test('it tells of writes by others, and not of its own', async () => {
        const woken = createTestClock()
        const clock = { ...woken, sleep: (ms: number, signal: AbortSignal) => woken.sleep(ms, signal) }
        await using dns = openOn(pdns, { clock })
        await using writer = openOn(pdns)
        const stop = new AbortController()
        let told = 0
        const following = (async () => {
          for await (const _ of dns.foreignWrites(stop.signal)) told += 1
        })()
        const lists = async () => {
          // The list after a wake has been read when its next sleep has begun.
          await woken.wake()
          await pdns.api('GET', '/zones')
          await ask(`${pdns.url}/api/v1/servers`, 'GET', pdns.key)
        }
        await lists()
        await applyTo(dns, full.map(create))
        for (let poll = 0; poll < 5; poll += 1) await lists()
        expect(told).toBe(0)
        await reach(
          writer,
          full.filter(one => one.kind === 'zone' || !one.key.endsWith('/MX')),
        )
        for (let poll = 0; poll < 50 && told === 0; poll += 1) await lists()
        expect(told).toBe(1)
        stop.abort()
        await following
        await reach(writer, [])
      })
    },
  )

/** More than any reply may have. */
function* blanks(): Generator<Buffer> {
  const megabyte = Buffer.alloc(2 ** 20, ' ')
  for (let octets = 0; octets <= replyOctetsMax; octets += megabyte.length) yield megabyte
}

function keyOf({ kind, key }: DnsResource): string {
  return `${kind} ${key}`
}
