/**
 * One change held against what stands, the same for every provider: to be written, done already, or a conflict. A change
 * whose `before` no longer holds is never forced, and an object without our mark is never touched (R21). Pure. Where a
 * server can hold the condition itself (a transaction, a prerequisite, an assertion), the provider asks it to.
 */
import { canonicalJson } from '../agent/core/digest.ts'
import type { Resource } from '../agent/model/resource.ts'
import type { MarkedChange, Observed } from './provider.ts'

export type Judgement =
  | { readonly verdict: 'write' | 'nothing' }
  | { readonly verdict: 'conflict'; readonly detail: string }

export const write: Judgement = { verdict: 'write' }
const nothing: Judgement = { verdict: 'nothing' }
export const conflict = (detail: string): Judgement => ({ verdict: 'conflict', detail })

/** Doing again what was done is no conflict. All three resources are in the provider's canonical form. */
export function judge<R extends Resource>(
  { change, mark, adopt }: MarkedChange<R>,
  found: Observed<R> | undefined,
): Judgement {
  const same = (resource: R) => canonicalJson(resource) === canonicalJson(found?.resource)
  if (found === undefined) {
    if (change.action === 'create') return write
    return change.action === 'delete' ? nothing : conflict('it is gone')
  }
  if (adopt === true && found.mark === null)
    return change.before !== null && same(change.before) ? write : conflict('somebody edited it in between')
  if (found.mark !== mark)
    return conflict(found.mark === null ? 'it stands there without our mark' : 'it carries another mark')
  if (change.after !== null && same(change.after)) return nothing
  // A create that finds our own mark with another value began before a crash, and somebody edited since.
  if (change.action === 'create') return conflict('it already exists, with another value')
  return same(change.before) ? write : conflict('somebody edited it in between')
}
