/**
 * Lines of Postfix put together into attempts: one for each recipient that a client asked for, with what became of it.
 * Joined by host and queue id. What it is not sure of it leaves out and counts: a line whose shape is not understood, a
 * message whose beginning is not in the log, mail that no client brought. Bounded, whatever the log does. Pure.
 */
import type { Instant } from '../core/clock.ts'
import type { Effect } from '../decision/decide.ts'
import type { LogLine } from './lines.ts'

export type Attempt = {
  /** When the client brought the message, which is when the policy service was asked. */
  readonly at: Instant
  readonly host: string
  /** `NOQUEUE` for a refusal before the first recipient that was taken. */
  readonly queueId: string
  readonly client: string
  /** Empty without authentication. */
  readonly login: string
  readonly sender: string
  readonly recipient: string
  /** What the client was told about this recipient, and by whom. */
  readonly answer: Answer
  /** `sent`, `deferred`, `bounced`… of the first delivery; `refused` at RCPT. */
  readonly status: string
}

/** `policy` and `id` of a decision of ours; null where Postfix or somebody else answered. */
export type Answer = { readonly effect: Effect; readonly policy: string | null; readonly id: string | null }

/** What was left out, and why. */
export type LeftKind =
  | 'shape'
  | 'beginning-missing'
  | 'end-missing'
  | 'local'
  | 'reinjected'
  | 'other-stage'
  | 'login-unknown'
  | 'forgotten'

/** About 100 MB at most; a busy host has some thousands of messages under way. */
export const messagesMax = 100_000
/** Of one message: `smtpd_recipient_limit` is 1000, lists and aliases make more of it. */
export const recipientsMax = 5_000
/** Of all messages under way together. */
export const recipientsTotalMax = 500_000

/** An smtpd serves one client at a time; a refusal waits for the end of its session, which tells whether one logged in. */
type Session = { login: string | null; readonly refusals: Attempt[] }

/** Of all hosts together: `default_process_limit` is 100. */
const sessionsMax = 20_000
/** Of one session: Postfix hangs up after 20 (`smtpd_hard_error_limit`). */
const refusalsMax = 100

type Delivery = { readonly recipient: string; readonly status: string }

type Message = {
  readonly queueId: string
  readonly host: string
  /** When the first line of it was written; replaced by the client's. */
  at: Instant
  origin: 'unknown' | 'client' | 'local' | 'reinjected'
  client: string
  login: string
  sender: string | undefined
  readonly seen: Set<string>
  pending: Delivery[]
}

export type JoinOptions = {
  readonly count: (kind: LeftKind) => void
  readonly messagesMax?: number
}

// postconf(5) enable_long_queue_ids: sixteen's digits in capitals, or base 52 without vowels.
const queueIdForm = /^([0-9A-F]{5,16}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,20}): (.*)$/
const clientForm = /^client=[^[\]\s,]*\[([^\]\s]*)\](?::\d+)?(?:, (.*))?$/
const loginForm = /(?:^|, )sasl_username=(.*?)(?:, sasl_sender=.*|, orig_queue_id=.*|, orig_client=.*)?$/
const fromForm = /^from=<([^<>]*)>, size=\d+, nrcpt=\d+/
const toForm = /^to=<([^<>]*)>, (?:orig_to=<([^<>]*)>, )?relay=[^,]*, .*?\bstatus=([a-z]+) /
const refusalForm = /^reject: RCPT from [^[\]\s]*\[([^\]\s]*)\](?::\d+)?: ([45])\d\d (.*)$/
const envelopeForm = /^from=<([^<>]*)>,? to=<([^<>]*)>(?:,? proto=[^\s,]+)?(.*)$/
const refusedLogin = / sasl_username=<([^<>]*)>$/
const disconnected =
  /^disconnect from \S+(?: (?!auth=|commands=)\S+)*(?: auth=(\d+)\S*)?(?: (?!commands=)\S+)* commands=/
const ourText = /(?:: |^)([a-z-]{4,20}): .*\[(mw-[0-9a-v]{8})\]/
const notification = /^sender (?:non-)?delivery (?:status )?notification: (\w+)|^postmaster .*notification: (\w+)/
const forwarded = /\(forwarded as (\w+)\)/
const deliveryServices = new Set(['smtp', 'lmtp', 'local', 'virtual', 'pipe', 'error', 'retry', 'discard', 'relay'])

export async function* joinMessages(lines: AsyncIterable<LogLine>, options: JoinOptions): AsyncIterable<Attempt> {
  const { count } = options
  const most = options.messagesMax ?? messagesMax
  /** In the order of their beginning: the first is the oldest. */
  const messages = new Map<string, Message>()
  const sessions = new Map<string, Session>()
  let recipients = 0

  for await (const line of lines) yield* take(line)
  for (const session of sessions.values()) yield* part(session, undefined)
  for (const message of messages.values()) leave(message)

  function* take(line: LogLine): Iterable<Attempt> {
    const { service, text } = line
    if (service === 'smtpd' && /^(?:dis)?connect from /.test(text)) {
      const session = sessions.get(sessionKey(line))
      sessions.delete(sessionKey(line))
      if (session !== undefined) yield* part(session, disconnected.exec(text)?.slice(1))
      return
    }
    if (text.startsWith('NOQUEUE: reject: ')) {
      yield* refusal(line, 'NOQUEUE', text.slice('NOQUEUE: '.length))
      return
    }
    const [, queueId, rest] = queueIdForm.exec(text) ?? []
    if (queueId === undefined || rest === undefined) return
    if (service === 'smtpd') {
      if (rest.startsWith('client=')) begin(line, queueId, rest)
      else if (rest.startsWith('reject: ')) yield* refusal(line, queueId, rest)
    } else if (service === 'pickup') start(line, queueId).origin = 'local'
    else if (service === 'bounce') {
      const found = notification.exec(rest)
      const made = found?.[1] ?? found?.[2]
      if (made !== undefined) messageOf(line, made).origin = 'local'
    } else if (service === 'qmgr' || service === 'oqmgr') {
      if (rest === 'removed') end(line.host, queueId)
      else if (rest.startsWith('from=<')) yield* sender(line, queueId, rest)
    } else if (deliveryServices.has(service) && rest.startsWith('to=<')) yield* delivery(line, queueId, rest)
  }

  function begin(line: LogLine, queueId: string, rest: string): void {
    const [, client, more = ''] = clientForm.exec(rest) ?? []
    if (client === undefined) {
      count('shape')
      return
    }
    const message = start(line, queueId)
    message.client = ownCopy(client)
    message.login = ownCopy(loginForm.exec(more)?.[1] ?? '')
    if (message.login !== '') sessionOf(line).login = message.login
    message.origin = /(?:^|, )orig_(?:client|queue_id)=/.test(more) ? 'reinjected' : 'client'
  }

  function* sender(line: LogLine, queueId: string, rest: string): Iterable<Attempt> {
    const [, from] = fromForm.exec(rest) ?? []
    if (from === undefined) {
      // A status of the queue (`from=<…>, status=expired, returned to sender`) says nothing new.
      if (!/, status=/.test(rest)) count('shape')
      return
    }
    const message = messageOf(line, queueId)
    message.sender ??= ownCopy(from)
    yield* settle(message)
  }

  function* delivery(line: LogLine, queueId: string, rest: string): Iterable<Attempt> {
    const [, to, original, status] = toForm.exec(rest) ?? []
    if (to === undefined || status === undefined) {
      count('shape')
      return
    }
    const message = messageOf(line, queueId)
    const onward = forwarded.exec(rest)?.[1]
    if (onward !== undefined) messageOf(line, onward).origin = 'local'
    // What the client named; an alias has several recipients behind it.
    const recipient = ownCopy(original ?? to)
    if (message.seen.has(recipient)) return
    if (message.seen.size >= recipientsMax) {
      count('forgotten')
      return
    }
    message.seen.add(recipient)
    recipients += 1
    message.pending.push({ recipient, status: ownCopy(status) })
    yield* settle(message)
    while (recipients > recipientsTotalMax && messages.size > 1) forgetOldest()
  }

  function* refusal(line: LogLine, queueId: string, rest: string): Iterable<Attempt> {
    const { service } = line
    if (!rest.startsWith('reject: RCPT ')) {
      count('other-stage')
      return
    }
    const [, client, digit, said] = refusalForm.exec(rest) ?? []
    // Addresses are what strangers wrote: where two tails could be meant, none is believed.
    const parts = said?.split('; from=<') ?? []
    const [, from, to, more = ''] = envelopeForm.exec(`from=<${parts[1] ?? ''}`) ?? []
    if (client === undefined || parts.length !== 2 || from === undefined || to === undefined) {
      count('shape')
      return
    }
    const known = messages.get(keyOf(line.host, queueId))
    const [, policy, id] = ourText.exec(parts[0] ?? '') ?? []
    const login = refusedLogin.exec(more)?.[1] ?? (known?.origin === 'client' ? known.login : undefined)
    const attempt: Attempt = {
      at: line.at,
      host: ownCopy(line.host),
      queueId,
      client: ownCopy(client),
      login: login ?? '',
      sender: ownCopy(from),
      recipient: ownCopy(to),
      answer: {
        effect: digit === '4' ? 'defer' : 'reject',
        policy: policy === undefined ? null : ownCopy(policy),
        id: id ?? null,
      },
      status: 'refused',
    }
    if (login !== undefined || service !== 'smtpd' || id === undefined) {
      yield attempt
      return
    }
    const { refusals } = sessionOf(line)
    if (refusals.length < refusalsMax) refusals.push(attempt)
    else count('forgotten')
  }

  function sessionOf(line: LogLine): Session {
    const key = sessionKey(line)
    const known = sessions.get(key)
    if (known !== undefined) return known
    const session: Session = { login: null, refusals: [] }
    sessions.set(key, session)
    const [first] = sessions
    if (sessions.size > sessionsMax && first !== undefined) {
      sessions.delete(first[0])
      for (const _ of first[1].refusals) count('forgotten')
    }
    return session
  }

  /**
   * The end of a session. Postfix names the login of a message, not of a refusal before the first recipient taken; there
   * its count of logins tells whether there was one, and the policy that refused whether the sender is its address.
   * @param logins undefined when the end is not in the log, or does not count.
   */
  function* part({ login, refusals }: Session, logins: readonly (string | undefined)[] | undefined): Iterable<Attempt> {
    for (const refusal of refusals) {
      if (login !== null) yield { ...refusal, login }
      else if (logins !== undefined && Number(logins[0] ?? 0) === 0) yield refusal
      else if (logins !== undefined && isSendersOwn(refusal)) yield { ...refusal, login: refusal.sender }
      else count('login-unknown')
    }
  }

  /** Yields what is complete; the rest waits for a sender, or for the end. */
  function* settle(message: Message): Iterable<Attempt> {
    const { sender: from } = message
    if (message.origin !== 'client' || from === undefined) return
    for (const { recipient, status } of message.pending.splice(0))
      yield {
        at: message.at,
        host: message.host,
        queueId: message.queueId,
        client: message.client,
        login: message.login,
        sender: from,
        recipient,
        answer: { effect: 'dunno', policy: null, id: null },
        status,
      }
  }

  /** A message that begins: whatever had this id before is over, short ids are used again. */
  function start(line: LogLine, queueId: string): Message {
    const key = keyOf(line.host, queueId)
    const before = messages.get(key)
    // What nobody brought as yet was only named by another line: it is this one.
    if (before !== undefined && (before.origin !== 'unknown' || before.sender !== undefined || before.seen.size > 0))
      end(line.host, queueId)
    const message = messageOf(line, queueId)
    message.at = line.at
    return message
  }

  function messageOf(line: LogLine, queueId: string): Message {
    const key = keyOf(line.host, queueId)
    const known = messages.get(key)
    if (known !== undefined) return known
    const message: Message = {
      queueId: ownCopy(queueId),
      host: ownCopy(line.host),
      at: line.at,
      origin: 'unknown',
      client: '',
      login: '',
      sender: undefined,
      seen: new Set(),
      pending: [],
    }
    messages.set(key, message)
    if (messages.size > most) forgetOldest()
    return message
  }

  function end(host: string, queueId: string): void {
    const key = keyOf(host, queueId)
    const message = messages.get(key)
    if (message === undefined) return
    messages.delete(key)
    leave(message)
  }

  function forgetOldest(): void {
    const [first] = messages
    if (first === undefined) return
    const [key, message] = first
    messages.delete(key)
    count('forgotten')
    recipients -= message.seen.size
  }

  function leave(message: Message): void {
    recipients -= message.seen.size
    if (message.origin === 'local' || message.origin === 'reinjected') count(message.origin)
    else if (message.origin === 'unknown' || message.sender === undefined)
      count(message.origin === 'unknown' ? 'beginning-missing' : 'end-missing')
    else if (message.seen.size === 0) count('end-missing')
  }
}

/** Policies that refuse a login only after `sender-mismatch` had nothing against its sender (contract section 5). */
const afterMismatch = new Set(['off-network', 'scope-send', 'scope-receive', 'rate'])

function isSendersOwn({ sender, answer }: Attempt): boolean {
  return sender !== '' && afterMismatch.has(answer.policy ?? '')
}

function sessionKey({ host, process }: LogLine): string {
  return `${host} ${process}`
}

function keyOf(host: string, queueId: string): string {
  return `${host} ${queueId}`
}

/** A slice of a line would keep the whole line in memory. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString()
}
