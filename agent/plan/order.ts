/** The order of changes: doors close first, then things are added, zone before its records, and removals come last, children first. */
import type { Change } from '../model/change.ts'
import { formatRef, type Resource } from '../model/resource.ts'

function closes(change: Change): boolean {
  if (change.action !== 'update') return false
  const shut = (resource: Resource) =>
    resource.kind === 'domain'
      ? Number(resource.login !== 'active') + Number(resource.collection !== 'active')
      : resource.kind === 'account'
        ? Number(resource.status !== 'active')
        : 0
  return shut(change.after) > shut(change.before)
}

const createRank = { zone: 1, rrset: 2, domain: 3, account: 4, member: 5 } as const
const deleteRank = { member: 6, account: 6, domain: 7, rrset: 8, zone: 9 } as const

function rankOf(change: Change): number {
  switch (change.action) {
    case 'create':
      return createRank[change.ref.kind]
    case 'update':
      // The domain's one write closes every login at once, so it goes before the accounts.
      return closes(change) ? (change.ref.kind === 'domain' ? -1 : 0) : 5
    case 'delete':
      return deleteRank[change.ref.kind]
  }
}

export function order(changes: readonly Change[]): Change[] {
  return changes
    .map(change => ({ change, rank: rankOf(change), key: formatRef(change.ref) }))
    .toSorted((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ change }) => change)
}
