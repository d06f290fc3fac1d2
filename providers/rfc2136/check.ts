/**
 * What cannot be done by UPDATE, beside what no server can hold: RRsets too big for a message that says old and new, and
 * records in the place of our marks. Pure.
 */
import type { Diagnostic } from '../../agent/core/diagnostic.ts'
import { checkDnsForm, type DnsResource, dnsError } from '../../agent/standards/dns-resource.ts'
import { parseRdata } from '../../agent/standards/dns-text.ts'
import { nameOctets, toRdata } from '../../agent/standards/dns-wire.ts'
import { isMarksOwner } from './marks.ts'

const rrsetOctetsMax = 16_384 // twice that, and its marks, must fit into 64 KiB
const recordOctets = 10 // type, class, TTL and length beside owner and data

export function checkRfc2136(resource: DnsResource): readonly Diagnostic[] {
  const found = checkDnsForm(resource)
  if (resource.kind === 'zone' || found.length > 0) return found
  const { owner, type, zone } = resource
  if (isMarksOwner(zone, owner)) return [dnsError('E-RECORD-NAME', { found: owner, zone }, resource)]
  let octets = 0
  for (const value of resource.values) {
    const rdata = parseRdata(type, value)
    if (rdata !== undefined) octets += nameOctets(owner).length + recordOctets + toRdata(rdata, 0).length
  }
  if (octets <= rrsetOctetsMax) return []
  return [dnsError('E-RECORD-SIZE', { owner, type, octets: String(octets), max: String(rrsetOctetsMax) }, resource)]
}
