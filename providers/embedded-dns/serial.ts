/** How serials go, and the order of changes within a zone. Pure; the file's transaction is in `store.ts`. */
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import type { MarkedChange } from '../provider.ts'

/** RFC 1982 section 3.1: serial numbers go round, and never stand still. Zero is passed over: some take it for "unset". */
export function nextSerial(serial: number): number {
  const next = (serial + 1) % 2 ** 32
  return next === 0 ? 1 : next
}

/** Zones come before their RRsets when they are made and after them when they are removed. */
export function inOrder(changes: readonly MarkedChange<DnsResource>[]): MarkedChange<DnsResource>[] {
  const rank = ({ change }: MarkedChange<DnsResource>) =>
    change.ref.kind === 'zone' ? (change.action === 'delete' ? 2 : 0) : 1
  return [...changes].sort((a, b) => rank(a) - rank(b))
}
