/** Incidents for people: what is closed, what is proved, what is still missing. */
import type { Paint } from './paint.ts'
import { table } from './render.ts'
import { printable, type Say, type TextKey } from './texts.ts'

type Json = Readonly<Record<string, unknown>>

function text(value: unknown): string {
  return printable(value === null || value === undefined ? '–' : String(value))
}

const leverStyles: Readonly<Record<string, Parameters<Paint>[0]>> = { verified: 'add', failed: 'remove', drill: 'dim' }

function leverLines(json: Json, say: Say, paint: Paint): string[] {
  const levers = Object.entries((json['levers'] ?? {}) as Record<string, string>)
  const tried = json['tried'] as Json | null | undefined
  return [
    ...levers.map(([lever, state]) => paint(leverStyles[state] ?? 'change', say('leverLine', { lever, state }))),
    ...(tried == null ? [] : [triedLine(tried, say, paint)]),
  ]
}

function triedLine(tried: Json, say: Say, paint: Paint): string {
  const [tries, refused] = [Number(tried['tries']), Number(tried['refused'])]
  return paint(refused === tries ? 'add' : 'remove', say('triedLine', { tries, refused, at: text(tried['at']) }))
}

/** What a suspension would touch; what nobody could count is said to be unknown. */
function renderDryRun(json: Json, say: Say, paint: Paint): string[] {
  const count = (value: unknown) => (value === null || value === undefined ? say('dryUnknown') : text(value))
  const {
    queued,
    sessions,
    people,
    critical = [],
    lists,
    told,
    unanswered,
  } = json as {
    queued: Record<string, number> | null
    sessions: number | null
    people: number | null
    critical?: readonly string[]
  } & Record<'lists' | 'told' | 'unanswered', readonly string[]>
  const line = (name: TextKey, value: string) => say('dryLine', { name: say(name), value })
  return [
    say('dryRun'),
    line('dryScope', text(json['scope'])),
    line('dryAccounts', text(json['accounts'])),
    line('dryAliases', text(json['aliases'])),
    line('drySessions', sessions === null ? count(null) : say('drySessionsOf', { sessions, people: people ?? 0 })),
    line('dryQueued', queued === null ? count(null) : say('dryQueuedOf', queued)),
    line('dryInbound', text(json['inbound'])),
    ...(critical.length > 0 ? [paint('remove', line('dryCritical', critical.map(printable).join(', ')))] : []),
    ...(lists.length > 0 ? [line('dryLists', lists.join(', '))] : []),
    line('dryTold', told.join(', ')),
    ...unanswered.map(why => paint('warn', `  ${why}`)),
  ]
}

export function renderSuspension(json: Json, say: Say, paint: Paint): string[] {
  // An institution: each of its domains.
  if (Array.isArray(json['suspended']))
    return (json['suspended'] as readonly Json[]).flatMap(one => renderSuspension(one, say, paint))
  if (json['needsSecond'] === true) return [paint('warn', say('needsSecond'))]
  if (json['dryRun'] === true) return renderDryRun(json, say, paint)
  if (json['drill'] === true) return [paint('warn', say('drill', { incident: text(json['incident']) }))]
  const { incident, already, scope } = json
  if (incident === null || incident === undefined) return [say('done')]
  const head =
    already === true
      ? say('already', { incident: text(incident) })
      : say('suspended', { scope: text(scope ?? json['account'] ?? json['domain']), incident: text(incident) })
  const trouble = json['trouble'] === undefined ? [] : [paint('remove', text(json['trouble']))]
  const beside = json['beside'] === undefined ? [] : [paint('warn', say('beside', { detail: text(json['beside']) }))]
  return [paint('strong', head), ...leverLines(json, say, paint), ...trouble, ...beside]
}

const isDrill = (json: Json) => json['drill'] === true || json['liveDrill'] === true

export function renderIncidents(json: Json, say: Say, paint: Paint): string[] {
  const incidents = json['incidents'] as readonly Json[]
  if (incidents.length === 0) return [say('noIncidents')]
  const rows = incidents.map(one => [
    text(one['id']),
    text(one['state']),
    text(one['class']),
    text(one['account'] ?? one['domain']),
    text(one['declaredAt']),
    isDrill(one) ? say('drillWord') : '',
  ])
  return table(rows).map(line => paint('strong', line))
}

const reviewTexts: Readonly<Record<string, TextKey>> = { accepted: 'reviewAccepted', returned: 'reviewReturned' }

function reportLine({ n, author, document, review }: Json, say: Say): string {
  const values = { number: text(n), author: text(author), document: text(document).slice(0, 12) }
  return `${say('reportLine', values)}: ${say(reviewTexts[String(review)] ?? 'reviewWaiting')}`
}

function actionLine({ n, day, what, verifiedBy }: Json, say: Say): string {
  const state = verifiedBy === null ? say('actionOpen') : say('actionVerified', { person: text(verifiedBy) })
  return `${say('actionLine', { number: text(n), day: text(day), what: text(what) })}: ${state}`
}

/** What stands between an incident and its release, in words, each with the command that brings it. */
const missingTexts: Readonly<Record<string, TextKey>> = {
  'E-NO-REPORT': 'missingReport',
  'E-NO-ACTIONS': 'missingActions',
  'E-NOT-ROTATED': 'missingRotation',
  'E-HELD-MAIL': 'missingMail',
}

export function missingLine(code: string, id: string, say: Say): string {
  const name = missingTexts[code]
  return name === undefined ? code : `  ${say(name, { id })}`
}

function stageLines(json: Json, say: Say): string[] {
  const stages = ((json['release'] as Json | null)?.['stages'] ?? []) as readonly Json[]
  return stages.map(({ stage, at, open }) =>
    say(open === true ? 'stageOpen' : 'stageDue', { stage: text(stage), at: text(at) }),
  )
}

function probationLines(json: Json, say: Say): string[] {
  const probation = json['probation'] as Json | null
  const closed = json['closed'] as Json | null
  return [
    ...(probation == null
      ? []
      : [say('probationLine', { until: text(probation['until']), percent: text(probation['percent']) })]),
    ...(closed == null ? [] : [say('closedLine', { at: text(closed['at']), person: text(closed['by']) })]),
  ]
}

function evidenceLines(json: Json, say: Say): string[] {
  const bundles = (json['evidence'] ?? []) as readonly Json[]
  const hold = json['legalHold'] as Json | null | undefined
  const values = (row: Json, keys: readonly string[]) => Object.fromEntries(keys.map(key => [key, text(row[key])]))
  return [
    ...bundles.map(one =>
      say('showEvidence', {
        ...values(one, ['version', 'files', 'gaps']),
        manifest: text(one['manifest']).slice(0, 12),
      }),
    ),
    ...(hold == null ? [] : [say('showLegalHold', values(hold, ['owner', 'review', 'reason']))]),
  ]
}

export function renderIncident(json: Json, say: Say, paint: Paint): string[] {
  if (json['needsSecond'] === true) return [paint('warn', say('needsSecond'))]
  if (json['id'] === undefined) return [say('done')]
  const missing = (json['missing'] ?? []) as readonly string[]
  const actions = (json['actions'] ?? []) as readonly Json[]
  const reports = (json['reports'] ?? []) as readonly Json[]
  return [
    paint(
      'strong',
      [
        ...[json['id'], json['state'], json['class'], json['account'] ?? json['domain']].map(text),
        ...(isDrill(json) ? [say('drillWord')] : []),
      ].join('  '),
    ),
    `${text(json['declaredAt'])}  ${text(json['declaredBy'])}: ${((json['reasons'] ?? []) as string[]).map(printable).join('; ')}`,
    ...leverLines(json, say, paint),
    ...reports.map(report => reportLine(report, say)),
    ...actions.map(action => actionLine(action, say)),
    ...evidenceLines(json, say),
    ...stageLines(json, say),
    ...probationLines(json, say),
    ...(json['release'] == null && json['end'] === null && missing.length > 0
      ? [`${say('gate')}:`, ...missing.map(code => missingLine(code, text(json['id']), say))].map(line =>
          paint('warn', line),
        )
      : []),
    ...(json['release'] == null && json['end'] === null && missing.length === 0
      ? [paint('add', say('gateReady'))]
      : []),
  ]
}
