/** Looks at how much mail of each domain waits on the mail hosts, and puts on record where it is far more than usual. */
import { type MailHost, ProviderFailure } from '../../providers/provider.ts'
import { createQueueMeter } from '../detection/queue-growth.ts'
import type { DomainName } from '../model/name.ts'
import type { Engine } from '../reconcile/engine.ts'
import { raiseSign } from './raise-sign.ts'

const hourMs = 3_600_000
const lookMs = 60_000

export type QueueWatch = { check(): Promise<void> }

export function createQueueWatch(parts: {
  readonly engine: Engine
  readonly hosts: readonly MailHost[]
  readonly signal: AbortSignal
}): QueueWatch {
  const { engine, hosts, signal } = parts
  const { log } = engine.parts
  const meter = createQueueMeter()

  /** Null where a host did not say: a look at some of them would read as a queue that is empty. */
  async function waitingOnAll(): Promise<ReadonlyMap<string, number> | null> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(lookMs)])
    const sum = new Map<string, number>()
    try {
      for (const host of hosts)
        for (const [domain, count] of (await host.waiting?.(deadline)) ?? [])
          sum.set(domain, (sum.get(domain) ?? 0) + count)
      return sum
    } catch (error) {
      if (!(error instanceof ProviderFailure || deadline.aborted)) throw error
      log.write('warn', 'queues were not counted', { error: String(error) })
      return null
    }
  }

  async function look(): Promise<void> {
    const waiting = await waitingOnAll()
    if (waiting === null) return
    const { domains } = engine.world()
    for (const { domain, count } of meter.take(
      new Map([...waiting].filter(([name]) => domains.has(name as DomainName))),
    )) {
      const sign = { code: 'SIG-QUEUE', level: 'act', count, subject: domain } as const
      await raiseSign(engine, sign, { window: 0, quiet: hourMs })
    }
  }

  let running: Promise<void> | null = null
  return {
    check() {
      running ??= look()
        .catch((error: unknown) => {
          log.write('error', 'queues were not counted', { error: error instanceof Error ? error.stack : String(error) })
        })
        .finally(() => {
          running = null
        })
      return running
    },
  }
}
