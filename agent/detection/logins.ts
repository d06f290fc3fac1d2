/**
 * Logins as Dovecot logs them (2.3, 2.4; its own file or through syslog), and what they are signs of (mission section 8): a
 * success from outside where the account may log in is one at once; failures are counted and never more than recorded. What
 * a client wrote stands in brackets behind what Dovecot says, so that it cannot say it. Pure.
 */
import type { Instant } from '../core/clock.ts'
import { type Ip, parseIp } from '../model/ip.ts'
import type { LineReader } from '../replay/lines.ts'

export type LoginAttempt = {
  readonly at: Instant
  readonly result: 'accepted' | 'failed'
  readonly user: string
  readonly client: string
  /** Of a session that failed: how often it tried. */
  readonly count: number
}

const program = '((?:imap|pop3|submission|managesieve)-login)'
// `Nov 23 18:40:55 imap-login: Info: …` of `log_path`; `… host dovecot: imap-login: …` of syslog, with or without a pid.
const ownLine = new RegExp(String.raw`^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) ${program}: Info: `)
const syslogLine = new RegExp(String.raw`^(\S+(?: {1,2}\S+){0,2} \S+) dovecot(?:\[\d{1,10}\])?: ${program}: `)
const success = /^(?:Login|Logged in): user=<([^<>]{1,320})>, .*?\brip=([0-9A-Fa-f:.]+)(?:,|$)/
const failure =
  /^[^<>]*\(auth failed, (\d{1,4}) attempts[^<>]*: user=<([^<>]{1,320})>, .*?\brip=([0-9A-Fa-f:.]+)(?:,|$)/

/** Undefined for a line about something else. @param end as of `LineReader`. */
export function readLogin(reader: LineReader, line: string, end: Instant): LoginAttempt | undefined {
  // The reader of Postfix's lines knows a program by the slash before it.
  const known = line.replace(ownLine, '$1 here dovecot/$2: ').replace(syslogLine, '$1 dovecot/$2: ')
  const read = reader.read(known, end)
  if (typeof read === 'string' || read.service !== 'dovecot') return undefined
  const accepted = success.exec(read.text)
  if (accepted !== null)
    return { at: read.at, result: 'accepted', user: accepted[1] ?? '', client: accepted[2] ?? '', count: 1 }
  const failed = failure.exec(read.text)
  if (failed === null) return undefined
  return { at: read.at, result: 'failed', user: failed[2] ?? '', client: failed[3] ?? '', count: Number(failed[1]) }
}

/** What is not judged: nobody is there, or somebody else may be behind it. */
export type Placing = {
  /** Whether the account may log in from there; undefined for nobody of ours. */
  readonly mayCome: (account: string, client: Ip) => boolean | undefined
  /** Webmail and proxies: where their users are, the log does not say. */
  readonly isProxy: (client: Ip) => boolean
}

export type LoginSign = {
  readonly code: 'SIG-OFF-LAN' | 'SIG-ADDRESSING' | 'SIG-AUTH-FAILURES'
  readonly level: 'record' | 'alert' | 'act'
  readonly subject: string
  readonly count: number
}

/**
 * Of so many accounts from one new place in an hour the third is no longer a theft but a move: three that are restricted
 * would close their domain.
 */
export const crowdMin = 3
/** An hour of a forgotten telephone; guessing is faster. */
export const failuresMin = 100

/** @param attempts of the last hour, all of them; who was told already is the caller's to know. */
export function loginSigns(attempts: readonly LoginAttempt[], { mayCome, isProxy }: Placing): readonly LoginSign[] {
  const outside = new Map<string, { readonly places: Set<string>; count: number }>()
  const crowds = new Map<string, Set<string>>()
  const failures = new Map<string, number>()
  for (const { result, user, client, count } of attempts) {
    const account = user.toLowerCase()
    const ip = parseIp(client)
    if (ip === undefined) continue
    const may = mayCome(account, ip)
    if (may === undefined) continue
    if (result === 'failed') failures.set(account, (failures.get(account) ?? 0) + count)
    else if (!may && !isProxy(ip) && !isNobodys(client)) {
      const place = placeOf(ip)
      const known = outside.get(account) ?? { places: new Set(), count: 0 }
      known.places.add(place)
      known.count += 1
      outside.set(account, known)
      crowds.set(place, (crowds.get(place) ?? new Set()).add(account))
    }
  }
  const isCrowd = (place: string) => (crowds.get(place)?.size ?? 0) >= crowdMin
  return [
    ...[...outside].flatMap(([subject, { places, count }]): LoginSign[] =>
      [...places].every(isCrowd) ? [] : [{ code: 'SIG-OFF-LAN', level: 'act', subject, count }],
    ),
    ...[...crowds].flatMap(([subject, of]): LoginSign[] =>
      of.size < crowdMin ? [] : [{ code: 'SIG-ADDRESSING', level: 'alert', subject, count: of.size }],
    ),
    ...[...failures].flatMap(([subject, count]): LoginSign[] =>
      count < failuresMin ? [] : [{ code: 'SIG-AUTH-FAILURES', level: 'record', subject, count }],
    ),
  ]
}

/** Loopback, and the networks of documentation (RFC 5737, RFC 3849): from there only our own looks come (`verify`). */
function isNobodys(client: string): boolean {
  return /^(?:127\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|::1$|2001:db8:)/i.test(client)
}

/** What one provider gives out together: /24 of IPv4, /48 of IPv6. */
function placeOf(ip: Ip): string {
  if (typeof ip === 'number') return `${[24, 16, 8].map(shift => (ip >>> shift) & 255).join('.')}.0/24`
  const parts = [112, 96, 80].map(shift => ((ip >> BigInt(shift)) & 0xffffn).toString(16))
  return `${parts.join(':')}::/48`
}
