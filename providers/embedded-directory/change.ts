/**
 * One change against what stands: done already, to be written, or a conflict. A change whose `before` no longer holds
 * is never forced, and an object without our mark is never touched (R21). Runs inside the caller's transaction, so what
 * was judged is what is written.
 */
import type { Diagnostic } from '../../agent/core/diagnostic.ts'
import { canonicalJson } from '../../agent/core/digest.ts'
import type { Outcome } from '../../agent/model/change.ts'
import type { MarkedChange } from '../provider.ts'
import {
  type DirectoryResource,
  type ObservedEntry,
  type Rows,
  readAccount,
  readDomain,
  removeResource,
  writeResource,
} from './rows.ts'

export type DirectoryChange = MarkedChange<DirectoryResource>

/** Sorted and without doubles: the order in which the rows come back. */
export function canonicalResource(resource: DirectoryResource): DirectoryResource {
  if (resource.kind === 'domain') return resource
  return {
    ...resource,
    allowNets: resource.allowNets === null ? null : [...new Set(resource.allowNets)].sort(),
    aliases: [...new Set(resource.aliases)].sort(),
  }
}

/**
 * Dovecot's auth worker answers in one line of at most 8,192 bytes, hash and names included, or refuses the login as a
 * fault. A list of networks beyond this would lock out whoever it was meant to let in.
 */
const allowNetsBytesMax = 7_000

/** What the directory cannot hold for the mail servers that read it. */
export function checkResource(resource: DirectoryResource): readonly Diagnostic[] {
  if (resource.kind === 'domain' || resource.allowNets === null) return []
  const bytes = resource.allowNets.join(',').length
  if (bytes <= allowNetsBytesMax) return []
  return [
    {
      severity: 'error',
      code: 'E-NETWORKS-MAX',
      values: { address: resource.address, bytes: String(bytes), limit: String(allowNetsBytesMax) },
      subject: `account:${resource.address}`,
    },
  ]
}

export function carryOut(rows: Rows, { change, mark }: DirectoryChange): Outcome {
  const found = change.ref.kind === 'domain' ? readDomain(rows, change.ref.key) : readAccount(rows, change.ref.key)
  const verdict = judge(found, { change, mark })
  if (verdict !== 'write')
    return verdict === 'done'
      ? { ref: change.ref, result: 'applied' }
      : { ref: change.ref, result: 'conflict', detail: verdict.conflict }
  const obstacle = obstacleTo(rows, { change, mark })
  if (obstacle !== undefined) return { ref: change.ref, result: 'conflict', detail: obstacle }
  if (change.action === 'delete') removeResource(rows, change.before)
  else writeResource(rows, canonicalResource(change.after), mark)
  return { ref: change.ref, result: 'applied' }
}

function judge(
  found: ObservedEntry | undefined,
  { change, mark }: DirectoryChange,
): 'write' | 'done' | { readonly conflict: string } {
  if (found === undefined) {
    if (change.action === 'create') return 'write'
    return change.action === 'delete' ? 'done' : { conflict: 'the object is gone' }
  }
  if (found.mark !== mark)
    return { conflict: found.mark === null ? 'the object is not ours' : 'the object carries another mark' }
  if (change.after !== null && isSame(found.resource, canonicalResource(change.after))) return 'done'
  // As it was observed, odd order and all: what somebody shuffled by hand is put right, not called a conflict.
  if (change.before !== null && isSame(found.resource, change.before)) return 'write'
  return { conflict: 'somebody changed the object in between' }
}

/** What stands beside the object and speaks against the change; undefined when nothing does. */
function obstacleTo(rows: Rows, { change }: DirectoryChange): string | undefined {
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
  // A name that a foreign account goes by would take that account's mail away.
  for (const name of [after.address, ...after.aliases]) {
    const holder = rows.foreignHolders.get({ name, owner: after.address })
    if (holder !== undefined) return `${name} belongs to ${holder.address}, which is not ours`
  }
  return undefined
}

function isSame(found: DirectoryResource, other: DirectoryResource): boolean {
  return canonicalJson(found) === canonicalJson(other)
}
