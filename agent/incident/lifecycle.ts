/**
 * The life of incidents as a fold over the register (mission section 6, S36 to S41). Pure; every transition is an entry
 * and nothing else is one. Three rules it never breaks: what it cannot read of an open incident makes the hold wider,
 * never narrower; a drill is never a hold; an entry that claims an end is believed only when the entries before it show
 * report, action, rotation, decided mail and another person.
 */
import { assert } from '../core/assert.ts'
import type { Instant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import {
  type Hold,
  type HoldScope,
  type IncidentClass,
  inbounds,
  incidentClasses,
  type Lever,
  levers,
  type Probation,
} from '../model/incident.ts'
import { type DomainName, domainOf, parseAddress, parseDomainName } from '../model/name.ts'
import type { Stored } from '../register/register.ts'
import { takeNotice, withDueNotices } from './due.ts'
import { annul, borneOut, close, endDuplicate, isAlike, openStage, orderRelease, restore } from './endings.ts'
import { instantOf, numberOf, textOf, wordsOf } from './facts.ts'
import { isContained } from './gate.ts'
import {
  type Approval,
  type HeldName,
  type Incident,
  type Incidents,
  type LeverState,
  mailDecisions,
  messageKey,
  type Withdrawal,
} from './incident.ts'
import { standingHold } from './stages.ts'
import { foldTried } from './tried.ts'

export type { Incident, Incidents } from './incident.ts'

export const emptyIncidents: Incidents = {
  byId: new Map(),
  withdrawals: new Map(),
  withdrawApprovals: new Map(),
  due: [],
  disbelieved: [],
}

/** Folds one entry in; gives the same object back for an entry that says nothing of incidents. */
export function applyEntry(incidents: Incidents, entry: Stored): Incidents {
  switch (entry.kind) {
    case 'incident.declared':
      return withDueNotices(declare(incidents, entry), entry)
    case 'service.withdraw-approved':
      return approveWithdrawal(incidents, entry)
    case 'service.withdrawn':
      return withDueNotices(withdraw(incidents, entry), entry)
    case 'detection.proposed':
    case 'detection.storm':
      return withDueNotices(incidents, entry)
    case 'notice.sent':
    case 'notice.printed':
      return takeNotice(incidents, entry)
    default:
      return applyToIncident(incidents, entry)
  }
}

/** Every open hold: of incidents that are no drill and have not ended. */
export function openHolds({ byId }: Incidents): Hold[] {
  const holds: Hold[] = []
  for (const { id, scope, levers, declaredAt, drill, ended, inbound, release } of byId.values())
    if (!drill && ended === null) {
      const standing = standingHold({ levers, release })
      if (standing !== undefined)
        holds.push({ incident: id, scope, ...standing, since: declaredAt, ...(inbound === null ? {} : { inbound }) })
    }
  return holds
}

/** Domains whose service ended for good (S36). */
export function withdrawnDomains({ withdrawals }: Incidents): ReadonlyMap<DomainName, Withdrawal> {
  return withdrawals
}

/** Open incidents, drills included, in the order of their declaration. */
export function openIncidents({ byId }: Incidents): Incident[] {
  return [...byId.values()].filter(({ ended }) => ended === null)
}

/** A list with a word that this version does not know closes everything: what it meant must not stay open. */
function leversOf(value: Json | undefined): readonly Lever[] {
  const words = wordsOf(value)
  const known = levers.filter(lever => words.includes(lever))
  return known.length === 0 || words.some(word => !levers.includes(word as Lever)) ? levers : known
}

/** Without a readable account the whole domain is held: an erasure must not open a door. */
function scopeOf(entry: Stored, domain: DomainName): HoldScope {
  if (entry.facts['scope'] !== 'account') return { domain, account: null }
  const account = parseAddress(textOf(entry.personal?.['account']) ?? '')
  return { domain, account: account !== undefined && domainOf(account) === domain ? account : null }
}

function declare(incidents: Incidents, entry: Stored): Incidents {
  const domain = parseDomainName(textOf(entry.facts['domain']) ?? '')
  // A hold on nothing would be a hold lost. The tree vouches for the entry, so this is a bug, not a damaged file.
  assert(domain !== undefined, `entry ${entry.index} declares an incident without a domain`)
  const written = textOf(entry.facts['incident']) ?? ''
  const isFree = written !== '' && !incidents.byId.has(written)
  const named = textOf(entry.facts['class']) as IncidentClass
  const at = instantOf(entry)
  const by = entry.actor.person
  const incident: Incident = {
    id: isFree ? written : `${written}#${entry.index}`,
    class: incidentClasses.includes(named) ? named : 'misconfiguration',
    scope: scopeOf(entry, domain),
    levers: leversOf(entry.facts['levers']),
    progress: new Map(),
    doors: new Map(),
    tried: null,
    openSince: at,
    isTakenUp: isResponder(entry),
    containedAt: null,
    inbound: inbounds.find(known => known === entry.facts['inbound']) ?? null,
    drill: entry.facts['drill'] === true,
    liveDrill: entry.facts['drill'] !== true && entry.facts['liveDrill'] === true,
    declaredAt: at,
    declaredBy: by,
    declarers: [by],
    reasons: [{ text: textOf(entry.personal?.['reason']), by, at }],
    reports: [],
    actions: [],
    rotation: null,
    mail: null,
    messages: new Map(),
    approvals: { release: null, annul: null, mail: null },
    notices: [],
    release: null,
    ended: null,
    closed: null,
  }
  return put(incidents, incident)
}

function put(incidents: Incidents, incident: Incident): Incidents {
  return { ...incidents, byId: new Map(incidents.byId).set(incident.id, incident) }
}

function applyToIncident(incidents: Incidents, entry: Stored): Incidents {
  const step = Object.hasOwn(steps, entry.kind) ? steps[entry.kind] : undefined
  const incident = incidents.byId.get(textOf(entry.facts['incident']) ?? '')
  // What comes after the end changes nothing: an ended incident is not ended a second time, nor opened again.
  if (step === undefined || incident === undefined) return incidents
  // But for held mail, which goes on after the end and is followed until none is left.
  if (incident.ended !== null && !afterEnd.has(entry.kind)) return incidents
  const next = step(incident, entry, incidents)
  if (next === 'disbelieved')
    return { ...incidents, disbelieved: [...incidents.disbelieved, { index: entry.index, incident: incident.id }] }
  const taken = next.isTakenUp || !isResponder(entry) ? next : { ...next, isTakenUp: true }
  return taken === incident ? incidents : withDueNotices(put(incidents, taken), entry)
}

const afterEnd: ReadonlySet<string> = new Set([
  'suspension.door',
  'mail.decided',
  'mail.release-approved',
  'mail.purge-approved',
  'incident.closed',
])

/** Whose work an incident is: with an act of theirs somebody has taken it up. */
function isResponder({ actor }: Stored): boolean {
  return actor.role === 'responder' || actor.role === 'security-lead'
}

type Step = (incident: Incident, entry: Stored, incidents: Incidents) => Incident | 'disbelieved'

const steps: Readonly<Record<string, Step>> = {
  'incident.joined': join,
  'suspension.lever': moveLever,
  'suspension.door': moveDoor,
  'suspension.tried': foldTried,
  'report.received': receiveReport,
  'report.accepted': (incident, entry) => review(incident, entry, 'accepted'),
  'report.returned': (incident, entry) => review(incident, entry, 'returned'),
  'action.recorded': recordAction,
  'action.verified': verifyAction,
  'secrets.rotated': rotate,
  'mail.decided': decideMail,
  'mail.release-approved': (incident, entry) => approve(incident, entry, 'mail'),
  'mail.purge-approved': (incident, entry) => approve(incident, entry, 'mail'),
  'release.approved': (incident, entry) => approve(incident, entry, 'release'),
  'incident.annul-approved': (incident, entry) => approve(incident, entry, 'annul'),
  'release.ordered': orderRelease,
  'release.stage': openStage,
  'service.restored': restore,
  'incident.duplicate': endDuplicate,
  'incident.closed': close,
  // That somebody has taken it up is all that it says.
  'incident.acknowledged': incident => incident,
  'incident.annulled': annul,
}

/** Another `suspend` of the same thing: a reason more, and a hold that can only grow. */
function join(incident: Incident, entry: Stored): Incident {
  const at = instantOf(entry)
  const by = entry.actor.person
  const reasons = [...incident.reasons, { text: textOf(entry.personal?.['reason']), by, at }]
  const added = wordsOf(entry.facts['addedLevers']).length > 0 ? leversOf(entry.facts['addedLevers']) : []
  const widened = entry.facts['widened'] === true && incident.scope.account !== null
  const grown = levers.filter(lever => incident.levers.includes(lever) || added.includes(lever))
  const declarers = incident.declarers.includes(by) ? incident.declarers : [...incident.declarers, by]
  // It began again while it was being released: everything is closed as before, and the way back starts anew.
  const relapsed = incident.release !== null
  if (!widened && !relapsed && grown.length === incident.levers.length) return { ...incident, reasons }
  return {
    ...incident,
    reasons,
    declarers,
    release: null,
    approvals: relapsed ? { release: null, annul: null, mail: null } : incident.approvals,
    levers: grown,
    scope: widened ? { domain: incident.scope.domain, account: null } : incident.scope,
    // What was closed and rotated for one account says nothing of its domain.
    progress: widened || relapsed ? new Map() : incident.progress,
    rotation: widened || relapsed ? null : incident.rotation,
    mail: widened || relapsed ? null : incident.mail,
    // What somebody kept by name stays kept, whatever is decided on the rest.
    messages:
      widened || relapsed ? new Map([...incident.messages].filter(([, one]) => one === 'keep')) : incident.messages,
    containedAt: null,
    openSince: at,
  }
}

const leverStates: readonly LeverState[] = ['pending', 'applied', 'verified', 'failed']

function moveLever(incident: Incident, entry: Stored): Incident {
  const lever = textOf(entry.facts['lever']) as Lever
  const state = textOf(entry.facts['state']) as LeverState
  if (!levers.includes(lever) || !leverStates.includes(state)) return incident
  const at = instantOf(entry)
  const moved = { ...incident, progress: new Map(incident.progress).set(lever, state) }
  if (!isContained(moved)) return { ...moved, openSince: incident.openSince ?? at }
  return { ...moved, openSince: null, containedAt: incident.containedAt ?? at }
}

function moveDoor(incident: Incident, { facts }: Stored): Incident {
  const name = `${textOf(facts['host']) ?? ''}/${textOf(facts['door']) ?? ''}`
  const open = typeof facts['open'] === 'number' ? facts['open'] : null
  const door = { open, held: numberOf(facts['held']), failed: facts['failed'] === true }
  return { ...incident, doors: new Map(incident.doors).set(name, door) }
}

function receiveReport(incident: Incident, entry: Stored): Incident {
  const report = {
    n: incident.reports.length + 1,
    document: textOf(entry.facts['document']) ?? '',
    operatorAuthors: wordsOf(entry.facts['operatorAuthors']),
    author: textOf(entry.personal?.['author']),
    filedBy: entry.actor.person,
    at: instantOf(entry),
    review: 'waiting' as const,
    reviewedBy: null,
    reviewedAt: null,
    points: null,
  }
  return { ...incident, reports: [...incident.reports, report] }
}

function review(incident: Incident, entry: Stored, result: 'accepted' | 'returned'): Incident {
  const n = numberOf(entry.facts['report'])
  if (incident.reports[n - 1]?.review !== 'waiting') return incident
  const points = textOf(entry.personal?.['points'])
  const reviewed = { review: result, reviewedBy: entry.actor.person, reviewedAt: instantOf(entry), points }
  return {
    ...incident,
    reports: incident.reports.map(report => (report.n === n ? { ...report, ...reviewed } : report)),
  }
}

function recordAction(incident: Incident, entry: Stored): Incident {
  const action = {
    n: incident.actions.length + 1,
    what: textOf(entry.personal?.['what']),
    who: textOf(entry.personal?.['who']),
    operatorWho: textOf(entry.facts['operatorWho']),
    day: textOf(entry.facts['day']) ?? '',
    evidence: textOf(entry.facts['evidence']) ?? '',
    verifiedBy: null,
  }
  return { ...incident, actions: [...incident.actions, action] }
}

function verifyAction(incident: Incident, entry: Stored): Incident {
  const n = numberOf(entry.facts['action'])
  if (incident.actions[n - 1]?.verifiedBy !== null) return incident
  const check = textOf(entry.facts['check'])
  const verifiedBy = check === null ? entry.actor.person : `check:${check}`
  return { ...incident, actions: incident.actions.map(action => (action.n === n ? { ...action, verifiedBy } : action)) }
}

function rotate(incident: Incident, entry: Stored): Incident {
  return {
    ...incident,
    rotation: { at: instantOf(entry), by: entry.actor.person, secrets: numberOf(entry.facts['secrets']) },
  }
}

/**
 * On all that is held, or on some of it. A decision on some leaves the rest held. What was kept by name stays kept when
 * the rest is let go, and what was let go by name is kept when all is: in doubt mail waits (P6).
 */
function decideMail(incident: Incident, entry: Stored): Incident | 'disbelieved' {
  const decision = mailDecisions.find(known => known === entry.facts['decision'])
  if (decision === undefined) return incident
  const approved = incident.approvals.mail
  // After the end two people decided already: to let more go takes two again.
  if (incident.ended !== null && decision === 'release' && borneOut(approved, entry) === undefined) return 'disbelieved'
  if (typeof entry.facts['messages'] !== 'number') {
    const kept = [...incident.messages].filter(([, known]) => known === 'keep')
    return { ...incident, mail: decision, messages: new Map(kept) }
  }
  const messages = new Map(incident.messages)
  for (const name of heldNamesOf(entry)) messages.set(messageKey(name), decision)
  return { ...incident, mail: incident.mail ?? 'keep', messages, approvals: { ...incident.approvals, mail: null } }
}

/** Nobody's where the personal part was erased: then those messages stay held. */
function heldNamesOf(entry: Stored): HeldName[] {
  const listed = entry.personal?.['messages']
  return (Array.isArray(listed) ? listed : []).flatMap(value => {
    const { host, id, arrivedAt } = (value ?? {}) as Record<string, unknown>
    const isName = typeof host === 'string' && typeof id === 'string' && typeof arrivedAt === 'number'
    return isName ? [{ host, id, arrivedAt }] : []
  })
}

function approve(incident: Incident, entry: Stored, act: keyof Incident['approvals']): Incident {
  const approval = approvalOf(entry)
  return { ...incident, approvals: { ...incident.approvals, [act]: approval } }
}

/** Of released incidents, as long as they last. */
export function openProbations({ byId }: Incidents, at: Instant): Probation[] {
  return [...byId.values()].flatMap(({ id, scope, drill, ended }): Probation[] => {
    const probation = ended?.probation ?? null
    if (ended === null || probation === null || drill || probation.until <= at) return []
    return [{ incident: id, scope, since: ended.at, ...probation }]
  })
}

function approvalOf(entry: Stored): Approval {
  const digest = textOf(entry.facts['digest']) ?? ''
  return { by: entry.actor.person, at: instantOf(entry), digest, tokenBy: textOf(entry.facts['tokenBy']) }
}

function approveWithdrawal(incidents: Incidents, entry: Stored): Incidents {
  const domain = parseDomainName(textOf(entry.facts['domain']) ?? '')
  if (domain === undefined) return incidents
  const approval = { ...approvalOf(entry), grounds: textOf(entry.facts['grounds']) ?? '' }
  return { ...incidents, withdrawApprovals: new Map(incidents.withdrawApprovals).set(domain, approval) }
}

/** Ending a service closes, so it is believed as it stands; no later entry takes it back. */
function withdraw(incidents: Incidents, entry: Stored): Incidents {
  const domain = parseDomainName(textOf(entry.facts['domain']) ?? '')
  if (domain === undefined || incidents.withdrawals.has(domain)) return incidents
  const withdrawal = {
    domain,
    grounds: textOf(entry.facts['grounds']) ?? '',
    reason: textOf(entry.personal?.['reason']),
    at: instantOf(entry),
    by: [...new Set([...wordsOf(entry.facts['approvedBy']), entry.actor.person])],
  }
  return { ...incidents, withdrawals: new Map(incidents.withdrawals).set(domain, withdrawal) }
}

/** The open incident that already closes all that is asked for, or can grow to it; drills and real ones apart. */
export function coveringIncident(
  incidents: Incidents,
  wanted: Pick<Incident, 'scope' | 'levers' | 'class' | 'drill' | 'liveDrill'>,
): { readonly incident: Incident; readonly widens: boolean } | undefined {
  const { domain, account } = wanted.scope
  const open = openIncidents(incidents).filter(one => isAlike(one, wanted) && one.scope.domain === domain)
  const same = open.find(({ scope }) => scope.account === account)
  if (same !== undefined) return { incident: same, widens: false }
  const covers = (incident: Incident) => wanted.levers.every(lever => incident.levers.includes(lever))
  const wider =
    account === null ? undefined : open.find(incident => incident.scope.account === null && covers(incident))
  if (wider !== undefined) return { incident: wider, widens: false }
  // The same kind of misuse, now everywhere in the domain, is the same case grown; another kind is another case.
  const grown = account === null ? open.find(incident => incident.class === wanted.class) : undefined
  return grown === undefined ? undefined : { incident: grown, widens: true }
}

/** `INC-2026-0001`: the year in the operator's zone, and a number that runs through that year. */
export function nextIncidentId(incidents: Incidents, year: string): string {
  const prefix = `INC-${year}-`
  let last = 0
  for (const id of incidents.byId.keys())
    if (id.startsWith(prefix)) last = Math.max(last, Number.parseInt(id.slice(prefix.length), 10) || 0)
  return `${prefix}${String(last + 1).padStart(4, '0')}`
}
