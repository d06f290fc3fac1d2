/** What `replay` found, as JSON and in words: flips by account, totals, and what was left out by kind. Pure. */
import { join } from 'node:path'
import { formatInstant, formatLocal } from '../core/clock.ts'
import type { Comparison, Flips, PlacedSource, Side } from '../replay/compare.ts'
import type { LineKind } from '../replay/lines.ts'
import type { LeftKind } from '../replay/messages.ts'
import type { Paint } from './paint.ts'
import { printable, type Say, type TextKey } from './texts.ts'

/** Accounts shown before the rest is only counted; `--json` has all. */
const accountsMax = 60

/** What became of lines and messages, by kind. */
export type Counts = Readonly<Record<LineKind | LeftKind | 'line', number>>

type SourceView =
  | { readonly file: string; readonly line: number; readonly column: number }
  | { readonly incident: string }

export type FlipView = {
  readonly account: string
  readonly kind: Flips['kind']
  readonly count: number
  readonly before: Side
  readonly after: Side
  readonly first: {
    readonly at: string
    readonly host: string
    readonly queueId: string
    readonly client: string
    readonly login: string
    readonly sender: string
    readonly recipient: string
    readonly status: string
  }
  readonly source: SourceView | null
}

export type ReplayView = {
  readonly version: 1
  readonly flips: readonly FlipView[]
  readonly totals: Comparison['totals']
  readonly lines: { readonly read: number; readonly otherPrograms: number }
  /** What was not understood or not followed, by kind. */
  readonly left: Readonly<Record<string, number>>
}

/** @param folder of the other manifests: their lines are named with it, those in force as `explain` names them. */
export function toReplayView(comparison: Comparison, counts: Counts, folder: string | null): ReplayView {
  const { line, 'other-program': otherPrograms, ...left } = counts
  return {
    version: 1,
    flips: comparison.flips.map(({ first: { answer: _, ...first }, source, ...flip }) => ({
      ...flip,
      first: { ...first, at: formatInstant(first.at) },
      source: source === null ? null : toSourceView(source, folder),
    })),
    totals: comparison.totals,
    lines: { read: line, otherPrograms },
    left,
  }
}

function toSourceView({ in: side, at }: PlacedSource, folder: string | null): SourceView {
  if ('incident' in at) return { incident: at.incident }
  const file = side === 'after' && folder !== null ? join(folder, at.file) : at.file
  return { file, line: at.line, column: at.column }
}

const leftTexts: Readonly<Record<string, TextKey>> = {
  'too-long': 'replayTooLong',
  'no-stamp': 'replayNoStamp',
  shape: 'replayShape',
  'beginning-missing': 'replayBeginning',
  'end-missing': 'replayEnd',
  local: 'replayLocal',
  reinjected: 'replayReinjected',
  'other-stage': 'replayStage',
  'login-unknown': 'replayLogin',
  forgotten: 'replayForgotten',
}

export function renderReplay(view: ReplayView, say: Say, paint: Paint, timeZone: string): string[] {
  const { totals, left } = view
  const accounts = [...Map.groupBy(view.flips, ({ kind, account }) => `${kind} ${account}`).values()]
  const lines = accounts.slice(0, accountsMax).flatMap(flips => accountLines(flips, say, paint, timeZone))
  if (accounts.length > accountsMax) lines.push(say('moreLines', { count: accounts.length - accountsMax }))
  const { flipped, judged, newlyRefused: refused, newlyPermitted: permitted } = totals
  lines.push(
    paint(flipped === 0 ? 'strong' : 'warn', say('replaySummary', { flips: flipped, judged, refused, permitted })),
  )
  if (totals.ungrouped > 0) lines.push(say('replayUngrouped', { count: totals.ungrouped }))
  if (totals.refusedByOthers > 0) lines.push(say('replayOthers', { count: totals.refusedByOthers }))
  for (const [kind, count] of Object.entries(left)) {
    const what = leftTexts[kind]
    if (count > 0 && what !== undefined) lines.push(say('replayLeft', { count, what: say(what) }))
  }
  return lines
}

function accountLines(flips: readonly FlipView[], say: Say, paint: Paint, timeZone: string): string[] {
  const account = flips[0]?.account ?? ''
  const total = flips.reduce((sum, { count }) => sum + count, 0)
  return [
    `${paint('strong', printable(account))}  ${total}`,
    ...flips.flatMap(({ before, after, count, first, source }) => {
      const because = source === null ? '' : `  ${say('source')} ${printable(formatSource(source))}`
      const style = after.effect === 'dunno' ? 'add' : after.effect === 'defer' ? 'change' : 'remove'
      const { sender, recipient, client, host, queueId: id } = first
      const at = formatLocal(Date.parse(first.at), timeZone)
      return [
        `  ${count}  ${sideText(before)} → ${paint(style, sideText(after))}${because}`,
        `    ${say('replayFirst', { at, sender: `<${sender}>`, recipient: `<${recipient}>`, client, host, id })}`,
      ]
    }),
  ]
}

function sideText({ effect, policy }: Side): string {
  return printable(effect === 'dunno' ? 'dunno' : `${effect} ${policy}`)
}

function formatSource(source: SourceView): string {
  return 'incident' in source ? source.incident : `${source.file}:${source.line}:${source.column}`
}
