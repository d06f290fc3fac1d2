/** Asks the mail hosts to close, or to open, what incidents want of them: every host by itself, none waits for another. */
import {
  type DomainLogins,
  type DoorState,
  type MailDoor,
  type MailHost,
  ProviderFailure,
} from '../../providers/provider.ts'
import type { Log } from '../core/log.ts'
import { type HeldMail, incidentsWithHeldMail, mayGo, ownersIn } from '../incident/held.ts'
import type { Incidents } from '../incident/incident.ts'
import { openHolds } from '../incident/lifecycle.ts'
import {
  type DoorReport,
  type DoorTask,
  deniedDomains,
  doorTasks,
  holdsQueues,
  reopenedOf,
} from '../incident/mail-doors.ts'
import type { Hold } from '../model/incident.ts'
import type { DomainName } from '../model/name.ts'
import type { Engine } from '../reconcile/engine.ts'
import { scopeTest } from '../standards/hold-scope.ts'

export type DoorWork = { readonly reports: readonly DoorReport[]; readonly failures: readonly string[] }

/** Who works on a host: a suspension does not wait for a pass, and two must not race on one file or one queue. */
const turns = new WeakMap<MailHost, Promise<unknown>>()

function inTurn<T>(host: MailHost, work: () => Promise<T>): Promise<T> {
  const before = turns.get(host) ?? Promise.resolve()
  const turn = before.then(work, work)
  turns.set(host, turn)
  return turn
}

/** Closes what every open hold wants closed, and lets the mail go that ended incidents let go. */
export async function workMailDoors(
  engine: Engine,
  hosts: readonly MailHost[],
  signal: AbortSignal,
): Promise<DoorWork> {
  const done = await Promise.all(
    hosts.map(host => inTurn(host, () => workHost(host, workOf(engine), signal, engine.parts.log))),
  )
  return { reports: done.flatMap(({ reports }) => reports), failures: done.flatMap(({ failures }) => failures) }
}

/** As it is when its turn has come: what waited must not open what was closed meanwhile. */
function workOf(engine: Engine): Work {
  const { incidents } = engine.history
  const holds = openHolds(incidents)
  const { domains } = engine.world()
  const closing = holds.flatMap(hold => doorTasks(hold, domain => domains.get(domain)?.domain))
  const denied = deniedDomains(holds)
  return { closing, holds: holds.filter(holdsQueues), denied, incidents, held: engine.history.heldMail }
}

type Work = {
  readonly closing: readonly DoorTask[]
  /** Every open hold that keeps mail in queues. */
  readonly holds: readonly Hold[]
  readonly denied: ReadonlyMap<DomainName, string>
  /** With the doors as they were left. */
  readonly incidents: Incidents
  readonly held: HeldMail
}

async function workHost(
  host: MailHost,
  { closing, holds, denied, incidents, held }: Work,
  signal: AbortSignal,
  log: Log,
): Promise<DoorWork> {
  const reports: DoorReport[] = []
  const failures: string[] = []
  const known = (task: DoorTask, door: string) => incidents.byId.get(task.incident)?.doors.get(`${host.name}/${door}`)
  const close = async (task: DoorTask, doors: readonly MailDoor[]) => {
    const before = doors.some(door => known(task, door) !== undefined) ? await host.observe(task.scope, signal) : []
    const reopened = new Map(before.map(state => [state.door, reopenedOf(known(task, state.door), state)]))
    const states = await host.close(task.scope, doors, signal)
    return states.map(state => toReport(task, host, state, reopened.get(state.door)))
  }
  /** Of ended incidents: what was let go leaves, and the rest is followed, so that nobody lets it go unseen. */
  const open = async (task: DoorTask, doors: readonly MailDoor[]) => {
    const ownersOf = ownersIn(held, host.name)
    const inScope = (hold: Hold) => scopeTest(hold.scope)
    let leaving = 0
    const states = await host.open(task.scope, doors, signal, message => {
      const owners = ownersOf(message)
      const goes = mayGo(message, { host: host.name, incidents, owners, holds, inScope })
      if (goes) leaving += 1
      return goes
    })
    return states.map(state => {
      const gone = reopenedOf(known(task, state.door), state) - leaving
      return toReport(task, host, state, Math.max(0, gone))
    })
  }
  const run = async (task: DoorTask, act: 'close' | 'open') => {
    const doors = host.doors.filter((door): door is MailDoor => task.doors.includes(door))
    if (doors.length === 0) return
    try {
      reports.push(...(await (act === 'close' ? close(task, doors) : open(task, doors))))
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      failures.push(`${host.name}: ${error.message}`)
      log.write('error', 'mail host', { host: host.name, act, incident: task.incident, error: error.message })
      for (const door of doors)
        reports.push({ incident: task.incident, host: host.name, door, open: null, held: 0, failed: true })
    }
  }
  // The line first: whoever is thrown out after it stays out.
  if (host.logins !== undefined)
    try {
      reports.push(...(await denyLogins(host.name, host.logins, { denied, incidents })))
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      failures.push(`${host.name}: ${error.message}`)
      log.write('error', 'mail host', { host: host.name, act: 'deny', error: error.message })
      for (const incident of denied.values())
        reports.push({ incident, host: host.name, door: 'logins', open: null, held: 0, failed: true })
    }
  // One after the other: two incidents of one domain must not race on one queue.
  for (const task of closing) await run(task, 'close')
  for (const { id, scope } of incidentsWithHeldMail(incidents, held, host.name))
    await run({ incident: id, scope, doors: ['queue'] }, 'open')
  return { reports: merged(reports), failures }
}

/** The lines of the file are exactly the domains that are held: what is not held any more is opened in the same turn. */
async function denyLogins(
  host: string,
  logins: DomainLogins,
  { denied, incidents }: Pick<Work, 'denied' | 'incidents'>,
): Promise<DoorReport[]> {
  const before = new Set(await logins.closed())
  const gone = [...before].filter(domain => !denied.has(domain))
  if (gone.length > 0) await logins.open(gone)
  const missing = [...denied.keys()].filter(domain => !before.has(domain))
  const closed = new Set(missing.length > 0 ? await logins.close(missing) : before)
  return [...denied].map(([domain, incident]) => {
    const known = incidents.byId.get(incident)?.doors.get(`${host}/logins`)
    const found = { door: 'logins', open: before.has(domain) ? 0 : 1, held: 0 }
    const open = closed.has(domain) ? 0 : 1
    return { ...found, incident, host, open, failed: false, reopened: reopenedOf(known, found) }
  })
}

function toReport(
  { incident }: DoorTask,
  host: MailHost,
  { door, open, held }: DoorState,
  reopened: number | undefined,
): DoorReport {
  return { incident, host: host.name, door, open, held, failed: false, reopened: reopened ?? 0 }
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
      reopened: same.reduce((sum, { reopened = 0 }) => sum + reopened, 0),
    }
  })
}
