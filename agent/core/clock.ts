/**
 * Time as an argument: instants, days and the one rule that turns a day into instants.
 * Nothing here reads the wall clock; `main.ts` owns the only clock that does.
 * Deadlines never live in a timer (a timer beyond 2^31 ms fires at once); they are compared on each pass.
 */

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type Instant = number
/** A calendar day `YYYY-MM-DD` in the operator's time zone. */
export type Day = string

export interface Clock {
  now(): Instant
  /** Resolves after `ms`, or at once when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const dayMs = 86_400_000

/** RFC 3339 in UTC with milliseconds. */
export function formatInstant(instant: Instant): string {
  return new Date(instant).toISOString()
}

/** @returns undefined when the text is no RFC 3339 instant. */
export function parseInstant(text: string): Instant | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i.test(text)) return undefined
  const instant = Date.parse(text)
  return Number.isNaN(instant) ? undefined : instant
}

/** True for a day that exists in the calendar: 2026-02-30 does not. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false
  const instant = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(instant) && new Date(instant).toISOString().startsWith(text)
}

const formats = new Map<string, Intl.DateTimeFormat>()

function zoneFormat(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-CA', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    })
    formats.set(timeZone, format)
  }
  return format
}

function localParts(instant: Instant, timeZone: string): Record<string, string> {
  return Object.fromEntries(
    zoneFormat(timeZone)
      .formatToParts(instant)
      .map(part => [part.type, part.value]),
  )
}

/** The day that an instant falls on in a time zone (IANA name). */
export function dayOf(instant: Instant, timeZone: string): Day {
  const { year, month, day } = localParts(instant, timeZone)
  return `${year}-${month}-${day}`
}

/** Local wall time `YYYY-MM-DD HH:MM`, for people. */
export function formatLocal(instant: Instant, timeZone: string): string {
  const { year, month, day, hour, minute } = localParts(instant, timeZone)
  return `${year}-${month}-${day} ${hour}:${minute}`
}

/** The day after. */
export function nextDay(day: Day): Day {
  return new Date(Date.parse(`${day}T00:00:00Z`) + dayMs).toISOString().slice(0, 10)
}

/**
 * The first instant of a day in a time zone. Where the zone's clock skips midnight (as Havana's does in spring),
 * it is the first instant that exists on that day.
 */
export function startOfDay(day: Day, timeZone: string): Instant {
  const noon = Date.parse(`${day}T12:00:00Z`)
  let low = noon - 2 * dayMs
  let high = noon + dayMs
  // Days are monotonic in a zone, so the boundary is found by halving; 40 steps reach a millisecond.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (dayOf(middle, timeZone) < day) low = middle
    else high = middle
  }
  return high
}

/** The instant at which the last valid day is over: `until` is inclusive everywhere. */
export function endOfDay(day: Day, timeZone: string): Instant {
  return startOfDay(nextDay(day), timeZone)
}

/** A span of validity; both bounds are instants, the first inclusive, the second exclusive. */
export type Validity = { readonly from?: Instant; readonly until?: Instant }

/** The one predicate of validity, for plan, live decision, command line and reports alike. */
export function isActive(validity: Validity, at: Instant): boolean {
  return (validity.from === undefined || at >= validity.from) && (validity.until === undefined || at < validity.until)
}
