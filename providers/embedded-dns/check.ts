/** What the embedded DNS cannot hold or serve: names too long, values of another type, RRsets too big for a message. Pure. */
import type { Diagnostic } from '../../agent/core/diagnostic.ts'
import { parseLabels, parseRdata } from '../../agent/standards/dns-text.ts'
import type { DnsResource } from './rows.ts'
import { toRdata } from './wire.ts'

const rrsetOctetsMax = 16_384 // a client must fetch it over TCP in one message, and compression reaches no further
const ttlMax = 2 ** 31 - 1 // RFC 2181 section 8
const recordOctets = 12 // pointer, type, class, TTL and length beside the data

function zoneOf(resource: DnsResource): string {
  return resource.kind === 'zone' ? resource.apex : resource.zone
}

function error(code: string, values: Readonly<Record<string, string>>, resource: DnsResource): Diagnostic {
  return { severity: 'error', code, values, subject: `domain:${zoneOf(resource)}` }
}

export function checkDnsResource(resource: DnsResource): readonly Diagnostic[] {
  const name = resource.kind === 'zone' ? resource.apex : resource.owner
  if (parseLabels(name) === undefined)
    return [error('E-RECORD-NAME', { found: name, zone: zoneOf(resource) }, resource)]
  if (resource.kind === 'zone') return []
  const { owner, type, ttl } = resource
  const found: Diagnostic[] = []
  if (!Number.isInteger(ttl) || ttl < 0 || ttl > ttlMax)
    found.push(error('E-RECORD-VALUE', { found: `TTL ${ttl}`, type }, resource))
  let octets = 0
  for (const value of resource.values) {
    const rdata = parseRdata(type, value)
    if (rdata === undefined) found.push(error('E-RECORD-VALUE', { found: value, type }, resource))
    else octets += recordOctets + toRdata(rdata, 0).length
  }
  if (octets > rrsetOctetsMax)
    found.push(error('E-RECORD-SIZE', { owner, type, octets: String(octets), max: String(rrsetOctetsMax) }, resource))
  return found
}
