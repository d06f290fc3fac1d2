/**
 * Zones and UPDATEs on a private BIND, ours against BIND's own tools in one run: 1,000 zones by file, include and one
 * reconfig against `rndc addzone`; a TXT in each of them against one `nsupdate`; all of them read against `dig`; 1,000 on
 * a secondary by catalog against `rndc addzone` there. Needs bind9. `node test/bench/rfc2136.ts`.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change } from '../../agent/model/change.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { formatZoneFile } from '../../agent/standards/dns-text.ts'
import { toRdata } from '../../agent/standards/dns-wire.ts'
import { DnsClient, parseAddress } from '../../providers/rfc2136/client.ts'
import { openRfc2136 } from '../../providers/rfc2136/rfc2136.ts'
import { createSession } from '../../providers/rfc2136/session.ts'
import { create, markFor, never, rrset, soa, zone } from '../dns/bench.ts'
import { type Bind, startBind, whyNoBind } from '../servers/bind.ts'
import { waitUntil } from '../servers/mail-servers.ts'

const zones = 1_000
const digSample = 100
const rounds = 9 // one after the other in turn, and the middle one counts: the disk is everybody's

/** 20 records in 18 RRsets, as a mail domain has them. */
function zoneOf(apex: string): DnsResource[] {
  const hosts = Array.from({ length: 9 }, (_, n) => rrset(apex, `h${n}`, 'A', [`192.0.2.${n + 1}`]))
  return [
    zone(apex),
    soa(apex),
    rrset(apex, '@', 'NS', ['ns1.operator.example', 'ns2.operator.example']),
    rrset(apex, '@', 'MX', ['10 mx1.operator.example', '20 mx2.operator.example']),
    rrset(apex, '@', 'TXT', ['v=spf1 mx -all']),
    rrset(apex, '_dmarc', 'TXT', ['v=DMARC1; p=reject']),
    rrset(apex, 'mw._domainkey', 'TXT', [`v=DKIM1; k=rsa; p=${'A'.repeat(390)}`]),
    rrset(apex, '_submission._tcp', 'SRV', ['0 1 587 mail.operator.example']),
    rrset(apex, '@', 'CAA', ['0 issue "ca.example"']),
    rrset(apex, 'www', 'CNAME', ['web.operator.example']),
    ...hosts,
  ]
}

async function seconds(work: () => Promise<unknown> | unknown): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function mustRun(program: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input, maxBuffer: 2 ** 28 })
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`)
  return stdout
}

/** `rndc addzone` with a zone file, one process after the other, until the last is served. */
function addZones(bind: Bind): void {
  for (let n = 0; n < zones; n += 1) {
    const apex = `r${n}.example`
    const rrsets = zoneOf(apex).filter(resource => resource.kind === 'rrset')
    writeFileSync(join(bind.folder, 'other', apex), formatZoneFile(rrsets, 1))
    const { status, stderr } = bind.rndc(
      'addzone',
      apex,
      `{ type primary; file "${apex}"; allow-update { key mw; }; };`,
    )
    if (status !== 0) throw new Error(stderr)
  }
}

export async function benchRfc2136(): Promise<void> {
  const why = whyNoBind()
  if (why !== null) {
    console.log(`rfc2136: not run: ${why}`)
    return
  }
  const bind = await startBind({ options: 'allow-new-zones yes;' })
  const client = new DnsClient(parseAddress(bind.server)!, 5_000)
  const dns = openRfc2136({ server: bind.server, key: bind.key, zoneMaking: bind.zoneMaking, clock: systemClock })
  const apply = async (changes: readonly Change<DnsResource>[]) => {
    const marked = changes.map(change => ({ change, mark: markFor((change.after ?? change.before)!) }))
    for await (const { ref, result, detail } of dns.apply(marked, never))
      if (result !== 'applied') throw new Error(`${ref.key}: ${result}, ${detail}`)
  }
  try {
    const apexes = Array.from({ length: zones }, (_, n) => `o${n}.example`)
    const ours = await seconds(() => apply(apexes.flatMap(zoneOf).map(create)))
    const theirs = await seconds(() => addZones(bind))
    console.log(
      `rfc2136: zones by file, include and reconfig / by rndc addzone = ${(theirs / ours).toFixed(1)}   ` +
        `${zones} zones of 20 records: ${ours.toFixed(1)} s with reading back, ${theirs.toFixed(1)} s`,
    )

    const limits = { questions: 16, transfers: 4, answerMs: 10_000, transferMs: 60_000 }
    const session = createSession({ server: bind.server, client, key: bind.key, clock: systemClock, limits })
    const text = (value: string) => toRdata({ type: 'TXT', text: value }, 0)
    const updateAll = (name: string) =>
      Promise.all(
        apexes.map(async apex => {
          const at = { owner: `${name}.${apex}`, type: 'TXT' } as const
          const steps = [{ step: 'add', ...at, ttl: 300, rdata: text('x') }] as const
          const answer = await session.update({ zone: apex, prerequisites: [{ needs: 'rrset-absent', ...at }], steps })
          if (answer.result !== 'done') throw new Error(`${apex}: ${answer.result}`)
        }),
      )
    const nsupdateAll = (name: string) => {
      const lines = apexes.map(
        apex => `zone ${apex}\nprereq nxrrset ${name}.${apex} TXT\nupdate add ${name}.${apex} 300 TXT x\nsend\n`,
      )
      mustRun('/usr/bin/nsupdate', ['-v', '-k', bind.third.keyFile], `server 127.0.0.1 ${bind.port}\n${lines.join('')}`)
    }
    // The first UPDATE of a zone makes its journal, which is nobody's merit.
    await updateAll('first')
    const [bare, nsupdate, whole]: [number[], number[], number[]] = [[], [], []]
    for (let round = 0; round < rounds; round += 1) {
      bare.push(await seconds(() => updateAll(`u${round}`)))
      nsupdate.push(await seconds(() => nsupdateAll(`n${round}`)))
      whole.push(await seconds(() => apply(apexes.map(apex => create(rrset(apex, `w${round}`, 'TXT', ['x']))))))
    }
    const ratio = (ours: readonly number[]) =>
      median(ours.map((taken, round) => (nsupdate[round] ?? 0) / taken)).toFixed(2)
    const each = (taken: readonly number[]) => Math.round(zones / median(taken))
    console.log(
      `rfc2136: signed UPDATEs / one nsupdate = ${ratio(bare)} as messages, ` +
        `${ratio(whole)} as changes held against a transfer, with marks   ` +
        `${each(bare)}, ${each(whole)} and ${each(nsupdate)} a second, medians of ${rounds} rounds`,
    )

    const read = await seconds(() => dns.observe('all', never))
    const dig = await seconds(() => apexes.slice(0, digSample).map(apex => bind.third.transfer(apex)))
    console.log(
      `rfc2136: zones read and verified / dig, a process each = ${((dig / digSample) * (zones / read)).toFixed(1)}   ` +
        `${Math.round(zones / read)} and ${Math.round(digSample / dig)} a second`,
    )
  } finally {
    client.close()
    await dns[Symbol.asyncDispose]()
    await bind.stop()
  }
  await benchCatalog()
}

const catalog = 'catalog.example'
const secondaryLimits = 'serial-query-rate 2000; transfers-in 200; transfers-per-ns 200; allow-notify { 127.0.0.1; };'

/** From the first step until a secondary serves the last of the new zones. */
async function benchCatalog(): Promise<void> {
  const primary = await startBind({ options: 'transfers-out 200;' })
  const from = `127.0.0.1 port ${primary.port} key "${primary.key.name}"`
  const stops = [primary.stop]
  try {
    const soaAndMore = [
      '@ 0 IN SOA invalid. invalid. 1 3600 600 604800 300',
      '@ 0 IN NS invalid.',
      'version 0 IN TXT "2"',
    ]
    primary.addForeignZone(catalog, soaAndMore, `allow-update { key "${primary.key.name}"; };`)
    await waitUntil('the catalog', () => primary.third.transfer(catalog).includes('SOA'))
    const consumer = await startBind({
      key: primary.key,
      options: `${secondaryLimits} catalog-zones { zone "${catalog}" default-masters { ${from}; } min-update-interval 1; };`,
      more: `zone "${catalog}" { type secondary; masters { ${from}; }; file "catalog.db"; };`,
    })
    stops.unshift(consumer.stop)
    await waitUntil('the catalog on the secondary', () => consumer.third.transfer(catalog).includes('SOA'))
    const others = join(primary.folder, 'others.conf')
    const notified = readFileSync(others, 'utf8').replace(
      / \};\n$/,
      ` notify explicit; also-notify { 127.0.0.1 port ${consumer.port}; }; };\n`,
    )
    writeFileSync(others, notified)
    if (primary.rndc('reconfig').status !== 0) throw new Error('BIND does not take its configuration')
    const plain = await startBind({ key: primary.key, options: `allow-new-zones yes; ${secondaryLimits}` })
    stops.unshift(plain.stop)

    const apexes = Array.from({ length: zones }, (_, n) => `c${n}.example`)
    const dns = openRfc2136({
      server: primary.server,
      key: primary.key,
      zoneMaking: primary.zoneMaking,
      catalog,
      clock: systemClock,
    })
    let made = 0
    const ours = await seconds(async () => {
      made = await seconds(async () => {
        const marked = apexes.flatMap(zoneOf).map(resource => ({ change: create(resource), mark: markFor(resource) }))
        for await (const { ref, result, detail } of dns.apply(marked, never))
          if (result !== 'applied') throw new Error(`${ref.key}: ${result}, ${detail}`)
      })
      await allServed(consumer, apexes)
    })
    await dns[Symbol.asyncDispose]()
    const theirs = await seconds(async () => {
      for (const apex of apexes) {
        const zone = `{ type secondary; masters { ${from}; }; file "${apex}"; };`
        const { status, stderr } = plain.rndc('addzone', apex, zone)
        if (status !== 0) throw new Error(stderr)
      }
      await allServed(plain, apexes)
    })
    console.log(
      `rfc2136: zones on a secondary by catalog / by rndc addzone there = ${(theirs / ours).toFixed(1)}   ` +
        `${zones} zones: ${ours.toFixed(1)} s, ${made.toFixed(1)} s of them to make them on the primary, ` +
        `${theirs.toFixed(1)} s for those that stand there already`,
    )
  } finally {
    for (const stop of stops) await stop()
  }
}

async function allServed(bind: Bind, apexes: readonly string[]): Promise<void> {
  const client = new DnsClient(parseAddress(bind.server)!, 5_000)
  const limits = { questions: 64, transfers: 4, answerMs: 10_000, transferMs: 60_000 }
  const session = createSession({ server: bind.server, client, key: bind.key, clock: systemClock, limits })
  let left = [...apexes]
  try {
    while (left.length > 0) {
      const answers = await Promise.all(left.map(apex => session.soa(apex, never)))
      left = left.filter((_, index) => answers[index]?.signed !== true || !answers[index].authoritative)
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  } finally {
    client.close()
  }
}

if (process.argv[1] === import.meta.filename) await benchRfc2136()
