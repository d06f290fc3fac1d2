/**
 * Networks as manifests write them: CIDR or one address, IPv4 in four decimal parts only (`010.1` and `0x0a` mean
 * different hosts to different readers), IPv4-mapped IPv6 turned back into IPv4. Pure.
 */
import ipaddr from 'ipaddr.js'

export type ParsedNetwork =
  | { readonly network: string }
  | { readonly problem: 'form' | 'wide' | 'hostBits'; readonly suggestion?: string }

// A wider one would be most of the internet: `access: institution` would mean nothing.
const prefixMin = { ipv4: 8, ipv6: 16 } as const

/** Canonical CIDR `10.20.0.0/16`, `2001:db8:20::/48`; a bare address is a network of one. */
export function parseNetwork(text: string): ParsedNetwork {
  const [, addressText = '', prefixText] = /^([0-9a-fA-F:.]{2,45})(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? []
  let address = parseIp(addressText)
  if (address === undefined) return { problem: 'form' }
  let prefix = prefixText === undefined ? (address.kind() === 'ipv4' ? 32 : 128) : Number(prefixText)
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && prefix >= 96) {
    address = address.toIPv4Address()
    prefix -= 96
  }
  const bits = address.kind() === 'ipv4' ? 32 : 128
  if (prefix > bits) return { problem: 'form' }
  const base = networkAddress(address, prefix)
  const network = `${base.toString()}/${prefix}`
  if (prefix < prefixMin[address.kind()]) return { problem: 'wide' }
  if (base.toString() !== address.toString()) return { problem: 'hostBits', suggestion: network }
  return { network }
}

/** An address of four decimal parts or IPv6 without a zone; undefined for anything else. */
export function parseIp(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
    // Leading zeros are octal to some resolvers.
    return text.split('.').every(part => part === String(Number(part))) ? ipaddr.IPv4.parse(text) : undefined
  }
  if (!text.includes(':') || !ipaddr.IPv6.isValid(text)) return undefined
  return ipaddr.IPv6.parse(text)
}

function networkAddress(address: ipaddr.IPv4 | ipaddr.IPv6, prefix: number): ipaddr.IPv4 | ipaddr.IPv6 {
  const bytes = address.toByteArray().map((byte, index) => {
    const kept = Math.max(0, Math.min(8, prefix - index * 8))
    return byte & (0xff << (8 - kept)) & 0xff
  })
  return ipaddr.fromByteArray(bytes)
}
