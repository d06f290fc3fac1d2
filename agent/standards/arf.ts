/**
 * Abuse reports (RFC 5965): what a report says of one message of ours. Only Feedback-Type, User-Agent and Version are sure
 * to be there. Strangers write them, so everything is bounded: no part is looked into but the three of a report, and
 * nothing that is beyond a bound is there. It judges nothing. No I/O.
 */
import { parseDomainName } from '../model/name.ts'
import { parseFields, parseParameters, valuesOf } from './header.ts'

/** Headers of a report and of what it is about fit many times; of what is longer the beginning is read. */
export const reportBytesMax = 900_000
/** RFC 5965 section 2 knows three; some add a signature or a footer. */
const partsMax = 10
const blockCharsMax = 128 * 1024
const listedMax = 20

export type AbuseReport = {
  /** `abuse`, `fraud`, `virus`, `not-spam`…, in lower case. */
  readonly feedbackType: string
  readonly userAgent: string
  readonly originalMailFrom: string | null
  readonly originalRcptTo: readonly string[]
  readonly sourceIp: string | null
  /** Authentication-Results of the report itself, from the top. */
  readonly authentication: readonly string[]
  /** Of the message that it is about; all of it may be missing. */
  readonly original: {
    /** With its brackets, as Postfix logs it. */
    readonly messageId: string | null
    readonly dkimDomains: readonly string[]
    /** From Received fields and the envelope id, in the order of the text. */
    readonly queueIds: readonly string[]
  }
}

/** Why a message is no report: `no-report` (another kind of message), `incomplete` (a report without what must be there). */
export type NoReport = 'no-report' | 'incomplete'

export function parseArf(bytes: Uint8Array): AbuseReport | NoReport {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, reportBytesMax)).toString('latin1')
  const { fields, body } = open(text)
  const { main, params } = parseParameters(valuesOf(fields, 'content-type')[0] ?? '')
  const boundary = params.get('boundary') ?? ''
  if (main !== 'multipart/report' || params.get('report-type')?.toLowerCase() !== 'feedback-report') return 'no-report'
  // RFC 2046 section 5.1.1.
  if (boundary === '' || boundary.length > 70) return 'incomplete'
  const parts = partsOf(body, boundary).map(open)
  const typed = (...types: readonly string[]) =>
    parts.find(part => types.includes(parseParameters(valuesOf(part.fields, 'content-type')[0] ?? '').main))
  const feedback = typed('message/feedback-report')
  if (feedback === undefined) return 'incomplete'
  const said = parseFields(decoded(feedback))
  const one = (name: string) => valuesOf(said, name)[0] ?? null
  const [feedbackType, userAgent, version] = [one('feedback-type'), one('user-agent'), one('version')]
  if (feedbackType === null || userAgent === null || version === null) return 'incomplete'
  const about = typed('message/rfc822', 'text/rfc822-headers')
  const original = about === undefined ? [] : open(decoded(about)).fields
  return {
    feedbackType: feedbackType.toLowerCase().slice(0, 40),
    userAgent: userAgent.slice(0, 200),
    originalMailFrom: bare(one('original-mail-from')),
    originalRcptTo: valuesOf(said, 'original-rcpt-to')
      .slice(0, listedMax)
      .flatMap(value => bare(value) ?? []),
    sourceIp: one('source-ip'),
    authentication: valuesOf(fields, 'authentication-results').slice(0, listedMax),
    original: {
      messageId: messageIdOf(valuesOf(original, 'message-id')[0] ?? ''),
      dkimDomains: valuesOf(original, 'dkim-signature').slice(0, listedMax).flatMap(signer),
      queueIds: [
        ...new Set([
          ...queueIdsOf(one('original-envelope-id') ?? ''),
          ...valuesOf(original, 'received').slice(0, listedMax).flatMap(queueIdsOf),
        ]),
      ].slice(0, listedMax),
    },
  }
}

type Part = { readonly fields: ReturnType<typeof parseFields>; readonly body: string }

function open(text: string): Part {
  const blank = /\r?\n\r?\n/.exec(text)
  const end = blank?.index ?? text.length
  const block = text.slice(0, Math.min(end, blockCharsMax))
  return { fields: parseFields(block), body: blank === null ? '' : text.slice(end + blank[0].length) }
}

/** Between the boundaries; of a report that was cut the last part as far as it goes. Parts within parts stay closed. */
function partsOf(body: string, boundary: string): readonly string[] {
  const mark = `--${boundary}`
  const parts: string[] = []
  let from = -1
  for (let at = body.indexOf(mark); at >= 0; at = body.indexOf(mark, at + mark.length)) {
    if (at > 0 && body[at - 1] !== '\n') continue
    if (from >= 0) parts.push(body.slice(from, at))
    if (parts.length >= partsMax || body.startsWith('--', at + mark.length)) return parts
    const line = body.indexOf('\n', at)
    if (line < 0) return parts
    from = line + 1
  }
  if (from >= 0 && parts.length < partsMax) parts.push(body.slice(from))
  return parts
}

/** RFC 5965 asks for 7bit; who encodes all the same is read. Enough of it for the headers. */
function decoded({ fields, body }: Part): string {
  const coding = (valuesOf(fields, 'content-transfer-encoding')[0] ?? '').trim().toLowerCase()
  const text = body.slice(0, blockCharsMax)
  if (coding === 'base64') return Buffer.from(text, 'base64').toString('latin1')
  if (coding !== 'quoted-printable') return text
  return text
    .replaceAll(/=[ \t]*\r?\n/g, '')
    .replaceAll(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function bare(value: string | null): string | null {
  const text = value?.trim().replace(/^<|>$/g, '').trim() ?? ''
  return text === '' || text.length > 320 ? null : text
}

function messageIdOf(value: string): string | null {
  return /<[^<>\s]{1,500}>/.exec(value)?.[0] ?? null
}

/** RFC 6376 section 3.5: `d=`. */
function signer(value: string): string[] {
  const found = /(?:^|;)\s*d\s*=\s*([^;\s]{1,253})/.exec(value)?.[1]
  const domain = found === undefined ? undefined : parseDomainName(found)
  return domain === undefined ? [] : [domain]
}

/** Postfix writes `with ESMTPSA id 4bXyZ…`; an envelope id may be one itself. */
function queueIdsOf(value: string): string[] {
  const found = /(?:^|\sid\s+)([0-9A-F]{5,17}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20})(?=$|[\s;(])/.exec(value)?.[1]
  return found === undefined ? [] : [found]
}
