/**
 * Zones and UPDATEs on a private BIND, ours against BIND's own tools in one run: 1,000 zones by file, include and one
 * reconfig against `rndc addzone`; a TXT in each of them against one `nsupdate`; all of them read against `dig`. Needs
 * bind9. `node test/bench/rfc2136.ts`.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
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

const zones = 1_000
const digSample = 100
const rounds = 3 // one after the other in turn: the disk is everybody's

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
    let [bare, nsupdate, whole] = [0, 0, 0]
    for (let round = 0; round < rounds; round += 1) {
      bare += await seconds(() => updateAll(`u${round}`))
      nsupdate += await seconds(() => nsupdateAll(`n${round}`))
      whole += await seconds(() => apply(apexes.map(apex => create(rrset(apex, `w${round}`, 'TXT', ['x'])))))
    }
    const each = (sum: number) => Math.round((zones * rounds) / sum)
    console.log(
      `rfc2136: signed UPDATEs / one nsupdate = ${(nsupdate / bare).toFixed(2)} as messages, ` +
        `${(nsupdate / whole).toFixed(2)} as changes held against a transfer, with marks   ` +
        `${each(bare)}, ${each(whole)} and ${each(nsupdate)} a second, means of ${rounds} rounds`,
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
}

if (process.argv[1] === import.meta.filename) await benchRfc2136()
