/** What PowerDNS cannot hold, beside what no server can. Pure. */
import type { Diagnostic } from '../../agent/core/diagnostic.ts'
import type { RecordType } from '../../agent/model/resource.ts'
import { bareName, checkDnsForm, type DnsResource, dnsError, zoneOf } from '../../agent/standards/dns-resource.ts'
import { parseRdata, splitText } from '../../agent/standards/dns-text.ts'
import { toContent } from './content.ts'
import { isMarkList } from './marks.ts'

const rrsetOctetsMax = 65_000 // an answer over TCP has 65,535 octets (RFC 1035 section 4.2.2), the question within
const recordOctets = 12 // pointer, type, class, TTL and length beside the data

export function checkPowerDns(resource: DnsResource): readonly Diagnostic[] {
  const found = checkDnsForm(resource)
  if (found.length > 0) return found
  const name = bareName(resource.kind === 'zone' ? resource.apex : resource.owner)
  // The API takes no other characters, though the server itself would serve them.
  const allowed = resource.kind === 'zone' ? /^[a-z0-9_/.-]+$/ : /^[a-z0-9_*/.-]+$/
  const taken = resource.kind === 'rrset' && isMarkList(bareName(resource.zone), { owner: name, type: resource.type })
  if (!allowed.test(name) || taken)
    return [dnsError('E-RECORD-NAME', { found: name, zone: zoneOf(resource) }, resource)]
  if (resource.kind === 'zone') return []
  const { owner, type, values } = resource
  // Half a character of UTF-16 has no octets of its own, and would be read back as another.
  const wrong = values.find(
    value => !value.isWellFormed() || toContent(type, value, 0) === undefined || !hasHost(type, value),
  )
  if (wrong !== undefined) return [dnsError('E-RECORD-VALUE', { found: JSON.stringify(wrong), type }, resource)]
  const octets = values.reduce((sum, value) => sum + recordOctets + dataOctets(type, value), 0)
  if (octets <= rrsetOctetsMax) return []
  return [dnsError('E-RECORD-SIZE', { owner, type, octets: String(octets), max: String(rrsetOctetsMax) }, resource)]
}

/** The API takes nothing but a host's name where one is meant (RFC 952, RFC 1123), though the others' parsers do. */
function hasHost(type: RecordType, value: string): boolean {
  const rdata = parseRdata(type, value)
  const host =
    rdata?.type === 'MX' ? rdata.exchange : rdata?.type === 'NS' || rdata?.type === 'SRV' ? rdata.target : '.'
  return host === '.' || host.split('.').every(label => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(label))
}

/** Text exactly; for the other types, whose text is never shorter than their data, an upper bound. */
function dataOctets(type: RecordType, value: string): number {
  if (type === 'TXT') return splitText(value).reduce((sum, octets) => sum + octets.length + 1, 0)
  return Math.max(Buffer.byteLength(toContent(type, value, 0) ?? ''), 20)
}
