/**
 * A zone as it was read, seen as resources with their marks, and what in it is not ours to take away. Records that
 * somebody disabled aren't served, so they are no values; they are kept wherever we write. Pure.
 */
import type { DomainName } from '../../agent/model/name.ts'
import type { RRsetResource } from '../../agent/model/resource.ts'
import { canonicalRRset, canonicalZone, type DnsResource } from '../../agent/standards/dns-resource.ts'
import type { Observed } from '../provider.ts'
import { fromContent, isOurType } from './content.ts'
import { commentMark, isMark, isMarkList, listedMarks, parseEntry, rrsetKey, zoneMark } from './marks.ts'
import type { FoundZone, WireRRset } from './reply.ts'

export type Standing = {
  readonly found: FoundZone
  /** By owner and type, the list of marks left out. */
  readonly wires: ReadonlyMap<string, WireRRset>
  readonly observed: ReadonlyMap<string, Observed<RRsetResource>>
  readonly marks: ReadonlyMap<string, string>
}

/**
 * PowerDNS makes no zone without a SOA. One that we were not told is filled with this name, which nobody can own
 * (RFC 2606 section 2), and is taken for absent when it is read.
 */
export const placeholderName = 'unset.mailwarden.invalid'
export const placeholderSoa = `${placeholderName} ${placeholderName} 10800 3600 604800 3600`

export function isPlaceholder({ type, records }: WireRRset): boolean {
  return type === 'SOA' && records.length === 1 && records[0]?.content.startsWith(`${placeholderName}. `) === true
}

export function toStanding(found: FoundZone): Standing {
  const marks = listedMarks(found)
  const wires = new Map<string, WireRRset>()
  const observed = new Map<string, Observed<RRsetResource>>()
  for (const rrset of found.rrsets) {
    const wire = isMarkList(found.apex, rrset) ? withoutEntries(rrset) : rrset
    if (wire.records.length === 0 && wire.comments.length === 0) continue
    const key = rrsetKey(wire)
    wires.set(key, wire)
    const resource = toResource(found.apex, wire)
    if (resource !== undefined) observed.set(key, { resource, mark: commentMark(wire) ?? marks.get(key) ?? null })
  }
  return { found, wires, observed, marks }
}

function withoutEntries(list: WireRRset): WireRRset {
  return { ...list, records: list.records.filter(record => parseEntry(record) === undefined) }
}

/** Undefined for a type that we have no resource for, and where no records are but comments. */
function toResource(apex: string, wire: WireRRset): RRsetResource | undefined {
  const { owner, type, ttl, records } = wire
  if (!isOurType(type) || records.length === 0 || isPlaceholder(wire)) return undefined
  const values = records.filter(({ disabled }) => !disabled).map(({ content }) => fromContent(type, content))
  return canonicalRRset({ provider: 'dns', kind: 'rrset', key: '', zone: apex as DomainName, owner, type, ttl, values })
}

export function observedZone({ found }: Standing): Observed<DnsResource> {
  const apex = found.apex as DomainName
  return {
    resource: canonicalZone({ provider: 'dns', kind: 'zone', key: apex, apex }),
    mark: zoneMark(found),
  }
}

/** What would stand in the zone after `going` went, each as a few words: its deletion would take it along. */
export function leftAfter({ found, wires }: Standing, going: ReadonlySet<string>): string[] {
  const left: string[] = []
  for (const [key, wire] of wires) {
    const records = going.has(key) || isPlaceholder(wire) ? disabledOf(wire).length : wire.records.length
    if (records > 0) left.push(`${wire.owner} ${wire.type}`)
    else if (wire.comments.some(comment => !isMark(comment))) left.push(`a comment on ${wire.owner} ${wire.type}`)
  }
  if (found.dnssec) left.push('its DNSSEC keys')
  return left
}

export function disabledOf(wire: WireRRset | undefined) {
  return wire?.records.filter(({ disabled }) => disabled) ?? []
}

/** The server would overwrite what is put into such a zone by the next transfer. */
export function isCopy({ kind }: FoundZone): boolean {
  return /^(slave|secondary|consumer)$/i.test(kind)
}
