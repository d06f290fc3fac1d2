/**
 * New zones on a real PowerDNS that waits for its disk, in one run on each back end: through our provider, by `pdnsutil
 * load-zone` (a process for each zone), by the API awaited one zone after another, and by the API an RRset at a time.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../agent/core/system-clock.ts'
import { refOf } from '../../agent/model/resource.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { formatMasterValue, formatZoneFile, parseRdata } from '../../agent/standards/dns-text.ts'
import { openPowerDns } from '../../providers/powerdns/powerdns.ts'
import { create, never, rrset, soa, zone } from '../dns/bench.ts'
import { type Backend, backends, type Pdns, pdnsutil, startPdns, whyNoPdns } from '../servers/pdns.ts'

const wayNames = ['ours', 'pdnsutil', 'byZone', 'byRRset'] as const
type WayName = (typeof wayNames)[number]

/** The slowest way is measured on fewer. */
const zonesOf: Readonly<Record<WayName, number>> = { ours: 1_000, pdnsutil: 1_000, byZone: 1_000, byRRset: 100 }
const rounds = 5

/** 20 records in 18 RRsets, as a mail domain has them. */
function mailZone(apex: string): DnsResource[] {
  const key = `v=DKIM1; k=rsa; p=${'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A'.repeat(12)}`
  return [
    zone(apex),
    soa(apex),
    rrset(apex, '@', 'NS', ['ns1.operator.example', 'ns2.operator.example']),
    rrset(apex, '@', 'MX', ['10 mx1.operator.example', '20 mx2.operator.example']),
    rrset(apex, '@', 'TXT', ['v=spf1 mx -all']),
    rrset(apex, 'k1._domainkey', 'TXT', [key]),
    rrset(apex, '_dmarc', 'TXT', ['v=DMARC1; p=reject; rua=mailto:dmarc@operator.example']),
    rrset(apex, '_mta-sts', 'TXT', ['v=STSv1; id=20260101']),
    rrset(apex, '_smtp._tls', 'TXT', ['v=TLSRPTv1; rua=mailto:tls@operator.example']),
    rrset(apex, '@', 'CAA', ['0 issue "ca.example"']),
    rrset(apex, '_submissions._tcp', 'SRV', ['0 1 465 mail.operator.example']),
    rrset(apex, '_imaps._tcp', 'SRV', ['0 1 993 mail.operator.example']),
    rrset(apex, 'mta-sts', 'CNAME', ['sts.operator.example']),
    rrset(apex, 'autoconfig', 'CNAME', ['auto.operator.example']),
    rrset(apex, '@', 'A', ['192.0.2.1']),
    ...['www', 'webmail', 'mail', 'intranet'].map(host => rrset(apex, host, 'A', ['192.0.2.2'])),
  ]
}

type Way = (pdns: Pdns, apexes: readonly string[]) => Promise<void>

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}.example`)

const throughOurs: Way = async (pdns, apexes) => {
  await using dns = openPowerDns({ url: pdns.url, key: pdns.key, clock: systemClock })
  const changes = apexes.flatMap(mailZone).map(create)
  const marked = changes.map(change => ({ change, mark: markOf('bench', refOf(change.after as DnsResource)) }))
  for await (const { result, detail } of dns.apply(marked, never)) if (result !== 'applied') throw new Error(detail)
}

const byPdnsutil: Way = async (pdns, apexes) => {
  for (const apex of apexes) {
    const file = join(pdns.folder, 'zone')
    const rrsets = mailZone(apex).filter(resource => resource.kind === 'rrset')
    writeFileSync(file, formatZoneFile(rrsets, 1))
    const { status, stderr } = spawnSync(pdnsutil, [`--config-dir=${pdns.folder}`, 'load-zone', apex, file])
    if (status !== 0) throw new Error(String(stderr))
  }
}

function wire(apex: string) {
  return mailZone(apex).flatMap(resource => {
    if (resource.kind === 'zone') return []
    const { owner, type, ttl, values } = resource
    const records = values.map(value => {
      const rdata = parseRdata(type, value)
      if (rdata === undefined) throw new Error(value)
      return { content: formatMasterValue(rdata, 1), disabled: false }
    })
    return [{ name: `${owner}.`, type, ttl, records }]
  })
}

async function must(answer: Promise<{ readonly status: number; readonly body: string }>): Promise<void> {
  const { status, body } = await answer
  if (status >= 300) throw new Error(body)
}

const byZone: Way = async (pdns, apexes) => {
  for (const apex of apexes)
    await must(pdns.api('POST', '/zones', { name: `${apex}.`, kind: 'Native', nameservers: [], rrsets: wire(apex) }))
}

const byRRset: Way = async (pdns, apexes) => {
  for (const apex of apexes) {
    await must(pdns.api('POST', '/zones', { name: `${apex}.`, kind: 'Native', nameservers: [] }))
    for (const one of wire(apex))
      await must(pdns.api('PATCH', `/zones/${apex}.`, { rrsets: [{ ...one, changetype: 'REPLACE' }] }))
  }
}

const ways: Readonly<Record<WayName, Way>> = { ours: throughOurs, pdnsutil: byPdnsutil, byZone, byRRset }

/** Each way has a server and a database of its own; they take turns, so that a busy machine slows all of them alike. */
async function measure(backend: Backend): Promise<Readonly<Record<WayName | 'reading', number>>> {
  const servers = new Map<WayName, Pdns>()
  try {
    for (const name of wayNames) servers.set(name, await startPdns({ backend, durable: 'durable' }))
    // LMDB lets one process write at a time.
    if (backend === 'lmdb') await servers.get('pdnsutil')?.kill()
    const seconds: Record<WayName | 'reading', number> = { ours: 0, pdnsutil: 0, byZone: 0, byRRset: 0, reading: 0 }
    for (let round = 0; round < rounds; round += 1)
      for (const name of wayNames) {
        const pdns = servers.get(name) as Pdns
        const apexes = names(`r${round}z`, zonesOf[name] / rounds)
        const started = performance.now()
        await ways[name](pdns, apexes)
        seconds[name] += (performance.now() - started) / 1_000
        if (name === 'pdnsutil') continue
        const last = apexes.at(-1) ?? ''
        if (!((await pdns.zone(last))?.rrsets.length >= 18)) throw new Error(`${last} is not whole`)
      }
    const { url, key } = servers.get('ours') as Pdns
    await using dns = openPowerDns({ url, key, clock: systemClock })
    const started = performance.now()
    const found = await dns.observe('all', never)
    seconds.reading = (performance.now() - started) / 1_000
    if (found.length !== zonesOf.ours * mailZone('a.example').length) throw new Error(`${found.length} objects`)
    const perSecond = (name: WayName) => zonesOf[name] / seconds[name]
    const [ours, pdnsutil, byZone, byRRset] = wayNames.map(perSecond) as [number, number, number, number]
    return { ours, pdnsutil, byZone, byRRset, reading: zonesOf.ours / seconds.reading }
  } finally {
    for (const pdns of servers.values()) await pdns.stop()
  }
}

export async function benchPowerDns(): Promise<
  readonly { readonly name: string; readonly ratio: number; readonly detail: string }[]
> {
  const results = []
  for (const backend of backends) {
    const reason = whyNoPdns(backend)
    if (reason !== null) {
      console.log(`powerdns ${backend}: not measured, ${reason}`)
      continue
    }
    const { ours, pdnsutil, byZone, byRRset, reading } = await measure(backend)
    const detail =
      `${zonesOf.ours} zones of 20 records, ours with a mark on each RRset: ours ${ours.toFixed(0)} zones/s, ` +
      `pdnsutil ${pdnsutil.toFixed(0)}, zone by zone ${byZone.toFixed(0)}, RRset by RRset ${byRRset.toFixed(1)}; ` +
      `first reading of all ${reading.toFixed(0)} zones/s`
    console.log(
      `powerdns ${backend}: ${(ours / pdnsutil).toFixed(1)} of pdnsutil, ${(ours / byZone).toFixed(2)} of the API zone by ` +
        `zone, ${(ours / byRRset).toFixed(0)} of the API RRset by RRset   ${detail}`,
    )
    results.push({ name: `powerdns ${backend}`, ratio: ours / pdnsutil, detail })
  }
  return results
}

if (process.argv[1] === import.meta.filename) await benchPowerDns()
