/**
 * A mail log as lines: bytes in, stamped lines of Postfix out. Reads the stamps of syslog (RFC 3164, without a year) and
 * of RFC 3339, bare or in an RFC 5424 header; gzip by content. It never holds more than one chunk and one line, whatever
 * the log does. Pure over async iterables: it opens no file and knows no clock.
 */
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Instant } from '../core/clock.ts'

/** Syslog daemons cut at 8 KB at most, Postfix's own log at 2 KB; what is longer is no line of a mail log. */
export const lineBytesMax = 16_384

export type LogLine = {
  readonly at: Instant
  readonly host: string
  /** Last part of the name of the program: `smtpd` of `postfix/submission/smtpd`. */
  readonly service: string
  /** Empty where the log has none. */
  readonly process: string
  readonly text: string
}

/** What a line was, when it is not one of Postfix. */
export type LineKind = 'too-long' | 'no-stamp' | 'other-program'

const lineFeed = 0x0a
const tooLong = Symbol('too long')

/** gzip (RFC 1952) begins with 1f 8b; everything else is taken as it is. */
export async function* unpacked(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const source = chunks[Symbol.asyncIterator]()
  let head: Uint8Array = new Uint8Array()
  while (head.length < 2) {
    const { value, done } = await source.next()
    if (done === true) break
    head = head.length === 0 ? value : Buffer.concat([head, value])
  }
  async function* whole(): AsyncIterable<Uint8Array> {
    if (head.length > 0) yield head
    for (;;) {
      const { value, done } = await source.next()
      if (done === true) return
      yield value
    }
  }
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* whole()
    return
  }
  // Whoever reads gets the error, of the source as of the format.
  yield* pipeline(Readable.from(whole()), createGunzip(), () => {})
}

/** Lines as text, all of a chunk at once; a symbol where one was too long to keep. */
async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<readonly (string | typeof tooLong)[]> {
  let rest: Buffer = Buffer.alloc(0)
  let isSkipping = false
  for await (const chunk of chunks) {
    const lines: (string | typeof tooLong)[] = []
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, from)) {
      if (isSkipping || end - from > lineBytesMax) lines.push(tooLong)
      else lines.push(bytes.toString('utf8', from, end))
      isSkipping = false
      from = end + 1
    }
    isSkipping ||= bytes.length - from > lineBytesMax
    rest = isSkipping ? Buffer.alloc(0) : Buffer.from(bytes.subarray(from))
    yield lines
  }
  if (isSkipping) yield [tooLong]
  else if (rest.length > 0) yield [rest.toString('utf8')]
}

export type ReadOptions = {
  /** Of stamps that do not name one: IANA name. */
  readonly timeZone: string
  /** When the log was last written; a stamp without a year lies in the year before it. */
  readonly writtenAt: Instant
  readonly count: (kind: LineKind | 'line') => void
}

export async function* readLines(chunks: AsyncIterable<Uint8Array>, options: ReadOptions): AsyncIterable<LogLine> {
  const stamps = createStampReader(options)
  for await (const lines of splitLines(unpacked(chunks)))
    for (const line of lines) {
      options.count('line')
      const read = line === tooLong ? 'too-long' : parseLine(line, stamps)
      if (typeof read === 'string') options.count(read)
      else yield read
    }
}

type StampReader = (stamp: string) => Instant | undefined

const priority = /^<\d{1,3}>/
// RFC 5424 section 6: VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG.
const structured = /^1 (\S+) (\S+) (\S+) (\S+) \S+ (?:-|(?:\[[^\]]*\])+) ?(.*)$/
const plain = /^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) (\S+) ([^\s:[\]]+)(?:\[(\d+)\])?: (.*)$/
// master's syslog_name may be anything; what it runs has one of a few names.
const postfixService =
  /(?:^|\/)(smtpd|qmgr|oqmgr|smtp|lmtp|local|virtual|pipe|error|retry|discard|bounce|cleanup|pickup|postscreen|relay|tlsproxy|anvil|scache|master|postfix-script|trivial-rewrite|proxymap|verify|flush|showq|postqueue|postsuper|sendmail|postdrop|dnsblog|tlsmgr|postlogd|defer|trace)$/

function parseLine(line: string, stampOf: StampReader): LogLine | LineKind {
  const bare = line.replace(/\r$/, '').replace(priority, '')
  const [, stamp, host, program, process = '', text] = structured.exec(bare) ?? plain.exec(bare) ?? []
  const at = stamp === undefined ? undefined : stampOf(stamp)
  if (at === undefined || host === undefined || program === undefined || text === undefined) return 'no-stamp'
  const service = program.includes('/') ? postfixService.exec(program)?.[1] : undefined
  if (service === undefined) return 'other-program'
  return { at, host, service, process, text: text.trimStart() }
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const dayMs = 86_400_000
const yearsBack = 5 // reaches the leap year before, for 29 February

/** Consecutive lines mostly share their hour: its beginning is worked out once. */
function createStampReader({ timeZone, writtenAt }: ReadOptions): StampReader {
  const offsetAt = offsetsOf(timeZone)
  let known = ''
  let hour = 0
  return stamp => {
    if (stamp.charCodeAt(0) < 0x3a) {
      const at = Date.parse(stamp)
      return Number.isNaN(at) ? undefined : at
    }
    const month = months.indexOf(stamp.slice(0, 3))
    const [day, clock, minute, second] = [4, 7, 10, 13].map(from => Number(stamp.slice(from, from + 2)))
    if (month < 0 || !(day! >= 1) || !(clock! < 24) || !(minute! < 60) || !(second! < 61)) return undefined
    if (stamp.slice(0, 9) !== known) {
      const found = hourBefore(month, day!, clock!)
      if (found === undefined) return undefined
      known = stamp.slice(0, 9)
      hour = found
    }
    return hour + minute! * 60_000 + second! * 1000
  }

  /** The last such hour that is not after the log was written; a day of grace for clocks and zones. */
  function hourBefore(month: number, day: number, clock: number): Instant | undefined {
    const last = new Date(writtenAt + dayMs).getUTCFullYear()
    for (let year = last; year > last - yearsBack; year -= 1) {
      const wall = Date.UTC(year, month, day, clock)
      if (new Date(wall).getUTCDate() !== day) continue
      // Twice: the first guess may lie on the other side of a change of the clock.
      const at = wall - offsetAt(wall - offsetAt(wall))
      if (at <= writtenAt + dayMs) return at
    }
    return undefined
  }
}

/** How far a zone's clock is ahead of UTC at an instant, in milliseconds. */
function offsetsOf(timeZone: string): (at: Instant) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return at => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000
  }
}
