/** Asks the mail hosts to close, or to open, what incidents want of them: every host by itself, none waits for another. */
import { type DoorState, type MailDoor, type MailHost, ProviderFailure } from '../../providers/provider.ts'
import type { Log } from '../core/log.ts'
import { openHolds } from '../incident/lifecycle.ts'
import { type DoorReport, type DoorTask, doorTasks, queuesToOpen } from '../incident/mail-doors.ts'
import type { Engine } from '../reconcile/engine.ts'

export type DoorWork = { readonly reports: readonly DoorReport[]; readonly failures: readonly string[] }

/** Closes what every open hold wants closed, and opens what ended incidents let go. */
export async function workMailDoors(
  engine: Engine,
  hosts: readonly MailHost[],
  signal: AbortSignal,
): Promise<DoorWork> {
  const { incidents } = engine.history
  const holds = openHolds(incidents)
  const { domains } = engine.world()
  const closing = holds.flatMap(hold => doorTasks(hold, domain => domains.get(domain)?.domain))
  const opening = queuesToOpen(incidents, holds).map(
    ({ id, scope }): DoorTask => ({ incident: id, scope, doors: ['queue'] }),
  )
  const done = await Promise.all(hosts.map(host => workHost(host, { closing, opening }, signal, engine.parts.log)))
  return { reports: done.flatMap(({ reports }) => reports), failures: done.flatMap(({ failures }) => failures) }
}

async function workHost(
  host: MailHost,
  { closing, opening }: { readonly closing: readonly DoorTask[]; readonly opening: readonly DoorTask[] },
  signal: AbortSignal,
  log: Log,
): Promise<DoorWork> {
  const reports: DoorReport[] = []
  const failures: string[] = []
  const run = async (task: DoorTask, act: 'close' | 'open') => {
    const doors = host.doors.filter((door): door is MailDoor => task.doors.includes(door))
    if (doors.length === 0) return
    try {
      const states = await host[act](task.scope, doors, signal)
      reports.push(...states.map(state => toReport(task, host, state)))
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      failures.push(`${host.name}: ${error.message}`)
      log.write('error', 'mail host', { host: host.name, act, incident: task.incident, error: error.message })
      for (const door of doors)
        reports.push({ incident: task.incident, host: host.name, door, open: null, held: 0, failed: true })
    }
  }
  // One after the other: two incidents of one domain must not race on one queue.
  for (const task of closing) await run(task, 'close')
  for (const task of opening) await run(task, 'open')
  return { reports: merged(reports), failures }
}

function toReport({ incident }: DoorTask, host: MailHost, { door, open, held }: DoorState): DoorReport {
  return { incident, host: host.name, door, open, held, failed: false }
}

/** An incident may have more than one task at a door (collector and administrator): what stands open adds up. */
function merged(reports: readonly DoorReport[]): DoorReport[] {
  const byDoor = Map.groupBy(reports, ({ incident, door }) => `${incident} ${door}`)
  return [...byDoor.values()].map((same): DoorReport => {
    const [first] = same as [DoorReport]
    const counted = same.flatMap(({ open }) => open ?? [])
    return {
      ...first,
      open: counted.length === 0 ? null : counted.reduce((sum, open) => sum + open, 0),
      held: same.reduce((sum, { held }) => sum + held, 0),
      failed: same.some(({ failed }) => failed),
    }
  })
}
