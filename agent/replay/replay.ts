/**
 * A replay whole: lines in, a report out. Counts what was read, what was not and why, with one example of each. Pure:
 * who reads the files calls `take` line by line, and `end`.
 */
import type { Instant } from '../core/clock.ts'
import type { World } from '../model/world.ts'
import { type Comparison, createComparer, type Period } from './compare.ts'
import { addressOf } from './entries.ts'
import { createLineReader, type Unread } from './lines.ts'
import { type Asked, createAssembly, type Message, type Origin } from './messages.ts'

/** Why a line was not understood. */
export type Why = Exclude<Unread, 'empty'> | 'ambiguous' | 'cut' | 'too-long'

export type LineKind = {
  readonly why: Why
  readonly count: number
  readonly example: { readonly file: string; readonly line: number; readonly text: string }
}

export type ReplayReport = {
  readonly lines: number
  /** Of Postfix, told apart; those that say nothing about a message among them. */
  readonly understood: number
  readonly notUnderstood: readonly LineKind[]
  readonly first: Instant | null
  readonly last: Instant | null
  readonly hosts: number
  readonly messages: {
    readonly total: number
    readonly byOrigin: Readonly<Record<Origin, number>>
    /** Still in the queue at the end of the log, or their end was not told. */
    readonly unfinished: number
    /** Brought by a client, of which no delivery or no sender is told: their recipients are not known. */
    readonly untold: number
  }
  readonly recipients: { readonly accepted: number; readonly refused: number; readonly outsidePeriod: number }
  readonly comparison: Comparison
}

export type ReplayOptions = {
  /** null: the log's own answers. */
  readonly before: World | null
  readonly after: World
  readonly period: Period
  readonly timeZone: string
  /** Everything that was put together, for who wants to look. */
  readonly onAsked?: (asked: Asked) => void
  readonly onMessage?: (message: Message) => void
}

export interface Replay {
  /** `end`: when the file was last written, which tells the year of stamps without one. */
  take(
    line: string,
    place: { readonly file: string; readonly number: number; readonly end: Instant; readonly cut: boolean },
  ): void
  end(): ReplayReport
}

const exampleMax = 200 // characters of a line: enough to know it again
const hostsMax = 1_000 // names of hosts are counted, not believed

export function createReplay(options: ReplayOptions): Replay {
  const { period } = options
  const reader = createLineReader(options.timeZone)
  const comparer = createComparer(options.before, options.after)
  const hosts = new Set<string>()
  const kinds = new Map<Why, { count: number; example: LineKind['example'] }>()
  const byOrigin: Record<Origin, number> = { client: 0, pickup: 0, internal: 0, filter: 0, missing: 0 }
  const recipients = { accepted: 0, refused: 0, outsidePeriod: 0 }
  let [lines, understood, messages, unfinished, untold] = [0, 0, 0, 0, 0]
  let first: Instant | null = null
  let last: Instant | null = null
  let here = { file: '', number: 0, text: '' }

  function note(why: Why): void {
    const kind = kinds.get(why)
    if (kind !== undefined) {
      kind.count += 1
      return
    }
    const text = addressOf(here.text.slice(0, exampleMax))
    kinds.set(why, { count: 1, example: { file: here.file, line: here.number, text } })
  }

  const assembly = createAssembly({
    asked(asked) {
      if (asked.at < period.since || asked.at >= period.until) {
        recipients.outsidePeriod += 1
        return
      }
      recipients[asked.refused === null ? 'accepted' : 'refused'] += 1
      options.onAsked?.(asked)
      comparer.ask(asked)
    },
    message(message) {
      messages += 1
      byOrigin[message.origin] += 1
      if (!message.complete) unfinished += 1
      if (message.origin === 'client' && (message.sender === null || message.recipients.length === 0)) untold += 1
      options.onMessage?.(message)
    },
    unknown(why) {
      understood -= 1
      note(why)
    },
    other() {},
  })

  return {
    take(text, { file, number, end, cut }) {
      lines += 1
      here = { file, number, text }
      if (cut) {
        note('too-long')
        return
      }
      const line = reader.read(text, end)
      if (typeof line === 'string') {
        if (line !== 'empty') note(line)
        return
      }
      understood += 1
      if (first === null || line.at < first) first = line.at
      if (last === null || line.at > last) last = line.at
      if (hosts.size < hostsMax) hosts.add(line.host)
      assembly.take(line)
    },
    end() {
      assembly.end()
      return {
        lines,
        understood,
        notUnderstood: [...kinds].map(([why, { count, example }]) => ({ why, count, example })),
        first,
        last,
        hosts: hosts.size,
        messages: { total: messages, byOrigin, unfinished, untold },
        recipients,
        comparison: comparer.result(),
      }
    },
  }
}
