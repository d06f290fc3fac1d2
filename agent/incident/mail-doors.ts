/**
 * What a hold closes on the mail hosts beside the directory and the live decision: sessions that live, caches that still
 * let in, mail that waits in queues (contract section 6). Which of them, for which scope, and what the answers mean for
 * the levers. Pure; the hosts are asked in `control/mail-doors.ts`.
 */
import { formatInstant, type Instant } from '../core/clock.ts'
import type { Hold, HoldScope, Lever } from '../model/incident.ts'
import type { Address, DomainName } from '../model/name.ts'
import type { Actor, NewEntry } from '../register/register.ts'
import type { HeldMail } from './gate.ts'
import type { Door, Incident, Incidents } from './incident.ts'

const loginDoors = ['sessions', 'caches'] as const
const queueDoors = ['queue'] as const

/** The door on a mail host that a lever needs closed beside its own. */
const doorsOf: Readonly<Record<Lever, readonly string[]>> = {
  send: queueDoors,
  relay: queueDoors,
  receive: queueDoors,
  login: [...loginDoors, 'logins'],
  submission: [...loginDoors, 'logins'],
  collection: loginDoors,
  administrator: loginDoors,
}

export type DoorTask = { readonly incident: string; readonly scope: HoldScope; readonly doors: readonly string[] }

/** Accounts of a domain that have a lever of their own. */
export type SpecialAccounts = (
  domain: DomainName,
) => { readonly administrator: Address; readonly collector: Address | null } | undefined

/** What to close for a hold. A lever of one account of the domain closes that account's sessions, not everybody's. */
export function doorTasks(hold: Hold, special: SpecialAccounts): DoorTask[] {
  const { incident, scope, levers } = hold
  const tasks: DoorTask[] = []
  const has = (...wanted: readonly Lever[]) => wanted.some(lever => levers.includes(lever))
  // While a release goes on in stages, what the live decision let in may leave; what was held before stays so.
  if (holdsQueues(hold) && hold.cap === undefined) tasks.push({ incident, scope, doors: queueDoors })
  if (has('login', 'submission')) return [{ incident, scope, doors: loginDoors }, ...tasks]
  const own = special(scope.domain)
  const single = (account: Address | null | undefined) =>
    account == null ? [] : [{ incident, scope: { domain: scope.domain, account }, doors: loginDoors }]
  if (scope.account !== null)
    return has('collection', 'administrator') ? [{ incident, scope, doors: loginDoors }, ...tasks] : tasks
  if (has('collection')) tasks.push(...single(own?.collector))
  if (has('administrator')) tasks.push(...single(own?.administrator))
  return tasks
}

/** True when mail of the scope that waits in queues is to stay there. */
export function holdsQueues({ levers }: Hold): boolean {
  return (['send', 'receive', 'relay'] as const).some(lever => levers.includes(lever))
}

/** Domains whose every login is refused by a line of their own: held as a whole, and not for one lever of one account. */
export function deniedDomains(holds: readonly Hold[]): ReadonlyMap<DomainName, string> {
  const denied = new Map<DomainName, string>()
  for (const { scope, levers, incident } of holds)
    if (scope.account === null && levers.includes('login') && levers.includes('submission'))
      denied.set(scope.domain, incident)
  return denied
}

/** How a door of a host stands for an incident; `failure` where the host did not answer. */
export type DoorReport = Door & {
  readonly incident: string
  readonly host: string
  readonly door: string
  /** How much somebody had opened since we closed it; it is closed again. */
  readonly reopened?: number
}

/** New mail of the scope is nobody's edit: it comes as long as anybody writes. Held mail leaves the hold by hand only. */
export function reopenedOf(
  known: Door | undefined,
  found: { readonly door: string; readonly open: number | null; readonly held: number },
): number {
  if (known === undefined || known.failed) return 0
  if (found.door === 'queue') return Math.max(0, known.held - found.held)
  return known.open === 0 ? (found.open ?? 0) : 0
}

/** Somebody's edit that goes against an incident is an event of it; who it was, no mail server tells (R10). */
export function reopenedEntries(reports: readonly DoorReport[], at: Instant): NewEntry[] {
  return reports.flatMap(({ incident: id, host, door, reopened = 0 }): NewEntry[] => {
    if (reopened === 0) return []
    const facts = { incident: id, host, door, count: reopened }
    const actor = { person: 'unknown', role: 'unknown' }
    return [{ kind: 'suspension.reopened', actor, at: formatInstant(at), subject: id, rule: 'R10', facts }]
  })
}

/** Whether a lever closes anything on a host. */
export function touches(lever: Lever, host: { readonly doors: readonly string[] }): boolean {
  return host.doors.some(door => doorsOf[lever].includes(door))
}

/** True when a host tells of something open that the lever closes, or could not be asked. */
export function isOpenOnHosts(lever: Lever, reports: readonly DoorReport[]): boolean {
  return reports.some(({ door, open, failed }) => doorsOf[lever].includes(door) && (failed || (open ?? 0) > 0))
}

/** Entries for the doors that stand otherwise than the register has it. */
export function doorEntries(
  incidents: Incidents,
  reports: readonly DoorReport[],
  by: { readonly actor: Actor; readonly at: Instant },
): NewEntry[] {
  return reports.flatMap(({ incident: id, host, door, open, held, failed }): NewEntry[] => {
    const known = incidents.byId.get(id)?.doors.get(`${host}/${door}`)
    if (known?.open === open && known.held === held && known.failed === failed) return []
    const facts = { incident: id, host, door, open, held, failed }
    return [{ kind: 'suspension.door', actor: by.actor, at: formatInstant(by.at), subject: id, rule: 'S37', facts }]
  })
}

/** Whether somebody has to decide on mail before a release (P6). A queue that could not be asked may hold some. */
export function heldMailOf({ doors }: Incident): HeldMail {
  for (const [name, { held, failed }] of doors) if (name.endsWith('/queue') && (held > 0 || failed)) return 'undecided'
  return 'none'
}
