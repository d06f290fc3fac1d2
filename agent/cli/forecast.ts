/**
 * `forecast`: what ends in the days to come. Papers from manifests alone, no daemon and no network; stages of a release and
 * probations, and what becomes of evidence, from the register, where there is one.
 */
import { existsSync } from 'node:fs'
import { type Day, dayOf, isDay } from '../core/clock.ts'
import { formatPlace, toDiagnosticJson, wordsOf } from '../core/messages.ts'
import { applyEvidenceEntry, emptyEvidence } from '../incident/evidence.ts'
import { applyEntry, emptyIncidents } from '../incident/lifecycle.ts'
import { type Foreseen, forecast, forecastDaysMax } from '../manifest/forecast.ts'
import { createEstateReader } from '../manifest/load.ts'
import type { AgentConfig } from '../model/world.ts'
import { formatFailure, RegisterFailure } from '../register/failure.ts'
import { listEntries } from '../register/offline.ts'
import { call, type LocalRunner, loadConfig, progressOf } from './call.ts'
import type { Options } from './declare.ts'
import { CommandFailure, exits, type Io } from './io.ts'
import { table } from './render.ts'
import { printable } from './texts.ts'

/** @param todayIn the day it is in a time zone. */
export async function forecastCommand(
  io: Io,
  local: LocalRunner,
  todayIn: (timeZone: string) => Day,
  options: Options,
): Promise<number> {
  const config = await loadConfig(options, io)
  const { timeZone } = config.operator
  const today = todayIn(timeZone)
  const until = lastDay(io, today, options['until'] ?? '30d')
  const days = daysBetween(today, until)
  const tell = progressOf(io)
  const reader = createEstateReader(config.manifestsFolder)
  const foreseen = await forecast(reader, { today, until, timeZone }, done => tell(done, days))
  const known = existsSync(config.storeFile) ? await call(io, local, options, 'incident.list', { all: true }) : null
  const incidents = endingsOf(known?.json ?? {}, timeZone).filter(({ day }) => day <= until)
  const kept = await keptEvidence(io, config, until)
  if (io.json) {
    const findings = foreseen.map(({ day, diagnostic }) => ({ day, ...toDiagnosticJson(diagnostic, io.language) }))
    io.out(JSON.stringify({ version: 1, today, until, findings, incidents, evidence: kept }, null, 2))
  } else {
    io.out([...incidents.map(one => endingLine(io, one)), ...linesOf(io, today, until, foreseen)])
    for (const { day, incident, why } of kept) io.out(io.paint('warn', `${day}  ${io.say(whys[why], { incident })}`))
  }
  return foreseen.length + incidents.length + kept.length > 0 ? exits.pending : exits.done
}

/** What ends or begins by itself; in order. `what`: `probation`, or the stage of a release. */
type IncidentEnding = { readonly day: Day; readonly at: string; readonly incident: string; readonly what: string }

function endingsOf(json: Readonly<Record<string, unknown>>, timeZone: string): IncidentEnding[] {
  type Shown = {
    readonly id: string
    readonly probation: { readonly until: string; readonly over: boolean } | null
    readonly release: { readonly stages: readonly { stage: string; at: string; open: boolean }[] } | null
  }
  const of = (incident: string, what: string, at: string) => [
    { day: dayOf(Date.parse(at), timeZone), at, incident, what },
  ]
  return ((json['incidents'] ?? []) as readonly Shown[])
    .flatMap(({ id, probation, release }) => [
      ...(probation === null || probation.over ? [] : of(id, 'probation', probation.until)),
      ...(release?.stages ?? []).flatMap(({ stage, at, open }) => (open ? [] : of(id, stage, at))),
    ])
    .toSorted((a, b) => (a.at < b.at ? -1 : 1))
}

function endingLine({ say }: Io, { day, incident, what }: IncidentEnding): string {
  return what === 'probation'
    ? say('forecastProbation', { day, incident: printable(incident) })
    : say('forecastStage', { day, incident: printable(incident), stage: printable(what) })
}

type Kept = { readonly day: Day; readonly incident: string; readonly why: 'legal-hold' | 'retention' }
const whys = { 'legal-hold': 'forecastLegalHold', retention: 'forecastEvidence' } as const

/**
 * Legal holds to be reviewed until then, and evidence that is older than it has to be kept; what is under a hold is not
 * named as old. Read from the register as it stands; nothing is removed by anybody but a person.
 */
async function keptEvidence(io: Io, config: AgentConfig, until: Day): Promise<readonly Kept[]> {
  const { storeFile, operator, evidence } = config
  if (!existsSync(storeFile)) return []
  let incidents = emptyIncidents
  let book = emptyEvidence
  try {
    for await (const entry of listEntries(storeFile)) {
      incidents = applyEntry(incidents, entry)
      book = applyEvidenceEntry(book, entry)
    }
  } catch (error) {
    if (!(error instanceof RegisterFailure)) throw error
    // What the manifests say is still true without it.
    io.err(formatFailure(error, io.language))
    return []
  }
  const reviews = [...book.holds].map(([incident, { review: day }]): Kept => ({ day, incident, why: 'legal-hold' }))
  const old = [...book.bundles.keys()].flatMap((id): Kept[] => {
    const ended = incidents.byId.get(id)?.ended
    if (ended == null || evidence.keepDays === null || book.holds.has(id)) return []
    const day = dayAfter(dayOf(ended.at, operator.timeZone), evidence.keepDays)
    return [{ day, incident: id, why: 'retention' }]
  })
  return [...reviews, ...old].filter(({ day }) => day <= until).toSorted((a, b) => (a.day < b.day ? -1 : 1))
}

/** `30d`, or a day. */
function lastDay(io: Io, today: Day, text: string): Day {
  const [, count] = /^(\d{1,3})d$/.exec(text) ?? []
  const day = count === undefined ? text : dayAfter(today, Number(count))
  const ahead = isDay(day) ? daysBetween(today, day) : 0
  if (ahead < 1 || ahead > forecastDaysMax)
    throw new CommandFailure(exits.usage, io.say('noUntil', { text, max: forecastDaysMax }))
  return day
}

const dayOfMs = 86_400_000
const daysBetween = (from: Day, to: Day) => Math.round((Date.parse(to) - Date.parse(from)) / dayOfMs)
const dayAfter = (day: Day, count: number): Day =>
  new Date(Date.parse(day) + count * dayOfMs).toISOString().slice(0, 10)

function linesOf(io: Io, today: Day, until: Day, foreseen: readonly Foreseen[]): string[] {
  const { say, paint } = io
  if (foreseen.length === 0) return [paint('add', say('forecastNothing', { until }))]
  const rows = foreseen.map(({ day, diagnostic }) => {
    const { summary, detail } = wordsOf(diagnostic, io.language)
    const place = diagnostic.place === undefined ? '' : formatPlace(diagnostic.place)
    return [
      day,
      say('forecastIn', { days: daysBetween(today, day) }),
      diagnostic.code,
      printable(place),
      printable(`${summary}: ${detail}`),
    ]
  })
  return [...table(rows), '', paint('warn', say('forecastTotal', { count: foreseen.length, until }))]
}
