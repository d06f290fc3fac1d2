/**
 * The last of an incident: a duplicate ends in the one that goes on, and a closed one keeps its lessons (mission section 6,
 * state 12 and side exits). Pure. Neither opens a door: a duplicate ends only while the other holds all that it held.
 */
import { sha256 } from '../core/digest.ts'
import {
  type ActContext,
  type ActResult,
  done,
  entryOf,
  finding,
  forbidden,
  isDigest,
  isRefused,
  openIncident,
  refused,
  textLengthMax,
} from './acting.ts'
import { isCoveredBy } from './endings.ts'
import type { Incidents } from './incident.ts'

export function duplicate(
  incidents: Incidents,
  args: { readonly incident: string; readonly of: string },
  context: ActContext,
): ActResult {
  const no = forbidden('duplicate', context)
  if (no !== undefined) return no
  const incident = openIncident(incidents, args.incident, context)
  if (isRefused(incident)) return incident
  const other = openIncident(incidents, args.of, context)
  if (isRefused(other)) return other
  const values = { incident: incident.id, of: other.id }
  if (!isCoveredBy(incident, other)) return refused(3, [finding('E-NOT-COVERED', values)])
  const facts = { incident: incident.id, of: other.id, domain: incident.scope.domain, drill: incident.drill }
  return done(incident.id, [entryOf(context, 'incident.duplicate', incident.id, { rule: 'S37', facts })], {
    code: 'M-DUPLICATE',
    values,
  })
}

/** Somebody has taken it up, and nobody else is called. */
export function acknowledge(incidents: Incidents, args: { readonly incident: string }, context: ActContext): ActResult {
  const no = forbidden('acknowledge', context)
  if (no !== undefined) return no
  const incident = openIncident(incidents, args.incident, context)
  if (isRefused(incident)) return incident
  const { id } = incident
  const message = { code: 'M-TAKEN-UP', values: { incident: id, person: context.actor.person } }
  if (incident.isTakenUp) return { ...done(id, [], message), note: 'already' }
  return done(id, [entryOf(context, 'incident.acknowledged', id, { rule: 'S37', facts: { incident: id } })], message)
}

/** What was learned: words, or the digest of an attached document. */
export type Lessons = { readonly text: string } | { readonly document: string }

export function close(
  incidents: Incidents,
  args: { readonly incident: string; readonly lessons: Lessons | undefined },
  context: ActContext,
): ActResult {
  const no = forbidden('close', context)
  if (no !== undefined) return no
  const known = incidents.byId.get(args.incident)
  if (known === undefined) {
    const suggestion = context.suggest(args.incident, incidents.byId.keys())
    return refused(65, [finding('E-INCIDENT-UNKNOWN', { incident: args.incident }, suggestion)])
  }
  const { id, ended, closed } = known
  if (closed !== null) return { ...done(id, [], { code: 'M-CLOSED', values: { incident: id } }), note: 'already' }
  if (ended === null) return refused(3, [finding('E-NOT-ENDED', { incident: id })])
  if (ended.probation !== null && ended.probation.until > context.at)
    return refused(3, [finding('E-PROBATION', { incident: id, until: new Date(ended.probation.until).toISOString() })])
  const owed = incidents.due.filter(({ incident }) => incident === id)
  if (owed.length > 0) return refused(3, [finding('E-NOTICES-DUE', { incident: id, count: String(owed.length) })])
  const { lessons } = args
  const text = lessons !== undefined && 'text' in lessons ? lessons.text.trim() : ''
  const document = lessons !== undefined && 'document' in lessons ? lessons.document : sha256(text)
  const isGiven = lessons !== undefined && ('document' in lessons ? isDigest(document) : text !== '')
  if (!isGiven || text.length > textLengthMax) return refused(65, [finding('E-LESSONS')])
  const facts = { incident: id, lessons: document }
  const entry = entryOf(context, 'incident.closed', id, { rule: 'S41', facts, personal: text === '' ? {} : { text } })
  return done(id, [entry], { code: 'M-CLOSED', values: { incident: id } })
}
