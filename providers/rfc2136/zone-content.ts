/**
 * A transferred zone as RRsets: what is shown, what only the server needs, and the octets that a prerequisite gives back.
 * Pure. A zone cannot be without SOA and NS, a plan can: what stands in for them is a name below `invalid` (RFC 6761) that
 * is never shown.
 */
import type { DomainName } from '../../agent/model/name.ts'
import type { RecordType, RRsetResource } from '../../agent/model/resource.ts'
import { classIn, type DnsRecord } from '../../agent/standards/dns-message.ts'
import { canonicalRRset, canonicalZone, type DnsResource } from '../../agent/standards/dns-resource.ts'
import { formatRdata, type Rdata } from '../../agent/standards/dns-text.ts'
import { fromRdata, readSoa, typeCodes, typeName } from '../../agent/standards/dns-wire.ts'
import type { Observed } from '../provider.ts'
import { type Marks, markedRRset, markedZone, marksOwner, noMarks, readMarks } from './marks.ts'

export type SeenRRset = {
  readonly resource: RRsetResource
  /** As the server gave them. */
  readonly rdata: readonly Buffer[]
}

export type SeenZone = {
  readonly apex: string
  readonly serial: number
  readonly marks: Marks
  /** By `<owner> <type>`: what is shown. */
  readonly shown: ReadonlyMap<string, SeenRRset>
  /** What stands in for a SOA or NS that nobody has set. */
  readonly placeholders: ReadonlyMap<string, SeenRRset>
}

const nobody = 'unset.invalid'
export const placeholderTtl = 300

export function placeholderRdata(type: 'SOA' | 'NS'): Rdata {
  return type === 'NS'
    ? { type, target: nobody }
    : { type, mname: nobody, rname: nobody, times: [3600, 600, 604_800, 300] }
}

export function isPlaceholder({ type, values }: RRsetResource): boolean {
  if (type !== 'SOA' && type !== 'NS') return false
  return values.length === 1 && values[0] === formatRdata(placeholderRdata(type))
}

/** RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM, CDS, CDNSKEY, and BIND's own notes: a signing server makes and renews them. */
const signersTypes = new Set([46, 47, 48, 50, 51, 59, 60, 65_534])

/** @param records as transferred, the SOA first. Undefined when that one is no SOA. */
export function readZone(apex: string, records: readonly DnsRecord[]): SeenZone | undefined {
  const soa = records[0] === undefined ? undefined : readSoa(records[0].rdata)
  if (soa === undefined) return undefined
  const groups = new Map<string, DnsRecord[]>()
  for (const record of records) {
    if (record.class !== classIn || signersTypes.has(record.type)) continue
    const key = `${record.owner} ${record.type}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [record])
    else group.push(record)
  }
  const shown = new Map<string, SeenRRset>()
  const placeholders = new Map<string, SeenRRset>()
  let marks = noMarks
  for (const group of groups.values()) {
    const [first] = group
    if (first === undefined) continue
    const rdata = group.map(record => record.rdata)
    if (first.owner === marksOwner(apex) && first.type === typeCodes.TXT) {
      marks = readMarks(apex, rdata)
      continue
    }
    const resource = toResource(apex, group)
    const into = first.owner === apex && isPlaceholder(resource) ? placeholders : shown
    into.set(markedRRset(resource.owner, resource.type), { resource, rdata })
  }
  return { apex, serial: soa.serial, marks, shown, placeholders }
}

function toResource(apex: string, records: readonly DnsRecord[]): RRsetResource {
  const { owner = '', type = 0 } = records[0] ?? {}
  return canonicalRRset({
    provider: 'dns',
    kind: 'rrset',
    key: '',
    zone: apex as DomainName,
    owner,
    // Third parties have types that we don't carry; they are shown, as they stand, and never written.
    type: typeName(type) as RecordType,
    // RFC 2181 section 5.2: they are equal; where a server lets them differ, the shortest is what holds.
    ttl: Math.min(...records.map(({ ttl }) => ttl)),
    values: records.map(record => valueText(record.type, record.rdata)),
  })
}

/** The value of a type that is carried; the octets as RFC 3597 section 5 has it for any other. */
function valueText(type: number, octets: Buffer): string {
  const rdata = fromRdata(type, octets)
  return rdata === undefined ? `\\# ${octets.length} ${octets.toString('hex')}` : formatRdata(rdata)
}

export function zoneResource(apex: string): DnsResource {
  return canonicalZone({ provider: 'dns', kind: 'zone', key: apex, apex: apex as DomainName })
}

export function zoneMark(zone: SeenZone): string | null {
  return zone.marks.of.get(markedZone) ?? null
}

export function observedRRset(zone: SeenZone, seen: SeenRRset): Observed<RRsetResource> {
  const { resource } = seen
  return { resource, mark: zone.marks.of.get(markedRRset(resource.owner, resource.type)) ?? null }
}
