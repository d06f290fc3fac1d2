/**
 * History: the fold over the register. There is no state file; whatever mailwarden remembers is what this fold makes
 * of the entries. Folding is incremental: each entry is folded once, in order, by the one owner of the history.
 */
import { assert } from '../core/assert.ts'
import { type Instant, parseInstant } from '../core/clock.ts'
import type { Digest } from '../core/digest.ts'
import { applyDetectionEntry, type DetectionBook, emptyDetection } from '../detection/book.ts'
import { applyEvidenceEntry, type EvidenceBook, emptyEvidence } from '../incident/evidence.ts'
import type { HeldMessage, KnownHeld } from '../incident/incident.ts'
import { applyEntry as applyIncidentEntry, emptyIncidents, type Incidents, openHolds } from '../incident/lifecycle.ts'
import { applyTokenEntry, emptyTokens, type Tokens } from '../incident/people.ts'
import type { Contested } from '../model/change.ts'
import type { InstitutionEstate } from '../model/entity.ts'
import type { DomainName } from '../model/name.ts'
import { formatRef, type Ref } from '../model/resource.ts'
import type { DkimKey } from '../model/world.ts'
import type { Stored } from '../register/register.ts'
import { applySignalEntry, emptySignals, type Signals } from './signals.ts'

/** An object that the register says we made. */
export type Owned = {
  readonly ref: Ref
  /** Digest of the resource as we last wrote it, or mean to. */
  readonly digest: Digest
  /** An incident shaped what we last wrote. */
  readonly heldBy: string | null
  /** While it is being opened: the incident that it was closed for. */
  readonly heldBefore?: string
}

/** Digest of an object whose content we can't vouch for. */
export const unknownDigest: Digest = ''

export type AcceptedEstate = { readonly estate: InstitutionEstate; readonly digest: Digest; readonly index: number }

export const heldKey = ({ id, arrivedAt, scope }: HeldMessage): string => `${id} ${arrivedAt} ${scope}`

export type History = {
  /** Entries folded so far. */
  size: number
  readonly accepted: Map<string, AcceptedEstate>
  readonly dkim: Map<DomainName, DkimKey>
  /** By `formatRef`. */
  readonly owned: Map<string, Owned>
  /** Known to stand in the way or to have lost our mark, by `formatRef`: put on record once, until it ends. */
  readonly contested: Map<string, Contested>
  /** Applied deletes, for the limit over rolling 24 hours. */
  readonly deletes: { readonly at: Instant; readonly count: number; readonly accepted: boolean }[]
  /** By mail host, then by `heldKey`. */
  readonly heldMail: Map<string, Map<string, KnownHeld>>
  incidents: Incidents
  evidence: EvidenceBook
  tokens: Tokens
  /** Newest completed run, for `status`. */
  lastRun: { readonly at: string; readonly applied: number; readonly failed: number } | null
  /** Newest look at what people see, for `status`. */
  lastVerification: LastVerification | null
  signals: Signals
  /** Signals, and what was done about them. */
  readonly detection: DetectionBook
}

export type LastVerification = {
  readonly at: string
  readonly probes: number
  readonly asWanted: number
  readonly otherwise: number
  readonly unproved: number
}

export type IntendedChange = {
  readonly action: 'create' | 'update' | 'delete'
  readonly ref: Ref
  /** Of the resource to be; null for a delete. */
  readonly digest: Digest | null
  readonly heldBy: string | null
}

type AdoptedObject = { readonly ref: Ref; readonly digest: Digest }

export type RecordedOutcome = { readonly ref: Ref; readonly result: string; readonly detail?: string }

export function emptyHistory(): History {
  return {
    size: 0,
    accepted: new Map(),
    dkim: new Map(),
    owned: new Map(),
    contested: new Map(),
    deletes: [],
    heldMail: new Map(),
    incidents: emptyIncidents,
    evidence: emptyEvidence,
    tokens: emptyTokens,
    lastRun: null,
    lastVerification: null,
    signals: emptySignals,
    detection: emptyDetection(),
  }
}

/** Folds one entry in. Unknown kinds change nothing: an older mailwarden reads a newer register as far as it can. */
export function foldEntry(history: History, entry: Stored): void {
  assert(entry.index === history.size, `entry ${entry.index} folded after ${history.size}`)
  history.size += 1
  switch (entry.kind) {
    case 'manifests.accepted':
      foldAccepted(history, entry)
      break
    case 'manifests.removed':
      history.accepted.delete(String(entry.facts['institution']))
      break
    case 'dkim.created':
      history.dkim.set(String(entry.facts['domain']) as DomainName, {
        selector: String(entry.facts['selector']),
        publicKey: String(entry.facts['publicKey']),
      })
      break
    case 'apply.intended':
      foldIntended(history, entry)
      break
    case 'apply.completed':
      foldCompleted(history, entry)
      break
    case 'objects.adopted':
      for (const { ref, digest } of (entry.personal?.['objects'] ?? []) as unknown as readonly AdoptedObject[])
        history.owned.set(formatRef(ref), { ref, digest, heldBy: null })
      break
    case 'contested.found':
      for (const found of (entry.personal?.['objects'] ?? []) as unknown as readonly Contested[])
        history.contested.set(formatRef(found.ref), found)
      break
    case 'contested.ended':
      for (const ref of (entry.personal?.['refs'] ?? []) as readonly Ref[]) history.contested.delete(formatRef(ref))
      break
    case 'mail.held':
    case 'mail.unheld':
      foldHeldMail(history, entry)
      break
    case 'verification.done': {
      const count = (name: string) => Number(entry.facts[name])
      history.lastVerification = {
        at: entry.at,
        probes: count('probes'),
        asWanted: count('asWanted'),
        otherwise: count('otherwise'),
        unproved: count('unproved'),
      }
      break
    }
    case 'ownership.ended':
      for (const ref of (entry.personal?.['refs'] ?? []) as readonly Ref[]) history.owned.delete(formatRef(ref))
      break
  }
  history.incidents = applyIncidentEntry(history.incidents, entry)
  applyDetectionEntry(history.detection, entry)
  history.evidence = applyEvidenceEntry(history.evidence, entry)
  history.tokens = applyTokenEntry(history.tokens, entry)
  history.signals = applySignalEntry(history.signals, entry)
}

function foldAccepted(history: History, entry: Stored): void {
  const estate = entry.personal?.['estate'] as unknown as InstitutionEstate | undefined
  // Erased by a retention rule: an older version of the manifests that a newer entry replaces.
  if (estate === undefined) return
  const institution = String(entry.facts['institution'])
  history.accepted.set(institution, { estate, digest: String(entry.facts['digest']), index: entry.index })
}

function foldHeldMail(history: History, entry: Stored): void {
  const host = String(entry.facts['host'])
  const holds = openHolds(history.incidents)
  const known = new Map<string, readonly string[]>()
  const ownersOf = (scope: string) => {
    const found =
      known.get(scope) ??
      holds.filter(hold => (hold.scope.account ?? hold.scope.domain) === scope).map(one => one.incident)
    known.set(scope, found)
    return found
  }
  const held = history.heldMail.get(host) ?? new Map<string, KnownHeld>()
  for (const message of (entry.personal?.['messages'] ?? []) as unknown as readonly HeldMessage[])
    if (entry.kind === 'mail.held') held.set(heldKey(message), { ...message, incidents: ownersOf(message.scope) })
    else held.delete(heldKey(message))
  history.heldMail.set(host, held)
}

function foldIntended(history: History, entry: Stored): void {
  for (const change of (entry.personal?.['changes'] ?? []) as unknown as readonly IntendedChange[]) {
    // A delete keeps the object ours until its outcome is known: after a crash it is still ours to delete.
    if (change.digest === null) continue
    const key = formatRef(change.ref)
    const before = history.owned.get(key)
    const heldBefore = before?.heldBy ?? before?.heldBefore ?? null
    const { ref, digest, heldBy } = change
    history.owned.set(key, { ref, digest, heldBy, ...(heldBy === null && heldBefore !== null && { heldBefore }) })
  }
}

function foldCompleted(history: History, entry: Stored): void {
  const created = new Set(((entry.personal?.['created'] ?? []) as readonly Ref[]).map(formatRef))
  const deleted = new Set(((entry.personal?.['deleted'] ?? []) as readonly Ref[]).map(formatRef))
  let deletes = 0
  for (const outcome of (entry.personal?.['outcomes'] ?? []) as unknown as readonly RecordedOutcome[]) {
    const key = formatRef(outcome.ref)
    if (outcome.result === 'applied' && deleted.has(key)) {
      history.owned.delete(key)
      // Nothing is lost with a seat on a list; the guard of members looks at one plan.
      if (outcome.ref.kind !== 'member') deletes += 1
    }
    // What was surely not made is not ours. An unknown outcome leaves it ours: the mark on the object decides.
    if (created.has(key) && ['failed', 'skipped', 'conflict'].includes(outcome.result)) history.owned.delete(key)
    const owned = history.owned.get(key)
    if (owned === undefined) continue
    const { heldBefore, ...known } = owned
    if (outcome.result === 'applied') {
      if (heldBefore !== undefined) history.owned.set(key, known)
      continue
    }
    // What stands after a failed update is not known, so it can't be told from somebody's edit; and whom it was to let in
    // again, two people have let in already.
    history.owned.set(key, { ...known, heldBy: known.heldBy ?? heldBefore ?? null, digest: unknownDigest })
  }
  const at = parseInstant(entry.at) ?? 0
  if (deletes > 0) history.deletes.push({ at, count: deletes, accepted: entry.facts['accepted'] === true })
  history.lastRun = { at: entry.at, applied: Number(entry.facts['applied']), failed: Number(entry.facts['failed']) }
}
