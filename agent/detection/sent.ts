/**
 * What our own mail logs have of messages, by Message-ID or queue id: whether they were ours, and whose. Reads the logs of
 * some days once for as many messages as are asked for; keeps nothing of them.
 */
import type { Instant } from '../core/clock.ts'
import { rotations } from '../evidence/mail-log.ts'
import { createLineReader } from '../replay/lines.ts'
import { createAssembly, type Message } from '../replay/messages.ts'
import { eachLine, openLog, readHead } from '../replay/sources.ts'

/** Short queue ids come again; of one id these are enough to find the right one. */
const foundMax = 1_000

export type Wanted = { readonly messageIds: ReadonlySet<string>; readonly queueIds: ReadonlySet<string> }

/** Those that a client brought to us. @throws the disk's own error when a log is not there or may not be read. */
export async function findSent(
  logs: readonly string[],
  wanted: Wanted,
  { since, timeZone, signal }: { readonly since: Instant; readonly timeZone: string; readonly signal: AbortSignal },
): Promise<readonly Message[]> {
  const found: Message[] = []
  const assembly = createAssembly({
    asked() {},
    unknown() {},
    other() {},
    message(message) {
      const isWanted = wanted.messageIds.has(message.messageId) || wanted.queueIds.has(message.queue)
      if (isWanted && message.origin === 'client' && message.at >= since && found.length < foundMax) found.push(message)
    },
  })
  const reader = createLineReader(timeZone)
  for (const log of logs)
    for (const file of await rotations(log, since)) {
      const { writtenAt } = await readHead(file)
      const pieces = await openLog(file)
      await eachLine(untilAborted(pieces, signal), text => {
        const line = reader.read(text, writtenAt)
        if (typeof line !== 'string') assembly.take(line)
      })
    }
  assembly.end()
  return found
}

async function* untilAborted(pieces: AsyncIterable<Buffer>, signal: AbortSignal): AsyncIterable<Buffer> {
  for await (const piece of pieces) {
    signal.throwIfAborted()
    yield piece
  }
}
