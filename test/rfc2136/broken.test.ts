/**
 * Zones of ours that a server has in its configuration and cannot load: what a cut of ours, or of the server itself, can
 * leave on the disk. What was not wholly made is made anew; what was is left as it is and named; neighbours are none of it.
 */
import { readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { type Provider, ProviderFailure } from '../../providers/provider.ts'
import { create, markFor, never, remove, results, rrset, soa, zone } from '../dns/bench.ts'
import { type Bind, startBind, whyNoBind } from '../servers/bind.ts'
import { type Knot, startKnot, whyNoKnot } from '../servers/knot.ts'
import { waitUntil } from '../servers/mail-servers.ts'
import { describeServers } from '../servers/suite.ts'
import { apply, observeAll, openProvider, resources } from './support.ts'

const base = (apex: string): DnsResource[] => [
  zone(apex),
  soa(apex),
  rrset(apex, '@', 'NS', ['ns1.operator.example']),
  rrset(apex, 'www', 'A', ['192.0.2.1']),
]
const byKey = (left: DnsResource, right: DnsResource) => (left.key < right.key ? -1 : 1)
const sorted = (some: readonly DnsResource[]) => [...some].sort(byKey)
const near = base('near.example')

describeServers('a zone of ours that BIND cannot load', whyNoBind, () => {
  let bind: Bind
  let dns: Provider<DnsResource>
  let round = 0
  /** The files of the zone before its damage. */
  const whole = new Map<string, Buffer>()
  beforeAll(async () => {
    bind = await startBind()
    dns = openProvider(bind, { zones: [], loadMs: 3_000 })
    expect(new Set(results(await apply(dns, near.map(create))))).toEqual(new Set(['applied']))
  })
  afterAll(async () => {
    await dns?.[Symbol.asyncDispose]()
    await bind?.stop()
  })
  const file = (apex: string, end = '') => join(bind.folder, 'zones', `${apex}.zone${end}`)
  const include = () => readFileSync(bind.zoneMaking.include, 'utf8')
  const note = (apex: string, text: string) =>
    writeFileSync(
      bind.zoneMaking.include,
      include().replace(new RegExp(`^(zone "${apex}" .*) // made$`, 'm'), `$1 // ${text}`),
    )

  const damages: [string, (apex: string) => void][] = [
    ['whose file was put away', apex => renameSync(file(apex), file(apex, '.before'))],
    ['whose journal BIND had begun to make', apex => truncateSync(file(apex, '.jnl'), 0)],
    ['whose journal ends in its head', apex => truncateSync(file(apex, '.jnl'), 40)],
    ['whose file is cut off', apex => truncateSync(file(apex), 150)],
    [
      'whose journal is that of another file',
      apex => writeFileSync(file(apex), readFileSync(file(apex), 'utf8').replace(/(SOA \S+ \S+ )\d+/, '$1 7')),
    ],
  ]

  /** A zone that is noted so and has such a damage when BIND is started. */
  async function broken(damage: (apex: string) => void, noted: string): Promise<DnsResource[]> {
    round += 1
    const apex = `broken${round}.example`
    const some = base(apex)
    expect(new Set(results(await apply(dns, some.map(create))))).toEqual(new Set(['applied']))
    await bind.daemon.stop('SIGKILL')
    for (const end of ['', '.jnl']) whole.set(end, readFileSync(file(apex, end)))
    damage(apex)
    note(apex, noted)
    await bind.daemon.start()
    await waitUntil('its failure', () => bind.log().includes(`zone ${apex}/IN: not loaded due to errors`))
    await waitUntil('the end of loading', () => bind.rndc('status').stdout.includes('up and running'))
    return some
  }

  test.each(damages)('%s, in the middle of making it, holds up no other and is made anew', async (_, damage) => {
    const some = await broken(damage, 'pending')
    expect(resources(await observeAll(dns))).toEqual(sorted(near))
    const outcomes = await apply(dns, some.map(create))
    expect(outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
    expect(await observeAll(dns)).toEqual(
      sorted([...near, ...some]).map(resource => ({ resource, mark: markFor(resource) })),
    )
    await apply(dns, some.map(remove))
  })

  test.each(damages)('%s, on its way out, goes, and what stood in it is kept', async (_, damage) => {
    const apex = `broken${round + 1}.example`
    await broken(damage, `leaving ${markFor(zone(apex))}`)
    expect(resources(await observeAll(dns))).toEqual(sorted([zone(apex), ...near]))
    expect(results(await apply(dns, [remove(zone(apex))]))).toEqual(['applied'])
    expect(include()).not.toContain(apex)
    expect(resources(await observeAll(dns))).toEqual(sorted(near))
    const left = readdirSync(join(bind.folder, 'zones')).filter(name => name.startsWith(apex))
    expect(left).not.toEqual([])
    expect(left.filter(name => !name.endsWith('.before'))).toEqual([])
  })

  test.each(damages)('%s, on its way out and wanted again, is made anew', async (_, damage) => {
    const apex = `broken${round + 1}.example`
    const some = await broken(damage, `leaving ${markFor(zone(apex))}`)
    expect(new Set(results(await apply(dns, some.slice(1).map(create))))).toEqual(new Set(['applied']))
    expect(resources(await observeAll(dns))).toEqual(sorted([...near, ...some]))
    await apply(dns, some.map(remove))
  })

  test.each(damages)('%s, when it stood, is named, and never called absent nor made anew', async (_, damage) => {
    const some = await broken(damage, 'made')
    const apex = some[0]!.key
    const files = () =>
      readdirSync(join(bind.folder, 'zones'))
        .filter(name => name.startsWith(apex))
        .map(name => [name, readFileSync(join(bind.folder, 'zones', name), 'hex')])
    const before = files()
    const failure = await observeAll(dns).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ProviderFailure)
    expect((failure as Error).message).toMatch(
      new RegExp(`^127\\.0\\.0\\.1:\\d+ could not load the zone ${apex}: .*rndc reload ${apex}`),
    )
    // Its neighbours are read and written all the same, when they are asked for.
    expect(resources(await dns.observe({ domains: ['near.example'] }, never))).toEqual(sorted(near))
    const beside = rrset('near.example', 'beside', 'TXT', [apex])
    const outcomes = await apply(dns, [...some, beside].map(create))
    expect(outcomes.filter(({ result }) => result === 'applied')).toMatchObject([{ ref: { key: beside.key } }])
    expect(outcomes.filter(({ result }) => result === 'failed').length).toBe(some.length)
    expect(results(await apply(dns, [remove(beside)]))).toEqual(['applied'])
    expect(files()).toEqual(before)
    // The way out that the sentence names: the files as they were, and the zone is back.
    rmSync(file(apex, '.before'), { force: true })
    for (const end of ['', '.jnl']) writeFileSync(file(apex, end), whole.get(end)!)
    expect(bind.rndc('reload', apex).status).toBe(0)
    expect(resources(await observeAll(dns))).toEqual(sorted([...near, ...some]))
    expect(new Set(results(await apply(dns, some.map(remove))))).toEqual(new Set(['applied']))
  })
})

describeServers('a zone of ours that Knot cannot load', whyNoKnot, () => {
  let knot: Knot
  let dns: Provider<DnsResource>
  let round = 0
  beforeAll(async () => {
    knot = await startKnot()
    dns = openProvider(knot, { zones: [], loadMs: 3_000 })
    expect(new Set(results(await apply(dns, near.map(create))))).toEqual(new Set(['applied']))
  })
  afterAll(async () => {
    await dns?.[Symbol.asyncDispose]()
    await knot?.stop()
  })
  const file = (apex: string) => join(knot.folder, 'zones', `${apex}.zone`)

  const damages: [string, (apex: string) => void][] = [
    ['whose file was put away', apex => renameSync(file(apex), `${file(apex)}.before`)],
    ['whose file is cut off', apex => truncateSync(file(apex), 150)],
  ]

  async function broken(damage: (apex: string) => void, noted: string): Promise<DnsResource[]> {
    round += 1
    const apex = `broken${round}.example`
    const [beside, ...some] = [rrset(apex, 'late', 'TXT', ['x']), ...base(apex)]
    expect(new Set(results(await apply(dns, some.map(create))))).toEqual(new Set(['applied']))
    // So that its journal has something to say.
    expect(results(await apply(dns, [create(beside)]))).toEqual(['applied'])
    knot.knotc('conf-begin', `conf-set zone[${apex}.].comment mailwarden:${noted}`, 'conf-commit')
    await knot.daemon.stop('SIGKILL')
    damage(apex)
    await knot.daemon.start()
    await waitUntil('its failure', () => knot.log().includes(`[${apex}.] zone event 'load' failed`))
    return some
  }

  test.each(damages)('%s, in the middle of making it, is made anew; on its way out, it goes', async (_, damage) => {
    const some = await broken(damage, 'pending')
    expect(resources(await observeAll(dns))).toEqual(sorted(near))
    expect(new Set(results(await apply(dns, some.map(create))))).toEqual(new Set(['applied']))
    expect(resources(await observeAll(dns))).toEqual(sorted([...near, ...some]))
    await apply(dns, some.map(remove))
    const [apex] = await broken(damage, `leaving:${markFor(zone(`broken${round + 1}.example`))}`)
    expect(resources(await observeAll(dns))).toEqual(sorted([apex!, ...near]))
    expect(results(await apply(dns, [remove(apex!)]))).toEqual(['applied'])
    expect(resources(await observeAll(dns))).toEqual(sorted(near))
  })

  test.each(damages)('%s, when it stood, is named, and never called absent nor made anew', async (_, damage) => {
    const some = await broken(damage, 'made')
    const sentence = /^127\.0\.0\.1:\d+ could not load the zone (\S+): .*knotc zone-reload \1$/
    await expect(observeAll(dns)).rejects.toThrow(sentence)
    expect(resources(await dns.observe({ domains: ['near.example'] }, never))).toEqual(sorted(near))
    expect(new Set(results(await apply(dns, some.map(create))))).toEqual(new Set(['failed']))
    knot.knotc('conf-begin', `conf-unset zone[${some[0]!.key}.]`, 'conf-commit')
  })
})
