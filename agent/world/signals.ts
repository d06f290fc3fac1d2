/**
 * Signs of misuse as the register tells them (mission section 8), and who is still to hear of them: the operator, and the
 * representative of the institution that they are of. What is raised before a notice left goes into the same notice, and
 * nobody hears more often than every ten minutes: a storm is a few notices with a number. Part of the fold; pure.
 */
import { type Instant, parseInstant } from '../core/clock.ts'
import type { Stored } from '../register/register.ts'

/** A sign of misuse that was told; without its subject where that was erased. */
export type RaisedSignal = {
  readonly at: string
  readonly code: string
  readonly level: string
  readonly count: number
  readonly subject: string | null
  /** Whose login it is; null for a network, and in older entries. */
  readonly institution: string | null
}

/** A notice that is to leave. Its id is the same on every pass and after every restart. */
export type DueSignals = {
  readonly id: string
  readonly audience: 'operator' | 'representative'
  /** Null in the operator's: it is told of all. */
  readonly institution: string | null
  /** The first ones, and how many more. */
  readonly signals: readonly RaisedSignal[]
  readonly more: number
  readonly at: Instant
}

export type Signals = {
  /** The newest, oldest first. */
  readonly newest: readonly RaisedSignal[]
  readonly due: readonly DueSignals[]
  /** By audience and institution: when it was last told. */
  readonly told: ReadonlyMap<string, Instant>
}

export const emptySignals: Signals = { newest: [], due: [], told: new Map() }

/** As many as a screen shows of a bad day; the register has the rest. */
const newestMax = 200
/** As many as people read. */
const listedMax = 20
const restMs = 600_000

export function applySignalEntry(signals: Signals, entry: Stored): Signals {
  if (entry.kind === 'signal.raised') return raise(signals, entry)
  const isNotice = entry.kind === 'notice.sent' || entry.kind === 'notice.printed'
  return isNotice && entry.facts['topic'] === 'signals' ? take(signals, entry) : signals
}

/** Those that may leave now. */
export function dueSignals({ due, told }: Signals, at: Instant): readonly DueSignals[] {
  return due.filter(one => {
    const last = told.get(keyOf(one))
    // A clock that was set back silences nobody.
    return last === undefined || last > at || at - last >= restMs
  })
}

const keyOf = ({ audience, institution }: Pick<DueSignals, 'audience' | 'institution'>) => `${audience} ${institution}`
const instantOf = (entry: Stored): Instant => parseInstant(entry.at) ?? 0

function raise(signals: Signals, entry: Stored): Signals {
  const text = (value: unknown) => (typeof value === 'string' ? value : null)
  const signal: RaisedSignal = {
    at: entry.at,
    code: String(entry.facts['code']),
    level: String(entry.facts['level']),
    count: Number(entry.facts['count']),
    subject: text(entry.personal?.['subject']),
    institution: text(entry.facts['institution']),
  }
  const newest = [...signals.newest, signal].slice(-newestMax)
  // Nobody is told of guessed passwords: whoever guesses would write to all of us.
  if (signal.level === 'record') return { ...signals, newest }
  const due = [...signals.due]
  const owe = (audience: DueSignals['audience'], institution: string | null) => {
    const index = due.findIndex(one => one.audience === audience && one.institution === institution)
    const known = due[index]
    if (known === undefined) {
      const id = `n${entry.index}-signals-${audience}`
      due.push({ id, audience, institution, signals: [signal], more: 0, at: instantOf(entry) })
    } else if (known.signals.length < listedMax) due[index] = { ...known, signals: [...known.signals, signal] }
    else due[index] = { ...known, more: known.more + 1 }
  }
  owe('operator', null)
  if (signal.institution !== null) owe('representative', signal.institution)
  return { ...signals, newest, due }
}

/** What was raised while the notice was on its way is still to be told, in one of its own. */
function take(signals: Signals, entry: Stored): Signals {
  const id = String(entry.facts['notice'] ?? '')
  const taken = signals.due.find(one => one.id === id)
  if (taken === undefined) return signals
  const of = Number(entry.facts['of'] ?? 0)
  const left = taken.signals.slice(of)
  const more = Math.max(0, taken.more - Math.max(0, of - taken.signals.length))
  const isAll = left.length + more === 0
  const rest = { ...taken, id: `n${entry.index}-signals-${taken.audience}`, signals: left, more, at: instantOf(entry) }
  return {
    ...signals,
    due: signals.due.flatMap(one => (one.id !== id ? [one] : isAll ? [] : [rest])),
    told: new Map(signals.told).set(keyOf(taken), instantOf(entry)),
  }
}
