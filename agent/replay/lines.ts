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
const bsdStamp = /^(?:<\d{1,3}>)?([A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d):(\d\d)(\.\d{1,6})? (\S+) /
// RFC 3339, also with an offset without its colon (`journalctl -o short-iso`).
const isoStamp = /^(?:<\d{1,3}>(1 )?)?(\d{4}-\d\d-\d\dT\d\d:\d\d):(\d\d)([.,]\d{1,9})?(Z|[+-]\d\d:?\d\d) (\S+) /
const tag = /^([A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)+)(?:\[(\d{1,10})\])?: /
// RFC 5424 section 6: APP-NAME PROCID MSGID STRUCTURED-DATA MSG.
const tag5424 =
  /^([A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)+) (\d{1,10}|-) \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) (?:\ufeff|\u00ef\u00bb\u00bf)?/
const minuteMs = 60_000
const dayMs = 86_400_000
const offsetsMax = 1_000 // hours of local time whose offset is remembered: forty days of a log in order

type Stamp = { readonly at: Instant; readonly host: string; readonly from: number; readonly is5424: boolean }

export function createLineReader(timeZone: string): LineReader {
  const toInstant = createLocalTime(timeZone)
  // A minute has many lines, and its beginning is the same for all of them.
  let known: { readonly minute: string; readonly end: Instant; readonly at: Instant | undefined } | undefined

  function beginOf(minute: string, end: Instant, find: () => Instant | undefined): Instant | undefined {
    if (known?.minute !== minute || known.end !== end) known = { minute, end, at: find() }
    return known.at
  }

  function stampOf(line: string, end: Instant): Stamp | Unread {
    const iso = isoStamp.exec(line)
    if (iso !== null) {
      const [all, version, minute = '', second = '', fraction, zone = '', host = ''] = iso
      const begin = beginOf(minute + zone, 0, () => isoMinute(minute, zone))
      const at = instantOf(begin, second, fraction)
      return at === undefined ? 'impossible-day' : { at, host, from: all.length, is5424: version !== undefined }
    }
    const bsd = bsdStamp.exec(line)
    if (bsd === null) return 'no-stamp'
    const [all, minute = '', second = '', fraction, host = ''] = bsd
    const at = instantOf(
      beginOf(minute, end, () => latestMinute(minute, end, toInstant)),
      second,
      fraction,
    )
    return at === undefined ? 'impossible-day' : { at, host, from: all.length, is5424: false }
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

/** A leap second counts as the second before. */
function instantOf(minute: Instant | undefined, second: string, fraction: string | undefined): Instant | undefined {
  const seconds = Number(second)
  if (minute === undefined || seconds > 60) return undefined
  const parts = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction.slice(1)}`) * 1000)
  return minute + Math.min(seconds, 59) * 1000 + parts
}

function isoMinute(minute: string, zone: string): Instant | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minutes = 0] = minute.split(/[-T:]/).map(Number)
  const utc = dateOf(year, month - 1, day, hour, minutes)
  if (utc === undefined || zone === 'Z') return utc
  const offset = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return utc - (zone.startsWith('-') ? -offset : offset) * minuteMs
}

/** Of a stamp without a year: in the last year in which it is not after the end. */
function latestMinute(minute: string, end: Instant, toInstant: (local: number) => Instant): Instant | undefined {
  const month = months.indexOf(minute.slice(0, 3))
  if (month < 0 || month % 3 !== 0) return undefined
  const [day = 0, hour = 0, minutes = 0] = minute.slice(4).split(/[ :]+/).filter(Boolean).map(Number)
  const last = new Date(end).getUTCFullYear() + 1
  // 29 February may be eight years back.
  for (let year = last; year > last - 10; year -= 1) {
    const local = dateOf(year, month / 3, day, hour, minutes)
    // A clock may be a little ahead of the one that dated the file.
    if (local === undefined || local - dayMs > end + dayMs) continue
    const instant = toInstant(local)
    if (instant <= end + dayMs) return instant
  }
  return undefined
}

/** Undefined for a day or time that does not exist. */
function dateOf(year: number, month: number, day: number, hour: number, minute: number): number | undefined {
  if (hour > 23 || minute > 59 || day < 1) return undefined
  const utc = Date.UTC(year, month, day, hour, minute)
  return new Date(utc).getUTCMonth() === month ? utc : undefined
}

/** Wall time of a zone to instants, with the offset of each hour looked up once. */
function createLocalTime(timeZone: string): (local: number) => Instant {
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

  return toInstant
}
