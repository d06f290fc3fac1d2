/** Rows of the file as resources. Pure. */
import { canonicalJson } from '../../agent/core/digest.ts'
import type { DomainName } from '../../agent/model/name.ts'
import type { RecordType, RRsetResource, ZoneResource } from '../../agent/model/resource.ts'
import { canonicalRRset, canonicalZone } from '../../agent/standards/dns-resource.ts'

export type StoredZone = { readonly serial: number; readonly rrsets: readonly RRsetResource[] }

export type RRsetRow = { zone: string; owner: string; type: string; ttl: number; values: string; mark: string | null }
export type ZoneRow = { apex: string; serial: number; mark: string | null }

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
