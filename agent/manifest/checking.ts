/** What every check of manifests has at hand: the day, the files beside the manifests, and where findings go. Pure. */
import { type Day, endOfDay, type Instant, isDay, startOfDay } from '../core/clock.ts'
import type { Sheet } from './file.ts'
import type { Findings } from './findings.ts'
import type { Path } from './tree.ts'
import type { CheckContext } from './types.ts'

export type Checking = {
  readonly context: CheckContext
  readonly today: Day
  readonly findings: Findings
  /** First instant of a day. */
  readonly from: (day: Day) => Instant
  /** The instant at which a last day is over. */
  readonly until: (day: Day) => Instant
}

export function createChecking(context: CheckContext, findings: Findings): Checking {
  const { today, timeZone } = context
  return {
    context,
    today,
    findings,
    from: remember(day => startOfDay(day, timeZone)),
    until: remember(day => endOfDay(day, timeZone)),
  }
}

/** Days of a few contracts and agreements come again in thousands of accounts, and finding their bounds is slow. */
function remember(find: (day: Day) => Instant): (day: Day) => Instant {
  const known = new Map<Day, Instant>()
  return day => {
    const instant = known.get(day) ?? find(day)
    known.set(day, instant)
    return instant
  }
}

/** False, and a finding, for a day that is not in the calendar (2026-02-30). */
export function checkDay(checking: Checking, sheet: Sheet, path: Path, day: string, subject?: string): boolean {
  if (isDay(day)) return true
  checking.findings.error('E-DAY', sheet, path, { found: day, field: String(path.at(-1)) }, subjectOf(subject))
  return false
}

export function subjectOf(subject: string | undefined): { subject?: string } {
  return subject === undefined ? {} : { subject }
}

/** A path in a manifest, relative to the root of the manifests; undefined when it leaves the root. */
export function resolvePath(file: string, path: string): string | undefined {
  if (path.startsWith('/') || path.includes('\\') || path.includes('\0') || /^[a-z]:/i.test(path)) return undefined
  const steps = file.split('/').slice(0, -1)
  for (const step of path.split('/')) {
    if (step === '' || step === '.') continue
    if (step !== '..') steps.push(step)
    else if (steps.pop() === undefined) return undefined
  }
  return steps.length === 0 ? undefined : steps.join('/')
}

/** A document that a manifest names: an error when its path leaves the root, a warning when it is not there. */
export function checkDocument(
  checking: Checking,
  sheet: Sheet,
  path: Path,
  document: string | undefined,
  subject?: string,
): void {
  if (document === undefined) return
  const resolved = resolvePath(sheet.file, document)
  if (resolved === undefined) checking.findings.error('E-PATH', sheet, path, { found: document }, subjectOf(subject))
  else if (!checking.context.hasDocument(resolved)) {
    checking.findings.warning('W-DOCUMENT', sheet, path, { file: resolved }, subjectOf(subject))
  }
}

const unitBytes = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const

/** Bytes of `2GiB`; undefined when it is none, or beyond what a number holds exactly. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,15}(?:\.\d{1,3})?)(B|KiB|MiB|GiB|TiB)$/.exec(text) ?? []
  if (amount === undefined || unit === undefined) return undefined
  const bytes = Math.floor(Number(amount) * unitBytes[unit as keyof typeof unitBytes])
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
