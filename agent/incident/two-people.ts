/**
 * Two people for one act (S41, K3, P11): whose turn it is, what the first one leaves on record, and why somebody can't be
 * the other. Pure. An approval counts for what was seen and for a day; nobody is both people.
 */
import type { Diagnostic } from '../core/diagnostic.ts'
import type { Digest } from '../core/digest.ts'
import { type ActContext, type Done, finding, warning } from './acting.ts'
import { isAuthor, isSamePerson, rolesOf, type VoidReason, voidReason } from './gate.ts'
import type { Approval, Incident } from './incident.ts'

/** Roles of the first and of the second person. */
export type Pair = { readonly first: string; readonly second: string }
export const incidentPair: Pair = { first: 'responder', second: 'security-lead' }
export const withdrawPair: Pair = { first: 'security-lead', second: 'security-lead' }

export type Turn =
  | { readonly turn: 'first'; readonly lapsed: VoidReason | undefined }
  | { readonly turn: 'second'; readonly first: string }
  | { readonly turn: 'none'; readonly reason: string; readonly first: string }

/** Whose turn it is: the first person's, the second's, or nobody's, and why. */
export function turnOf(
  approval: Approval | null,
  sought: { readonly digest: Digest; readonly pair: Pair; readonly incident?: Incident },
  context: ActContext,
): Turn {
  const { person } = context.actor
  const { pair, incident, digest } = sought
  if (incident !== undefined && isAuthor(incident, person)) return { turn: 'none', reason: 'author', first: '' }
  const roles = rolesOf(context.people, person)
  const now = {
    digest,
    at: context.at,
    staff: context.people,
    role: pair.first,
    ...(incident === undefined ? {} : { incident }),
  }
  const lapsed = approval === null ? undefined : voidReason(approval, now)
  if (approval === null || lapsed !== undefined) {
    if (roles.has(pair.first)) return { turn: 'first', lapsed }
    return { turn: 'none', reason: lapsed ?? 'first-role', first: approval?.by ?? '' }
  }
  if (isSamePerson(approval.by, person)) return { turn: 'none', reason: 'same-person', first: approval.by }
  // Whoever made a colleague's token may have kept it: the two are one until somebody else makes another.
  if (approval.by === context.tokenBy || approval.tokenBy === person)
    return { turn: 'none', reason: 'same-maker', first: approval.by }
  if (!roles.has(pair.second)) return { turn: 'none', reason: 'second-role', first: approval.by }
  const declared = incident?.declarers.some(declarer => isSamePerson(declarer, person)) ?? false
  if (declared) return { turn: 'none', reason: 'declarer', first: approval.by }
  return { turn: 'second', first: approval.by }
}

export function twoPersons(turn: Turn & { turn: 'none' }, context: ActContext): Diagnostic {
  return finding('E-TWO-PERSON', { person: context.actor.person, reason: turn.reason, first: turn.first })
}

export function first(
  id: string | null,
  turn: Turn & { turn: 'first' },
  entry: Done['entries'][number],
  values: Record<string, string>,
): Done {
  const warnings = turn.lapsed === undefined ? [] : [warning('W-APPROVAL-VOID', { reason: turn.lapsed })]
  return {
    ok: true,
    entries: [entry],
    incident: id,
    note: 'first',
    message: { code: 'M-FIRST', values },
    warnings,
    exit: 3,
  }
}

export function tokenMaker({ tokenBy }: ActContext): { tokenBy?: string } {
  return tokenBy === undefined ? {} : { tokenBy }
}
