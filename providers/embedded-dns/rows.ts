/** Rows of the file as resources, and the canonical form of both kinds. Pure. */
import { canonicalJson } from '../../agent/core/digest.ts'
import type { DomainName } from '../../agent/model/name.ts'
import type { RecordType, RRsetResource, ZoneResource } from '../../agent/model/resource.ts'
import { canonicalValues } from '../../agent/standards/dns-text.ts'

export type DnsResource = ZoneResource | RRsetResource
export type StoredZone = { readonly serial: number; readonly rrsets: readonly RRsetResource[] }

export type RRsetRow = { zone: string; owner: string; type: string; ttl: number; values: string; mark: string | null }
export type ZoneRow = { apex: string; serial: number; mark: string | null }

export function bareName(name: string): string {
  const lower = name.toLowerCase()
  return lower.length > 1 && lower.endsWith('.') ? lower.slice(0, -1) : lower
}

export function canonicalZone(resource: ZoneResource): ZoneResource {
  const apex = bareName(resource.apex) as DomainName
  return { provider: 'dns', kind: 'zone', key: apex, apex }
}

export function canonicalRRset(resource: RRsetResource): RRsetResource {
  const zone = bareName(resource.zone) as DomainName
  const owner = bareName(resource.owner)
  const type = resource.type.toUpperCase() as RecordType
  const values = canonicalValues(type, resource.values)
  return {
    provider: 'dns',
    kind: 'rrset',
    key: `${zone}/${owner}/${type}`,
    zone,
    owner,
    type,
    ttl: resource.ttl,
    values,
  }
}

export function toRRset(row: RRsetRow): RRsetResource {
  const { zone, owner, type, ttl } = row
  // A third party may have put anything into the array; it is shown as text rather than hidden.
  const values = (JSON.parse(row.values) as unknown[]).map(value =>
    typeof value === 'string' ? value : canonicalJson(value),
  )
  const named = { provider: 'dns', kind: 'rrset', key: '', zone: zone as DomainName, owner } as const
  return canonicalRRset({ ...named, type: type as RecordType, ttl, values })
}

export function toZone(row: ZoneRow): ZoneResource {
  return canonicalZone({ provider: 'dns', kind: 'zone', key: '', apex: row.apex as DomainName })
}
