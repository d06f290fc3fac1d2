/** What is looked at on a schedule for signs of misuse: once when the daemon is ready, and again at its times. */
import type { Blocklists, MailHost, ReportMailbox } from '../../providers/provider.ts'
import type { Engine } from '../reconcile/engine.ts'
import { every } from '../reconcile/schedule.ts'
import { createBlocklistWatch } from './blocklist-watch.ts'
import { createComplaintReader } from './complaint-reader.ts'
import { createLoginWatch } from './login-watch.ts'
import { createQueueWatch } from './queue-watch.ts'

/** Lists ask to be asked rarely; not all of the world at the full hour. */
const times = { reports: '*/5 * * * *', blocklists: '23 * * * *', logins: '* * * * *', queues: '*/5 * * * *' } as const

export function startWatches({
  engine,
  reports,
  blocklists,
  hosts,
  signal,
}: {
  readonly engine: Engine
  readonly reports: ReportMailbox | null
  readonly blocklists: Blocklists | null
  readonly hosts: readonly MailHost[]
  readonly signal: AbortSignal
}): { idle(): Promise<void> } {
  const { config } = engine.parts
  const first: Promise<void>[] = []
  const start = (time: string, check: () => Promise<void>) => {
    first.push(check())
    every(time, config.operator.timeZone, check, signal)
  }
  if (reports !== null) {
    const reader = createComplaintReader({ engine, mailbox: reports, signal })
    start(times.reports, () => reader.check())
  }
  if (blocklists !== null && config.detection.blocklists !== null) {
    const parts = { engine, config: config.detection.blocklists, lists: blocklists, signal }
    const watch = createBlocklistWatch(parts)
    start(times.blocklists, () => watch.check())
  }
  if (config.detection.logins.logs.length > 0) {
    const watch = createLoginWatch({ engine, config: config.detection.logins })
    start(times.logins, () => watch.check())
  }
  if (hosts.some(({ waiting }) => waiting !== undefined)) {
    const watch = createQueueWatch({ engine, hosts, signal })
    start(times.queues, () => watch.check())
  }
  return {
    idle: async () => {
      await Promise.all(first)
    },
  }
}
