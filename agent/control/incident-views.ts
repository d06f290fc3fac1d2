/** The JSON of incidents, for `incident show`, `incident list` and `status`. */
import { formatInstant } from '../core/clock.ts'
import { releaseGate, stateOf } from '../incident/gate.ts'
import type { Incident } from '../incident/incident.ts'
import { heldMailOf } from '../incident/mail-doors.ts'
import type { Lever } from '../model/incident.ts'
import type { Engine } from '../reconcile/engine.ts'

/** A drill touches no lever: there is nothing to wait for. */
function leverState({ drill, progress }: Incident, lever: Lever): string {
  return drill ? 'drill' : (progress.get(lever) ?? 'pending')
}

export function incidentView(incident: Incident): Record<string, unknown> {
  const { id, scope, approvals, rotation, ended } = incident
  return {
    id,
    state: stateOf(incident, heldMailOf(incident)),
    class: incident.class,
    domain: scope.domain,
    account: scope.account,
    drill: incident.drill,
    declaredAt: formatInstant(incident.declaredAt),
    declaredBy: incident.declaredBy,
    containedAt: incident.containedAt === null ? null : formatInstant(incident.containedAt),
    reasons: incident.reasons.map(({ text }) => text ?? ''),
    levers: Object.fromEntries(incident.levers.map(lever => [lever, leverState(incident, lever)])),
    doors: [...incident.doors].map(([name, door]) => {
      const [host, kind] = name.split('/')
      return { host, door: kind, ...door }
    }),
    reports: incident.reports.map(report => ({ ...report, at: formatInstant(report.at) })),
    actions: incident.actions,
    rotatedAt: rotation === null ? null : formatInstant(rotation.at),
    mailDecision: incident.mail,
    missing: ended === null ? releaseGate(incident, heldMailOf(incident)) : [],
    releaseApprovedBy: approvals.release?.by ?? null,
    annulApprovedBy: approvals.annul?.by ?? null,
    notices: incident.notices.map(notice => ({ ...notice, at: formatInstant(notice.at) })),
    end: ended === null ? null : { how: ended.how, at: formatInstant(ended.at), by: ended.by },
  }
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
  return [...engine.history.incidents.byId.values()].filter(({ ended }) => all || ended === null).map(incidentView)
}
