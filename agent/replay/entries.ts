/**
 * What a line of Postfix says about a message, as data: the client that brought it, its sender, a delivery, a refusal.
 * Addresses and reply texts were written by strangers: a line that can be read in two ways is `ambiguous`, never guessed.
 * Follows smtpd, cleanup, qmgr, delivery agents and postscreen of Postfix 2.6 to 3.10. Pure.
 */
import type { LogLine } from './lines.ts'

/** Queue file names: short ones are hexadecimal, long ones have no vowels (enable_long_queue_ids). */
const queueId = /^(NOQUEUE|[0-9A-F]{5,17}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}): /

export type Refused = {
  readonly kind: 'refused'
  /** Empty for one without a queue file. */
  readonly queue: string
  /** RCPT, MAIL, DATA, END-OF-MESSAGE, CONNECT, EHLO… */
  readonly stage: string
  readonly client: string
  readonly reply: string
  /** The id that our replies end in; empty for a refusal of others. */
  readonly decision: string
  readonly sender: string
  readonly recipient: string
  /** Empty where Postfix does not tell. */
  readonly login: string
}

export type Entry =
  | { readonly kind: 'connect'; readonly client: string }
  | { readonly kind: 'disconnect'; readonly hadLogin: boolean | null }
  | {
      readonly kind: 'client'
      readonly queue: string
      readonly client: string
      readonly login: string
      /** True for what a content filter brings back: it was judged when it came in. */
      readonly again: boolean
    }
  /** Written on the host itself: no SMTP, so nobody was asked. */
  | { readonly kind: 'pickup'; readonly queue: string }
  | { readonly kind: 'message-id'; readonly queue: string; readonly messageId: string }
  | { readonly kind: 'queued'; readonly queue: string; readonly sender: string }
  | {
      readonly kind: 'delivery'
      readonly queue: string
      /** As the client gave it, before aliases. */
      readonly recipient: string
      readonly status: string
      readonly dsn: string
    }
  | { readonly kind: 'removed'; readonly queue: string }
  /** `notification`: the queue id of a report that Postfix itself writes about a message. */
  | { readonly kind: 'bounce'; readonly notification: string }
  | Refused
  /** Sessions, TLS, statistics: nothing about what is asked here. */
  | { readonly kind: 'other' }
  | { readonly kind: 'unknown'; readonly why: 'ambiguous' | 'cut' }

const other: Entry = { kind: 'other' }
const ambiguous: Entry = { kind: 'unknown', why: 'ambiguous' }
const cut: Entry = { kind: 'unknown', why: 'cut' }
const nonAscii = /[\u0080-\u00ff]/

/** Lines are read as Latin-1, so that every byte is a character; addresses are UTF-8 (RFC 6531). */
export function addressOf(text: string): string {
  return nonAscii.test(text) ? Buffer.from(text, 'latin1').toString('utf8') : text
}

export function readEntry({ program, text }: Pick<LogLine, 'program' | 'text'>): Entry {
  switch (program) {
    case 'smtpd':
      return readSmtpd(text)
    case 'postscreen':
    case 'cleanup':
    case 'qmgr':
    case 'nqmgr':
    case 'pickup':
    case 'bounce':
      break
    case 'anvil':
    case 'scache':
    case 'tlsmgr':
    case 'master':
    case 'postfix-script':
      return other
    default:
  }
  const found = queueId.exec(text)
  if (found === null) return other
  const queue = found[1] ?? ''
  const rest = text.slice(found[0].length)
  switch (program) {
    case 'cleanup':
      return readCleanup(queue, rest)
    case 'qmgr':
    case 'nqmgr':
      return readQmgr(queue, rest)
    case 'pickup':
      return rest.startsWith('uid=') ? { kind: 'pickup', queue } : other
    case 'postscreen':
      return rest.startsWith('reject: ') ? readReject('', rest) : other
    case 'bounce': {
      const report = /notification: ([0-9A-Za-z]{5,20})$/.exec(rest)
      return report === null ? other : { kind: 'bounce', notification: report[1] ?? '' }
    }
    default:
      return rest.startsWith('to=<') ? readDelivery(queue, rest) : other
  }
}

/** `name[address]`, perhaps with a port; empty for `unknown[unknown]` and unix sockets. */
function clientOf(text: string): string {
  const open = text.lastIndexOf('[')
  const close = text.indexOf(']', open)
  const address = open < 0 || close < 0 ? '' : text.slice(open + 1, close)
  return /^[0-9A-Fa-f:.]+$/.test(address) ? address : ''
}

function readSmtpd(text: string): Entry {
  if (text.startsWith('connect from ')) return { kind: 'connect', client: clientOf(text) }
  if (text.startsWith('disconnect from ')) {
    const counts = text.slice(text.lastIndexOf(']') + 1)
    // Before Postfix 3.0 nothing is counted. `auth=0/1` is an attempt that failed.
    const auth = / auth=(\d+)/.exec(counts)
    const hadLogin = counts.trim() === '' ? null : auth !== null && auth[1] !== '0'
    return { kind: 'disconnect', hadLogin }
  }
  const found = queueId.exec(text)
  if (found === null) return other
  const queue = found[1] === 'NOQUEUE' ? '' : (found[1] ?? '')
  const rest = text.slice(found[0].length)
  if (rest.startsWith('client=')) return readClient(queue, rest)
  if (rest.startsWith('reject: ')) return readReject(queue, rest)
  if (rest.startsWith('milter-reject: ')) return readReject(queue, rest.slice('milter-'.length))
  return other
}

function readClient(queue: string, rest: string): Entry {
  if (queue === '') return other
  const comma = rest.indexOf(', ')
  const client = clientOf(comma < 0 ? rest : rest.slice(0, comma))
  if (comma < 0) return { kind: 'client', queue, client, login: '', again: false }
  const more = rest.slice(comma)
  const again = more.includes(', orig_queue_id=')
  const at = more.indexOf(', sasl_username=')
  if (at < 0) return { kind: 'client', queue, client, login: '', again }
  let login = more.slice(at + ', sasl_username='.length)
  const sender = login.indexOf(', sasl_sender=')
  const original = login.indexOf(', orig_')
  const end = [sender, original].filter(index => index >= 0)
  if (end.length > 0) login = login.slice(0, Math.min(...end))
  return { kind: 'client', queue, client, login: addressOf(login), again }
}

function readCleanup(queue: string, rest: string): Entry {
  if (rest.startsWith('message-id=') || rest.startsWith('resent-message-id='))
    return { kind: 'message-id', queue, messageId: rest.slice(rest.indexOf('=') + 1) }
  if (rest.startsWith('reject: ')) return readReject(queue, rest)
  if (rest.startsWith('milter-reject: ')) return readReject(queue, rest.slice('milter-'.length))
  return other
}

function readQmgr(queue: string, rest: string): Entry {
  if (rest.startsWith('removed')) return { kind: 'removed', queue }
  if (!rest.startsWith('from=<')) return other
  const end = onlyOne(rest, '>, size=', '>, status=')
  if (end === undefined) return rest.includes('>, ') ? ambiguous : cut
  return { kind: 'queued', queue, sender: addressOf(rest.slice('from=<'.length, end)) }
}

/** The one place of either mark; undefined when there is none, or several, since then an address holds one. */
function onlyOne(text: string, ...marks: readonly string[]): number | undefined {
  let found: number | undefined
  for (const mark of marks) {
    const at = text.indexOf(mark)
    if (at < 0) continue
    if (found !== undefined || text.indexOf(mark, at + 1) >= 0) return undefined
    found = at
  }
  return found
}

function readDelivery(queue: string, rest: string): Entry {
  // What the next server said comes last, in brackets, and may hold anything.
  const relay = rest.indexOf('>, relay=')
  if (relay < 0) return cut
  const original = rest.indexOf('>, orig_to=<')
  const isAliased = original >= 0 && original < relay
  const recipient = isAliased ? rest.slice(original + '>, orig_to=<'.length, relay) : rest.slice('to=<'.length, relay)
  if (recipient.includes('>, orig_to=<')) return ambiguous
  const status = /, status=([A-Za-z]+)/.exec(rest.slice(relay))
  if (status === null) return cut
  const dsn = /, dsn=([245]\.\d{1,3}\.\d{1,3}), /.exec(rest.slice(relay))
  return {
    kind: 'delivery',
    queue,
    recipient: addressOf(recipient),
    status: (status[1] ?? '').toLowerCase(),
    dsn: dsn?.[1] ?? '',
  }
}

const rejectHead = /^reject: ([A-Z][A-Z-]*)(?: command)? from (\S+): /
const marks = { sender: '; from=<', recipient: ' to=<', rest: ' proto=' } as const
const loginTail = / sasl_username=<([^<>]*)>$/
const decisionId = /\[(mw-[0-9a-v]{8})\]$/

function readReject(queue: string, rest: string): Entry {
  const head = rejectHead.exec(rest)
  // `reject: header Subject: …` and its like: content, which is judged by others.
  if (head === null) return other
  const [all, stage = '', name = ''] = head
  const client = clientOf(name)
  const body = rest.slice(all.length)
  const from = body.indexOf(marks.sender)
  if (from < 0) {
    // Before MAIL nobody has said from whom; else the end of the line is missing.
    const early = /^(?:CONNECT|EHLO|HELO|ETRN|STARTTLS|AUTH|VRFY)$/.test(stage)
    return early ? refusal(queue, stage, client, body.replace(/; proto=.*$/, ''), ['', '', '']) : cut
  }
  const fields = body.slice(from + marks.sender.length)
  // An address may hold a mark itself, and then nobody can tell where it ends. A HELO name has no blank.
  if (fields.includes(marks.sender)) return ambiguous
  for (const mark of [marks.recipient, marks.rest])
    if (fields.indexOf(mark) !== fields.lastIndexOf(mark)) return ambiguous
  const proto = fields.indexOf(marks.rest)
  const addresses = withoutEnd(proto < 0 ? fields : fields.slice(0, proto))
  if (addresses === undefined) return cut
  const to = addresses.indexOf(marks.recipient)
  const sender = to < 0 ? addresses : withoutEnd(addresses.slice(0, to))
  if (sender === undefined) return cut
  const recipient = to < 0 ? '' : addresses.slice(to + marks.recipient.length)
  const login = loginTail.exec(fields)?.[1] ?? ''
  return refusal(queue, stage, client, body.slice(0, from), [sender, recipient, login])
}

/** Without the bracket that ends an address, and the comma that postscreen puts behind it. */
function withoutEnd(text: string): string | undefined {
  const bare = text.endsWith(',') ? text.slice(0, -1) : text
  return bare.endsWith('>') ? bare.slice(0, -1) : undefined
}

function refusal(
  queue: string,
  stage: string,
  client: string,
  reply: string,
  [sender, recipient, login]: readonly [string, string, string],
): Refused {
  return {
    kind: 'refused',
    queue,
    stage,
    client,
    reply,
    decision: decisionId.exec(reply)?.[1] ?? '',
    sender: addressOf(sender),
    recipient: addressOf(recipient),
    login: addressOf(login),
  }
}
