/** What the provider promises beyond conformance, on real BIND and Knot alike: locks, marks, notes, zones of others. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { RRsetResource } from '../../agent/model/resource.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { type Provider, ProviderFailure } from '../../providers/provider.ts'
import { dnsStates } from '../conformance/samples.ts'
import { create, markFor, never, remove, results, rrset, soa, update, zone } from '../dns/bench.ts'
import { type Bind, startBind, whyNoBind } from '../servers/bind.ts'
import { type Knot, startKnot, whyNoKnot } from '../servers/knot.ts'
import { waitUntil } from '../servers/mail-servers.ts'
import { makeKey } from '../servers/name-server.ts'
import { describeServers } from '../servers/suite.ts'
import { apply, masterLines, observeAll, openProvider, resources, type Server } from './support.ts'
import { opcodeOf, startTwin, type Twin, updateOpcode } from './twin.ts'

const { full } = dnsStates
const a = 'a.example'
const byKey = (left: DnsResource, right: DnsResource) => (left.key < right.key ? -1 : 1)
const sorted = (some: readonly DnsResource[]) => [...some].sort(byKey)
const base = (apex: string): DnsResource[] => [zone(apex), soa(apex), rrset(apex, '@', 'NS', ['ns1.operator.example'])]

async function failureOf(work: Promise<unknown>): Promise<ProviderFailure> {
  const failure = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(ProviderFailure)
  return failure as ProviderFailure
}

/** A batch for nsupdate the moment before the provider's UPDATE gets to the server. */
function editFirst(twin: Twin, server: Server, lines: readonly string[]): void {
  let edited = false
  twin.script = {
    toServer: message => {
      if (opcodeOf(message) === updateOpcode && !edited) {
        edited = true
        expect(server.third.nsupdate([...lines, 'send']).status).toBe(0)
      }
      return [message]
    },
  }
}

function suite(start: () => Promise<Server>): void {
  let server: Server
  let twin: Twin
  let dns: Provider<DnsResource>
  beforeAll(async () => {
    server = await start()
    twin = await startTwin(server.port)
    dns = openProvider(server, { server: twin.server, zones: [] })
    expect(new Set(results(await apply(dns, full.map(create))))).toEqual(new Set(['applied']))
  })
  afterAll(async () => {
    await dns[Symbol.asyncDispose]()
    await twin.close()
    await server.stop()
  })
  const serial = (apex: string) => Number(/SOA\s+\S+ \S+ (\d+)/.exec(server.third.transfer(apex))?.[1])
  const updateCodes = () => twin.answers.filter(({ opcode }) => opcode === updateOpcode).map(({ rcode }) => rcode)
  const find = async (key: string) => (await observeAll(dns)).find(({ resource }) => resource.key === key)

  describe('an edit between our look and our write', () => {
    test('of the RRset is refused by the server itself, and survives', async () => {
      const www = rrset(a, 'www', 'A', ['192.0.2.10', '192.0.2.11'])
      editFirst(twin, server, ['zone a.example', 'update add www.a.example 300 A 192.0.2.99'])
      twin.answers.length = 0
      const outcomes = await apply(dns, [update(www, { ...www, values: ['192.0.2.1'] })])
      expect(outcomes).toMatchObject([{ result: 'conflict', detail: 'somebody edited it in between' }])
      expect(updateCodes()).toEqual([8])
      const edited = { ...www, values: [...www.values, '192.0.2.99'] }
      expect((await find(www.key))?.resource).toEqual(edited)
      expect(results(await apply(dns, [update(edited, www)]))).toEqual(['applied'])
    })

    test('that puts one in the place of a new one is refused, and its neighbour is written', async () => {
      const [mine, other] = [rrset(a, 'lock', 'TXT', ['ours']), rrset(a, 'near', 'TXT', ['ours'])]
      editFirst(twin, server, ['zone a.example', 'update add lock.a.example 300 TXT theirs'])
      twin.answers.length = 0
      expect(results(await apply(dns, [create(mine), create(other)]))).toEqual(['conflict', 'applied'])
      expect(updateCodes()).toEqual([7, 0])
      expect(await find(mine.key)).toMatchObject({ mark: null, resource: { values: ['theirs'] } })
      server.third.write(mine, null)
      expect(results(await apply(dns, [remove(other)]))).toEqual(['applied'])
    })

    test('that puts records beside a new alias is refused, where the server would keep silent', async () => {
      const alias = rrset(a, 'beside', 'CNAME', ['www.b.cu'])
      editFirst(twin, server, ['zone a.example', 'update add beside.a.example 300 TXT theirs'])
      twin.answers.length = 0
      expect(await apply(dns, [create(alias)])).toMatchObject([
        { result: 'conflict', detail: 'an alias and other records cannot stand at one name' },
      ])
      expect(updateCodes()).toEqual([6])
      server.third.write(rrset(a, 'beside', 'TXT', []), null)
    })

    test('of a delete is refused', async () => {
      const caa = rrset(a, '*.wild', 'CAA', ['0 issue "ca.example"'])
      editFirst(twin, server, ['zone a.example', 'update add *.wild.a.example 300 CAA 0 issue "theirs.example"'])
      twin.answers.length = 0
      expect(results(await apply(dns, [remove(caa)]))).toEqual(['conflict'])
      expect(updateCodes()).toEqual([8])
      const edited = (await find(caa.key))?.resource as RRsetResource
      expect(results(await apply(dns, [update(edited, caa)]))).toEqual(['applied'])
    })

    test('of a TTL alone is refused, and survives', async () => {
      const www = rrset(a, 'www', 'A', ['192.0.2.10', '192.0.2.11'])
      const longer = { ...www, ttl: 1234 }
      editFirst(twin, server, [
        'zone a.example',
        'update delete www.a.example A',
        ...www.values.map(value => `update add www.a.example 1234 A ${value}`),
      ])
      twin.answers.length = 0
      const outcomes = await apply(dns, [update(www, { ...www, values: ['192.0.2.1'] })])
      expect(outcomes).toMatchObject([{ result: 'conflict', detail: 'somebody edited it in between' }])
      expect(updateCodes()).toEqual([8])
      // It is drift, which the next plan sees and puts back.
      expect(await find(www.key)).toEqual({ resource: longer, mark: markFor(www) })
      expect(results(await apply(dns, [update(longer, www)]))).toEqual(['applied'])
    })

    test('in a zone that somebody writes into all the time ends no change', async () => {
      const near = rrset(a, 'near', 'TXT', ['ours'])
      let edits = 0
      twin.script = {
        toServer: message => {
          if (opcodeOf(message) === updateOpcode) {
            edits += 1
            server.third.nsupdate(['zone a.example', `update add busy.a.example 300 TXT ${edits}`, 'send'])
          }
          return [message]
        },
      }
      twin.answers.length = 0
      expect(results(await apply(dns, [create(near)]))).toEqual(['applied'])
      expect(updateCodes()).toEqual([8, 8, 0])
      twin.script = {}
      server.third.write(rrset(a, 'busy', 'TXT', []), null)
      expect(results(await apply(dns, [remove(near)]))).toEqual(['applied'])
    })

    test('elsewhere in the zone is no conflict', async () => {
      const near = rrset(a, 'near', 'TXT', ['ours'])
      editFirst(twin, server, ['zone a.example', 'update add elsewhere.a.example 300 TXT theirs'])
      expect(results(await apply(dns, [create(near)]))).toEqual(['applied'])
      server.third.write(rrset(a, 'elsewhere', 'TXT', []), null)
      expect(results(await apply(dns, [remove(near)]))).toEqual(['applied'])
    })
  })

  describe('an RRset', () => {
    const walk = async (before: DnsResource, after: DnsResource) => {
      expect(results(await apply(dns, [update(before, after)]))).toEqual(['applied'])
      expect(await find(after.key)).toEqual({ resource: after, mark: markFor(after) })
    }

    test('changes its TTL alone', async () => {
      for (const one of full.filter(({ kind }) => kind === 'rrset').slice(0, 8)) {
        const longer = { ...(one as RRsetResource), ttl: 901 }
        await walk(one, longer)
        await walk(longer, one)
      }
    })

    test('NS at the apex is exchanged for others altogether', async () => {
      const ns = rrset(a, '@', 'NS', ['ns1.operator.example'])
      const others = rrset(a, '@', 'NS', ['ns8.operator.example', 'ns9.operator.example'], 600)
      await walk(ns, others)
      await walk(others, ns)
    })

    test('SOA changes by a newer serial, and each write raises it', async () => {
      const before = serial(a)
      const changed = rrset(a, '@', 'SOA', ['ns1.operator.example postmaster.operator.example 7200 3600 604800 60'], 60)
      await walk(soa(a), changed)
      expect(serial(a)).toBe(before + 1)
      await walk(changed, soa(a))
      expect(serial(a)).toBe(before + 2)
    })

    test('makes place for an alias, and the alias for it, in one message', async () => {
      const [host, alias] = [rrset(a, 'swap', 'A', ['192.0.2.1']), rrset(a, 'swap', 'CNAME', ['www.b.cu'])]
      expect(results(await apply(dns, [create(host)]))).toEqual(['applied'])
      expect(results(await apply(dns, [create(alias), remove(host)]))).toEqual(['applied', 'applied'])
      expect(await find(host.key)).toBeUndefined()
      expect(results(await apply(dns, [create(host), remove(alias)]))).toEqual(['applied', 'applied'])
      expect((await find(host.key))?.resource).toEqual(host)
      expect(results(await apply(dns, [create(alias)]))).toEqual(['conflict'])
      expect(results(await apply(dns, [remove(host)]))).toEqual(['applied'])
    })

    test('with a target in the zone goes with the address of that target', async () => {
      const [mx, host] = [rrset(a, 'sub', 'MX', ['10 in.a.example']), rrset(a, 'in', 'AAAA', ['2001:db8::25'])]
      expect(results(await apply(dns, [create(mx), create(host)]))).toEqual(['applied', 'applied'])
      expect(results(await apply(dns, [remove(mx), remove(host)]))).toEqual(['applied', 'applied'])
    })

    test('in thousands goes in messages of its own size, and comes back in a transfer of several', async () => {
      const many = Array.from({ length: 250 }, (_, n) =>
        rrset(a, `n${n}`, 'TXT', ['x'.repeat(250), `${n}`, 'y'.repeat(200)]),
      )
      twin.answers.length = 0
      expect(new Set(results(await apply(dns, many.map(create))))).toEqual(new Set(['applied']))
      expect(updateCodes().length).toBeGreaterThan(2)
      const observed = resources(await observeAll(dns)).filter(({ key }) => /\/n\d+\./.test(key))
      expect(sorted(observed)).toEqual(sorted(many))
      expect(new Set(results(await apply(dns, many.map(remove))))).toEqual(new Set(['applied']))
    })

    test('by the thousand: a zone of 5,000 is made, read, changed in one of them and in all, and removed', async () => {
      const apex = 'large.example'
      const hosts = (ttl: number) =>
        Array.from({ length: 5_000 }, (_, n) => rrset(apex, `h${n}`, 'A', [`10.0.${n >> 8}.${n & 255}`], ttl))
      const some = [...base(apex), ...hosts(300)]
      expect(new Set(results(await apply(dns, some.map(create))))).toEqual(new Set(['applied']))
      const seen = await dns.observe({ domains: [apex] }, never)
      expect(seen.length).toBe(some.length)
      for (const { resource, mark } of seen) expect(mark).toBe(markFor(resource))
      const [first] = hosts(300)
      twin.answers.length = 0
      expect(results(await apply(dns, [update(first!, { ...first!, values: ['192.0.2.1'] })]))).toEqual(['applied'])
      expect(results(await apply(dns, [update({ ...first!, values: ['192.0.2.1'] }, first!)]))).toEqual(['applied'])
      expect(updateCodes()).toEqual([0, 0])
      const changes = hosts(300).map((before, n) => update(before, hosts(600)[n]!))
      expect(new Set(results(await apply(dns, changes.slice(0, 1_000))))).toEqual(new Set(['applied']))
      const left = [...hosts(600).slice(0, 1_000), ...hosts(300).slice(1_000)]
      expect(resources(await dns.observe({ domains: [apex] }, never))).toEqual(sorted([...base(apex), ...left]))
      expect(new Set(results(await apply(dns, [...base(apex), ...left].map(remove))))).toEqual(new Set(['applied']))
    }, 60_000)

    test('of a type that we do not carry is shown, and keeps its zone', async () => {
      expect(server.third.nsupdate(['zone b.cu', 'update add _25._tcp.b.cu 60 TLSA 3 1 1 00ff', 'send']).status).toBe(0)
      const tlsa = (await observeAll(dns)).find(({ resource }) => resource.key.endsWith('/TYPE52'))
      expect(tlsa).toMatchObject({ mark: null, resource: { owner: '_25._tcp.b.cu', values: ['\\# 5 03010100ff'] } })
      expect(server.third.nsupdate(['zone b.cu', 'update delete _25._tcp.b.cu TLSA', 'send']).status).toBe(0)
    })
  })

  describe('marks', () => {
    test('stand in the zone and are shown to nobody', async () => {
      const marked = server.third
        .transfer(a)
        .split('\n')
        .filter(line => /^(\S+\.)?_mailwarden\.a\.example\./.test(line))
      const ofA = full.filter(resource => (resource.kind === 'zone' ? resource.apex === a : resource.zone === a))
      for (const one of ofA) expect(marked.join(' ')).toContain(markFor(one))
      expect(marked.length).toBeGreaterThan(2)
      expect((await observeAll(dns)).filter(({ resource }) => resource.key.includes('_mailwarden'))).toEqual([])
    })

    test('are not what a third party puts beside them: that is shown, and keeps its zone', async () => {
      const apex = 'beside.example'
      await apply(dns, base(apex).map(create))
      const theirs = rrset(apex, '0123456789abcdef._mailwarden', 'TXT', ['not a mark'])
      server.third.write(theirs, theirs)
      expect(await find(theirs.key)).toEqual({ resource: theirs, mark: null })
      expect(results(await apply(dns, base(apex).map(remove)))).toContain('conflict')
      server.third.write(theirs, null)
      expect(results(await apply(dns, [remove(zone(apex))]))).toEqual(['applied'])
    })

    test('of an RRset that a third party removed go with the next write: what comes in its place is not ours', async () => {
      const [lost, next] = [rrset(a, 'lost', 'TXT', ['ours']), rrset(a, 'next', 'TXT', ['ours'])]
      expect(results(await apply(dns, [create(lost)]))).toEqual(['applied'])
      server.third.write(lost, null)
      expect(results(await apply(dns, [create(next)]))).toEqual(['applied'])
      server.third.write(lost, rrset(a, 'lost', 'TXT', ['theirs']))
      expect((await find(lost.key))?.mark).toBeNull()
      server.third.write(lost, null)
      expect(results(await apply(dns, [remove(next)]))).toEqual(['applied'])
    })
  })

  describe('a zone', () => {
    test('stays, and takes updates, when somebody else has put a record in it', async () => {
      const apex = 'shared.example'
      await apply(dns, base(apex).map(create))
      const theirs = rrset(apex, 'theirs', 'TXT', ['do not touch'])
      server.third.write(theirs, theirs)
      const outcomes = await apply(dns, base(apex).map(remove))
      expect(outcomes.find(({ ref }) => ref.kind === 'zone')).toMatchObject({
        result: 'conflict',
        detail: '1 RRsets are left in it',
      })
      const left = (await observeAll(dns)).filter(({ resource }) => resource.key.startsWith(apex))
      expect(resources(left)).toEqual([zone(apex), theirs])
      server.third.write(theirs, null)
      expect(results(await apply(dns, [remove(zone(apex))]))).toEqual(['applied'])
    })

    test('stays when a record comes in the moment before it goes', async () => {
      const apex = 'moment.example'
      await apply(dns, base(apex).map(create))
      await apply(dns, base(apex).slice(1).map(remove))
      // The provider's first look at the zone finds nothing in it; its second, when nobody can write, finds the record.
      let looks = 0
      const theirs = rrset(apex, 'late', 'TXT', ['late'])
      twin.script = {
        toClient: message => {
          looks += 1
          if (looks === 1) server.third.write(theirs, theirs)
          return [message]
        },
      }
      expect(results(await apply(dns, [remove(zone(apex))]))).toEqual(['conflict'])
      twin.script = {}
      expect((await find(theirs.key))?.resource).toEqual(theirs)
      server.third.write(theirs, null)
      expect(results(await apply(dns, [remove(zone(apex))]))).toEqual(['applied'])
    })

    test('is made again after it was removed, and leaves no file behind', async () => {
      const apex = 'again.example'
      const some = [...base(apex), rrset(apex, 'x', 'TXT', ['1'])]
      for (let round = 0; round < 3; round += 1) {
        expect(new Set(results(await apply(dns, some.map(create))))).toEqual(new Set(['applied']))
        expect(resources(await dns.observe({ domains: [apex] }, never))).toEqual(sorted(some))
        expect(new Set(results(await apply(dns, some.map(remove))))).toEqual(new Set(['applied']))
        expect(await dns.observe({ domains: [apex] }, never)).toEqual([])
      }
      expect(
        readdirSync(join(server.folder, 'zones')).filter(file => /^again\.example\.zone(\.jnl)?$/.test(file)),
      ).toEqual([])
    })

    test('of somebody else is not ours to make', async () => {
      const apex = 'standing.example'
      server.addForeignZone(apex, masterLines([soa(apex), rrset(apex, '@', 'NS', ['ns.theirs.example'])]))
      const before = server.third.transfer(apex)
      const outcomes = await apply(dns, base(apex).map(create))
      expect(new Set(results(outcomes))).toEqual(new Set(['conflict']))
      expect(server.third.transfer(apex).split('\n').slice(0, 3)).toEqual(before.split('\n').slice(0, 3))
      expect(resources(await observeAll(dns)).some(({ key }) => key.startsWith(apex))).toBe(false)
    })

    test('has no files but ours, and theirs are as they were', () => {
      const files = readdirSync(join(server.folder, 'zones')).filter(file => !file.endsWith('.before'))
      for (const file of files) expect(file).toMatch(/^(a\.example|b\.cu)\.zone(\.jnl)?$/)
      expect(readdirSync(join(server.folder, 'other')).some(file => file.startsWith('standing.example'))).toBe(true)
    })
  })

  describe('a key that the server does not take', () => {
    const wrongSecret = () => ({ ...server.key, secret: new Secret(Buffer.alloc(32, 1).toString('base64')) })

    test.each([
      [
        'with another secret',
        () => ({ key: wrongSecret() }),
        /^the secret of the key mw is not the one that 127\.0\.0\.1:\d+ has$/,
      ],
      ['of another name', () => ({ key: makeKey('stranger') }), /^127\.0\.0\.1:\d+ does not know the key stranger/],
      [
        'with a clock an hour away',
        () => ({ clock: { ...systemClock, now: () => systemClock.now() + 3_600_000 } }),
        /^the clock of 127\.0\.0\.1:\d+ and ours differ by (3599|3600|3601) s: signatures hold for 300 s$/,
      ],
    ])('%s is told so, and nothing is written', async (_, over, sentence) => {
      await using other = openProvider(server, { zones: [a], ...over() })
      const failure = await failureOf(other.observe('all', never))
      expect(failure).toMatchObject({ kind: 'unauthorized', message: expect.stringMatching(sentence) })
      const before = server.third.transfer(a)
      const outcomes = await apply(other, [create(rrset(a, 'never', 'TXT', ['x']))])
      expect(outcomes).toMatchObject([{ result: 'failed', detail: expect.stringMatching(sentence) }])
      expect(results(await apply(other, base('never.example').map(create)))).toEqual(['failed', 'failed', 'failed'])
      expect(await dns.observe({ domains: ['never.example'] }, never)).toEqual([])
      expect(server.third.transfer(a).split('\n').slice(0, -2)).toEqual(before.split('\n').slice(0, -2))
      expect(JSON.stringify([failure.message, outcomes, other.target])).not.toContain(server.key.secret.reveal())
    })
  })
}

describeServers('beyond conformance on BIND', whyNoBind, () => suite(() => startBind()))
describeServers('beyond conformance on Knot', whyNoKnot, () => suite(() => startKnot()))

describeServers('the configuration of BIND', whyNoBind, () => {
  let bind: Bind
  beforeAll(async () => {
    bind = await startBind()
  })
  afterAll(() => bind.stop())
  const include = () => readFileSync(join(bind.folder, 'mailwarden.conf'), 'utf8')
  const broken = (program: string) => ({ zoneMaking: { ...bind.zoneMaking, rndc: [program] as const }, zones: [] })

  test('is touched in the one file of ours only', async () => {
    bind.addForeignZone(
      'theirs.example',
      masterLines([soa('theirs.example'), rrset('theirs.example', '@', 'NS', ['ns.x.example'])]),
    )
    const theirs = () =>
      ['named.conf', 'others.conf', 'rndc.conf', 'other/theirs.example'].map(file =>
        readFileSync(join(bind.folder, file), 'utf8'),
      )
    const before = theirs()
    await using dns = openProvider(bind, { zones: [] })
    await apply(dns, full.map(create))
    await apply(dns, full.map(remove))
    expect(theirs()).toEqual(before)
    expect(
      include()
        .split('\n')
        .filter(line => line.startsWith('zone')),
    ).toEqual([])
  })

  test('that BIND could not be told of is finished by the next pass', async () => {
    const apex = 'cut.example'
    await using cut = openProvider(bind, broken('/usr/bin/false'))
    expect(new Set(results(await apply(cut, base(apex).map(create))))).toEqual(new Set(['unknown']))
    expect(include()).toMatch(/zone "cut\.example" .* \/\/ pending/)
    expect(await observeAll(cut)).toEqual([])
    await using dns = openProvider(bind, { zones: [] })
    expect(new Set(results(await apply(dns, base(apex).map(create))))).toEqual(new Set(['applied']))
    expect(include()).toMatch(/zone "cut\.example" .* \/\/ made/)
    // A zone that BIND took at its next start, with nobody there to see it: shown as soon as the note is gone.
    writeFileSync(join(bind.folder, 'mailwarden.conf'), include().replace('// made', '// pending'))
    expect(resources(await observeAll(dns))).toEqual(sorted(base(apex).slice(1)))
    expect(results(await apply(dns, [create(zone(apex))]))).toEqual(['applied'])
    expect(resources(await observeAll(dns))).toEqual(sorted(base(apex)))
    // One that was on its way out, and is wanted again: still served, and served no more.
    await apply(dns, base(apex).slice(1).map(remove))
    expect(results(await apply(cut, [remove(zone(apex))]))).toEqual(['unknown'])
    bind.rndc('freeze', apex)
    expect(results(await apply(dns, base(apex).slice(1).map(create)))).toEqual(['applied', 'applied'])
    expect(include()).toMatch(/zone "cut\.example" .* \/\/ made/)
    const gone = `// ${apex} gone ${markFor(zone(apex))}`
    writeFileSync(join(bind.folder, 'mailwarden.conf'), include().replace(/^zone "cut\.example".*$/m, gone))
    expect(bind.rndc('reconfig').status).toBe(0)
    await waitUntil('its end', () => !bind.third.transfer(apex).includes('SOA'))
    expect(resources(await observeAll(dns))).toEqual([zone(apex)])
    expect(results(await apply(dns, base(apex).slice(1).map(create)))).toEqual(['applied', 'applied'])
    expect(await observeAll(dns)).toEqual(sorted(base(apex)).map(resource => ({ resource, mark: markFor(resource) })))
    // And one that is on its way out for good.
    await apply(dns, base(apex).slice(1).map(remove))
    expect(results(await apply(cut, [remove(zone(apex))]))).toEqual(['unknown'])
    expect(include()).toMatch(/leaving|gone/)
    expect(await observeAll(dns)).toEqual([{ resource: zone(apex), mark: markFor(zone(apex)) }])
    expect(results(await apply(dns, [remove(zone(apex))]))).toEqual(['applied'])
    expect([await observeAll(dns), include().includes(apex)]).toEqual([[], false])
  })

  test('with a zone that BIND does not take holds up no other, and is left as BIND can read it', async () => {
    // Configured by somebody else, and not loaded: nothing but BIND's own refusal tells of it.
    writeFileSync(join(bind.folder, 'other', 'secondary.example'), '')
    bind.addForeignZone('hidden.example', [], 'allow-transfer { none; }; allow-query { none; };')
    await using dns = openProvider(bind, { zones: [], loadMs: 200 })
    const wanted = ['one.example', 'hidden.example', 'two.example'].flatMap(base)
    const outcomes = await apply(dns, wanted.map(create))
    const refused = outcomes.filter(({ result }) => result !== 'applied')
    expect(new Set(refused.map(({ ref }) => ref.key.split('/')[0]))).toEqual(new Set(['hidden.example']))
    expect(outcomes.filter(({ result }) => result === 'applied').length).toBe(6)
    expect(include()).not.toContain('hidden.example')
    expect(bind.rndc('reconfig').status).toBe(0)
    await apply(dns, wanted.filter(({ key }) => !key.startsWith('hidden')).map(remove))
  })

  test('that somebody else wrote into, or that is gone, is a failure and never an empty estate', async () => {
    await using dns = openProvider(bind, { zones: [] })
    const text = include()
    for (const other of [`${text}zone "x.example" { type primary; file "x"; };\n`, `${text}# a remark\n`]) {
      writeFileSync(join(bind.folder, 'mailwarden.conf'), other)
      expect((await failureOf(observeAll(dns))).message).toContain('has a line that mailwarden did not write')
      expect(results(await apply(dns, base('y.example').map(create)))).toEqual(['failed', 'failed', 'failed'])
    }
    writeFileSync(join(bind.folder, 'mailwarden.conf'), text)
    await using elsewhere = openProvider(bind, {
      zoneMaking: { ...bind.zoneMaking, include: join(bind.folder, 'absent') },
    })
    expect((await failureOf(observeAll(elsewhere))).message).toContain('cannot be read')
  })

  test('that BIND reads no more is a failure, not the absence of its zones', async () => {
    await using dns = openProvider(bind, { zones: [] })
    await apply(dns, base(a).map(create))
    const named = readFileSync(join(bind.folder, 'named.conf'), 'utf8')
    writeFileSync(join(bind.folder, 'named.conf'), named.replace(/^include .*mailwarden.conf";$/m, ''))
    expect(bind.rndc('reconfig').status).toBe(0)
    const failure = await failureOf(observeAll(dns))
    expect(failure.message).toMatch(/^a\.example is configured and 127\.0\.0\.1:\d+ does not serve it/)
    const zoneFile = join(bind.folder, 'zones', 'a.example.zone')
    const before = readFileSync(zoneFile, 'utf8')
    expect(new Set(results(await apply(dns, base(a).map(create))))).toEqual(new Set(['failed']))
    expect(readFileSync(zoneFile, 'utf8')).toBe(before)
    writeFileSync(join(bind.folder, 'named.conf'), named)
    expect(bind.rndc('reconfig').status).toBe(0)
    await expect.poll(async () => (await observeAll(dns).catch(() => [])).length, { timeout: 10_000 }).toBe(3)
  })

  test('has no place for what an UPDATE cannot carry, nor for records where our marks stand', async () => {
    await using dns = openProvider(bind)
    const codes = (resource: DnsResource) => dns.check(resource).map(({ code }) => code)
    const big = Array.from({ length: 60 }, (_, n) => `${n}`.padStart(300, 'x'))
    expect(codes(rrset(a, 'big', 'TXT', big))).toEqual(['E-RECORD-SIZE'])
    expect(codes(rrset(a, '_mailwarden', 'TXT', ['x']))).toEqual(['E-RECORD-NAME'])
    expect(codes(rrset(a, '@', 'A', ['192.0.2.256']))).toEqual(['E-RECORD-VALUE'])
    for (const resource of full) expect(codes(resource)).toEqual([])
    const wrong = [
      { server: '127.0.0.1' },
      { key: { ...bind.key, secret: new Secret('short') } },
      { key: { ...bind.key, algorithm: 'hmac-md5' as never } },
    ]
    for (const over of wrong) expect(() => openProvider(bind, over)).toThrow(ProviderFailure)
    expect(() => openProvider(bind, broken('rndc'))).toThrow('is not named by its whole path')
  })

  test('refuses an MX whose target in the zone has no address, and that alone', async () => {
    await using dns = openProvider(bind, { zones: [] })
    const apex = 'mx.example'
    const wanted = [
      ...base(apex),
      rrset(apex, '@', 'MX', ['10 nowhere.mx.example']),
      rrset(apex, 'x', 'A', ['192.0.2.1']),
    ]
    const outcomes = await apply(dns, wanted.map(create))
    const refused = outcomes.filter(({ result }) => result !== 'applied')
    expect(refused).toMatchObject([{ ref: { key: `${apex}/${apex}/MX` }, result: 'failed' }])
    expect(refused[0]?.detail).toMatch(/answers REFUSED: .*a target within the zone has no address$/)
    // Also when the zone stands already and they go in one message.
    const again = [rrset(apex, 'y', 'A', ['192.0.2.1']), rrset(apex, 'z', 'MX', ['10 nowhere.mx.example'])]
    expect(results(await apply(dns, again.map(create)))).toEqual(['applied', 'failed'])
    expect(existsSync(join(bind.folder, 'zones', 'mx.example.zone'))).toBe(true)
  })
})

describeServers('the configuration of Knot', whyNoKnot, () => {
  let knot: Knot
  beforeAll(async () => {
    knot = await startKnot()
  })
  afterAll(() => knot.stop())

  test('keeps zones of others, and a zone that the key may not see is no absence', async () => {
    await using dns = openProvider(knot, { zones: [] })
    knot.addForeignZone('closed.example', masterLines([soa('closed.example')]), 'update-only')
    const before = knot.knotc('conf-read zone[closed.example.]')
    await apply(dns, full.map(create))
    expect(resources(await observeAll(dns))).toEqual(sorted(full))
    const failure = await failureOf(dns.observe({ domains: ['closed.example'] }, never))
    expect(failure.kind).toBe('unauthorized')
    expect(new Set(results(await apply(dns, base('closed.example').map(create))))).toEqual(new Set(['failed']))
    await apply(dns, full.map(remove))
    expect(knot.knotc('conf-read zone[closed.example.]')).toBe(before)
    expect(knot.knotc('conf-read zone')).not.toContain(a)
  })

  test('in which an operator is at work waits for the next pass', async () => {
    await using dns = openProvider(knot, { zones: [] })
    knot.knotc('conf-begin')
    const outcomes = await apply(dns, base('busy.example').map(create))
    expect(new Set(results(outcomes))).toEqual(new Set(['failed']))
    expect(outcomes[0]?.detail).toContain('too many transactions')
    knot.knotc('conf-abort')
    expect(new Set(results(await apply(dns, base('busy.example').map(create))))).toEqual(new Set(['applied']))
    await apply(dns, base('busy.example').map(remove))
  })

  test('with a transaction that a killed pass of ours left open is gone on with', async () => {
    await using dns = openProvider(knot, { zones: [] })
    knot.knotc('conf-begin', 'conf-set zone[left.example.]', 'conf-set zone[left.example.].comment mailwarden:pending')
    const outcomes = await apply(dns, base('busy.example').map(create))
    expect(outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
    expect(knot.knotc('conf-read zone')).not.toContain('left.example')
    await apply(dns, base('busy.example').map(remove))
  })

  test('that cannot be reached is a failure', async () => {
    const knotc = ['/usr/sbin/knotc', '-s', join(knot.folder, 'absent.sock')] as const
    await using dns = openProvider(knot, { zoneMaking: { ...knot.zoneMaking, knotc } })
    expect((await failureOf(observeAll(dns))).kind).toBe('unreachable')
  })
})
