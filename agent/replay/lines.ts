/**
 * A line of a Postfix log as what it says of one recipient or one message: who connected, who logged in, from whom, to
 * whom, with what end. Stamps of RFC 3164 (no year: it is taken from the log's own end) and of RFC 5424. What is not of
 * interest is told apart from what is not understood. Pure; nothing of a line is trusted to be what Postfix wrote.
 */
import { dayMs, type Instant, parseInstant, startOfDay } from '../core/clock.ts'

export type LogEvent =
  /** A message came in. `login` is empty for strangers. */
  | { readonly kind: 'client'; readonly client: string; readonly login: string }
  /** A message of the host's own. */
  | { readonly kind: 'local' }
  | { readonly kind: 'sender'; readonly sender: string }
  /** `recipient` as the client wrote it, where an alias led elsewhere. */
  | { readonly kind: 'recipient'; readonly recipient: string }
  | { readonly kind: 'removed' }
  | {
      readonly kind: 'refused'
      readonly client: string
      readonly login: string
      readonly sender: string
      readonly recipient: string
      readonly code: string
      /** Of a decision of ours; null for what others refused. */
      readonly id: string | null
    }

export type LogLine = {
  readonly at: Instant
  readonly host: string
  readonly queueId: string
  readonly event: LogEvent
}

/** `foreign`: of another program. `other`: of Postfix, and about something else. `unread`: without a stamp that can be read. */
export type Reading = LogLine | 'foreign' | 'other' | 'unread'

export type Stamps = {
  /** IANA name, of the host that wrote the log: RFC 3164 stamps carry none. */
  readonly timeZone: string
  /** Nothing in the log is later than this by more than a day. */
  readonly end: Instant
}

const head =
  /^(?:<\d{1,3}>)?(?:([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)|(?:1 )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*)) (\S+) ([^\s:[]+)(?:\[\d+\])?: (.*)$/
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const services = new Set([
  'smtpd',
  'qmgr',
  'smtp',
  'lmtp',
  'local',
  'virtual',
  'pipe',
  'relay',
  'error',
  'discard',
  'pickup',
])
const queued = /^([0-9A-Za-z]{6,24}): (.*)$/
const refusal = /^reject: RCPT from \S*?\[([^\]]*)\](?::\d+)?: (\d{3}) (.*); from=<([^>]*)> to=<([^>]*)>(.*)$/

export function readLine(line: string, stamps: Stamps): Reading {
  const [, month, day, hour, minute, second, iso, host = '', program = '', text = ''] = head.exec(line) ?? []
  if (text === '') return 'unread'
  const slash = program.lastIndexOf('/')
  const service = program.slice(slash + 1)
  if (slash < 0 || !services.has(service)) return 'foreign'
  const at =
    iso === undefined
      ? localInstant(stamps, months.indexOf(month ?? ''), Number(day), [Number(hour), Number(minute), Number(second)])
      : parseStamp(iso)
  if (at === undefined) return 'unread'
  const [, queueId = '', rest = ''] = queued.exec(text) ?? []
  const event = rest === '' ? undefined : readEvent(service, rest)
  return event === undefined ? 'other' : { at, host, queueId, event }
}

function readEvent(service: string, text: string): LogEvent | undefined {
  switch (service) {
    case 'smtpd': {
      const [, client] = /^client=[^\s[]*\[([^\]]*)\]/.exec(text) ?? []
      if (client !== undefined)
        return { kind: 'client', client, login: /, sasl_username=([^,]*)/.exec(text)?.[1] ?? '' }
      const [, from, code, reason = '', sender, recipient, more = ''] = refusal.exec(text) ?? []
      if (from === undefined || code === undefined || sender === undefined || recipient === undefined) return undefined
      const login = /\bsasl_username=<([^>]*)>/.exec(more)?.[1] ?? ''
      const id = /\[(mw-[0-9a-v]{8})\]/.exec(reason)?.[1] ?? null
      return { kind: 'refused', client: from, login, sender, recipient, code, id }
    }
    case 'pickup':
      return { kind: 'local' }
    case 'qmgr': {
      if (text === 'removed') return { kind: 'removed' }
      const [, sender] = /^from=<([^>]*)>, size=\d+/.exec(text) ?? []
      return sender === undefined ? undefined : { kind: 'sender', sender }
    }
    default: {
      const [, to, written] = /^to=<([^>]*)>, (?:orig_to=<([^>]*)>, )?relay=.*\bstatus=\w+/.exec(text) ?? []
      return to === undefined ? undefined : { kind: 'recipient', recipient: written ?? to }
    }
  }
}

function parseStamp(text: string): Instant | undefined {
  const at = Date.parse(text)
  return Number.isNaN(at) ? parseInstant(text) : at
}

const midnights = new Map<string, Instant>()

/** The latest year in which this is not after the end of the log. */
function localInstant(
  { timeZone, end }: Stamps,
  month: number,
  day: number,
  [hour, minute, second]: readonly [number, number, number],
): Instant | undefined {
  if (month < 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined
  const two = (value: number) => String(value).padStart(2, '0')
  const year = new Date(end + dayMs).getUTCFullYear()
  for (const candidate of [year, year - 1]) {
    const name = `${candidate}-${two(month + 1)}-${two(day)}`
    const key = `${timeZone} ${name}`
    let midnight = midnights.get(key)
    if (midnight === undefined) {
      midnight = startOfDay(name, timeZone)
      if (midnights.size > 1_000) midnights.clear()
      midnights.set(key, midnight)
    }
    const at = midnight + ((hour * 60 + minute) * 60 + second) * 1_000
    if (at <= end + dayMs) return at
  }
  return undefined
}
