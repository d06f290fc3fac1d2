/** The JSON of incidents, for `incident show`, `incident list` and `status`. */
import { formatInstant, type Instant } from '../core/clock.ts'
import { releaseGate, stateOf } from '../incident/gate.ts'
import type { Incident, StagedRelease } from '../incident/incident.ts'
import { heldMailOf } from '../incident/mail-doors.ts'
import { nextStage, standingHold } from '../incident/stages.ts'
import { reportOwedSince } from '../incident/timers.ts'
import type { Lever } from '../model/incident.ts'
import type { Engine } from '../reconcile/engine.ts'

/** A drill touches no lever: there is nothing to wait for. */
function leverState(incident: Incident, lever: Lever): string {
  if (incident.drill) return 'drill'
  if (incident.release !== null && !standingHold(incident)?.levers.includes(lever)) return 'lifted'
  return incident.progress.get(lever) ?? 'pending'
}

export function incidentView(incident: Incident, at: Instant): Record<string, unknown> {
  const { id, scope, approvals, rotation, ended } = incident
  const owed = reportOwedSince(incident)
  return {
    id,
    state: stateOf(incident, heldMailOf(incident)),
    class: incident.class,
    domain: scope.domain,
    account: scope.account,
    drill: incident.drill,
    liveDrill: incident.liveDrill,
    declaredAt: formatInstant(incident.declaredAt),
    declaredBy: incident.declaredBy,
    containedAt: incident.containedAt === null ? null : formatInstant(incident.containedAt),
    reasons: incident.reasons.map(({ text }) => text ?? ''),
    levers: Object.fromEntries(incident.levers.map(lever => [lever, leverState(incident, lever)])),
    doors: [...incident.doors].map(([name, door]) => {
      const [host, kind] = name.split('/')
      return { host, door: kind, ...door }
    }),
    reports: incident.reports.map(report => {
      const { at, reviewedAt } = report
      return { ...report, at: formatInstant(at), reviewedAt: reviewedAt === null ? null : formatInstant(reviewedAt) }
    }),
    actions: incident.actions,
    rotatedAt: rotation === null ? null : formatInstant(rotation.at),
    mailDecision: incident.mail,
    takenUp: incident.isTakenUp,
    tried: incident.tried === null ? null : { ...incident.tried, at: formatInstant(incident.tried.at) },
    openSince: incident.openSince === null ? null : formatInstant(incident.openSince),
    reportOwedSince: owed === undefined ? null : formatInstant(owed),
    missing: ended === null ? releaseGate(incident, heldMailOf(incident)) : [],
    releaseApprovedBy: approvals.release?.by ?? null,
    annulApprovedBy: approvals.annul?.by ?? null,
    notices: incident.notices.map(notice => ({ ...notice, at: formatInstant(notice.at) })),
    release: incident.release === null ? null : releaseView(incident.release, ended),
    end: ended === null ? null : { how: ended.how, at: formatInstant(ended.at), by: ended.by },
    probation:
      ended === null || ended.probation === null
        ? null
        : {
            until: formatInstant(ended.probation.until),
            percent: ended.probation.percent,
            over: ended.probation.until <= at,
          },
    closed:
      incident.closed === null
        ? null
        : { at: formatInstant(incident.closed.at), by: incident.closed.by, lessons: incident.closed.lessons },
  }
}

/** Every stage with its instant: when it opened, or when it will. */
function releaseView(release: StagedRelease, ended: Incident['ended']): Record<string, unknown> {
  const opened = release.opened.map(({ stage, at }) => ({ stage, at: formatInstant(at), open: true }))
  const next = ended === null ? nextStage(release) : undefined
  const later = next === undefined ? [] : [{ stage: next.stage, at: formatInstant(next.due), open: false }]
  return { by: release.by, at: formatInstant(release.at), stages: [...opened, ...later] }
}

/** Bundles of evidence and the legal hold. */
export function evidenceView(engine: Engine, id: string): Record<string, unknown> {
  const { bundles, holds } = engine.history.evidence
  const hold = holds.get(id)
  return {
    evidence: (bundles.get(id) ?? []).map(({ at, ...bundle }) => ({ ...bundle, at: formatInstant(at) })),
    legalHold:
      hold === undefined
        ? null
        : { owner: hold.owner, reason: hold.reason, review: hold.review, by: hold.by, at: formatInstant(hold.at) },
  }
}

export function incidentSummaries(engine: Engine, all: boolean): readonly Record<string, unknown>[] {
  return [...engine.history.incidents.byId.values()]
    .filter(({ ended }) => all || ended === null)
    .map(incident => incidentView(incident, engine.parts.clock.now()))
}
