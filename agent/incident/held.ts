/**
 * Which held mail may go on (mission section 7, P5, P6). Pure. A message goes when every incident that it was held for has
 * ended and lets it go, and no open hold covers it. Nothing goes because nobody thought of it: what is not decided stays.
 */
import type { Hold } from '../model/incident.ts'
import {
  type HeldName,
  type Incident,
  type Incidents,
  type KnownHeld,
  type MailDecision,
  messageKey,
} from './incident.ts'

/** By mail host, then in any key. */
export type HeldMail = ReadonlyMap<string, ReadonlyMap<string, KnownHeld>>

/** What becomes of a message at the end of an incident, or became of it. */
export function decisionOn({ ended, mail, messages }: Incident, name: HeldName): MailDecision {
  // An unfounded suspension keeps no mail but what somebody kept by name.
  return messages.get(messageKey(name)) ?? (ended?.how === 'annulled' ? 'release' : (mail ?? 'keep'))
}

function letsGo(incidents: Incidents, id: string, name: HeldName): boolean {
  const incident = incidents.byId.get(id)
  if (incident === undefined || incident.ended === null) return false
  const { how, of } = incident.ended
  // Another incident goes on in its place, and decides for it, too.
  if (how === 'duplicate')
    return letsGo(incidents, of ?? '', name) && incident.messages.get(messageKey({ ...name })) !== 'keep'
  return decisionOn(incident, name) === 'release'
}

/** Ended incidents of which mail is still held on a host: it goes on, or is followed. */
export function incidentsWithHeldMail(incidents: Incidents, held: HeldMail, host: string): Incident[] {
  const ids = new Set([...(held.get(host)?.values() ?? [])].flatMap(message => message.incidents))
  return [...incidents.byId.values()].filter(({ id, ended, drill }) => ended !== null && !drill && ids.has(id))
}

/** The incidents that a message is held for, under every scope; empty for one that is not ours or that nobody knows. */
export function ownersIn(held: HeldMail, host: string): (name: Omit<HeldName, 'host'>) => readonly string[] {
  const owners = new Map<string, string[]>()
  for (const { id, arrivedAt, incidents } of held.get(host)?.values() ?? []) {
    const key = `${id} ${arrivedAt}`
    owners.set(key, [...(owners.get(key) ?? []), ...incidents])
  }
  return ({ id, arrivedAt }) => owners.get(`${id} ${arrivedAt}`) ?? []
}

export type Addressed = Omit<HeldName, 'host'> & {
  readonly sender: string
  readonly recipients: readonly { readonly address: string }[]
}

/**
 * @param inScope whether an address belongs to a hold's scope.
 * @param owners of `ownersIn`, for the same host.
 */
export function mayGo(
  message: Addressed,
  facts: {
    readonly host: string
    readonly incidents: Incidents
    readonly owners: readonly string[]
    readonly holds: readonly Hold[]
    readonly inScope: (hold: Hold) => (address: string) => boolean
  },
): boolean {
  const { host, incidents, owners, holds, inScope } = facts
  const name = { host, id: message.id, arrivedAt: message.arrivedAt }
  if (owners.length === 0 || !owners.every(id => letsGo(incidents, id, name))) return false
  const addresses = [message.sender, ...message.recipients.map(({ address }) => address)]
  return !holds.some(hold => addresses.some(inScope(hold)))
}
