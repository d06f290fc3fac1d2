/**
 * What the register says of evidence (P9) and of legal holds (P10): bundles by incident, each version for good, and holds
 * that two people end. A fold and three acts, pure. It never takes a bundle away, and believes the end of a hold only
 * when the entries before it show another person's approval of the same thing.
 */
import { type Instant, isDay, parseInstant } from '../core/clock.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import type { Stored } from '../register/register.ts'
import {
  type ActContext,
  type ActResult,
  done,
  entryOf,
  finding,
  forbidden,
  givenText,
  type Refused,
  refused,
  unproved,
} from './acting.ts'
import { isSamePerson } from './gate.ts'
import type { Approval, Incident, Incidents } from './incident.ts'
import { first, incidentPair, tokenMaker, turnOf, twoPersons } from './two-people.ts'

export type BundleRecord = {
  readonly version: number
  readonly manifest: Digest
  readonly files: number
  readonly gaps: number
  /** Gaps that another try may close. */
  readonly open: number
  readonly index: number
  readonly at: Instant
}

export type LegalHold = {
  /** Null where their personal part was erased. */
  readonly owner: string | null
  readonly reason: string | null
  readonly review: string
  readonly by: string
  readonly at: Instant
  readonly approval: Approval | null
}

export type EvidenceBook = {
  /** By incident, in the order of their versions. */
  readonly bundles: ReadonlyMap<string, readonly BundleRecord[]>
  readonly holds: ReadonlyMap<string, LegalHold>
}

export const emptyEvidence: EvidenceBook = { bundles: new Map(), holds: new Map() }

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0)

export function applyEvidenceEntry(book: EvidenceBook, entry: Stored): EvidenceBook {
  const incident = textOf(entry.facts['incident'])
  const at = parseInstant(entry.at) ?? 0
  const hold = book.holds.get(incident)
  const withHold = (next: LegalHold) => ({ ...book, holds: new Map(book.holds).set(incident, next) })
  switch (entry.kind) {
    case 'incident.evidence': {
      const { facts, index } = entry
      const record = {
        version: numberOf(facts['version']),
        manifest: textOf(facts['manifest']),
        files: numberOf(facts['files']),
        gaps: numberOf(facts['gaps']),
        open: numberOf(facts['open']),
        index,
        at,
      }
      const before = book.bundles.get(incident) ?? []
      return { ...book, bundles: new Map(book.bundles).set(incident, [...before, record]) }
    }
    case 'legal-hold.set': {
      const { personal } = entry
      const owner = personal === null ? null : textOf(personal['owner'])
      const reason = personal === null ? null : textOf(personal['reason'])
      return withHold({
        owner,
        reason,
        review: textOf(entry.facts['review']),
        by: entry.actor.person,
        at,
        approval: null,
      })
    }
    case 'legal-hold.end-approved': {
      if (hold === undefined) return book
      const approval = { by: entry.actor.person, at, digest: textOf(entry.facts['digest']) }
      return withHold({ ...hold, approval: { ...approval, tokenBy: textOf(entry.facts['tokenBy']) || null } })
    }
    case 'legal-hold.ended': {
      const approval = hold?.approval ?? null
      if (hold === undefined || approval === null) return book
      if (isSamePerson(approval.by, entry.actor.person) || approval.digest !== holdDigest(incident, hold)) return book
      const holds = new Map(book.holds)
      holds.delete(incident)
      return { ...book, holds }
    }
    default:
      return book
  }
}

/** What the two people agree to end: a hold that was set anew meanwhile is another one. */
export function holdDigest(incident: string, { review, by, at }: LegalHold): Digest {
  return digestOf({ act: 'legal-hold.end', incident, review, by, at })
}

/** Also of an incident that has ended: that is when keeping begins to matter. */
function anyIncident(incidents: Incidents, id: string, context: ActContext): Incident | Refused {
  const incident = incidents.byId.get(id)
  if (incident === undefined)
    return refused(65, [finding('E-INCIDENT-UNKNOWN', { incident: id }, context.suggest(id, incidents.byId.keys()))])
  return unproved(incident.declaredAt, context) ?? incident
}

type Known = { readonly incidents: Incidents; readonly evidence: EvidenceBook }

/** Sets a hold, or moves its review day: what was is in the register. */
export function setLegalHold(
  { incidents }: Known,
  args: { readonly incident: string; readonly owner: string; readonly reason: string; readonly review: string },
  context: ActContext,
): ActResult {
  const no = forbidden('hold', context)
  if (no !== undefined) return no
  const incident = anyIncident(incidents, args.incident, context)
  if ('ok' in incident) return incident
  const owner = givenText(args.owner)
  const reason = givenText(args.reason)
  if (owner === undefined || reason === undefined || !isDay(args.review))
    return refused(65, [finding('E-LEGAL-HOLD', { incident: incident.id })])
  const facts = { incident: incident.id, review: args.review }
  const entry = entryOf(context, 'legal-hold.set', incident.id, { rule: 'P10', facts, personal: { owner, reason } })
  return done(incident.id, [entry], { code: 'M-LEGAL-HOLD', values: { incident: incident.id, review: args.review } })
}

/** Two people, as a release: a responder first, a security lead second, neither the author of the report. */
export function endLegalHold(
  { incidents, evidence }: Known,
  args: { readonly incident: string },
  context: ActContext,
): ActResult {
  const no = forbidden('hold', context)
  if (no !== undefined) return no
  const incident = anyIncident(incidents, args.incident, context)
  if ('ok' in incident) return incident
  const hold = evidence.holds.get(incident.id)
  if (hold === undefined) return refused(3, [finding('E-LEGAL-HOLD-NONE', { incident: incident.id })])
  const digest = holdDigest(incident.id, hold)
  const turn = turnOf(hold.approval, { digest, pair: incidentPair, incident }, context)
  if (turn.turn === 'none') return refused(3, [twoPersons(turn, context)])
  const values = { incident: incident.id }
  if (turn.turn === 'first') {
    const facts = { incident: incident.id, digest, ...tokenMaker(context) }
    return first(
      incident.id,
      turn,
      entryOf(context, 'legal-hold.end-approved', incident.id, { rule: 'P10', facts }),
      values,
    )
  }
  const facts = { incident: incident.id, approvedBy: [turn.first] }
  const entry = entryOf(context, 'legal-hold.ended', incident.id, { rule: 'P10', facts })
  return done(incident.id, [entry], { code: 'M-LEGAL-HOLD-ENDED', values })
}
