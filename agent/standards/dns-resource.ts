/** Zones and RRsets in the one form in which they compare (RFC 4343: names without case; RFC 2181: sets), and what no server can hold. Pure. */
import type { Diagnostic } from '../core/diagnostic.ts'
import type { DomainName } from '../model/name.ts'
import type { RecordType, RRsetResource, ZoneResource } from '../model/resource.ts'
import { canonicalValues, parseLabels, parseRdata } from './dns-text.ts'

export type DnsResource = ZoneResource | RRsetResource

const ttlMax = 2 ** 31 - 1 // RFC 2181 section 8

/** Lower case, without the final dot. */
export function bareName(name: string): string {
  const lower = name.toLowerCase()
  return lower.length > 1 && lower.endsWith('.') ? lower.slice(0, -1) : lower
}

/** Idempotent. */
export function canonicalDnsResource(resource: DnsResource): DnsResource {
  return resource.kind === 'zone' ? canonicalZone(resource) : canonicalRRset(resource)
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

export function zoneOf(resource: DnsResource): DomainName {
  return resource.kind === 'zone' ? resource.apex : resource.zone
}

export function dnsError(
  code: 'E-RECORD-NAME' | 'E-RECORD-VALUE' | 'E-RECORD-SIZE',
  values: Readonly<Record<string, string>>,
  resource: DnsResource,
): Diagnostic {
  return { severity: 'error', code, values, subject: `domain:${zoneOf(resource)}` }
}

/** Names, TTL and values that no name server takes. What one back end cannot hold on top is that provider's affair. */
export function checkDnsForm(resource: DnsResource): readonly Diagnostic[] {
  const name = resource.kind === 'zone' ? resource.apex : resource.owner
  if (parseLabels(name) === undefined)
    return [dnsError('E-RECORD-NAME', { found: name, zone: zoneOf(resource) }, resource)]
  if (resource.kind === 'zone') return []
  const { type, ttl } = resource
  const found: Diagnostic[] = []
  if (!Number.isInteger(ttl) || ttl < 0 || ttl > ttlMax)
    found.push(dnsError('E-RECORD-VALUE', { found: `TTL ${ttl}`, type }, resource))
  for (const value of resource.values)
    if (parseRdata(type, value) === undefined) found.push(dnsError('E-RECORD-VALUE', { found: value, type }, resource))
  return found
}
