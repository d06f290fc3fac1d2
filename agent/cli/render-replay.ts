/**
 * What `replay` says: its JSON (version 1) and its lines. Everything from a log was written by strangers, and is shown
 * with what would move the cursor escaped. Pure.
 */
import { formatInstant, formatLocal } from '../core/clock.ts'
import { escapeText } from '../core/messages.ts'
import type { AgentConfig } from '../model/world.ts'
import type { Answer, Flip } from '../replay/compare.ts'
import type { ReplayReport, Why } from '../replay/replay.ts'
import type { Paint } from './paint.ts'
import type { Say, TextKey } from './texts.ts'

type Compared = {
  readonly config: AgentConfig
  readonly other: AgentConfig | null
  readonly pathOf: (side: 'before' | 'after', file: string) => string
}

export type ReplayView = ReturnType<typeof replayView>

/** A summary that is bounded whatever the log: `flips` has 1,000 rows at most, `more` counts the rest. */
export function replayView(report: ReplayReport, { config, other, pathOf }: Compared) {
  const { comparison, first, last, ...counts } = report
  const side = ({ file, manifestsFolder }: AgentConfig) => ({ config: file, manifests: manifestsFolder })
  return {
    version: 1 as const,
    before: other === null ? null : side(config),
    after: side(other ?? config),
    from: first === null ? null : formatInstant(first),
    to: last === null ? null : formatInstant(last),
    ...counts,
    ...comparison,
    flips: comparison.flips.map(flip => flipView(flip, pathOf)),
  }
}

function flipView({ example, cause, ...flip }: Flip, pathOf: Compared['pathOf']) {
  const { refused, at, ...asked } = example
  return {
    ...flip,
    example: { at: formatInstant(at), ...asked, reply: refused?.reply ?? null },
    cause:
      cause === null
        ? null
        : 'incident' in cause.source
          ? { side: cause.side, incident: cause.source.incident }
          : {
              side: cause.side,
              file: pathOf(cause.side, cause.source.file),
              line: cause.source.line,
              column: cause.source.column,
            },
  }
}

const whyTexts: Readonly<Record<Why, TextKey>> = {
  'other-program': 'whyOtherProgram',
  'no-stamp': 'whyNoStamp',
  'impossible-day': 'whyImpossibleDay',
  'journal-mark': 'whyJournalMark',
  repeated: 'whyRepeated',
  ambiguous: 'whyAmbiguous',
  cut: 'whyCut',
  'too-long': 'whyTooLong',
}
const whoTexts = { login: 'replayLogin', relay: 'replayRelay', recipient: 'replayRecipient' } as const

export function renderReplay(view: ReplayView, timeZone: string, say: Say, paint: Paint): string[] {
  const before = view.before === null ? say('replayLog') : say('replayNow', { config: view.before.config })
  const after =
    view.before === null
      ? say('replayNow', { config: view.after.config })
      : view.before.config === view.after.config
        ? view.after.manifests
        : view.after.config
  return [
    ...readLines(view, timeZone, say),
    say('replayBetween', { before, after }),
    '',
    ...view.flips.flatMap(flip => flipLines(flip, timeZone, say, paint)),
    ...(view.more > 0 ? [say('replayMore', { count: view.more })] : []),
    paint(view.flipped > 0 ? 'change' : 'add', total(view, say)),
    '',
    ...limitLines(view, say),
  ]
}

function total({ flipped, compared }: ReplayView, say: Say): string {
  return flipped === 0 ? say('replayNone') : say('replayFlips', { flipped, compared })
}

function readLines(view: ReplayView, timeZone: string, say: Say): string[] {
  const { lines, understood, hosts, from, to, messages, recipients, compared } = view
  const at = (text: string | null) => (text === null ? '' : formatLocal(Date.parse(text), timeZone))
  return [
    say('replayRead', { lines, hosts, understood, first: at(from), last: at(to) }),
    say('replayMessages', { total: messages.total, ...messages.byOrigin }),
    say('replayRecipients', { accepted: recipients.accepted, refused: recipients.refused, compared }),
    ...view.notUnderstood.map(({ why, count, example: { file, line, text } }) =>
      say('replayUnread', { count, why: say(whyTexts[why]), file, line, text: escapeText(text) }),
    ),
  ]
}

function flipLines(flip: ReplayView['flips'][number], timeZone: string, say: Say, paint: Paint): string[] {
  const { who, count, assumed, example, cause } = flip
  const name = paint('strong', say(whoTexts[who.kind], { name: escapeText(who.name) }))
  const is = answerText(flip.after, say)
  const style = flip.after.effect === 'accept' ? 'add' : flip.after.effect === 'defer' ? 'change' : 'remove'
  const first = {
    at: formatLocal(Date.parse(example.at), timeZone),
    host: escapeText(example.host),
    queue: example.queue,
    sender: escapeText(example.sender),
    recipient: escapeText(example.recipient),
    client: example.client === '' ? say('replayUnknownClient') : example.client,
  }
  return [
    `${name}  ${say('replayTimes', { count })}  ${answerText(flip.before, say)} → ${paint(style, is)}`,
    `  ${say('replayFirst', first).replaceAll(/ {2,}/g, ' ')}`,
    ...(cause === null
      ? []
      : [
          `  ${say(cause.side === 'before' ? 'replayBecauseBefore' : 'replayBecause', {
            source: 'incident' in cause ? cause.incident : `${cause.file}:${cause.line}:${cause.column}`,
          })}`,
        ]),
    ...(assumed > 0 ? [`  ${say('replayAssumed', { count: assumed })}`] : []),
  ]
}

function answerText({ effect, policy, reason }: Answer, say: Say): string {
  const said = policy === null ? '' : ` ${policy}: ${escapeText(reason)}`
  return `${say(effect)}${said}`
}

function limitLines(view: ReplayView, say: Say): string[] {
  const { notCompared, messages, recipients } = view
  const counted: readonly (readonly [TextKey, number])[] = [
    ['limitOthers', notCompared['refused-by-others']],
    ['limitEarly', notCompared['before-sender']],
    ['limitAssumed', view.assumed],
    ['limitUntold', messages.untold],
    ['limitMissing', messages.byOrigin.missing],
    ['limitUnfinished', messages.unfinished],
    ['limitOther', view.otherReason],
    ['limitOutside', recipients.outsidePeriod],
  ]
  return [
    say('replayLimits'),
    ...counted.filter(([, count]) => count > 0).map(([key, count]) => `  ${say(key, { count })}`),
    ...(['limitRate', 'limitRewritten', 'limitToday'] as const).map(key => `  ${say(key)}`),
  ]
}
