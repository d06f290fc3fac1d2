/**
 * The gate between a hold and its release (S39 to S41, K3): what is missing, whom it bars, what an approval is bound
 * to, and the state that follows from all that. Pure. It only ever says no or nothing; it lifts no hold itself.
 */
import type { Instant } from '../core/clock.ts'
import { dayMs } from '../core/clock.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import type { IncidentState } from '../model/incident.ts'
import type { Approval, Incident, Report, Withdrawal } from './incident.ts'

/** A person of the operator, as the agent's configuration names them. */
export type StaffMember = { readonly name: string; readonly role: string }

/** `none`: no queue holds a message of the scope. `undecided`: some does, or it can't be told. */
export type HeldMail = 'none' | 'undecided'

export const approvalAgeMaxMs = dayMs // K3: an approval expires; a working day later somebody looks again
const clockSlackMs = 300_000 // an approval from further ahead than this was made by another clock: it does not count

export const gateCodes = ['E-NO-REPORT', 'E-NO-ACTIONS', 'E-NOT-ROTATED', 'E-HELD-MAIL'] as const
export type GateCode = (typeof gateCodes)[number]

/** The newest report counts: an accepted one that was followed by another is no longer the whole account. */
export function currentReport(incident: Incident): Report | undefined {
  return incident.reports.at(-1)
}

/** What stands between the incident and its release, all of it at once. Empty: two people may release it. */
export function releaseGate(incident: Incident, heldMail: HeldMail): readonly GateCode[] {
  const missing: GateCode[] = []
  if (currentReport(incident)?.review !== 'accepted') missing.push('E-NO-REPORT')
  if (!incident.actions.some(action => action.verifiedBy !== null)) missing.push('E-NO-ACTIONS')
  if (incident.rotation === null) missing.push('E-NOT-ROTATED')
  if (incident.mail === null && heldMail !== 'none') missing.push('E-HELD-MAIL')
  return missing
}

/** Digest of all that a releaser looks at; whatever changes it voids the approval. */
export function releaseDigest(incident: Incident): Digest {
  const { id, scope, levers, reports, actions, mail, messages, reasons } = incident
  return digestOf({
    act: 'release',
    id,
    scope,
    levers,
    suspends: reasons.length,
    reports: reports.map(({ n, document, review }) => ({ n, document, review })),
    actions: actions.map(({ n, day, evidence, verifiedBy }) => ({ n, day, evidence, verified: verifiedBy !== null })),
    mail,
    // Absent where nothing was decided by message: an approval of an earlier version stays what it was.
    ...(messages.size === 0 ? {} : { messages: [...messages].toSorted(([a], [b]) => (a < b ? -1 : 1)) }),
  })
}

export function annulDigest(incident: Incident): Digest {
  const { id, scope, levers, reasons } = incident
  return digestOf({ act: 'annul', id, scope, levers, suspends: reasons.length })
}

export function withdrawDigest(subject: Pick<Withdrawal, 'domain' | 'grounds'>): Digest {
  return digestOf({ act: 'withdraw', domain: subject.domain, grounds: subject.grounds })
}

export function rolesOf(staff: readonly StaffMember[], person: string): ReadonlySet<string> {
  return new Set(staff.filter(({ name }) => name === person).map(({ role }) => role))
}

const fold = (name: string) => name.normalize('NFKC').trim().toLowerCase()

/** The person of the operator that a written name means; null when it means somebody else. */
export function staffNamed(staff: readonly StaffMember[], written: string): string | null {
  return staff.find(({ name }) => fold(name) === fold(written))?.name ?? null
}

/** One person, with or without a token: `local:ana` is ana at the keyboard of the host. */
export function isSamePerson(a: string, b: string): boolean {
  return fold(a.replace(/^local:/, '')) === fold(b.replace(/^local:/, ''))
}

/** Whoever wrote any report of this incident releases nothing of it (mission section 6, state 10). */
export function isAuthor(incident: Incident, person: string): boolean {
  return incident.reports.some(({ operatorAuthors }) => operatorAuthors.some(author => isSamePerson(author, person)))
}

export type VoidReason = 'void-changed' | 'void-expired' | 'void-role' | 'void-author'

/** Why an approval no longer counts; undefined while it does. */
export function voidReason(
  approval: Approval,
  now: {
    readonly digest: Digest
    readonly at: Instant
    readonly staff: readonly StaffMember[]
    readonly role: string
    /** Absent for a withdrawal, which has no report. */
    readonly incident?: Incident
  },
): VoidReason | undefined {
  if (approval.digest !== now.digest) return 'void-changed'
  if (now.at - approval.at >= approvalAgeMaxMs || approval.at - now.at > clockSlackMs) return 'void-expired'
  if (!rolesOf(now.staff, approval.by).has(now.role)) return 'void-role'
  if (now.incident !== undefined && isAuthor(now.incident, approval.by)) return 'void-author'
  return undefined
}

/** `contained` and what follows it are never reported before every probe; a drill has no levers to probe. */
export function isContained({ drill, levers, progress }: Incident): boolean {
  return drill || levers.every(lever => progress.get(lever) === 'verified')
}

export function stateOf(incident: Incident, heldMail: HeldMail): IncidentState {
  if (incident.closed !== null) return 'closed'
  if (incident.ended !== null) return incident.ended.how
  if (incident.release !== null) return 'releasing'
  if (!isContained(incident)) return 'containing'
  if (releaseGate(incident, heldMail).length === 0) return 'release-ready'
  if (currentReport(incident)?.review === 'waiting') return 'report-review'
  const told = incident.notices.some(
    ({ topic, audience }) => topic === 'suspended' && (audience === 'director' || incident.drill || incident.liveDrill),
  )
  return told || incident.reports.length > 0 ? 'awaiting-report' : 'contained'
}
