/** IP addresses as numbers, parsed once. RFC 4291 for the text of IPv6. Pure. */
import ipaddr from 'ipaddr.js'

/** IPv4 as a number, IPv6 as a bigint. IPv4-mapped IPv6 is IPv4. */
export type Ip = number | bigint

/** An address as Postfix writes it; undefined for anything else (`unknown`, an empty text, a zone index, `010.0.0.1`). */
export function parseIp(text: string): Ip | undefined {
  const v4 = parseIpv4(text)
  if (v4 !== undefined) return v4
  if (!text.includes(':') || text.includes('%') || text.length > 45 || !ipaddr.IPv6.isValid(text)) return undefined
  const address = ipaddr.IPv6.parse(text)
  if (address.isIPv4MappedAddress()) return parseIpv4(address.toIPv4Address().toString())
  return address.parts.reduce((value, part) => (value << 16n) | BigInt(part), 0n)
}

function parseIpv4(text: string): number | undefined {
  let value = 0
  let part = -1
  let dots = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === 46) {
      if (part < 0) return undefined
      value = value * 256 + part
      part = -1
      dots += 1
    } else {
      // A leading zero is octal to some readers, so it is an address to none.
      if (code < 48 || code > 57 || part === 0) return undefined
      part = (part < 0 ? 0 : part * 10) + code - 48
      if (part > 255) return undefined
    }
  }
  return dots === 3 && part >= 0 ? value * 256 + part : undefined
}

/** RFC 5952 for IPv6. */
export function formatIp(ip: Ip): string {
  if (typeof ip === 'number') return [24, 16, 8, 0].map(shift => (ip >>> shift) & 255).join('.')
  const parts = Array.from({ length: 8 }, (_, at) => ((ip >> BigInt(112 - 16 * at)) & 0xffffn).toString(16))
  // Section 4.2: the first of the longest runs of two zeros or more is left out.
  let best = { at: 0, length: 1 }
  for (let at = 0; at < parts.length; at += 1) {
    let length = 0
    while (parts[at + length] === '0') length += 1
    if (length > best.length) best = { at, length }
  }
  if (best.length < 2) return parts.join(':')
  return `${parts.slice(0, best.at).join(':')}::${parts.slice(best.at + best.length).join(':')}`
}
