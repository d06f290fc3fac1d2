/**
 * One line of a log of Postfix: when, on which host, by which program, and the rest. Knows the time stamps of syslog
 * (RFC 3164, RFC 5424), of rsyslog's ISO files, of Postfix's own `maillog_file` and of `journalctl`. It judges nothing
 * and keeps nothing but offsets of time zones. Pure.
 */
import type { Instant } from '../core/clock.ts'

export type LogLine = {
  readonly at: Instant
  readonly host: string
  /** The last part of `postfix/submission/smtpd`. */
  readonly program: string
  /** The instance and service before it: `postfix/submission`. */
  readonly service: string
  readonly pid: string
  readonly text: string
}

/** Why a line tells nothing. */
export type Unread = 'empty' | 'journal-mark' | 'no-stamp' | 'impossible-day' | 'other-program' | 'repeated'

export type LineReader = {
  /** `end`: a stamp without a year is of the last year in which it is not after this instant. */
  read(line: string, end: Instant): LogLine | Unread
}

const months = 'JanFebMarAprMayJunJulAugSepOctNovDec'
// RFC 3164 section 4.1.2, with the fraction that `journalctl -o short-precise` adds, and the priority of a raw socket.
const bsdStamp = /^(?:<\d{1,3}>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? (\S+) /
// RFC 3339, also with an offset without its colon (`journalctl -o short-iso`).
const isoStamp =
  /^(?:<\d{1,3}>(1 )?)?(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d) (\S+) /
const tag = /^([A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)+)(?:\[(\d{1,10})\])?: /
// RFC 5424 section 6: APP-NAME PROCID MSGID STRUCTURED-DATA MSG.
const tag5424 =
  /^([A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)+) (\d{1,10}|-) \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) (?:\ufeff|\u00ef\u00bb\u00bf)?/
const minuteMs = 60_000
const dayMs = 86_400_000
const offsetsMax = 1_000 // hours of local time whose offset is remembered: forty days of a log in order

export function createLineReader(timeZone: string): LineReader {
  const localTime = createLocalTime(timeZone)

  function stampOf(line: string, end: Instant): { at: Instant; host: string; from: number; is5424: boolean } | Unread {
    const bsd = bsdStamp.exec(line)
    if (bsd !== null) {
      const at = localTime.latest(bsd, end)
      return at === undefined ? 'impossible-day' : { at, host: bsd[7] ?? '', from: bsd[0].length, is5424: false }
    }
    const iso = isoStamp.exec(line)
    if (iso === null) return 'no-stamp'
    const at = isoInstant(iso)
    return at === undefined
      ? 'impossible-day'
      : { at, host: iso[10] ?? '', from: iso[0].length, is5424: iso[1] !== undefined }
  }

  return {
    read(line, end) {
      if (line.trim() === '') return 'empty'
      if (line.startsWith('-- ')) return 'journal-mark'
      const stamp = stampOf(line, end)
      if (typeof stamp === 'string') return stamp
      const { at, host, from, is5424 } = stamp
      const rest = line.slice(from)
      if (rest.startsWith('message repeated ') || rest.startsWith('last message repeated ')) return 'repeated'
      const found = (is5424 ? tag5424 : tag).exec(rest)
      if (found === null) return 'other-program'
      const name = found[1] ?? ''
      const slash = name.lastIndexOf('/')
      return {
        at,
        host,
        program: name.slice(slash + 1),
        service: name.slice(0, slash),
        pid: found[2] ?? '',
        text: rest.slice(found[0].length),
      }
    },
  }
}

function isoInstant(found: RegExpExecArray): Instant | undefined {
  const [year, month, day, hour, minute, second] = found.slice(2, 8).map(Number) as number[] & { length: 6 }
  const utc = dateOf(year ?? 0, (month ?? 0) - 1, day ?? 0, hour ?? 0, minute ?? 0, second ?? 0)
  if (utc === undefined) return undefined
  const zone = found[9] ?? 'Z'
  const fraction = Math.floor(Number(`0.${found[8] ?? '0'}`) * 1000)
  if (zone === 'Z') return utc + fraction
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return utc + fraction - (zone.startsWith('-') ? -minutes : minutes) * minuteMs
}

/** Undefined for a day or time that does not exist. A leap second counts as the second before. */
function dateOf(year: number, month: number, day: number, hour: number, minute: number, second: number) {
  if (hour > 23 || minute > 59 || second > 60) return undefined
  const utc = Date.UTC(year, month, day, hour, minute, Math.min(second, 59))
  return new Date(utc).getUTCMonth() === month ? utc : undefined
}

/** Wall time of a zone to instants, with the offset of each hour looked up once. */
function createLocalTime(timeZone: string) {
  const offsets = new Map<number, number>()
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  })

  function offsetAt(instant: Instant): number {
    const part = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]))
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = part
    return Date.UTC(year, month - 1, day, hour, minute) - Math.floor(instant / minuteMs) * minuteMs
  }

  /** In the hour that a zone has twice, the first; in the one that it skips, as if it had not. */
  function toInstant(local: number): Instant {
    const hour = Math.floor(local / 3_600_000)
    let offset = offsets.get(hour)
    if (offset === undefined) {
      offset = offsetAt(local - offsetAt(local - dayMs / 2))
      if (offsets.size >= offsetsMax) offsets.clear()
      offsets.set(hour, offset)
    }
    return local - offset
  }

  return {
    latest(found: RegExpExecArray, end: Instant): Instant | undefined {
      const at = months.indexOf(found[1] ?? '')
      if (at < 0 || at % 3 !== 0) return undefined
      const [day, hour, minute, second] = found.slice(2, 6).map(Number)
      // 29 February may be four years back.
      const last = new Date(end).getUTCFullYear() + 1
      for (let year = last; year > last - 10; year -= 1) {
        const local = dateOf(year, at / 3, day ?? 0, hour ?? 0, minute ?? 0, second ?? 0)
        if (local === undefined) continue
        // A clock may be a little ahead of the one that dated the file.
        if (local - dayMs > end + dayMs) continue
        const instant = toInstant(local) + Math.floor(Number(`0.${found[6] ?? '0'}`) * 1000)
        if (instant <= end + dayMs) return instant
      }
      return undefined
    },
  }
}
