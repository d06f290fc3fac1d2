/**
 * What becomes due by the passing of time alone (mission section 6, states 2, 4 and 7; P16): reminders while the institution
 * owes its report, alarms while a door is not closed or nobody took the incident up. Pure: computed from the register and
 * the instant, so that a restart forgets none. Each has an id of its own and is told once; of several that are due at the
 * same time, as after a clock that jumped, the last one is told alone.
 */
import type { Instant } from '../core/clock.ts'
import { isContained } from './gate.ts'
import type { Audience, DueNotice, Incident, Incidents, NoticeTopic } from './incident.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

const reminders: readonly { readonly afterMs: number; readonly audiences: readonly Audience[] }[] = [
  { afterMs: 24 * hourMs, audiences: ['representative'] },
  { afterMs: 72 * hourMs, audiences: ['director', 'representative'] },
  { afterMs: 7 * 24 * hourMs, audiences: ['director', 'representative', 'operator'] },
]

/** Mission section 6: an alarm at 60 s while a lever is not closed; a quarter of an hour for somebody to take it up. */
export const openAlarmMs = minuteMs
export const takeUpMs = 15 * minuteMs
/** From one person on call to the next. */
const stepMs = 15 * minuteMs

/** Since when the institution owes a report that nobody here has to look at; undefined when it owes none. */
export function reportOwedSince(incident: Incident): Instant | undefined {
  const newest = incident.reports.at(-1)
  if (incident.drill || incident.liveDrill || incident.ended !== null || incident.release !== null) return undefined
  if (newest === undefined) return incident.declaredAt
  return newest.review === 'returned' ? (newest.reviewedAt ?? newest.at) : undefined
}

/** @param onCall how many people are on call, in their order; with none the operator's own contact is told. */
export function dueTimers({ byId }: Incidents, at: Instant, onCall: number): DueNotice[] {
  return [...byId.values()].flatMap(incident =>
    incident.drill || incident.ended !== null
      ? []
      : [...reminderOf(incident, at), ...alarmsOf(incident, at, onCall)].filter(({ id }) => !isTaken(incident, id)),
  )
}

function isTaken({ notices }: Incident, id: string): boolean {
  return notices.some(taken => taken.id === id)
}

function timer(
  incident: Incident,
  topic: NoticeTopic,
  since: Instant,
  more: Pick<DueNotice, 'audience'> & { readonly step: number; readonly onCall?: number },
): DueNotice {
  const { step, ...rest } = more
  return {
    id: `${incident.id}.${topic}.${Math.floor(since / 1000)}.${step}-${more.audience}`,
    topic,
    ...rest,
    timer: true,
    incident: incident.id,
    domain: incident.scope.domain,
    drill: incident.liveDrill,
    at: since,
    report: null,
  }
}

function reminderOf(incident: Incident, at: Instant): DueNotice[] {
  const since = reportOwedSince(incident)
  if (since === undefined) return []
  const all = reminders.map(({ audiences }, step) =>
    audiences.map(audience => timer(incident, 'report-owed', since, { audience, step })),
  )
  const passed = reminders.filter(({ afterMs }) => at - since >= afterMs).length
  // A later one that was told stands for the earlier ones, also when the clock was set back since.
  const isOver = all.slice(passed).some(later => later.some(({ id }) => isTaken(incident, id)))
  return isOver ? [] : (all[passed - 1] ?? [])
}

function alarmsOf(incident: Incident, at: Instant, onCall: number): DueNotice[] {
  const alarms: DueNotice[] = []
  if (incident.openSince !== null && incident.release === null && !isContained(incident))
    alarms.push(...stepsOf(incident, 'levers-open', { since: incident.openSince, afterMs: openAlarmMs }, at, onCall))
  if (!incident.isTakenUp)
    alarms.push(...stepsOf(incident, 'not-taken-up', { since: incident.declaredAt, afterMs: takeUpMs }, at, onCall))
  return alarms
}

/** The operator's contact first; then one person on call after the other. */
function stepsOf(
  incident: Incident,
  topic: NoticeTopic,
  { since, afterMs }: { readonly since: Instant; readonly afterMs: number },
  at: Instant,
  onCall: number,
): DueNotice[] {
  const waited = at - since - afterMs
  if (waited < 0) return []
  const contact = timer(incident, topic, since, { audience: 'operator', step: 0 })
  if (onCall === 0) return [contact]
  const last = Math.min(onCall - 1, Math.floor(waited / stepMs))
  return [contact, timer(incident, topic, since, { audience: 'on-call', step: last, onCall: last })]
}
