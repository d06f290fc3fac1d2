/**
 * Which messages of a queue mailwarden holds, and for which scopes. A queue file does not say who put it on hold, so it is
 * remembered before the hold: what is not remembered was held by somebody else and is never released by us. The caller
 * keeps this where it outlives the process (the register); in memory it is lost at the end, and then those messages wait
 * for a person.
 */
import type { Instant } from '../../agent/core/clock.ts'

/** One message under one scope; a message between two held domains stands here twice. */
export type HeldMessage = {
  readonly id: string
  /** Milliseconds since 1970. With the id, the message itself: short ids are used again. */
  readonly arrivedAt: Instant
  /** `hcg.sld.cu` or `jperez@hcg.sld.cu`. */
  readonly scope: string
}

export interface HeldMessages {
  /** All of this host. */
  list(): Promise<readonly HeldMessage[]>
  /** Durable when it resolves: the hold comes after. To add one twice is harmless. */
  add(held: readonly HeldMessage[]): Promise<void>
  /**
   * They no longer wait for this scope. `how` tells what became of them: `released` under the same id; `requeued` under a
   * new one, which Postfix logs (`NEW: … orig_id=OLD`); `kept` for another scope that is closed; `purged` as two people
   * ordered; `gone` from the hold queue without us.
   */
  remove(held: readonly HeldMessage[], how: 'released' | 'requeued' | 'kept' | 'purged' | 'gone'): Promise<void>
}

export function heldInMemory(): HeldMessages {
  const held = new Map<string, HeldMessage>()
  return {
    list: async () => [...held.values()],
    async add(more) {
      for (const message of more) held.set(keyOf(message), message)
    },
    async remove(some) {
      for (const message of some) held.delete(keyOf(message))
    },
  }
}

export function keyOf({ id, arrivedAt, scope }: HeldMessage): string {
  return `${id} ${arrivedAt} ${scope}`
}
