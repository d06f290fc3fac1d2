/** The embedded DNS keeps the provider's promises (conformance), and those of its own: serials, zones with foreign records. */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { openEmbeddedDns } from '../../providers/embedded-dns/dns.ts'
import { nextSerial } from '../../providers/embedded-dns/serial.ts'
import { ProviderFailure } from '../../providers/provider.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { dnsSample, dnsStates } from '../conformance/samples.ts'
import {
  applyAll,
  create,
  createTestClock,
  never,
  openTemporary,
  remove,
  results,
  rrset,
  serialOf,
  soa,
  testClock,
  update,
  writeBehind,
  zone,
} from './bench.ts'

testProvider<DnsResource>({
  name: 'embedded DNS',
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'mailwarden-dns-'))
    const file = join(folder, 'dns.db')
    return {
      provider: await openEmbeddedDns({ file, clock: testClock }),
      writeBehind: async (resource, value) => writeBehind(file, resource, value),
      close: async () => rmSync(folder, { recursive: true, force: true }),
    }
  },
  reopen: async ({ provider }) =>
    openEmbeddedDns({ file: provider.target.slice('embedded-dns:'.length), clock: testClock }),
  sample: dnsSample,
  skip: [],
})

const { small, full } = dnsStates
const [a, b] = ['a.example', 'b.cu']

describe('the serial', () => {
  test('rises once for each zone and batch with a real change, and not without one', async () => {
    await using one = await openTemporary()
    await applyAll(one.dns, full.map(create))
    expect([serialOf(one.file, a), serialOf(one.file, b)]).toEqual([1, 1])
    const mx = rrset(a, '@', 'MX', ['10 mx1.operator.example', '20 mx2.operator.example'])
    const www = rrset(a, 'www', 'A', ['192.0.2.10', '192.0.2.11'])
    const batch = [
      update(mx, { ...mx, ttl: 60 }),
      update(www, { ...www, ttl: 60 }),
      create(rrset(a, 'new', 'A', ['192.0.2.1'])),
    ]
    expect(results(await applyAll(one.dns, batch))).toEqual(['applied', 'applied', 'applied'])
    expect([serialOf(one.file, a), serialOf(one.file, b)]).toEqual([2, 1])
    await applyAll(one.dns, batch)
    expect(serialOf(one.file, a)).toBe(2)
    expect(results(await applyAll(one.dns, [update({ ...mx, ttl: 7 }, { ...mx, ttl: 8 })]))).toEqual(['conflict'])
    expect(serialOf(one.file, a)).toBe(2)
  })

  test('goes round as RFC 1982 has it', () => {
    expect(nextSerial(1)).toBe(2)
    expect(nextSerial(2 ** 32 - 1)).toBe(1)
    for (const serial of [0, 5, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
      const distance = (nextSerial(serial) - serial + 2 ** 32) % 2 ** 32
      expect(distance > 0 && distance < 2 ** 31).toBe(true)
    }
  })
})

describe('a zone that is removed', () => {
  test('goes with its RRsets, in whatever order the changes come', async () => {
    await using one = await openTemporary()
    await applyAll(one.dns, full.map(create).reverse())
    expect((await one.dns.observe('all', never)).length).toBe(full.length)
    expect(new Set(results(await applyAll(one.dns, full.map(remove))))).toEqual(new Set(['applied']))
    expect(await one.dns.observe('all', never)).toEqual([])
  })

  test('stays when someone else has put a record in it', async () => {
    await using one = await openTemporary()
    await applyAll(one.dns, small.map(create))
    const foreign = rrset(a, 'theirs', 'TXT', ['do not touch'])
    writeBehind(one.file, foreign, foreign)
    const outcomes = await applyAll(one.dns, small.map(remove))
    const zoneOutcome = outcomes.find(({ ref }) => ref.kind === 'zone')
    expect(zoneOutcome).toMatchObject({ result: 'conflict', detail: '1 RRsets are left in it' })
    const left = await one.dns.observe('all', never)
    expect(left.map(({ resource }) => resource.key)).toEqual([a, `${a}/theirs.${a}/TXT`])
    expect(left[1]?.mark).toBeNull()
  })

  test('stays when a record of ours was edited meanwhile', async () => {
    await using one = await openTemporary()
    await applyAll(one.dns, small.map(create))
    const edited = rrset(a, '@', 'NS', ['ns9.theirs.example'])
    writeBehind(one.file, edited, edited)
    const outcomes = await applyAll(one.dns, small.map(remove))
    expect(
      outcomes
        .filter(({ result }) => result === 'conflict')
        .map(({ ref }) => ref.kind)
        .sort(),
    ).toEqual(['rrset', 'zone'])
    expect((await one.dns.observe('all', never)).map(({ resource }) => resource)).toContainEqual(edited)
  })
})

describe('what is not ours (R21)', () => {
  test('10,000 foreign objects among ours: none is touched by a full round', async () => {
    await using one = await openTemporary()
    using database = new DatabaseSync(one.file)
    database.exec('BEGIN')
    const insertZone = database.prepare('INSERT INTO zone (apex, serial) VALUES (?, 7)')
    const insert = database.prepare(
      `INSERT INTO rrset (zone, owner, type, ttl, "values") VALUES (?, ?, 'A', 60, '["192.0.2.1"]')`,
    )
    for (let index = 0; index < 100; index += 1) {
      insertZone.run(`f${index}.example`)
      for (let host = 0; host < 99; host += 1) insert.run(`f${index}.example`, `h${host}.f${index}.example`)
    }
    database.exec('COMMIT')
    const dump = () =>
      JSON.stringify(database.prepare(`SELECT * FROM zone JOIN rrset ON zone = apex WHERE apex LIKE 'f%'`).all())
    const before = dump()
    await applyAll(one.dns, full.map(create))
    await applyAll(one.dns, [
      create(zone('f3.example')),
      create(rrset('f3.example', 'h3', 'A', ['192.0.2.1'])),
      remove(rrset('f4.example', 'h4', 'A', ['192.0.2.1'], 60)),
    ])
    await applyAll(one.dns, full.map(remove))
    expect((await one.dns.observe('all', never)).length).toBe(10_000)
    expect(dump()).toBe(before)
  })

  test('another installation’s mark is not ours', async () => {
    await using one = await openTemporary()
    await applyAll(one.dns, small.map(create))
    const ns = rrset(a, '@', 'NS', ['ns1.operator.example'])
    const outcomes = []
    for await (const outcome of one.dns.apply([{ change: remove(ns), mark: 'mw1:other' }], never))
      outcomes.push(outcome)
    expect(results(outcomes)).toEqual(['conflict'])
  })
})

describe('the file', () => {
  test('an RRset without its zone is a conflict, and leaves nothing', async () => {
    await using one = await openTemporary()
    expect(results(await applyAll(one.dns, [create(soa(a))]))).toEqual(['conflict'])
    expect(await one.dns.observe('all', never)).toEqual([])
  })

  test('tells of writes by others, and not of its own', async () => {
    const clock = createTestClock()
    await using one = await openTemporary(null, clock)
    const stop = new AbortController()
    const writes = one.dns.foreignWrites(stop.signal)[Symbol.asyncIterator]()
    let told = 0
    const first = writes.next().then(() => {
      told += 1
    })
    await applyAll(one.dns, small.map(create))
    await clock.wake()
    expect(told).toBe(0)
    writeBehind(one.file, zone('x.example'), zone('x.example'))
    await clock.wake()
    await first
    const second = writes.next()
    stop.abort()
    expect((await second).done).toBe(true)
  })

  test('a file that is no database is a failure, not an empty estate', async () => {
    await using one = await openTemporary()
    const file = join(dirname(one.file), 'not-a-database')
    const { writeFileSync } = await import('node:fs')
    writeFileSync(file, 'x'.repeat(4096))
    await expect(openEmbeddedDns({ file, clock: testClock })).rejects.toBeInstanceOf(ProviderFailure)
  })

  test('after close, reading fails rather than showing nothing', async () => {
    await using one = await openTemporary()
    await one.dns.close()
    await one.dns.close()
    await expect(one.dns.observe('all', never)).rejects.toBeInstanceOf(ProviderFailure)
    expect(results(await applyAll(one.dns, [create(zone(a))]))).toEqual(['failed'])
  })

  test('names and values in other spellings are the same objects', async () => {
    await using one = await openTemporary()
    await applyAll(one.dns, small.map(create))
    const shouted = {
      ...rrset(a, '@', 'NS', ['NS1.Operator.Example.']),
      owner: 'A.Example.',
      zone: 'A.EXAMPLE' as never,
    }
    expect(one.dns.canonical(shouted)).toEqual(rrset(a, '@', 'NS', ['ns1.operator.example']))
    expect(results(await applyAll(one.dns, [{ ...create(shouted), ref: create(small[2]!).ref }]))).toEqual(['applied'])
    expect((await one.dns.observe('all', never)).length).toBe(small.length)
    const aaaa = rrset(a, 'v6', 'AAAA', ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'])
    expect(one.dns.canonical(aaaa)).toMatchObject({ values: ['2001:db8::1'] })
  })

  test('what it cannot hold is a diagnostic', async () => {
    await using one = await openTemporary()
    const codes = (resource: DnsResource) => one.dns.check(resource).map(({ code }) => code)
    expect(codes(rrset(a, '@', 'A', ['192.0.2.256']))).toEqual(['E-RECORD-VALUE'])
    expect(codes(rrset(a, '@', 'A', ['192.0.2.1'], 2 ** 31))).toEqual(['E-RECORD-VALUE'])
    expect(codes(rrset(a, '@', 'TXT', ['x'.repeat(17_000)]))).toEqual(['E-RECORD-SIZE'])
    expect(codes(rrset(a, 'x'.repeat(64), 'A', ['192.0.2.1']))).toEqual(['E-RECORD-NAME'])
    for (const resource of full) expect(codes(resource)).toEqual([])
  })
})

describe('a kill', () => {
  const run = (file: string, failpoint: string) =>
    new Promise<NodeJS.Signals | null>((resolve, reject) => {
      const child = fork(join(import.meta.dirname, 'apply-once.ts'), [file], {
        env: { ...process.env, MAILWARDEN_FAILPOINT: failpoint },
        execArgv: [],
        stdio: 'ignore',
      })
      child.on('error', reject)
      child.on('exit', (_, signal) => resolve(signal))
    })

  test('inside the transaction leaves nothing of the batch, after the commit all of it', async () => {
    await using one = await openTemporary()
    expect(await run(one.file, 'dns.insideTransaction')).toBe('SIGKILL')
    expect(await one.dns.observe('all', never)).toEqual([])
    expect(await run(one.file, 'dns.afterCommit')).toBe('SIGKILL')
    expect((await one.dns.observe('all', never)).length).toBe(2)
    // The next pass finds it done.
    expect(results(await applyAll(one.dns, [create(zone(a)), create(soa(a))]))).toEqual(['applied', 'applied'])
    expect(serialOf(one.file, a)).toBe(1)
  })
})
