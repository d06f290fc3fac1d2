/**
 * Edits of zones by hand. The same list for every name server; how each is done with that server's own tools is a
 * `Hand`. What a plan has to show of them does not depend on the server.
 */
import type { RecordType } from '../../../agent/model/resource.ts'
import { run } from '../mail-servers.ts'
import { crowdName, type Edit } from './fleet.ts'

export type Records = { readonly ttl: number; readonly values: readonly string[] }

/** Somebody else at one name server. Names are absolute without the final dot, values as in a zone file. */
export type Hand = {
  replace(zone: string, owner: string, type: RecordType, records: Records): Promise<void> | void
  remove(zone: string, owner: string, type: RecordType): Promise<void> | void
  /** An alias where another RRset stands, in one step. */
  alias(zone: string, owner: string, instead: RecordType, target: string): Promise<void> | void
  removeZone(zone: string): Promise<void> | void
  /** Takes our mark from the MX of the apex, or puts another in its place. Gives what of ours has lost its mark by that. */
  unmark(zone: string, how: 'remove' | 'alter'): Promise<readonly string[]> | readonly string[]
  /** Many records of its own in a zone: `<owner> <ttl> <type> <value>`, one a line. */
  addAll(zone: string, lines: readonly string[]): Promise<void> | void
  /** A zone of its own, from the lines of a zone file. */
  addZone(zone: string, lines: readonly string[]): Promise<void> | void
  /** As `dig` has it by transfer, in presentation form and sorted, without what the server signs it with. */
  transfer(zone: string): readonly string[]
}

export function digTransfer(port: number, zone: string, ...args: readonly string[]): readonly string[] {
  const { stdout } = run('/usr/bin/dig', [
    ...['+tcp', '+noall', '+answer', ...args],
    ...['@127.0.0.1', '-p', String(port), zone, 'axfr'],
  ])
  // The SOA comes first and last.
  return [...new Set(stdout.split('\n').filter(Boolean))].toSorted()
}

/** Records of one name, without it: `3600 IN MX 10 mx1.operator.example.` */
export function recordsAt(lines: readonly string[], owner: string, type: string): readonly string[] {
  return lines
    .map(line => line.split(/\s+/))
    .filter(([name, , , found]) => name === `${owner}.` && found === type)
    .map(([, ttl, , , ...data]) => `${ttl} ${data.join(' ')}`)
}

const foreignAddress = '192.0.2.77'
const otherMx = { ttl: 60, values: ['5 otro.example.'] }
const heldZone = 'retenida.cu'

/** The zone that is suspended while it is edited. */
export const heldDomain = heldZone

export const foreignRecords = 1_000
const foreignZone = 'ajena.cu'
const shared = ['vecina.cu', 'retenida.cu'] as const

/** Half of them in a zone of their own, half beside ours in zones that are edited and written. Gives what finds them. */
export async function addForeigners(hand: Hand): Promise<() => readonly string[]> {
  const records = (zone: string, from: number, count: number) =>
    Array.from({ length: count }, (_, index) => {
      const owner = `${crowdName}${from + index}.${zone}.`
      return index % 2 === 0 ? `${owner} 60 A 192.0.2.${1 + (index % 250)}` : `${owner} 60 TXT "de otro ${index}"`
    })
  const own = foreignRecords / 2
  const soa = `${foreignZone}. 3600 SOA ns.otro.example. h.otro.example. 2024010101 3600 600 604800 300`
  const apex = [soa, `${foreignZone}. 3600 NS ns.otro.example.`]
  await hand.addZone(foreignZone, [...apex, ...records(foreignZone, 0, own)])
  const part = own / 2
  await hand.addAll(shared[0], records(shared[0], own, part))
  await hand.addAll(shared[1], records(shared[1], own + part, part))
  const find = () => [
    ...hand.transfer(foreignZone),
    ...shared.flatMap(zone => hand.transfer(zone).filter(line => line.startsWith(crowdName))),
  ]
  return find
}

export function dnsEdits(hand: () => Hand, dkimSelectorOf: (zone: string) => Promise<string>): readonly Edit[] {
  const rrset = (zone: string, owner: string, type: string) => `rrset ${zone}/${owner}/${type}`
  const before = new Map<string, readonly string[]>()
  const lost = new Map<string, readonly string[]>()
  const selectors = new Map<string, string>()
  /** What stood there at first stands there again. */
  const asBefore = (zone: string) => () => {
    const strip = (lines: readonly string[] = []) => lines.map(withoutSerial).toSorted().join('\n')
    const now = strip(hand().transfer(zone))
    if (now !== strip(before.get(zone))) throw new Error(`${zone} is not as it was:\n${now}`)
  }
  const zoneEdit = (label: string, name: string, edit: (zone: string) => Omit<Edit, 'domain' | 'name'>): Edit => {
    const zone = `${label}.cu`
    const parts = edit(zone)
    const act = async () => {
      before.set(zone, hand().transfer(zone))
      await parts.act()
    }
    return { domain: zone, name, ...parts, act }
  }
  const mx = (zone: string) => rrset(zone, zone, 'MX')
  const standing = (zone: string) =>
    [
      ...new Set(
        (before.get(zone) ?? [])
          .map(line => line.split(/\s+/))
          .filter(([owner]) => owner?.endsWith(`_mailwarden.${zone}.`) !== true)
          .map(([owner = '', , , type = '']) => rrset(zone, owner.slice(0, -1), type)),
      ),
    ].toSorted()

  return [
    zoneEdit('valor', 'a record is changed', zone => ({
      act: () => hand().replace(zone, zone, 'MX', otherMx),
      drift: () => [`update ${mx(zone)}`],
      check: asBefore(zone),
    })),
    zoneEdit('ttl', 'a TTL alone is changed', zone => ({
      act: () => hand().replace(zone, zone, 'MX', { ttl: 17, values: ['10 mx1.operator.example.'] }),
      drift: () => [`update ${mx(zone)}`],
      check: asBefore(zone),
    })),
    zoneEdit('adicion', 'a value is added to an RRset of ours', zone => ({
      act: () =>
        hand().replace(zone, zone, 'MX', { ttl: 3600, values: ['10 mx1.operator.example.', '20 intruso.example.'] }),
      drift: () => [`update ${mx(zone)}`],
      check: asBefore(zone),
    })),
    zoneEdit('resta', 'an RRset is deleted', zone => ({
      act: () => hand().remove(zone, `_dmarc.${zone}`, 'TXT'),
      drift: () => [`create ${rrset(zone, `_dmarc.${zone}`, 'TXT')}`],
      check: asBefore(zone),
    })),
    zoneEdit('entera', 'a whole zone is deleted', zone => ({
      act: () => hand().removeZone(zone),
      drift: () => [`create zone ${zone}`, ...standing(zone).map(word => `create ${word}`)],
      check: asBefore(zone),
    })),
    zoneEdit('tapada', 'an alias of somebody else is put in the place of a record', zone => ({
      act: () => hand().alias(zone, `_dmarc.${zone}`, 'TXT', 'otro.example.'),
      foreign: () => [rrset(zone, `_dmarc.${zone}`, 'CNAME')],
      ousted: () => [rrset(zone, `_dmarc.${zone}`, 'TXT')],
    })),
    zoneEdit('desviada', 'an alias of ours leads elsewhere', zone => ({
      act: () => hand().replace(zone, `mta-sts.${zone}`, 'CNAME', { ttl: 3600, values: ['otro.example.'] }),
      drift: () => [`update ${rrset(zone, `mta-sts.${zone}`, 'CNAME')}`],
      check: asBefore(zone),
    })),
    zoneEdit('servidores', 'the NS set is changed', zone => ({
      act: () => hand().replace(zone, zone, 'NS', { ttl: 3600, values: ['ns.otro.example.', 'ns1.operator.example.'] }),
      drift: () => [`update ${rrset(zone, zone, 'NS')}`],
      check: asBefore(zone),
    })),
    zoneEdit('soa', 'the SOA is changed', zone => ({
      act: () => {
        const [soa = ''] = recordsAt(hand().transfer(zone), zone, 'SOA')
        const [ttl, mname, rname, serial, ...times] = soa.split(' ')
        const values = [`${mname} ${rname} ${Number(serial) + 7} 600 ${times.slice(1).join(' ')}`]
        return hand().replace(zone, zone, 'SOA', { ttl: Number(ttl), values })
      },
      drift: () => [`update ${rrset(zone, zone, 'SOA')}`],
      check: asBefore(zone),
    })),
    zoneEdit('firma', 'a DKIM key is changed', zone => ({
      async act() {
        selectors.set(zone, await dkimSelectorOf(zone))
        const values = ['"v=DKIM1; k=rsa; p=b3RyYQ=="']
        await hand().replace(zone, `${selectors.get(zone)}._domainkey.${zone}`, 'TXT', { ttl: 3600, values })
      },
      drift: () => [`update ${rrset(zone, `${selectors.get(zone)}._domainkey.${zone}`, 'TXT')}`],
      check: asBefore(zone),
    })),
    zoneEdit('vecina', 'somebody’s own record beside ours', zone => ({
      act: () => hand().replace(zone, `camara.${zone}`, 'A', { ttl: 60, values: [foreignAddress] }),
      foreign: () => [rrset(zone, `camara.${zone}`, 'A')],
    })),
    zoneEdit('sinmarca', 'our mark is removed, and the record changed', zone => ({
      async act() {
        await hand().replace(zone, zone, 'MX', otherMx)
        lost.set(zone, await hand().unmark(zone, 'remove'))
      },
      contested: () => (lost.get(zone) ?? []).map(word => `rrset ${zone}/${word}`),
      check: () => expectMx(hand(), zone, '60 5 otro.example.'),
    })),
    zoneEdit('marca', 'our mark is altered, and the record changed', zone => ({
      async act() {
        await hand().replace(zone, zone, 'MX', otherMx)
        lost.set(zone, await hand().unmark(zone, 'alter'))
      },
      contested: () => (lost.get(zone) ?? []).map(word => `rrset ${zone}/${word}`),
      check: () => expectMx(hand(), zone, '60 5 otro.example.'),
    })),
    zoneEdit('retenida', 'a record of a suspended domain is changed', zone => ({
      act: () => hand().replace(zone, zone, 'MX', otherMx),
      drift: () => [`update ${mx(zone)}`],
      check: asBefore(zone),
    })),
  ]
}

function expectMx(hand: Hand, zone: string, wanted: string): void {
  const found = recordsAt(hand.transfer(zone), zone, 'MX').join(' | ')
  if (found !== wanted) throw new Error(`the MX of ${zone} is ${found}`)
}

/** A SOA counts its versions; every write by anybody makes another one. */
function withoutSerial(line: string): string {
  const words = line.split(/\s+/)
  return words[3] === 'SOA' ? words.toSpliced(6, 1).join(' ') : words.join(' ')
}
