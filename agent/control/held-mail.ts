/**
 * Which messages of a queue are held by us, kept in the register: a queue file does not say who put it on hold, and a
 * message that somebody else held is never ours to release. Ids and scopes stand in the personal part.
 */
import { formatInstant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import type { HeldMessage } from '../incident/incident.ts'
import type { Engine } from '../reconcile/engine.ts'
import { daemonActor } from '../reconcile/findings.ts'
import { heldKey } from '../world/history.ts'

export type HeldMailStore = {
  list(): Promise<readonly HeldMessage[]>
  /** Durable when it resolves. */
  add(held: readonly HeldMessage[]): Promise<void>
  remove(held: readonly HeldMessage[], how: string): Promise<void>
}

export function heldMailStore(engine: Engine, host: string): HeldMailStore {
  const known = () => engine.history.heldMail.get(host) ?? new Map<string, HeldMessage>()
  const record = async (kind: string, messages: readonly HeldMessage[], facts: Readonly<Record<string, Json>>) => {
    if (messages.length === 0) return
    const at = formatInstant(engine.parts.clock.now())
    const personal = { messages: messages as unknown as Json }
    const entry = { kind, actor: daemonActor, at, subject: host, rule: 'P6', personal }
    await engine.append([{ ...entry, facts: { host, count: messages.length, ...facts } }])
  }
  return {
    list: async () => [...known().values()],
    add: held => {
      const before = known()
      return record(
        'mail.held',
        held.filter(message => !before.has(heldKey(message))),
        {},
      )
    },
    remove: (held, how) => {
      const before = known()
      return record(
        'mail.unheld',
        held.filter(message => before.has(heldKey(message))),
        { how },
      )
    },
  }
}
