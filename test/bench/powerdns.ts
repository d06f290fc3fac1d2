/**
 * Zones of 20 records made in PowerDNS by our provider, against `pdnsutil load-zone` with a process each and against the
 * API called one after the other, in one run and on a fresh database each: `node test/bench/powerdns.ts`. The reference
 * makes fewer zones, since its rate does not depend on their number.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../agent/core/system-clock.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { openPowerDns } from '../../providers/powerdns/powerdns.ts'
import { create, never, rrset, soa, zone } from '../dns/bench.ts'
import { run } from '../servers/mail-servers.ts'
import { type Backend, backends, startPdns, whyNoPdns } from '../servers/pdns.ts'

const zones = 1_000
const referenceZones = 150

function zoneOf(n: number): DnsResource[] {
  const apex = `z${n}.example`
  const hosts = Array.from({ length: 14 }, (_, h) => rrset(apex, `h${h}`, 'A', [`192.0.2.${h + 1}`]))
  return [
    zone(apex),
    soa(apex),
    rrset(apex, '@', 'NS', ['ns1.operator.example', 'ns2.operator.example']),
    rrset(apex, '@', 'MX', ['10 mx1.operator.example']),
    rrset(apex, '@', 'TXT', ['v=spf1 mx -all']),
    rrset(apex, '_dmarc', 'TXT', ['v=DMARC1; p=reject']),
    ...hosts,
  ]
}

function textOf(n: number): string {
  const hosts = Array.from({ length: 14 }, (_, h) => `h${h} 300 A 192.0.2.${h + 1}`)
  return [
    `$ORIGIN z${n}.example.`,
    '@ 7200 SOA ns1.operator.example. hostmaster.operator.example. 1 10800 3600 604800 3600',
    '@ 300 NS ns1.operator.example.',
    '@ 300 NS ns2.operator.example.',
    '@ 300 MX 10 mx1.operator.example.',
    '@ 300 TXT "v=spf1 mx -all"',
    '_dmarc 300 TXT "v=DMARC1; p=reject"',
    ...hosts,
    '',
  ].join('\n')
}

const rate = (count: number, startedMs: number) => (count * 1_000) / (performance.now() - startedMs)

async function ours(backend: Backend): Promise<number> {
  const pdns = await startPdns(backend)
  try {
    await using provider = openPowerDns({ url: pdns.url, key: pdns.key, clock: systemClock })
    const changes = Array.from({ length: zones }, (_, n) => zoneOf(n))
      .flat()
      .map(create)
    const marked = changes.map(change => ({ change, mark: markOf('bench', change.ref) }))
    const started = performance.now()
    let applied = 0
    for await (const { result } of provider.apply(marked, never)) applied += Number(result === 'applied')
    if (applied !== changes.length) throw new Error(`${applied} of ${changes.length} applied`)
    return rate(zones, started)
  } finally {
    await pdns.close()
  }
}

async function byApi(backend: Backend): Promise<number> {
  const pdns = await startPdns(backend)
  try {
    const started = performance.now()
    for (let n = 0; n < referenceZones; n += 1) {
      const { status } = await pdns.api('POST', '/zones', {
        name: `z${n}.example.`,
        kind: 'Native',
        zone: textOf(n),
        nameservers: [],
      })
      if (status !== 201) throw new Error(`the API answered ${status}`)
    }
    return rate(referenceZones, started)
  } finally {
    await pdns.close()
  }
}

async function byTool(backend: Backend): Promise<number> {
  const pdns = await startPdns(backend)
  try {
    // Its lmdb takes one process at a time.
    if (backend === 'lmdb') await pdns.stop()
    for (let n = 0; n < referenceZones; n += 1) writeFileSync(join(pdns.folder, `z${n}.zone`), textOf(n))
    const started = performance.now()
    for (let n = 0; n < referenceZones; n += 1) {
      const args = [`--config-dir=${pdns.folder}`, 'load-zone', `z${n}.example`, join(pdns.folder, `z${n}.zone`)]
      const { status, stderr } = run('/usr/bin/pdnsutil', args)
      if (status !== 0) throw new Error(`pdnsutil: ${stderr}`)
    }
    return rate(referenceZones, started)
  } finally {
    await pdns.close()
  }
}

export async function benchPowerDns(): Promise<void> {
  const whyNot = whyNoPdns()
  if (whyNot !== null) return console.log(`powerdns: not measured, ${whyNot}`)
  for (const backend of backends) {
    const [tool, api, own] = [await byTool(backend), await byApi(backend), await ours(backend)]
    console.log(
      `powerdns on ${backend}: ${(own / tool).toFixed(2)} of pdnsutil load-zone, ${(own / api).toFixed(2)} of the API one by one   ` +
        `zones a second: ours ${own.toFixed(0)}, pdnsutil ${tool.toFixed(0)}, API ${api.toFixed(0)}`,
    )
  }
}

if (process.argv[1] === import.meta.filename) await benchPowerDns()
