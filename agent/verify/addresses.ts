/** Addresses to try logins from: one that a list of networks has, and one that it has not. Pure. */
import ipaddr from 'ipaddr.js'

/** Networks that nobody has (RFC 5737, RFC 3849, RFC 6598's neighbours in the same sense). */
const nobodys = ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1'] as const

/** Undefined where the list is empty. @param networks CIDR; null is anywhere. */
export function addressWithin(networks: readonly string[] | null): string | undefined {
  if (networks === null) return nobodys[0]
  const [first] = networks.toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
  if (first === undefined) return undefined
  const [address, prefix] = ipaddr.parseCIDR(first)
  const bytes = address.toByteArray()
  // The first host of it: the network's own address is nobody's, but where it is all there is.
  if (prefix < bytes.length * 8) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 1
  return ipaddr.fromByteArray(bytes).toString()
}

/** Undefined where there is none: the list covers everything, or everything that could be tried. */
export function addressOutside(networks: readonly string[] | null): string | undefined {
  if (networks === null) return undefined
  const ranges = networks.map(network => ipaddr.parseCIDR(network))
  return nobodys.find(text => {
    const address = ipaddr.parse(text)
    return !ranges.some(([base, prefix]) => base.kind() === address.kind() && address.match(base as never, prefix))
  })
}
