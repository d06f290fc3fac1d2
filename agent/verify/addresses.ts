/**
 * Addresses to try logins from: one that a list of networks has, and one that it has not. A server holds back the next
 * answer to an address that was refused, so nobody's machine should have either. Pure.
 */
import ipaddr from 'ipaddr.js'
import { sha256 } from '../core/digest.ts'

/** Networks that nobody has (RFC 5737, RFC 3849), as what stands before the last number. */
const nobodys = ['192.0.2.', '198.51.100.', '203.0.113.', '2001:db8::'] as const

/** Undefined where the list is empty. @param networks CIDR; null is anywhere. */
export function addressWithin(networks: readonly string[] | null): string | undefined {
  if (networks === null) return `${nobodys[0]}1`
  const [first] = networks.toSorted((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
  if (first === undefined) return undefined
  // The network's own address: no machine has it. The first host is often the router that all of them come through.
  return ipaddr.parseCIDR(first)[0].toString()
}

/**
 * Undefined where there is none: the list covers everything, or everything that could be tried.
 * @param lot another one draws another address: refusals that come from one address take longer and longer.
 */
export function addressOutside(networks: readonly string[] | null, lot: string): string | undefined {
  if (networks === null) return undefined
  const ranges = networks.map(network => ipaddr.parseCIDR(network))
  const last = 1 + (Number.parseInt(sha256(lot).slice(0, 8), 16) % 254)
  return nobodys
    .map(start => ipaddr.parse(`${start}${start.includes(':') ? last.toString(16) : last}`))
    .find(
      address =>
        !ranges.some(([base, prefix]) => base.kind() === address.kind() && address.match(base as never, prefix)),
    )
    ?.toString()
}
