/** What the embedded DNS cannot serve, beside what no server can: RRsets too big for a message. Pure. */
import type { Diagnostic } from '../../agent/core/diagnostic.ts'
import { checkDnsForm, type DnsResource, dnsError } from '../../agent/standards/dns-resource.ts'
import { parseRdata } from '../../agent/standards/dns-text.ts'
import { toRdata } from '../../agent/standards/dns-wire.ts'

const rrsetOctetsMax = 16_384 // a client must fetch it over TCP in one message, and compression reaches no further
const recordOctets = 12 // pointer, type, class, TTL and length beside the data

export function checkDnsResource(resource: DnsResource): readonly Diagnostic[] {
  const found = checkDnsForm(resource)
  if (resource.kind === 'zone' || found.length > 0) return found
  const { owner, type } = resource
  let octets = 0
  for (const value of resource.values) {
    const rdata = parseRdata(type, value)
    if (rdata !== undefined) octets += recordOctets + toRdata(rdata, 0).length
  }
  if (octets <= rrsetOctetsMax) return []
  return [dnsError('E-RECORD-SIZE', { owner, type, octets: String(octets), max: String(rrsetOctetsMax) }, resource)]
}
