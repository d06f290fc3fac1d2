/**
 * Puts the lines of a log together: who brought a message, for whom, what was answered, what became of it. Several hosts
 * may be mixed, short queue ids come again, the beginning of a log may be missing. What is kept is bounded, whatever the
 * log: the oldest is let go, and said to be incomplete. Pure.
 */
import type { Instant } from '../core/clock.ts'
import { type Entry, type Refused, readEntry } from './entries.ts'
import type { LogLine } from './lines.ts'

/** How a login came to be known. `assumed`: the session logged in, no line says as whom, so the sender stands for it. */
export type LoginFrom = 'log' | 'session' | 'assumed' | 'none'

/** A recipient (or, at another stage, a message) that Postfix was asked to take. */
export type Asked = {
  readonly at: Instant
  readonly host: string
  readonly queue: string
  readonly stage: string
  readonly client: string
  readonly login: string
  readonly loginFrom: LoginFrom
  readonly sender: string
  readonly recipient: string
  /** null: it was taken. */
  readonly refused: { readonly reply: string; readonly decision: string } | null
}

export type Recipient = { readonly address: string; readonly status: string; readonly dsn: string }

/** Who wrote a message that no client brought. */
export type Origin = 'client' | 'pickup' | 'internal' | 'filter' | 'missing'

export type Message = {
  readonly at: Instant
  readonly host: string
  readonly queue: string
  readonly origin: Origin
  readonly client: string
  readonly login: string
  /** null where no line says it. */
  readonly sender: string | null
  readonly messageId: string
  readonly recipients: readonly Recipient[]
  /** It left the queue within the log. */
  readonly complete: boolean
}

export type Listener = {
  asked(asked: Asked): void
  message(message: Message): void
  /** A line of Postfix that could not be told apart. */
  unknown(why: 'ambiguous' | 'cut'): void
  /** A line about something else. */
  other(): void
}

export type Assembly = { take(line: LogLine): void; end(): void }

type Open = {
  at: Instant
  readonly host: string
  readonly queue: string
  origin: Origin
  client: string
  login: string
  sender: string | null
  messageId: string
  readonly recipients: Map<string, { status: string; dsn: string }>
}
type Held = { readonly at: Instant; readonly host: string; readonly refused: Refused }
type Session = { client: string; login: string; readonly held: Held[] }

/** What a busy host has in its queue; some 100 MB at the most. */
const openMax = 100_000
/** Of all open messages together: a list of 100,000 members several times over. */
const recipientsMax = 500_000
/** smtpd processes of all hosts at once; Postfix has 100 a host by default. */
const sessionsMax = 20_000
/** Refusals of one session until its login is known; Postfix hangs up after 20 errors by default. */
const heldMax = 1_000

export function createAssembly(listener: Listener): Assembly {
  const open = new Map<string, Open>()
  const sessions = new Map<string, Session>()
  let recipients = 0

  function messageOf(line: LogLine, queue: string, origin: Origin): Open {
    const key = `${line.host} ${queue}`
    const known = open.get(key)
    if (known !== undefined) return known
    const message: Open = {
      at: line.at,
      host: line.host,
      queue,
      origin,
      client: '',
      login: '',
      sender: null,
      messageId: '',
      recipients: new Map(),
    }
    open.set(key, message)
    while (open.size > openMax || recipients > recipientsMax) closeOldest()
    return message
  }

  function closeOldest(): void {
    const [oldest] = open
    if (oldest !== undefined) close(oldest[0], oldest[1], false)
  }

  function close(key: string, message: Open, complete: boolean): void {
    open.delete(key)
    recipients -= message.recipients.size
    listener.message({
      ...message,
      recipients: [...message.recipients].map(([address, { status, dsn }]) => ({ address, status, dsn })),
      complete,
    })
  }

  /** A new message under a queue id: the one that had it before has left, though nobody said so. */
  function begin(line: LogLine, queue: string, origin: Origin): Open {
    const key = `${line.host} ${queue}`
    const before = open.get(key)
    if (before !== undefined) close(key, before, false)
    return messageOf(line, queue, origin)
  }

  function sessionOf(line: LogLine): Session {
    const key = `${line.host} ${line.pid}`
    let session = sessions.get(key)
    if (session === undefined) {
      session = { client: '', login: '', held: [] }
      sessions.set(key, session)
      if (sessions.size > sessionsMax) {
        const [oldest] = sessions
        if (oldest !== undefined) endSession(oldest[0], null)
      }
    }
    return session
  }

  function endSession(key: string, hadLogin: boolean | null): void {
    const session = sessions.get(key)
    if (session === undefined) return
    sessions.delete(key)
    release(session, hadLogin)
  }

  /** One session logs in once at the most, so what it is known for later holds for its refusals too. */
  function release(session: Session, hadLogin: boolean | null): void {
    for (const { at, host, refused } of session.held.splice(0)) {
      if (session.login !== '') tell(at, host, refused, session.login, 'session')
      else if (hadLogin === true && refused.sender !== '') tell(at, host, refused, refused.sender, 'assumed')
      else tell(at, host, refused, '', 'none')
    }
  }

  function tell(at: Instant, host: string, refused: Refused, login: string, loginFrom: LoginFrom): void {
    const { queue, stage, client, sender, recipient, reply, decision } = refused
    listener.asked({
      at,
      host,
      queue,
      stage,
      client,
      login,
      loginFrom,
      sender,
      recipient,
      refused: { reply, decision },
    })
  }

  function takeRefused(line: LogLine, refused: Refused): void {
    const known = loginOf(line, refused)
    if (known !== null) tell(line.at, line.host, refused, ...known)
    else {
      const session = sessionOf(line)
      session.held.push({ at: line.at, host: line.host, refused })
      if (session.held.length > heldMax) release(session, null)
    }
  }

  /** null where the rest of the session may tell. */
  function loginOf(line: LogLine, { login, queue }: Refused): [login: string, from: LoginFrom] | null {
    if (login !== '') return [login, 'log']
    const message = queue === '' ? undefined : open.get(`${line.host} ${queue}`)
    if (message?.origin === 'client') return [message.login, message.login === '' ? 'none' : 'log']
    if (line.program !== 'smtpd') return ['', 'none']
    const session = sessionOf(line)
    return session.login === '' ? null : [session.login, 'session']
  }

  function takeDelivery(line: LogLine, entry: Extract<Entry, { kind: 'delivery' }>): void {
    const message = messageOf(line, entry.queue, 'missing')
    const known = message.recipients.get(entry.recipient)
    if (known !== undefined) {
      // Of several targets of one alias, the worst counts: somebody did not get it.
      if (entry.status !== 'sent' || known.status !== 'bounced') {
        known.status = entry.status
        known.dsn = entry.dsn
      }
      return
    }
    const { status, dsn } = entry
    message.recipients.set(entry.recipient, { status, dsn })
    recipients += 1
    if (message.origin !== 'client' || message.sender === null) return
    const { at, host, queue, client, login, sender } = message
    const loginFrom = login === '' ? 'none' : 'log'
    const { recipient } = entry
    listener.asked({ at, host, queue, stage: 'RCPT', client, login, loginFrom, sender, recipient, refused: null })
  }

  return {
    take(line) {
      const entry = readEntry(line)
      switch (entry.kind) {
        case 'connect': {
          endSession(`${line.host} ${line.pid}`, null)
          sessionOf(line).client = entry.client
          return
        }
        case 'disconnect':
          endSession(`${line.host} ${line.pid}`, entry.hadLogin)
          return
        case 'client': {
          const message = begin(line, entry.queue, entry.again ? 'filter' : 'client')
          message.client = entry.client
          message.login = entry.login
          if (entry.login !== '') sessionOf(line).login = entry.login
          return
        }
        case 'pickup':
          begin(line, entry.queue, 'pickup')
          return
        case 'message-id':
          // A client comes first, so that one without is written by Postfix itself: a report, a copy that is forwarded.
          messageOf(line, entry.queue, 'internal').messageId = entry.messageId
          return
        case 'queued':
          messageOf(line, entry.queue, 'missing').sender = entry.sender
          return
        case 'delivery':
          takeDelivery(line, entry)
          return
        case 'bounce':
          messageOf(line, entry.notification, 'internal')
          return
        case 'removed': {
          const key = `${line.host} ${entry.queue}`
          const message = open.get(key)
          if (message !== undefined) close(key, message, true)
          return
        }
        case 'refused':
          takeRefused(line, entry)
          return
        case 'unknown':
          listener.unknown(entry.why)
          return
        case 'other':
          listener.other()
          return
      }
    },
    end() {
      for (const key of [...sessions.keys()]) endSession(key, null)
      for (const [key, message] of [...open]) close(key, message, false)
    },
  }
}
