/**
 * Held messages one by one: listed, seen as evidence, and deleted when two people ordered it (mission section 7, P6). A
 * message is its queue id, its arrival and its headers together: short ids are used again, and what stands under an id
 * now may be another message. Only the hold queue is ever deleted from, and only by id. Headers are digested where they
 * come out of `postcat`; no content is read, and none is kept.
 */
import { createHash } from 'node:crypto'
import type { HoldScope } from '../../agent/model/incident.ts'
import type { DoorState, HeldMailDoor, MessageEvidence, MessageName, QueuedMessage } from '../provider.ts'
import { callPostfix, type PostfixCommands } from './commands.ts'

/** `postcat` takes a few milliseconds; so many at once keep two cores busy and leave Postfix the rest. */
const readsMax = 4
/** Of one `postsuper`: between two, an abort comes. */
const batchMax = 1_000

export function nameOf({ id, arrivedAt }: MessageName): string {
  return `${id} ${arrivedAt}`
}

export function openHeldMail(parts: {
  readonly commands: PostfixCommands
  readonly look: (
    scope: HoldScope,
    signal: AbortSignal,
  ) => Promise<{ readonly held: readonly QueuedMessage[]; readonly state: DoorState }>
  /** Told of what is gone from the queue by our own hand. */
  readonly deleted: (messages: readonly QueuedMessage[]) => Promise<void>
}): HeldMailDoor {
  const { commands, look, deleted } = parts

  async function headersOf({ id }: MessageName, signal: AbortSignal): Promise<string> {
    const hash = createHash('sha256')
    const onOutput = (bytes: Buffer) => void hash.update(bytes)
    await callPostfix({ argv: commands.postcat, args: ['-h', '-q', id], onOutput, signal })
    return hash.digest('hex')
  }

  async function evidence(
    scope: HoldScope,
    chosen: readonly MessageName[],
    signal: AbortSignal,
  ): Promise<MessageEvidence[]> {
    const names = new Set(chosen.map(nameOf))
    const found = (await look(scope, signal)).held.filter(message => names.has(nameOf(message)))
    const seen: MessageEvidence[] = []
    for (let from = 0; from < found.length; from += readsMax) {
      const some = found.slice(from, from + readsMax)
      seen.push(...(await Promise.all(some.map(async one => ({ ...one, headers: await headersOf(one, signal) })))))
    }
    return seen
  }

  return {
    list: async (scope, signal) => (await look(scope, signal)).held,
    evidence,
    async purge(scope, ordered, signal) {
      const digests = new Map(ordered.map(message => [nameOf(message), message.headers]))
      const same = (await evidence(scope, ordered, signal)).filter(now => digests.get(nameOf(now)) === now.headers)
      for (let from = 0; from < same.length; from += batchMax) {
        const ids = same.slice(from, from + batchMax).map(({ id }) => id)
        await callPostfix({ argv: commands.postsuper, args: ['-d', '-', 'hold'], input: `${ids.join('\n')}\n`, signal })
      }
      const after = await look(scope, signal)
      const left = new Set(after.held.map(nameOf))
      // What did not go is still held and still ours.
      const gone = same.filter(message => !left.has(nameOf(message)))
      await deleted(gone)
      return { purged: gone.map(({ id, arrivedAt }) => ({ id, arrivedAt })), state: after.state }
    },
  }
}
