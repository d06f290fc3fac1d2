/**
 * The three acts that need two people: release, annul, withdraw (S36, S39 to S41, D3, D5, K3). Pure. The first call
 * records an approval bound to what was seen, the second ends it; neither is ever the author of a report, the second
 * never the one who declared it. Whatever is missing is listed at once.
 */
import { dayMs } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import type { Digest, Json } from '../core/digest.ts'
import type { DomainName } from '../model/name.ts'
import {
  type Act,
  type ActContext,
  type ActResult,
  type Done,
  done,
  entryOf,
  finding,
  forbidden,
  givenText,
  isRefused,
  openIncident,
  refused,
  unproved,
  warning,
} from './acting.ts'
import {
  annulDigest,
  currentReport,
  isAuthor,
  isSamePerson,
  releaseDigest,
  releaseGate,
  rolesOf,
  type VoidReason,
  voidReason,
  withdrawDigest,
} from './gate.ts'
import { type Approval, grounds, type Incident, type Incidents } from './incident.ts'

/** Roles of the first and of the second person. */
type Pair = { readonly first: string; readonly second: string }
export const incidentPair: Pair = { first: 'responder', second: 'security-lead' }
const withdrawPair: Pair = { first: 'security-lead', second: 'security-lead' }

type Turn =
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

/** An act on an incident that may have ended that way already, or whose domain is gone for good. */
function begin(
  incidents: Incidents,
  id: string,
  how: 'released' | 'annulled',
  context: ActContext,
): Incident | ActResult {
  const act: Act = how === 'released' ? 'release' : 'annul'
  const no = forbidden(act, context)
  if (no !== undefined) return no
  const known = incidents.byId.get(id)
  if (known?.ended?.how === how)
    return { ...done(id, [], { code: 'M-ENDED-ALREADY', values: { incident: id, how } }), note: 'already' }
  const incident = openIncident(incidents, id, context)
  if (!isRefused(incident) && !incident.drill && incidents.withdrawals.has(incident.scope.domain))
    return refused(3, [finding('E-WITHDRAWN', { domain: incident.scope.domain })])
  return incident
}

export function release(incidents: Incidents, args: { readonly incident: string }, context: ActContext): ActResult {
  const incident = begin(incidents, args.incident, 'released', context)
  if ('ok' in incident) return incident
  const digest = releaseDigest(incident)
  const turn = turnOf(incident.approvals.release, { digest, pair: incidentPair, incident }, context)
  const refusals = releaseGate(incident, context.heldMailOf(incident)).map(code => finding(code, gateValues(incident)))
  if (turn.turn === 'none') refusals.push(twoPersons(turn, context))
  if (turn.turn === 'none' || refusals.length > 0) return refused(3, refusals)
  const { id, scope } = incident
  if (turn.turn === 'first') {
    const entry = entryOf(context, 'release.approved', id, {
      rule: 'S41',
      facts: { incident: id, digest, ...tokenMaker(context) },
    })
    return first(id, turn, entry, { subject: id, second: incidentPair.second })
  }
  const facts: Record<string, Json> = {
    incident: id,
    domain: scope.domain,
    scope: scope.account === null ? 'domain' : 'account',
    report: currentReport(incident)?.document ?? '',
    actions: incident.actions.filter(({ verifiedBy }) => verifiedBy !== null).map(({ n }) => n),
    secrets: incident.rotation?.secrets ?? 0,
    mail: incident.mail ?? 'none',
    releasedBy: [turn.first, context.actor.person],
    digest,
    drill: incident.drill,
  }
  return done(id, [entryOf(context, 'service.restored', id, { rule: 'S41', facts })], {
    code: 'M-RELEASED',
    values: { incident: id },
  })
}

function gateValues(incident: Incident): Record<string, string> {
  return {
    incident: incident.id,
    reports: String(incident.reports.length),
    actions: String(incident.actions.length),
    reason: 'rotated-none',
  }
}

/** A false alarm: two people declare the suspension unfounded (D5). It stays an incident; a drill ends this way too. */
export function annul(
  incidents: Incidents,
  args: { readonly incident: string; readonly reason: string },
  context: ActContext,
): ActResult {
  const incident = begin(incidents, args.incident, 'annulled', context)
  if ('ok' in incident) return incident
  const reason = givenText(args.reason)
  if (reason === undefined) return refused(65, [finding('E-REASON')])
  const digest = annulDigest(incident)
  const turn = turnOf(incident.approvals.annul, { digest, pair: incidentPair, incident }, context)
  if (turn.turn === 'none') return refused(3, [twoPersons(turn, context)])
  const { id, scope, drill } = incident
  const facts = { incident: id, domain: scope.domain, digest, drill }
  if (turn.turn === 'first') {
    const entry = entryOf(context, 'incident.annul-approved', id, {
      rule: 'D5',
      facts: { ...facts, ...tokenMaker(context) },
      personal: { reason },
    })
    return first(id, turn, entry, { subject: id, second: incidentPair.second })
  }
  const ended = {
    rule: 'D5',
    facts: { ...facts, annulledBy: [turn.first, context.actor.person] },
    personal: { reason },
  }
  return done(id, [entryOf(context, 'incident.annulled', id, ended)], { code: 'M-ANNULLED', values: { incident: id } })
}

export type WithdrawArguments = { readonly domain: string; readonly grounds: string; readonly reason: string }

/** Ends the service of a domain for good, without notice before (S36): two security leads, one of three grounds. */
export function withdraw(incidents: Incidents, args: WithdrawArguments, context: ActContext): ActResult {
  const no = forbidden('withdraw', context) ?? unproved(context.at - dayMs, context)
  if (no !== undefined) return no
  const refusals: Diagnostic[] = []
  const text = args.domain.trim()
  const scope = context.resolveScope(text) ?? context.unknownScope(text)
  const domain = scope?.account === null ? scope.domain : undefined
  if (domain === undefined)
    refusals.push(finding('E-SCOPE-UNKNOWN', { scope: text }, context.suggest(text, context.scopeNames())))
  const named = grounds.find(name => name === args.grounds)
  if (named === undefined)
    refusals.push(
      finding('E-GROUNDS', { word: args.grounds, known: grounds.join(', ') }, context.suggest(args.grounds, grounds)),
    )
  // A text that is too long is a mistake; none is none, since the grounds are the reason.
  if (args.reason.trim() !== '' && givenText(args.reason) === undefined) refusals.push(finding('E-REASON'))
  if (domain === undefined || named === undefined || refusals.length > 0) return refused(65, refusals)
  if (incidents.withdrawals.has(domain))
    return { ...done(null, [], { code: 'M-WITHDRAWN-ALREADY', values: { domain } }), note: 'already', domain }
  return withdrawOnce(incidents, { domain, grounds: named, reason: args.reason.trim() }, context)
}

function withdrawOnce(
  incidents: Incidents,
  { domain, grounds, reason }: { readonly domain: DomainName; readonly grounds: string; readonly reason: string },
  context: ActContext,
): ActResult {
  const approval = incidents.withdrawApprovals.get(domain) ?? null
  const digest = withdrawDigest({ domain, grounds })
  const turn = turnOf(approval, { digest, pair: withdrawPair }, context)
  if (turn.turn === 'none') return refused(3, [twoPersons(turn, context)])
  const facts = { domain, grounds, digest }
  const personal = reason === '' ? {} : { personal: { reason } }
  if (turn.turn === 'first') {
    const entry = entryOf(context, 'service.withdraw-approved', domain, {
      rule: 'S36',
      facts: { ...facts, ...tokenMaker(context) },
      ...personal,
    })
    return first(null, turn, entry, { subject: domain, second: withdrawPair.second })
  }
  const parts = { rule: 'S36', facts: { ...facts, approvedBy: [turn.first] }, ...personal }
  const entries = [entryOf(context, 'service.withdrawn', domain, parts)]
  return { ...done(null, entries, { code: 'M-WITHDRAWN', values: { domain } }), domain }
}
