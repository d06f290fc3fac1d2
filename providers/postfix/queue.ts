/**
 * The queue as `postqueue -j` prints it, one JSON object a line (postqueue(1), "JSON OBJECT FORMAT"), judged line by line
 * while it comes: a queue of any length takes the memory of its longest line. A line that makes no sense is a failure,
 * never a shorter list.
 */
import { ProviderFailure, type QueuedMessage } from '../provider.ts'
import { callPostfix, type PostfixCommands } from './commands.ts'

/** A message to 100,000 recipients, each with the reason of its delay. */
const lineCharsMax = 32 * 1024 * 1024

/** Calls `visit` for each message of the queue. The listing is no snapshot: messages move while it is made. */
export async function listQueue(
  commands: PostfixCommands,
  visit: (message: QueuedMessage) => void,
  signal: AbortSignal,
): Promise<void> {
  const lines = lineReader(line => visit(parseQueueLine(line)))
  await callPostfix({ argv: commands.postqueue, args: ['-j'], onOutput: lines.take, signal })
  lines.end()
}

/** Cuts bytes into lines; a character may be split between two pieces. */
export function lineReader(onLine: (line: string) => void) {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let parts: string[] = []
  let length = 0
  const keep = (part: string) => {
    parts.push(part)
    length += part.length
    if (length > lineCharsMax) throw malformed('a line without an end')
  }
  return {
    take(bytes: Buffer): void {
      const text = decoder.decode(bytes, { stream: true })
      let from = 0
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
        keep(text.slice(from, end))
        const line = parts.length === 1 ? (parts[0] ?? '') : parts.join('')
        parts = []
        length = 0
        from = end + 1
        onLine(line)
      }
      if (from < text.length) keep(text.slice(from))
    },
    /** The last line has its end too, or the list was cut. */
    end(): void {
      if (length > 0) throw malformed('the last line is cut')
    },
  }
}

/** @throws ProviderFailure `malformed-reply` */
export function parseQueueLine(line: string): QueuedMessage {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw malformed('a line that is no JSON')
  }
  const {
    queue_name: queue,
    queue_id: id,
    arrival_time: arrival,
    message_size: bytes,
    sender,
    recipients,
  } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  if (
    typeof queue !== 'string' ||
    typeof id !== 'string' ||
    !isQueueId(id) ||
    !Number.isSafeInteger(arrival) ||
    !Number.isSafeInteger(bytes) ||
    typeof sender !== 'string' ||
    !Array.isArray(recipients)
  )
    throw malformed('a line that describes no message')
  return {
    id,
    queue,
    arrivedAt: Number(arrival) * 1000,
    bytes: Number(bytes),
    // What showq prints for the null sender. A real one has a domain: cleanup adds $myorigin.
    sender: sender === 'MAILER-DAEMON' ? '' : sender,
    recipients: recipients.map(parseRecipient),
  }
}

function parseRecipient(value: unknown): QueuedMessage['recipients'][number] {
  const { address, delay_reason: reason } = (value ?? {}) as { address?: unknown; delay_reason?: unknown }
  if (typeof address !== 'string') throw malformed('a recipient without an address')
  return { address, reason: typeof reason === 'string' ? reason : null }
}

/** Short ids are hexadecimal, long ones letters and digits without vowels; nothing else may reach `postsuper`, for which ALL is a word. */
export function isQueueId(text: string): boolean {
  return /^[0-9A-Za-z]{6,40}$/.test(text)
}

/** True when the message comes from the scope or goes to it, for any of its recipients. */
export function concerns(inScope: (address: string) => boolean, message: QueuedMessage): boolean {
  return inScope(message.sender) || message.recipients.some(({ address }) => inScope(address))
}

function malformed(what: string): ProviderFailure {
  return new ProviderFailure('malformed-reply', `the list of the queue makes no sense: ${what}`, { retry: 'later' })
}
