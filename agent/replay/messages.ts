/**
 * Lines put together: each recipient that a client asked for, once, with who asked. A message is known by host and queue
 * id; short ids come again after `removed`. Memory is bounded: of messages that never end the oldest are forgotten.
 */
import type { Instant } from '../core/clock.ts'
import { readLine, type Stamps } from './lines.ts'

export type Attempt = {
  readonly at: Instant
  readonly client: string
  readonly login: string
  readonly sender: string
  readonly recipient: string
  /** What the log says became of it. `others`: refused before or after us, and by somebody else. */
  readonly outcome: 'accepted' | 'refused' | 'deferred' | 'others'
}

/** How much of a log was made use of. */
export type Tally = {
  lines: number
  foreign: number
  other: number
  unread: number
  tooLong: number
  /** Recipients of messages whose beginning is not in the log, and of the host's own, which nobody is asked about. */
  incomplete: number
  local: number
}

export const emptyTally = (): Tally => ({
  lines: 0,
  foreign: 0,
  other: 0,
  unread: 0,
  tooLong: 0,
  incomplete: 0,
  local: 0,
})

type Message = {
  readonly at: Instant
  readonly client: string | null
  readonly login: string
  sender: string | null
  readonly recipients: Set<string>
}

/** Postfix itself keeps at most some ten thousand active; what waits for days is the rest. */
const messagesMax = 200_000
const recipientsMax = 50_000

export async function* attemptsOf(lines: AsyncIterable<string>, stamps: Stamps, tally: Tally): AsyncGenerator<Attempt> {
  const messages = new Map<string, Message>()
  const begin = (key: string, message: Message) => {
    messages.delete(key)
    messages.set(key, message)
    const [oldest] = messages.size > messagesMax ? messages.keys() : []
    if (oldest !== undefined) messages.delete(oldest)
    return message
  }
  for await (const line of lines) {
    tally.lines += 1
    const read = readLine(line, stamps)
    if (typeof read === 'string') {
      tally[read] += 1
      continue
    }
    const { at, host, queueId, event } = read
    const key = `${host} ${queueId}`
    switch (event.kind) {
      case 'client':
        begin(key, { at, client: event.client, login: event.login, sender: null, recipients: new Set() })
        break
      case 'local':
        begin(key, { at, client: null, login: '', sender: null, recipients: new Set() })
        break
      case 'sender': {
        const message = messages.get(key)
        if (message !== undefined) message.sender ??= event.sender
        break
      }
      case 'recipient': {
        const known = messages.get(key)
        if (known === undefined) {
          tally.incomplete += 1
          break
        }
        // A message that waits is tried again and again; it was asked about once.
        if (known.recipients.has(event.recipient) || known.recipients.size >= recipientsMax) break
        known.recipients.add(event.recipient)
        const { client, login, sender } = known
        if (client === null) tally.local += 1
        else if (sender === null) tally.incomplete += 1
        else yield { at: known.at, client, login, sender, recipient: event.recipient, outcome: 'accepted' }
        break
      }
      case 'removed':
        messages.delete(key)
        break
      case 'refused': {
        const { client, login, sender, recipient, code, id } = event
        const outcome = id === null ? 'others' : code.startsWith('4') ? 'deferred' : 'refused'
        yield { at, client, login, sender, recipient, outcome }
      }
    }
  }
}
