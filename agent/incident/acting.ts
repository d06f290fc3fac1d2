/**
 * What every act has in common: who asks, what they may do (mission section 10, K4), how refusals and entries are made.
 * Pure. Permission comes first and alone: who may not act learns nothing else.
 */
import { formatInstant, type Instant } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import type { Json } from '../core/digest.ts'
import type { HoldScope, Inbound } from '../model/incident.ts'
import type { DomainName } from '../model/name.ts'
import type { ReleaseTerms } from '../model/world.ts'
import type { Actor, NewEntry } from '../register/register.ts'
import { type HeldMail, rolesOf, type StaffMember } from './gate.ts'
import type { Incident, Incidents } from './incident.ts'

export type ActContext = {
  readonly actor: Actor
  /** True when a valid token proved the person. Without one the actor is `local:<user>` and may only suspend. */
  readonly token: boolean
  /** True when the token proves its person for what began at that instant. Absent: it does. */
  readonly proves?: (since: Instant) => boolean
  /** Who made the token: whoever made it could have used it. */
  readonly tokenBy?: string
  /** `operator.people` of the configuration, as it is now. */
  readonly people: readonly StaffMember[]
  readonly at: Instant
  /** Of the operator: days and the year of incident numbers. */
  readonly timeZone: string
  /** The domain or account that a person wrote, an alias resolved to its account; undefined when the world knows none. */
  readonly resolveScope: (text: string) => HoldScope | undefined
  /** The same read from its form alone, when manifests are so broken that the world may not know it; else undefined. */
  readonly unknownScope: (text: string) => HoldScope | undefined
  readonly suggest: (word: string, known: Iterable<string>) => string | undefined
  /** Domains and addresses, for "did you mean". */
  readonly scopeNames: () => Iterable<string>
  /** A domain on which levers may be moved for practice. Absent: none is. */
  readonly isTestDomain?: (domain: DomainName) => boolean
  readonly heldMailOf: (incident: Incident) => HeldMail
  /** Of the configuration; absent: no stages and no probation. */
  readonly terms?: ReleaseTerms
  /** What the manifests say now of inbound mail during a hold; undefined for a domain that nobody knows. */
  readonly inboundOf?: (domain: DomainName) => Inbound | undefined
}

/** Words for a person: a code of `actMessages` and its values. */
export type Said = { readonly code: string; readonly values: Readonly<Record<string, string>> }

export type Done = {
  readonly ok: true
  /** To be appended as they are, before anything else happens. Empty when all was so already. */
  readonly entries: readonly NewEntry[]
  readonly incident: string | null
  /** Of an act that is no incident's: the domain whose doors move. */
  readonly domain?: DomainName
  /** `first`: recorded, and a second person is needed. */
  readonly note: 'done' | 'already' | 'first'
  readonly message: Said
  readonly warnings: readonly Diagnostic[]
  readonly exit: 0 | 2 | 3
}
export type Refused = { readonly ok: false; readonly exit: 3 | 65 | 77; readonly refusals: readonly Diagnostic[] }
export type ActResult = Done | Refused

export type Act =
  | 'suspend'
  | 'report'
  | 'review'
  | 'action'
  | 'verify'
  | 'rotate'
  | 'mail'
  | 'release'
  | 'annul'
  | 'withdraw'
  | 'duplicate'
  | 'close'
  | 'acknowledge'
  | 'evidence'
  | 'hold'

/** The table of mission section 10, as far as incidents go. `release` and `annul` tell the two roles apart themselves. */
export const permitted: Readonly<Record<Act, readonly string[]>> = {
  suspend: ['sysadmin', 'responder', 'security-lead'],
  // "Send report and actions": the user support receives them at the counter, responders read and enter them.
  report: ['gau-agent', 'responder', 'security-lead'],
  action: ['gau-agent', 'responder', 'security-lead'],
  review: ['responder', 'security-lead'],
  verify: ['responder', 'security-lead'],
  rotate: ['sysadmin', 'responder', 'security-lead'],
  mail: ['responder', 'security-lead'],
  release: ['responder', 'security-lead'],
  annul: ['responder', 'security-lead'],
  withdraw: ['security-lead'],
  duplicate: ['responder', 'security-lead'],
  close: ['responder', 'security-lead'],
  acknowledge: ['responder', 'security-lead'],
  evidence: ['responder', 'security-lead'],
  hold: ['responder', 'security-lead'],
}

/** Longer texts are papers, and papers are attached, not typed. */
export const textLengthMax = 2_000

export function finding(code: string, values: Readonly<Record<string, string>> = {}, suggestion?: string): Diagnostic {
  return { severity: 'error', code, values, ...(suggestion === undefined ? {} : { suggestion }) }
}

export function warning(code: string, values: Readonly<Record<string, string>> = {}): Diagnostic {
  return { severity: 'warning', code, values }
}

export function refused(exit: Refused['exit'], refusals: readonly Diagnostic[]): Refused {
  return { ok: false, exit, refusals }
}

/** Undefined when the person may act. */
export function forbidden(act: Act, { actor, token, people }: ActContext): Refused | undefined {
  // By signals (mission section 8), and nothing else: no request reaches this role.
  if (actor.role === 'daemon') return act === 'suspend' ? undefined : notAllowed(act, actor, 'other-role')
  // Break-glass (K4): whoever is on the host itself may close, and nothing else.
  if (!token) return act === 'suspend' ? undefined : notAllowed(act, actor, 'no-token')
  const roles = rolesOf(people, actor.person)
  if (permitted[act].some(role => roles.has(role))) return undefined
  if (roles.has('auditor')) return refused(77, [finding('E-READ-ONLY', { person: actor.person })])
  return notAllowed(act, actor, 'other-role')
}

function notAllowed(act: Act, { person }: Actor, reason: 'no-token' | 'other-role'): Refused {
  return refused(77, [finding('E-NOT-ALLOWED', { person, reason, roles: permitted[act].join(', ') })])
}

/** The open incident of that number, or why there is none to act on. */
export function openIncident(incidents: Incidents, id: string, context: ActContext): Incident | Refused {
  const incident = incidents.byId.get(id)
  if (incident === undefined) {
    const suggestion = context.suggest(id, incidents.byId.keys())
    return refused(65, [finding('E-INCIDENT-UNKNOWN', { incident: id }, suggestion)])
  }
  if (incident.ended !== null)
    return refused(3, [finding('E-INCIDENT-ENDED', { incident: id, how: incident.ended.how })])
  return unproved(incident.declaredAt, context) ?? incident
}

/** Undefined when the token proves its person for what began then. */
export function unproved(since: Instant, { actor, proves }: ActContext): Refused | undefined {
  return (proves?.(since) ?? true) ? undefined : refused(77, [finding('E-TOKEN-NEW', { person: actor.person })])
}

export function isRefused(value: Incident | Refused): value is Refused {
  return 'ok' in value
}

export type EntryParts = {
  readonly rule: string
  readonly facts: Readonly<Record<string, Json>>
  readonly personal?: Readonly<Record<string, Json>>
}

export function entryOf(context: ActContext, kind: string, subject: string, parts: EntryParts): NewEntry {
  return { kind, actor: context.actor, at: formatInstant(context.at), subject, ...parts }
}

export function done(incident: string | null, entries: readonly NewEntry[], message: Said): Done {
  return { ok: true, entries, incident, note: 'done', message, warnings: [], exit: 0 }
}

/** A text that a person must give; undefined for nothing, blanks, or more than `textLengthMax`. */
export function givenText(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.trim() : ''
  return text === '' || text.length > textLengthMax ? undefined : text
}

export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}
