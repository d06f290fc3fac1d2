/** A catalog zone (RFC 9432) on our BIND; a second BIND, or PowerDNS, takes its zones from it: they come and go with ours. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import type { Provider } from '../../providers/provider.ts'
import { create, remove, results, rrset, soa, zone } from '../dns/bench.ts'
import { type Bind, startBind, whyNoBind } from '../servers/bind.ts'
import { run, waitUntil } from '../servers/mail-servers.ts'
import { answersDns, createDaemon, type Daemon, keyStatement } from '../servers/name-server.ts'
import { backends, startPdns, whyNoPdns } from '../servers/pdns.ts'
import { describeServers } from '../servers/suite.ts'
import { freePort } from '../support/free-port.ts'
import { apply, observeAll, openProvider, resources } from './support.ts'

const catalog = 'catalog.example'
const base = (apex: string): DnsResource[] => [
  zone(apex),
  soa(apex),
  rrset(apex, '@', 'NS', ['ns1.operator.example']),
  rrset(apex, 'www', 'A', ['192.0.2.1']),
]
const several = Array.from({ length: 12 }, (_, n) => `z${n}.example`)

describeServers('a catalog on BIND', whyNoBind, () => {
  let bind: Bind
  let consumer: Daemon
  let folder: string
  let port: number
  let dns: Provider<DnsResource>
  beforeAll(async () => {
    bind = await startBind()
    port = await freePort()
    folder = mkdtempSync('/tmp/mwc-')
    const primary = `127.0.0.1 port ${bind.port} key "${bind.key.name}"`
    const lines = [
      keyStatement(bind.key),
      `options { directory "${folder}"; pid-file none; lock-file none; session-keyfile "${folder}/session.key"; managed-keys-directory "${folder}";`,
      `  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; empty-zones-enable no;`,
      '  serial-query-rate 2000; transfers-in 200; transfers-per-ns 200; notify no; allow-notify { 127.0.0.1; };',
      `  catalog-zones { zone "${catalog}" default-masters { ${primary}; } in-memory yes min-update-interval 1; }; };`,
      'controls { };',
      `zone "${catalog}" { type secondary; masters { ${primary}; }; file "catalog.db"; };`,
    ]
    writeFileSync(join(folder, 'named.conf'), `${lines.join('\n')}\n`, { mode: 0o600 })
    bind.addForeignZone(
      catalog,
      [
        '@ 0 IN SOA invalid. invalid. 1 3600 600 604800 300',
        '@ 0 IN NS invalid.',
        'version 0 IN TXT "2"',
        'theirs.zones 0 IN PTR theirs.example.',
      ],
      `allow-update { key "${bind.key.name}"; }; notify explicit; also-notify { 127.0.0.1 port ${port}; };`,
    )
    await waitUntil('the catalog', () => bind.third.transfer(catalog).includes('SOA'))
    consumer = createDaemon('/usr/sbin/named', ['-f', '-c', join(folder, 'named.conf')], folder, () => answersDns(port))
    await consumer.start()
    dns = openProvider(bind, { zones: [], catalog })
  })
  afterAll(async () => {
    await dns?.[Symbol.asyncDispose]()
    await consumer?.stop()
    await bind?.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const served = (apex: string) =>
    / status: NOERROR/.test(
      run('/usr/bin/dig', ['+tcp', '+norec', '@127.0.0.1', '-p', String(port), `www.${apex}`, 'a']).stdout,
    )
  const members = () =>
    bind.third
      .transfer(catalog)
      .split('\n')
      .flatMap(line => /\bPTR\s+(\S+)\.$/.exec(line)?.[1] ?? [])
      .sort()

  test('has each zone of ours as a member, and the secondary serves it', async () => {
    expect(new Set(results(await apply(dns, several.flatMap(base).map(create))))).toEqual(new Set(['applied']))
    expect(members()).toEqual(['theirs.example', ...several].sort())
    for (const apex of several) await waitUntil(`${apex} on the secondary`, () => served(apex))
  })

  test('that could not be written keeps its zones from being called made, and the next pass puts them in', async () => {
    await using lost = openProvider(bind, { zones: [], catalog: 'nowhere.example' })
    const outcomes = await apply(lost, base('late.example').map(create))
    expect(outcomes.find(({ ref }) => ref.kind === 'zone')).toMatchObject({
      result: 'failed',
      detail: expect.stringContaining('nowhere.example'),
    })
    expect(members()).not.toContain('late.example')
    expect(resources(await observeAll(dns))).not.toContainEqual(zone('late.example'))
    expect(new Set(results(await apply(dns, base('late.example').map(create))))).toEqual(new Set(['applied']))
    expect(members()).toContain('late.example')
    expect(resources(await observeAll(dns))).toContainEqual(zone('late.example'))
  })

  test('loses them when they go; members of others stay', async () => {
    expect(new Set(results(await apply(dns, [...several, 'late.example'].flatMap(base).map(remove))))).toEqual(
      new Set(['applied']),
    )
    expect(members()).toEqual(['theirs.example'])
    expect(await observeAll(dns)).toEqual([])
    for (const apex of several) await waitUntil(`the end of ${apex} on the secondary`, () => !served(apex))
  })
})

const whyNotBoth = () => [whyNoBind(), ...backends.map(whyNoPdns)].find(why => why !== null) ?? null

describeServers('a catalog on BIND for PowerDNS', whyNotBoth, () => {
  test.each(backends)('is taken by %s: zones come and go with ours', async backend => {
    const stops: (() => Promise<void>)[] = []
    try {
      const pdns = await startPdns({ backend, lines: ['secondary=yes', 'xfr-cycle-interval=1'] })
      stops.unshift(pdns.stop)
      const bind = await startBind()
      stops.unshift(bind.stop)
      // PowerDNS asks for members with the key that each of them has by itself, which nobody gives to new ones.
      const statements = `allow-update { key "${bind.key.name}"; }; allow-transfer { 127.0.0.1; };`
      const notify = `notify explicit; also-notify { 127.0.0.1 port ${pdns.dnsPort}; };`
      const lines = ['@ 0 IN SOA invalid. invalid. 1 3600 600 604800 300', '@ 0 IN NS invalid.', 'version 0 IN TXT "2"']
      bind.addForeignZone(catalog, lines, `${statements} ${notify}`)
      await waitUntil('the catalog', () => bind.third.transfer(catalog).includes('SOA'))
      const kind = { name: `${catalog}.`, kind: 'Consumer', masters: [`127.0.0.1:${bind.port}`] }
      expect((await pdns.api('POST', '/zones', kind)).status).toBe(201)
      await using provider = openProvider(bind, { zones: [], catalog, zoneMaking: { ...bind.zoneMaking, statements } })
      const asked = ['+tcp', '+norec', '+short', '@127.0.0.1', '-p', String(pdns.dnsPort)]
      const address = (apex: string) => run('/usr/bin/dig', [...asked, `www.${apex}`, 'a']).stdout.trim()
      const theirs = async () => {
        const { json } = await pdns.api('GET', '/zones')
        return (json as { name: string }[]).map(({ name }) => name).sort()
      }
      expect(new Set(results(await apply(provider, several.flatMap(base).map(create))))).toEqual(new Set(['applied']))
      for (const apex of several) await waitUntil(`${apex} on PowerDNS`, () => address(apex) === '192.0.2.1')
      expect(await theirs()).toEqual([`${catalog}.`, ...several.map(apex => `${apex}.`)].sort())
      const [first = '', ...rest] = several
      expect(new Set(results(await apply(provider, base(first).map(remove))))).toEqual(new Set(['applied']))
      await waitUntil(`the end of ${first} on PowerDNS`, async () => !(await theirs()).includes(`${first}.`))
      for (const apex of rest) expect(address(apex)).toBe('192.0.2.1')
    } finally {
      for (const stop of stops) await stop()
    }
  })
})
