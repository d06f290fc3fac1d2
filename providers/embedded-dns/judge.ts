/** Holds a change against what stands: whether to write it, or to give way. Pure; the file's transaction is in `store.ts`. */
import { canonicalJson } from '../../agent/core/digest.ts'
import type { MarkedChange, Observed } from '../provider.ts'
import type { DnsResource } from './rows.ts'

/** RFC 1982 section 3.1: serial numbers go round, and never stand still. Zero is passed over: some take it for "unset". */
export function nextSerial(serial: number): number {
  const next = (serial + 1) % 2 ** 32
  return next === 0 ? 1 : next
}

/** What a change would do, before it is done. */
export type Judgement =
  | { readonly verdict: 'write' | 'nothing' }
  | { readonly verdict: 'conflict'; readonly detail: string }

export const write: Judgement = { verdict: 'write' }
const nothing: Judgement = { verdict: 'nothing' }
export const conflict = (detail: string): Judgement => ({ verdict: 'conflict', detail })

/** Holds a change against what stands. Doing again what was done is no conflict. */
export function judge(
  { change, mark }: MarkedChange<DnsResource>,
  found: Observed<DnsResource> | undefined,
): Judgement {
  const same = (resource: DnsResource) => canonicalJson(resource) === canonicalJson(found?.resource)
  if (found === undefined) {
    if (change.action === 'create') return write
    return change.action === 'delete' ? nothing : conflict('it is gone')
  }
  if (found.mark !== mark) return conflict('it stands there without our mark')
  if (change.after !== null && same(change.after)) return nothing
  if (change.action === 'create') return conflict('it already exists, with another value')
  return same(change.before) ? write : conflict('it was edited by someone else')
}

/** Zones come before their RRsets when they are made and after them when they are removed. */
export function inOrder(changes: readonly MarkedChange<DnsResource>[]): MarkedChange<DnsResource>[] {
  const rank = ({ change }: MarkedChange<DnsResource>) =>
    change.ref.kind === 'zone' ? (change.action === 'delete' ? 2 : 0) : 1
  return [...changes].sort((a, b) => rank(a) - rank(b))
}
