/**
 * A drill, step by step: what is done in which order, how long it took from the declaration, and how long it may take
 * (P19, C-INC-06; mission section 6). Read from the register's entries alone, as of a real incident. Pure.
 */
import { dayMs, type Instant, parseInstant } from '../core/clock.ts'
import type { Stored } from '../register/register.ts'
import type { Incident } from './incident.ts'
import { openAlarmMs, takeUpMs } from './timers.ts'

/** In the order in which they are practised. */
export const drillSteps = [
  'closed',
  'taken-up',
  'told',
  'report',
  'accepted',
  'action',
  'rotated',
  'approved',
  'released',
  'lessons',
] as const
export type DrillStep = (typeof drillSteps)[number]

/** From the declaration. What the mission gives no time for has none. */
const targets: Readonly<Partial<Record<DrillStep, number>>> = {
  closed: openAlarmMs,
  'taken-up': takeUpMs,
  // The first reminder.
  report: dayMs,
}

/** `open`: still to be done. `left-out`: the drill ended without it. `none`: on paper there is nothing to close. */
export type StepResult = 'met' | 'late' | 'done' | 'open' | 'left-out' | 'none'

export type StepTime = {
  readonly step: DrillStep
  /** Milliseconds from the declaration; null: not done. */
  readonly tookMs: number | null
  readonly targetMs: number | null
  readonly result: StepResult
}

/** Whether it went from the suspension through to the release, which is what an auditor asks for. */
export function isWholeDrill({ drill, liveDrill, ended }: Incident): boolean {
  return (drill || liveDrill) && ended?.how === 'released'
}

/** @param entries of this incident, in their order. */
export function drillTimes(incident: Incident, entries: readonly Stored[], at: Instant): readonly StepTime[] {
  const { declaredAt, containedAt, drill, ended, closed } = incident
  const first = (kind: string) => entries.find(entry => entry.kind === kind)
  const instants: Readonly<Record<DrillStep, Instant | undefined>> = {
    closed: containedAt ?? undefined,
    'taken-up': instantOf(entries.find(isTakenUpBy)),
    told: instantOf(first('notice.sent') ?? first('notice.printed')),
    report: instantOf(first('report.received')),
    accepted: instantOf(entries.findLast(({ kind }) => kind === 'report.accepted')),
    action: instantOf(first('action.verified')),
    rotated: instantOf(first('secrets.rotated')),
    approved: instantOf(entries.findLast(({ kind }) => kind === 'release.approved')),
    released: ended?.how === 'released' ? ended.at : undefined,
    lessons: closed?.at,
  }
  return drillSteps.map(step => {
    const targetMs = targets[step] ?? null
    if (step === 'closed' && drill) return { step, tookMs: null, targetMs: null, result: 'none' }
    const done = instants[step]
    if (done !== undefined) {
      const tookMs = done - declaredAt
      const result = targetMs === null ? 'done' : tookMs <= targetMs ? 'met' : 'late'
      return { step, tookMs, targetMs, result }
    }
    // Lessons are filed after the end.
    const isOver = step === 'lessons' ? closed !== null : ended !== null
    const isLate = targetMs !== null && at - declaredAt > targetMs
    return { step, tookMs: null, targetMs, result: isOver ? 'left-out' : isLate ? 'late' : 'open' }
  })
}

/** The first act of a responder or security lead, the declaration included. */
function isTakenUpBy({ actor }: Stored): boolean {
  return actor.role === 'responder' || actor.role === 'security-lead'
}

function instantOf(entry: Stored | undefined): Instant | undefined {
  return entry === undefined ? undefined : parseInstant(entry.at)
}
