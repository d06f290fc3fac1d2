/**
 * One change against what stands: done already, to be written, or a conflict. A change whose `before` no longer holds
 * is never forced, and an object without our mark is never touched (R21). Runs inside the caller's transaction, so what
 * was judged is what is written.
 */
import type { Outcome } from '../../agent/model/change.ts'
import { canonicalDirectoryResource, type DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { judge } from '../judge.ts'
import type { MarkedChange } from '../provider.ts'
import { type Rows, readAccount, readDomain, removeResource, writeResource } from './rows.ts'

export type DirectoryChange = MarkedChange<DirectoryResource>

export function carryOut(rows: Rows, marked: DirectoryChange): Outcome {
  const { change, mark } = marked
  const found = change.ref.kind === 'domain' ? readDomain(rows, change.ref.key) : readAccount(rows, change.ref.key)
  // `before` as it was observed, odd order and all: what somebody shuffled by hand is put right, not called a conflict.
  const after = change.after === null ? null : canonicalDirectoryResource(change.after)
  const judgement = judge({ ...marked, change: { ...change, after } as DirectoryChange['change'] }, found)
  if (judgement.verdict === 'nothing') return { ref: change.ref, result: 'applied' }
  if (judgement.verdict === 'conflict') return { ref: change.ref, result: 'conflict', detail: judgement.detail }
  const obstacle = obstacleTo(rows, marked)
  if (obstacle !== undefined) return { ref: change.ref, result: 'conflict', detail: obstacle }
  if (change.action === 'delete') removeResource(rows, change.before)
  else if (after !== null) writeResource(rows, after, mark)
  return { ref: change.ref, result: 'applied' }
}

/** What stands beside the object and speaks against the change; undefined when nothing does. */
function obstacleTo(rows: Rows, { change, adopt }: DirectoryChange): string | undefined {
  if (change.action === 'delete') {
    if (change.ref.kind !== 'domain') return undefined
    const count = Number(rows.countAccounts.get(change.ref.key)?.count ?? 0)
    return count > 0 ? `${count} accounts still stand in the domain` : undefined
  }
  const { after } = change
  if (after.kind === 'domain') return undefined
  const domain = readDomain(rows, after.domain)
  if (change.action === 'create' && domain === undefined) return 'its domain does not stand'
  if (change.action === 'create' && domain?.mark === null) return 'its domain is not ours'
  const { before } = change
  // What it goes by already it takes from nobody: least of all may a stranger's row keep it from being closed.
  const held = new Set(before?.kind === 'account' && adopt !== true ? [before.address, ...before.aliases] : [])
  // A name that a foreign account goes by would take that account's mail away.
  for (const name of [after.address, ...after.aliases].filter(name => !held.has(name))) {
    const holder = rows.foreignHolders.get({ name, owner: after.address })
    if (holder !== undefined) return `${name} belongs to ${holder.address}, which is not ours`
  }
  return undefined
}
