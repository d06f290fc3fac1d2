/** The handover note of an incident (P16): for whoever takes over, who, what stands, what is owed, and what to do next. */
import type { Paint } from './paint.ts'
import { missingLine, renderIncident } from './render-incident.ts'
import { printable, type Say } from './texts.ts'

type Json = Readonly<Record<string, unknown>>

function text(value: unknown): string {
  return printable(value === null || value === undefined ? '–' : String(value))
}

export function renderHandover(json: Json, say: Say, paint: Paint): string[] {
  const id = text(json['id'])
  const heading = (words: string) => paint('strong', words)
  const people = [json['declaredBy'], json['releaseApprovedBy'], json['annulApprovedBy']].filter(one => one != null)
  const doors = ((json['doors'] ?? []) as readonly Json[]).map(door =>
    say('handoverDoor', {
      host: text(door['host']),
      door: text(door['door']),
      open: text(door['open']),
      held: text(door['held']),
    }),
  )
  const notices = ((json['notices'] ?? []) as readonly Json[]).map(
    ({ at, topic, audience, how }) => `  ${[at, topic, audience, how].map(text).join('  ')}`,
  )
  const critical = ((json['critical'] ?? []) as readonly string[]).map(text)
  const isOver = json['end'] != null
  return [
    heading(say('handover', { id })),
    ...renderIncident({ ...json, missing: [], release: json['release'] ?? false }, say, paint),
    '',
    heading(say('handoverWho')),
    `  ${[...new Set(people.map(text))].join(', ')}${json['takenUp'] === true ? '' : `  ${say('handoverUntaken')}`}`,
    ...(critical.length === 0 || isOver ? [] : ['', paint('remove', `${say('dryCritical')}: ${critical.join(', ')}`)]),
    ...(doors.length === 0 ? [] : ['', heading(say('handoverDoors')), ...doors]),
    ...(notices.length === 0 ? [] : ['', heading(say('handoverTold')), ...notices]),
    '',
    heading(say('handoverNext')),
    ...nextSteps(json, id, say),
  ]
}

function nextSteps(json: Json, id: string, say: Say): string[] {
  if (json['closed'] != null) return [say('handoverNothing')]
  if (json['end'] != null) return [`  ${say('handoverClose', { id })}`]
  const steps = ((json['missing'] ?? []) as readonly string[]).map(code => missingLine(code, id, say))
  const owed = json['reportOwedSince']
  return [
    ...(json['openSince'] === null ? [] : [`  ${say('handoverOpen', { since: text(json['openSince']) })}`]),
    ...(owed == null ? [] : [`  ${say('handoverOwed', { since: text(owed) })}`]),
    ...steps,
    ...(steps.length === 0 && json['release'] == null ? [`  ${say('handoverRelease', { id })}`] : []),
  ]
}
