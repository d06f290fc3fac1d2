/**
 * Asks the configured blocklists about our domains and the addresses that mail leaves from. A listing is a signal, once a
 * day while it lasts; an error, a time-out, and a list that lists what nothing may list are told in the log, and are no
 * sign of anybody.
 */
import type { BlocklistAnswer, Blocklists } from '../../providers/provider.ts'
import { dayMs } from '../core/clock.ts'
import type { BlocklistsConfig } from '../model/detection.ts'
import { isProvisioned } from '../model/world.ts'
import type { Engine } from '../reconcile/engine.ts'
import { neverListed } from '../standards/dnsbl.ts'
import { raiseSign } from './raise-sign.ts'

/** Questions on their way at once: more is impolite to a list, and it answers that it refuses. */
const atOnceMax = 4

export type BlocklistWatch = { check(): Promise<void> }

export function createBlocklistWatch(parts: {
  readonly engine: Engine
  readonly config: BlocklistsConfig
  readonly lists: Blocklists
  readonly signal: AbortSignal
}): BlocklistWatch {
  const { engine, config, lists, signal } = parts
  const { log } = engine.parts
  type List = BlocklistsConfig['lists'][number]
  type Asked = { readonly subject: string; readonly list: List; readonly answer: BlocklistAnswer }

  async function askList(list: List, subjects: readonly string[]): Promise<readonly Asked[]> {
    const test = await lists.ask(list.zone, neverListed[list.of], signal)
    // 127.0.0.1 as an answer is an error too, so anything but clear says that the list is not to be believed.
    if (test.result !== 'clear') {
      log.write('warn', 'a blocklist is not asked', { list: list.zone, why: test.result, detail: test.detail })
      return []
    }
    const waiting = [...subjects]
    const asked: Asked[] = []
    const work = async () => {
      for (let subject = waiting.shift(); subject !== undefined && !signal.aborted; subject = waiting.shift())
        asked.push({ subject, list, answer: await lists.ask(list.zone, subject, signal) })
    }
    await Promise.all(Array.from({ length: Math.min(atOnceMax, subjects.length) }, work))
    const silent = asked.filter(({ answer }) => answer.result === 'unknown' || answer.result === 'error')
    if (silent.length > 0)
      log.write('warn', 'a blocklist did not say', {
        list: list.zone,
        subjects: silent.length,
        detail: silent[0]?.answer.detail,
      })
    return asked
  }

  async function raise(code: 'SIG-BLOCKLIST' | 'SIG-BLOCKLIST-RELAY', subject: string, on: readonly List[]) {
    log.write('warn', 'listed', { subject, lists: on.map(({ zone }) => zone) })
    await raiseSign(engine, { code, level: 'alert', count: on.length, subject }, { window: 0, quiet: dayMs })
  }

  async function checkAll(): Promise<void> {
    const { domains } = engine.world()
    const subjects = {
      domains: [...domains].filter(([, { state }]) => isProvisioned(state)).map(([name]) => name as string),
      addresses: config.relays,
    }
    const asked = (await Promise.all(config.lists.map(list => askList(list, subjects[list.of])))).flat()
    const listed = Map.groupBy(
      asked.filter(({ answer }) => answer.result === 'listed'),
      ({ subject }) => subject,
    )
    for (const [subject, on] of listed) {
      const code = on[0]?.list.of === 'domains' ? 'SIG-BLOCKLIST' : 'SIG-BLOCKLIST-RELAY'
      await raise(
        code,
        subject,
        on.map(({ list }) => list),
      )
    }
  }

  let running: Promise<void> | null = null
  return {
    check() {
      running ??= checkAll()
        .catch((error: unknown) => {
          log.write('error', 'blocklists were not asked', {
            error: error instanceof Error ? error.stack : String(error),
          })
        })
        .finally(() => {
          running = null
        })
      return running
    },
  }
}
