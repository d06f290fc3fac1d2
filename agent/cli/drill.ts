/** `drill start|report`: practice, with what to do next in words and as the command to type. */
import type { Command } from 'commander'
import { call, finish, type LocalRunner } from './call.ts'
import type { Act, Declare } from './declare.ts'
import type { Io } from './io.ts'
import type { Paint } from './paint.ts'
import { table } from './render.ts'
import { printable, type Say, type TextKey } from './texts.ts'

type Json = Readonly<Record<string, unknown>>
type Step = {
  readonly step: string
  readonly tookMs: number | null
  readonly targetMs: number | null
  readonly result: string
}

export function drillCommands(program: Command, declare: Declare, act: Act, io: Io, local: LocalRunner): void {
  const parent = program.command('drill').description(io.say('drillCommand'))
  act(
    declare(parent, 'start <scope>', io.say('drillStart'))
      .requiredOption('--reason <text>')
      .option('--class <class>', io.say('drillClass'))
      .option('--live', io.say('drillLive')),
    async ([scope], { reason, class: named, live, ...options }) => {
      const args = { scope, reason, class: named, live: live === true }
      const result = await call(io, local, options, 'drill.start', args)
      return finish(io, result, json => renderScript(json, io.say, io.paint))
    },
  )
  act(declare(parent, 'report [id]', io.say('drillReport')), async ([id], options) => {
    const result = await call(io, local, options, 'drill.report', { id })
    return finish(io, result, json => renderTimes(json, io.say, io.paint))
  })
}

type Line = { readonly title: TextKey; readonly script: TextKey; readonly command?: string }

const lines: Readonly<Record<string, Line>> = {
  closed: { title: 'drillClosed', script: 'drillScriptClosed', command: 'incident show {id}' },
  'taken-up': { title: 'drillTakenUp', script: 'drillScriptTakenUp', command: 'incident acknowledge {id}' },
  told: { title: 'drillTold', script: 'drillScriptTold' },
  report: { title: 'drillReportStep', script: 'drillScriptReport', command: 'incident report {id} --file …' },
  accepted: { title: 'drillAccepted', script: 'drillScriptAccepted', command: 'incident accept {id}' },
  action: { title: 'drillAction', script: 'drillScriptAction', command: 'incident action {id} …' },
  rotated: { title: 'drillRotated', script: 'drillScriptRotated', command: 'incident rotate {id}' },
  approved: { title: 'drillApproved', script: 'drillScriptApproved', command: 'incident release {id}' },
  released: { title: 'drillReleased', script: 'drillScriptReleased', command: 'incident release {id}' },
  lessons: { title: 'drillLessons', script: 'drillScriptLessons', command: 'incident close {id} --lessons …' },
}

function commandOf({ command }: Line, id: string): string {
  return command === undefined ? '' : `mailwarden ${command.replace('{id}', id)}`
}

function renderScript(json: Json, say: Say, paint: Paint): string[] {
  const id = printable(String(json['incident']))
  const scope = printable(String(json['scope']))
  if (json['already'] === true) return [say('drillAlready', { incident: id, scope })]
  const head = say(json['liveDrill'] === true ? 'drillBegunLive' : 'drillBegun', { incident: id, scope })
  const steps = Object.values(lines).flatMap((line, index) => {
    const command = commandOf(line, id)
    return [`${index + 1}. ${say(line.script, { scope })}`, ...(command === '' ? [] : [paint('dim', `   ${command}`)])]
  })
  const trouble = json['trouble'] === undefined ? [] : [paint('remove', printable(String(json['trouble'])))]
  return [paint('strong', head), ...trouble, '', ...steps, '', say('drillThen', { incident: id })]
}

const styles: Readonly<Record<string, Parameters<Paint>[0]>> = { met: 'add', late: 'remove', open: 'change' }
const results: Readonly<Record<string, TextKey>> = {
  met: 'drillMet',
  late: 'drillLate',
  done: 'drillDone',
  open: 'drillOpen',
  'left-out': 'drillLeftOut',
  none: 'drillNone',
}

function renderTimes(json: Json, say: Say, paint: Paint): string[] {
  const steps = json['steps'] as readonly Step[]
  const id = printable(String(json['incident']))
  const kind = say(json['live'] === true ? 'drillKindLive' : 'drillKindPaper')
  const head = say('drillHead', {
    incident: id,
    kind,
    scope: printable(String(json['scope'])),
    at: String(json['declaredAt']),
  })
  const rows = table(
    steps.map(({ step, tookMs, targetMs, result }) => {
      const line = lines[step]
      return [
        line === undefined ? step : say(line.title),
        tookMs === null ? '–' : durationOf(tookMs),
        targetMs === null ? '' : say('drillTarget', { time: durationOf(targetMs) }),
        say(results[result] ?? 'drillDone'),
        result === 'open' && line !== undefined ? commandOf(line, id) : '',
      ]
    }),
  )
  const end = json['whole'] === true ? 'drillWhole' : json['endedAt'] === null ? 'drillGoesOn' : 'drillNotWhole'
  return [
    paint('strong', head),
    ...rows.map((row, index) => paint(styles[steps[index]?.result ?? ''] ?? 'dim', row)),
    say(end),
  ]
}

function durationOf(ms: number): string {
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`
  const minutes = Math.floor(ms / 60_000)
  return minutes < 60
    ? `${minutes} min`
    : `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`
}
