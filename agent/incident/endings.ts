/**
 * The steps of the fold that end an incident, or begin to: a release and its stages, an annulment, a duplicate, the lessons.
 * Pure. An entry that claims an end is believed only when the entries before it bear it out (S39 to S41, P11).
 */
import { dayMs } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import { releaseStages } from '../model/incident.ts'
import type { Stored } from '../register/register.ts'
import { instantOf, numberOf, textOf } from './facts.ts'
import { isSamePerson, releaseGate } from './gate.ts'
import type { Approval, Incident, Incidents, ProbationTerms } from './incident.ts'
import { isStageDue } from './stages.ts'

/** The two people of a release whose gate stands open; undefined: the entry is not borne out. */
function releasers(incident: Incident, entry: Stored): readonly string[] | undefined {
  const first = borneOut(incident.approvals.release, entry)
  const gate = releaseGate(incident, entry.facts['mail'] === 'none' ? 'none' : 'undecided')
  return gate.length > 0 || first === undefined ? undefined : [first, entry.actor.person]
}

/** The first person, when another one writes the entry, and on the very thing that was approved. */
export function borneOut(approval: Approval | null, entry: Stored): string | undefined {
  if (approval === null || isSamePerson(approval.by, entry.actor.person)) return undefined
  return approval.digest === (textOf(entry.facts['digest']) ?? '') ? approval.by : undefined
}

/** Waits in whole seconds; one that can't be read is as long as the longest that can be configured. */
function waitOf(value: Json | undefined): number {
  return typeof value === 'number' && value >= 0 ? value * 1000 : 999_999 * dayMs
}

export function orderRelease(incident: Incident, entry: Stored): Incident | 'disbelieved' {
  const by = releasers(incident, entry)
  if (by === undefined || incident.release !== null) return 'disbelieved'
  const waits = {
    collection: 0,
    national: waitOf(entry.facts['nationalAfter']),
    international: waitOf(entry.facts['internationalAfter']),
  }
  return { ...incident, release: { by, at: instantOf(entry), waits, opened: [], probation: probationOf(entry) } }
}

export function openStage(incident: Incident, entry: Stored): Incident | 'disbelieved' {
  const { release } = incident
  const stage = releaseStages.find(known => known === entry.facts['stage'])
  const at = instantOf(entry)
  if (release === null || stage === undefined || stage === 'international') return 'disbelieved'
  if (!isStageDue(release, stage, at)) return 'disbelieved'
  return { ...incident, release: { ...release, opened: [...release.opened, { stage, at }] } }
}

export function restore(incident: Incident, entry: Stored): Incident | 'disbelieved' {
  const at = instantOf(entry)
  // Of a staged release the last stage ends it, and nothing before its time does.
  const isLast = incident.release !== null && isStageDue(incident.release, 'international', at)
  const by = incident.release === null ? releasers(incident, entry) : isLast ? incident.release.by : undefined
  if (by === undefined) return 'disbelieved'
  const terms = incident.release === null ? probationOf(entry) : incident.release.probation
  const probation = terms === null ? null : { until: at + terms.ms, percent: terms.percent }
  const { release } = incident
  const whole = release && { ...release, opened: [...release.opened, { stage: 'international' as const, at }] }
  return { ...incident, release: whole, ended: { how: 'released', at, by, probation, of: null } }
}

/** In whole seconds, as it was ordered: the configuration of another day changes nothing of it. */
function probationOf({ facts }: Stored): ProbationTerms | null {
  const [seconds, percent] = [numberOf(facts['probation']), numberOf(facts['probationPercent'])]
  return seconds > 0 && percent > 0 ? { ms: seconds * 1000, percent } : null
}

/** Drills on paper, live ones and real incidents are never one another's. */
export function isAlike(a: Pick<Incident, 'drill' | 'liveDrill'>, b: Pick<Incident, 'drill' | 'liveDrill'>): boolean {
  return a.drill === b.drill && a.liveDrill === b.liveDrill
}

/** True when what one incident holds is held by the other as well, whatever becomes of the first. */
export function isCoveredBy(incident: Incident, other: Incident): boolean {
  const isWhole = other.ended === null && other.release === null && isAlike(other, incident)
  const isWithin =
    other.scope.domain === incident.scope.domain &&
    (other.scope.account ?? incident.scope.account) === incident.scope.account
  return isWhole && other.id !== incident.id && isWithin && incident.levers.every(lever => other.levers.includes(lever))
}

export function endDuplicate(incident: Incident, entry: Stored, incidents: Incidents): Incident | 'disbelieved' {
  const other = incidents.byId.get(textOf(entry.facts['of']) ?? '')
  if (other === undefined || !isCoveredBy(incident, other)) return 'disbelieved'
  const end = {
    how: 'duplicate',
    at: instantOf(entry),
    by: [entry.actor.person],
    probation: null,
    of: other.id,
  } as const
  return { ...incident, ended: end }
}

export function close(incident: Incident, entry: Stored): Incident | 'disbelieved' {
  if (incident.ended === null || incident.closed !== null) return 'disbelieved'
  const closed = { at: instantOf(entry), by: entry.actor.person, lessons: textOf(entry.facts['lessons']) ?? '' }
  return { ...incident, closed }
}

export function annul(incident: Incident, entry: Stored): Incident | 'disbelieved' {
  const first = borneOut(incident.approvals.annul, entry)
  if (first === undefined) return 'disbelieved'
  const by = [first, entry.actor.person]
  return { ...incident, ended: { how: 'annulled', at: instantOf(entry), by, probation: null, of: null } }
}
