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
import { fromRdata, readSoa, typeName } from '../../agent/standards/dns-wire.ts'
import type { Observed } from '../provider.ts'
import { isOfMarks, type Marks, markedRRset, markedZone, readMarks } from './marks.ts'

export type SeenRRset = {
  readonly owner: string
  readonly type: RecordType
  readonly ttl: number
  /** Made when it is asked for: a change looks at a few RRsets of a zone of many. */
  readonly resource: RRsetResource
  /** As the server gave them. */
  readonly rdata: readonly Buffer[]
}

export type SeenZone = {
  readonly apex: string
  readonly serial: number
  /** The RDATA of its SOA. */
  readonly soa: Buffer
  readonly marks: Marks
  /** By `<owner> <type>`: what is shown. */
  readonly shown: ReadonlyMap<string, SeenRRset>
  /** What stands in for a SOA or NS that nobody has set. */
  readonly placeholders: ReadonlyMap<string, SeenRRset>
  /** What stands at an owner, placeholders included. */
  readonly typesAt: ReadonlyMap<string, readonly RecordType[]>
}

const nobody = 'unset.invalid'
export const placeholderTtl = 300

export function placeholderRdata(type: 'SOA' | 'NS'): Rdata {
  return type === 'NS'
    ? { type, target: nobody }
    : { type, mname: nobody, rname: nobody, times: [3600, 600, 604_800, 300] }
}

function isPlaceholder(seen: SeenRRset): boolean {
  const { type, rdata } = seen
  if ((type !== 'SOA' && type !== 'NS') || rdata[0]?.includes('invalid') !== true) return false
  const { values } = seen.resource
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
  const typesAt = new Map<string, RecordType[]>()
  const marks = new Map<string, Buffer[]>()
  for (const group of groups.values()) {
    const [first] = group
    if (first === undefined) continue
    const rdata = group.map(record => record.rdata)
    if (isOfMarks(apex, first.owner, first.type, rdata)) {
      marks.set(first.owner, rdata)
      continue
    }
    const seen = toSeen(apex, first, group, rdata)
    const into = seen.owner === apex && isPlaceholder(seen) ? placeholders : shown
    into.set(markedRRset(seen.owner, seen.type), seen)
    const others = typesAt.get(seen.owner)
    if (others === undefined) typesAt.set(seen.owner, [seen.type])
    else others.push(seen.type)
  }
  return {
    apex,
    serial: soa.serial,
    soa: records[0]!.rdata,
    marks: readMarks(apex, marks),
    shown,
    placeholders,
    typesAt,
  }
}

function toSeen(
  apex: string,
  { owner, type: code }: DnsRecord,
  records: readonly DnsRecord[],
  rdata: readonly Buffer[],
): SeenRRset {
  // Third parties have types that we don't carry; they are shown, as they stand, and never written.
  const type = typeName(code) as RecordType
  // RFC 2181 section 5.2: they are equal; where a server lets them differ, the shortest is what holds.
  const ttl = records.reduce((least, record) => Math.min(least, record.ttl), Number.POSITIVE_INFINITY)
  let resource: RRsetResource | undefined
  return {
    owner,
    type,
    ttl,
    rdata,
    get resource() {
      resource ??= canonicalRRset({
        provider: 'dns',
        kind: 'rrset',
        key: '',
        zone: apex as DomainName,
        owner,
        type,
        ttl,
        values: rdata.map(octets => valueText(code, octets)),
      })
      return resource
    },
  }
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
  return zone.marks.of.get(markedZone)?.mark ?? null
}

export function observedRRset(zone: SeenZone, seen: SeenRRset): Observed<RRsetResource> {
  const { resource } = seen
  return { resource, mark: zone.marks.of.get(markedRRset(resource.owner, resource.type))?.mark ?? null }
}
