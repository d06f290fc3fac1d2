/**
 * The file with which a new zone begins: what is wanted in it, with its marks, and what no zone can be without. Pure. What
 * a server might refuse is left out and goes by UPDATE afterwards, so that it alone is refused and not its whole zone.
 */
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { formatRdata, formatZoneFile, parseRdata, type ZoneFileRRset } from '../../agent/standards/dns-text.ts'
import type { MarkedChange } from '../provider.ts'
import { isMarksOwner, type Marked, markedRRset, markedZone, marksRRsets } from './marks.ts'
import type { RRsetChange } from './writing.ts'
import { placeholderRdata, placeholderTtl } from './zone-content.ts'

const fileRRsetsMax = 20_000 // a few megabytes; what is more goes by UPDATE

export function isRRsetChange(marked: MarkedChange<DnsResource>): marked is RRsetChange {
  return marked.change.ref.kind === 'rrset'
}

/** @param serial of the new zone; higher than that of any zone of this name before it, for the sake of secondaries. */
export function firstZoneFile(apex: string, zoneMark: string, changes: readonly RRsetChange[], serial: number): string {
  const rrsets = fitting(apex, changes)
  const marks = rrsets.map(({ change, mark }): [Marked, string] => [
    markedRRset(change.after!.owner, change.after!.type),
    mark,
  ])
  const content: ZoneFileRRset[] = [
    ...rrsets.map(({ change }) => change.after!),
    ...marksRRsets(apex, [[markedZone, zoneMark], ...marks]),
  ]
  for (const type of ['SOA', 'NS'] as const)
    if (!content.some(rrset => rrset.owner === apex && rrset.type === type))
      content.push({ owner: apex, type, ttl: placeholderTtl, values: [formatRdata(placeholderRdata(type))] })
  return formatZoneFile(content, serial)
}

/** Creates that no server finds fault with. */
function fitting(apex: string, changes: readonly RRsetChange[]): RRsetChange[] {
  const within = (name: string) => name === apex || name.endsWith(`.${apex}`)
  const creates = changes.filter(({ change }) => change.action === 'create' && within(change.after.owner))
  const addressed = new Set<string>()
  const typesAt = new Map<string, number>()
  for (const { change } of creates) {
    const { owner, type } = change.after!
    typesAt.set(owner, (typesAt.get(owner) ?? 0) + 1)
    if (type === 'A' || type === 'AAAA') addressed.add(owner)
  }
  return creates
    .filter(({ change }) => {
      const { owner, type, values } = change.after!
      // What is ours to keep; an alias beside other records; a delegation of a wildcard (RFC 4592 section 4.2); a
      // target within the zone that has no address.
      if (isMarksOwner(apex, owner) || (type === 'NS' && owner.startsWith('*.'))) return false
      if (type === 'CNAME' && ((typesAt.get(owner) ?? 0) > 1 || owner === apex || values.length > 1)) return false
      if (type === 'SOA' && (owner !== apex || values.length !== 1)) return false
      const targets = values.flatMap(value => targetOf(parseRdata(type, value)) ?? [])
      return targets.every(target => !within(target) || addressed.has(target))
    })
    .slice(0, fileRRsetsMax)
}

function targetOf(rdata: ReturnType<typeof parseRdata>): string | undefined {
  switch (rdata?.type) {
    case 'MX':
      return rdata.exchange
    case 'NS':
    case 'SRV':
      return rdata.target
    default:
      return undefined
  }
}
