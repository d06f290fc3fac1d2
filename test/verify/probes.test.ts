/** Which questions are asked, and what their answers prove: over networks and servers that a generator makes. */
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { expect, test } from 'vitest'
import type { Clock } from '../../agent/core/clock.ts'
import type { DomainName } from '../../agent/model/name.ts'
import { formatRef, type Resource, refOf } from '../../agent/model/resource.ts'
import type { LoginProbe, Probe, VerifyConfig } from '../../agent/model/verify.ts'
import { addressOutside, addressWithin } from '../../agent/verify/addresses.ts'
import { makeProbes, type ProbeInput } from '../../agent/verify/probes.ts'
import { runProbes } from '../../agent/verify/run.ts'
import type { LoginAnswer, Prober } from '../../providers/provider.ts'
import { account, domain } from '../conformance/samples.ts'

const door = (protocol: 'imap' | 'pop3' | 'submission') =>
  ({
    name: protocol,
    protocol,
    host: 'mail.example',
    port: 1,
    tls: 'tls',
    caFile: null,
    serverName: 'mail.example',
  }) as const
const config: VerifyConfig = {
  nameServers: [],
  nameServersFrom: 'configuration',
  doors: [door('imap'), door('submission')],
  master: { user: 'm', separator: '*', password: { from: 'env', name: 'X' } },
  sample: 3,
  delivery: true,
  patienceMs: 1_000,
}
const nets = ['10.1.0.0/16']
const desiredOf = (...resources: Resource[]) =>
  new Map(resources.map(resource => [formatRef(refOf(resource)), { resource, source: null, holds: [] }]))
const ask = (resources: readonly Resource[], over: Partial<ProbeInput> = {}) =>
  makeProbes({
    desired: desiredOf(...resources),
    domains: ['a.example' as DomainName],
    config,
    withPassword: new Set(resources.map(({ key }) => key)),
    closedForMail: new Set(),
    seed: '1',
    ...over,
  })
const logins = (probes: readonly Probe[]) => probes.filter((probe): probe is LoginProbe => probe.kind === 'login')
const wantedAt = (probes: readonly Probe[], who: string, where: string) =>
  logins(probes)
    .filter(probe => probe.account === who && probe.door === where)
    .map(({ wanted }) => wanted)

test('an address of a list is in it, and one that is not in it is not', () => {
  const network = fc.oneof(
    fc.tuple(fc.ipV4(), fc.integer({ min: 8, max: 32 })),
    fc.tuple(fc.ipV6(), fc.integer({ min: 16, max: 128 })),
  )
  const networks = fc.array(
    network.map(([address, prefix]) => `${address}/${prefix}`),
    { maxLength: 5 },
  )
  fc.assert(
    fc.property(networks, fc.string(), (list, lot) => {
      const has = (text: string) => {
        const address = ipaddr.parse(text)
        return list.some(item => {
          const [base, prefix] = ipaddr.parseCIDR(item)
          return base.kind() === address.kind() && address.match(base as never, prefix)
        })
      }
      const [within, outside] = [addressWithin(list), addressOutside(list, lot)]
      expect(within === undefined).toBe(list.length === 0)
      if (within !== undefined) expect(has(within)).toBe(true)
      if (outside !== undefined) expect(has(outside)).toBe(false)
    }),
  )
  expect([addressWithin(null), addressOutside(null, '')]).toEqual(['192.0.2.1', undefined])
  expect(addressOutside(['0.0.0.0/0', '::/0'], '')).toBeUndefined()
})

test('a refusal of ours makes nobody wait, and the next of ours but seldom', () => {
  // The first host of a network is often the router that everybody of the institution comes through.
  expect(addressWithin(['2001:db8::/32', '10.0.0.0/8'])).toBe('10.0.0.0')
  expect(addressWithin(['10.0.0.7/32'])).toBe('10.0.0.7')
  const many = Array.from({ length: 40 }, (_, n) => account(`u${n}@a.example`, { allowNets: nets }))
  const probes = logins(ask([domain('a.example'), ...many], { config: { ...config, sample: 40 } }))
  const from = probes.filter(({ wanted }) => wanted === 'refused').map(probe => probe.from)
  expect(from).toHaveLength(80)
  expect(new Set(from).size).toBeGreaterThan(40)
})

test('who may get in, where, by kind of login and delivery of the domain', () => {
  const people = (delivery: 'mailboxes' | 'multipop' | 'relay') => [
    domain('a.example', { delivery }),
    account('admin@a.example', { role: 'administrator', allowNets: nets }),
    account('multi@a.example', { role: 'collector', allowNets: nets }),
    account('u@a.example', { allowNets: nets }),
  ]
  const [open, shut] = [
    ['accepted', 'refused'],
    ['refused', 'refused'],
  ]
  for (const delivery of ['mailboxes', 'multipop', 'relay'] as const) {
    const probes = ask(people(delivery))
    expect(wantedAt(probes, 'admin@a.example', 'imap')).toEqual(open)
    expect(wantedAt(probes, 'admin@a.example', 'submission')).toEqual(open)
    expect(wantedAt(probes, 'multi@a.example', 'imap')).toEqual(open)
    expect(wantedAt(probes, 'multi@a.example', 'submission')).toEqual(shut)
    expect(wantedAt(probes, 'u@a.example', 'imap')).toEqual(delivery === 'mailboxes' ? open : shut)
    expect(wantedAt(probes, 'u@a.example', 'submission')).toEqual(open)
    expect(probes.filter(({ kind }) => kind === 'delivery')).toHaveLength(1)
  }
})

test('a held domain lets nobody in and sends no message; another domain lends the control', () => {
  const held = [domain('a.example', { login: 'suspended' }), account('u@a.example', { allowNets: nets })]
  const free = [domain('b.example'), account('v@b.example', { allowNets: nets })]
  const probes = ask([...held, ...free], { closedForMail: new Set(['a.example' as DomainName]) })
  expect(wantedAt(probes, 'u@a.example', 'imap')).toEqual(['refused', 'refused'])
  expect(wantedAt(probes, 'v@b.example', 'imap')).toEqual(['accepted'])
  expect(wantedAt(probes, 'v@b.example', 'submission')).toEqual(['accepted'])
  expect(probes.some(({ kind }) => kind === 'delivery')).toBe(false)
  // Nobody else is there to show that the doors let anybody in.
  expect(logins(ask(held)).map(({ wanted }) => wanted)).not.toContain('accepted')
})

test('a sample is as large as it shall be, another one with another seed, and never of accounts without a password', () => {
  const many = Array.from({ length: 40 }, (_, n) => account(`u${n}@a.example`, { allowNets: nets }))
  const drawn = (seed: string, withPassword?: Set<string>) => [
    ...new Set(
      logins(ask([domain('a.example'), ...many], { seed, ...(withPassword ? { withPassword } : {}) })).map(
        probe => probe.account,
      ),
    ),
  ]
  expect(drawn('1')).toHaveLength(3)
  expect(drawn('1')).toEqual(drawn('1'))
  expect(new Set(['1', '2', '3', '4'].map(seed => drawn(seed).join())).size).toBeGreaterThan(1)
  expect(drawn('1', new Set(['u7@a.example']))).toEqual(['u7@a.example'])
  expect(ask([domain('a.example'), ...many], { withPassword: new Set() })).toEqual([])
})

test('no refusal is proof at a door that lets nobody in, whatever the servers answer', async () => {
  const answer = fc.constantFrom<LoginAnswer['result']>('accepted', 'refused', 'unreachable')
  const probe = fc.record({
    door: fc.constantFrom('imap', 'submission'),
    wanted: fc.constantFrom('accepted' as const, 'refused' as const),
    answer,
  })
  const clock: Clock = { now: () => 0, sleep: async () => {} }
  await fc.assert(
    fc.asyncProperty(fc.array(probe, { maxLength: 12 }), async rows => {
      const probes = rows.map(({ door: at, wanted }, index): LoginProbe => {
        return {
          kind: 'login',
          domain: 'a.example' as DomainName,
          account: `${index}@a.example` as never,
          door: at,
          from: '',
          wanted,
        }
      })
      const prober: Prober = {
        zone: () => Promise.reject(new Error('not asked')),
        delivery: () => Promise.reject(new Error('not asked')),
        login: async (_, who) => ({ result: rows[Number.parseInt(who, 10)]?.answer ?? 'unreachable', detail: '' }),
      }
      const { signal } = new AbortController()
      const findings = await runProbes(probes, { prober, clock, patienceMs: -1, signal })
      expect(findings.map(finding => finding.probe)).toEqual(probes)
      for (const [index, { seen }] of findings.entries()) {
        const row = rows[index]
        if (row === undefined) throw new Error('more findings than probes')
        const talks = rows.some(other => other.door === row.door && other.answer === 'accepted')
        const wanted =
          row.answer === 'unreachable'
            ? 'unproved'
            : row.answer !== row.wanted
              ? 'otherwise'
              : row.wanted === 'refused' && !talks
                ? 'unproved'
                : 'as-wanted'
        expect(seen.result).toBe(wanted)
      }
    }),
  )
})

test('what is not yet as wanted is asked again while patience lasts, a message never', async () => {
  let now = 0
  const clock: Clock = {
    now: () => now,
    sleep: async ms => {
      now += ms
    },
  }
  let asked = 0
  let sent = 0
  const prober: Prober = {
    zone: async () => {
      asked += 1
      return { result: asked < 3 ? 'otherwise' : 'as-wanted', detail: String(asked) }
    },
    delivery: async () => {
      sent += 1
      return { result: 'otherwise', detail: '' }
    },
    login: () => Promise.reject(new Error('not asked')),
  }
  const common = { domain: 'a.example' as DomainName }
  const probes: Probe[] = [
    { ...common, kind: 'zone', rrsets: [] },
    { ...common, kind: 'delivery', account: 'admin@a.example' as never, from: '10.1.0.1' },
  ]
  const { signal } = new AbortController()
  const findings = await runProbes(probes, { prober, clock, patienceMs: 5_000, signal })
  expect(findings.map(({ seen }) => seen.result)).toEqual(['as-wanted', 'otherwise'])
  expect({ asked, sent }).toEqual({ asked: 3, sent: 1 })
  asked = -1_000
  await runProbes(probes.slice(0, 1), { prober, clock, patienceMs: 5_000, signal })
  expect(asked).toBeLessThan(-980)
})
