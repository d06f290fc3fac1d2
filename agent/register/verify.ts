/**
 * Verification: a pure walk over entries and checkpoints in order, the same for a store, an export and the start of the
 * daemon. It names the first bad entry as closely as the evidence allows: a leaf hash beside the bytes names one entry,
 * two checkpoints a range (R15, R16). It never throws on what it is given and never repairs anything. RFC 6962 section 2.
 */

import { checkSignature, type PublicKey, parseNote, type SignedCheckpoint } from './checkpoint.ts'
import { commitmentOf, erasedIndexes, type PrivatePart, type PublicEntry, parsePersonal, parsePublic } from './entry.ts'
import type { Finding, FindingCode, Place } from './finding.ts'
import type { Stored } from './register.ts'
import { emptyFrontier, type Frontier, hashBytes, leafHash, rootOf, withLeaf } from './tree.ts'

/** An entry as it lies in a store or export; null where the place holds something that is no byte string. */
export type RawEntry = {
  readonly index: number
  readonly bytes: Uint8Array | null
  readonly leaf: Uint8Array | null
  readonly personal: PrivatePart | null
}

/** A head that was put down outside the store: the text of a signed note, and the name of its place. */
export type Witness = { readonly name: string; readonly text: string }

export type VerifyOptions = {
  readonly origin: string
  readonly publicKey: PublicKey
  readonly witnesses: readonly Witness[]
  /** `left-out`: an export without personal parts, where their absence says nothing. */
  readonly personal: 'stored' | 'left-out'
}

export type Verdict = {
  readonly ok: boolean
  readonly origin: string
  /** Entries walked, and the root over them in hex; where entries are missing, over those before the gap. */
  readonly size: number
  readonly root: string
  /** The newest checkpoint seen, with whatever signature it has. */
  readonly head: SignedCheckpoint | null
  /** By place, the first bad entry first; at most `findingsMax`. */
  readonly findings: readonly Finding[]
  /** All that were found, also beyond `findingsMax`. */
  readonly found: number
}

/** One bad page can spoil thousands of entries; the first hundred say where to look. */
export const findingsMax = 100
/** Bounds the memory while walking; those kept first are those of the first bad entries. */
const findingsKeptMax = 10_000

type Head = { readonly name: string; readonly checkpoint: SignedCheckpoint }

/** A walk under way; only the functions below look inside. */
export type Verification = {
  readonly options: VerifyOptions
  readonly findings: { readonly finding: Finding; readonly position: number }[]
  found: number
  /** Entries walked, the missing ones included. */
  size: number
  /** Over the same entries, as long as none is missing or its place taken. */
  frontier: Frontier
  /** Entries before this are covered by a checkpoint that fits. */
  covered: number
  /** An entry since `covered` has a finding of its own, which explains a wrong root. */
  suspect: boolean
  /** Entries are missing or changed: no root from here on can fit, so none is compared. */
  broken: boolean
  /** Entries were not read; one of them may have said that a personal part was erased. */
  lost: boolean
  head: SignedCheckpoint | null
  headSignature: 'good' | 'bad' | 'other-key'
  /** At least one checkpoint was signed for this origin with this key. */
  signed: boolean
  /** Checkpoints that are rightly signed cover this many entries. */
  promised: number
  readonly withoutPersonal: Set<number>
  readonly erasedBy: Map<number, number>
  readonly heads: Map<number, Head[]>
}

export function beginVerification(options: VerifyOptions): Verification {
  const walk: Verification = {
    options,
    findings: [],
    found: 0,
    size: 0,
    frontier: emptyFrontier,
    covered: 0,
    suspect: false,
    broken: false,
    lost: false,
    head: null,
    headSignature: 'good',
    signed: false,
    promised: 0,
    withoutPersonal: new Set(),
    erasedBy: new Map(),
    heads: new Map(),
  }
  for (const witness of options.witnesses) acceptWitness(walk, witness)
  compareHeads(walk)
  return walk
}

/** For what the reader of a store or file finds by itself, too. */
export function addFinding(
  walk: Verification,
  code: FindingCode,
  place: Place,
  values: Readonly<Record<string, string>> = {},
  position = positionOf(place, walk.size),
): void {
  walk.found += 1
  if (walk.findings.length < findingsKeptMax) walk.findings.push({ finding: { code, place, values }, position })
}

/** @returns the entry where it reads as one, for the caller's fold; findings or not. */
export function verifyEntry(walk: Verification, raw: RawEntry, line?: number): Stored | null {
  const place: Place = line === undefined ? { entry: raw.index } : { line, entry: raw.index }
  const expected = walk.size
  if (raw.index > expected) {
    addFinding(walk, 'entry.missing', { range: [expected, raw.index - 1] })
    skipTo(walk, raw.index)
  } else if (raw.index < expected) {
    addFinding(walk, 'entry.index', place, { says: String(raw.index) })
    walk.broken = true
    walk.lost = true
    return null
  }
  if (raw.bytes === null) {
    suspectEntry(walk, 'entry.form', place)
    skipTo(walk, raw.index + 1)
    return null
  }
  const leaf = leafHash(raw.bytes)
  if (raw.leaf === null || Buffer.compare(leaf, raw.leaf) !== 0) suspectEntry(walk, 'entry.changed', place)
  walk.size += 1
  if (!walk.broken) walk.frontier = withLeaf(walk.frontier, leaf)
  compareHeads(walk)
  const entry = parsePublic(raw.bytes)
  if (entry === undefined) {
    suspectEntry(walk, 'entry.form', place)
    walk.lost = true
    return null
  }
  if (entry.index !== raw.index) {
    suspectEntry(walk, 'entry.index', place, { says: String(entry.index) })
    walk.lost = true
    return null
  }
  const personal = checkPersonal(walk, raw, entry, place)
  noteErasure(walk, entry)
  return { ...entry, personal }
}

/** Checkpoints come in the order of their sizes, each after the last entry that it covers. */
export function verifyCheckpoint(walk: Verification, checkpoint: SignedCheckpoint, line?: number): void {
  const { size } = checkpoint
  const place: Place = line === undefined ? { checkpoint: size } : { line, checkpoint: size }
  const before = walk.head
  walk.head = checkpoint
  const signature = checkSignature(walk.options.origin, checkpoint, walk.options.publicKey)
  walk.headSignature = signature
  if (signature !== 'good') {
    addFinding(walk, signature === 'bad' ? 'checkpoint.signature' : 'checkpoint.key', place)
    // Unsigned numbers prove nothing, a wrong size least of all.
    return
  }
  if (checkpoint.previous !== (before === null ? null : before.size)) {
    const previous = checkpoint.previous === null ? '–' : String(checkpoint.previous)
    addFinding(walk, 'checkpoint.missing', place, { previous })
  }
  walk.signed = true
  walk.promised = Math.max(walk.promised, size)
  if (size !== walk.size || walk.broken) return
  const found = Buffer.from(rootOf(walk.frontier)).toString('hex')
  if (found === checkpoint.root) {
    walk.covered = size
    walk.suspect = false
    return
  }
  if (!walk.suspect)
    addFinding(walk, 'checkpoint.root', size === 0 ? place : { range: [walk.covered, size - 1] }, {
      signed: checkpoint.root,
      found,
    })
  walk.broken = true
}

export function endVerification(walk: Verification): Verdict {
  const { size } = walk
  if (walk.head === null) addFinding(walk, 'checkpoint.none', { store: walk.options.origin })
  if (walk.promised > size)
    addFinding(walk, 'entry.cut', { range: [size, walk.promised - 1] }, { head: String(walk.promised) })
  // A newest checkpoint with a bad signature has its own finding, and may have covered them.
  if (walk.head !== null && walk.headSignature === 'good' && size > walk.promised)
    addFinding(walk, 'entry.unsigned', { range: [walk.promised, size - 1] })
  const lost = walk.lost || walk.promised > size
  for (const entry of walk.withoutPersonal)
    addFinding(walk, 'private.missing', { entry }, {}, lost ? Number.MAX_SAFE_INTEGER : entry)
  const root = Buffer.from(rootOf(walk.frontier)).toString('hex')
  compareLaterHeads(walk, root)
  const findings = walk.findings
    .toSorted((a, b) => a.position - b.position)
    .slice(0, findingsMax)
    .map(({ finding }) => finding)
  return { ok: walk.found === 0, origin: walk.options.origin, size, root, head: walk.head, findings, found: walk.found }
}

function suspectEntry(walk: Verification, code: FindingCode, place: Place, values?: Readonly<Record<string, string>>) {
  walk.suspect = true
  addFinding(walk, code, place, values)
}

/** Leaves out what is not there; the tree is void from here, the count goes on. */
function skipTo(walk: Verification, size: number): void {
  walk.broken = true
  walk.lost = true
  walk.size = size
}

function checkPersonal(walk: Verification, raw: RawEntry, entry: PublicEntry, place: Place): Stored['personal'] {
  if (raw.personal === null) {
    if (entry.commitment !== null && walk.options.personal === 'stored') walk.withoutPersonal.add(entry.index)
    return null
  }
  if (entry.commitment === null) {
    addFinding(walk, 'private.extra', place)
    return null
  }
  const personal = parsePersonal(raw.personal.bytes)
  if (personal === undefined || commitmentOf(raw.personal) !== entry.commitment) {
    addFinding(walk, 'private.changed', place)
    return null
  }
  return personal
}

function noteErasure(walk: Verification, entry: PublicEntry): void {
  if (walk.options.personal === 'left-out') return
  for (const index of erasedIndexes(entry)) {
    if (index >= entry.index || walk.erasedBy.has(index)) continue
    walk.erasedBy.set(index, entry.index)
    if (!walk.withoutPersonal.delete(index))
      addFinding(walk, 'private.kept', { entry: index }, { by: String(entry.index) })
  }
}

function acceptWitness(walk: Verification, witness: Witness): void {
  const place = { witness: witness.name }
  const note = parseNote(witness.text)
  if (note === undefined) {
    addFinding(walk, 'witness.form', place)
    return
  }
  const { origin, checkpoint } = note
  // A witness of another register is told apart before its signature: the key may well be another one, too.
  if (origin !== walk.options.origin) {
    addFinding(walk, 'witness.origin', place, { witnessed: origin, found: walk.options.origin })
    return
  }
  if (checkSignature(origin, checkpoint, walk.options.publicKey) !== 'good') {
    addFinding(walk, 'witness.signature', place)
    return
  }
  const same = walk.heads.get(checkpoint.size) ?? []
  walk.heads.set(checkpoint.size, [...same, { name: witness.name, checkpoint }])
}

/** The heads that were witnessed at the present size must have the present root. */
function compareHeads(walk: Verification): void {
  const heads = walk.heads.get(walk.size)
  if (heads === undefined) return
  walk.heads.delete(walk.size)
  if (walk.broken) return
  const found = Buffer.from(rootOf(walk.frontier)).toString('hex')
  for (const { name, checkpoint } of heads)
    if (checkpoint.root !== found) {
      const values = { size: String(checkpoint.size), witnessed: checkpoint.root, found }
      addFinding(walk, 'witness.fork', { witness: name }, values)
    }
}

/** What was witnessed and never reached: the store is older than its witnesses, or they contradict each other. */
function compareLaterHeads(walk: Verification, root: string): void {
  const { size } = walk
  for (const heads of walk.heads.values())
    for (const { name, checkpoint } of heads) {
      const first = heads[0]?.checkpoint.root
      const values = { size: String(checkpoint.size), witnessed: checkpoint.root }
      if (checkpoint.size > size)
        addFinding(
          walk,
          'witness.behind',
          { witness: name },
          {
            size: String(size),
            witnessed: String(checkpoint.size),
            at: checkpoint.at,
            root: checkpoint.root,
            found: root,
          },
        )
      if (first !== undefined && first !== checkpoint.root)
        addFinding(walk, 'witness.fork', { witness: name }, { ...values, found: first })
    }
}

/** Orders findings by where the damage begins; what has no place among the entries comes last. */
function positionOf(place: Place, walked: number): number {
  if ('entry' in place && place.entry !== undefined) return place.entry
  if ('range' in place) return place.range[0]
  if ('checkpoint' in place && place.checkpoint !== undefined) return place.checkpoint - 0.5
  return 'line' in place ? walked : Number.MAX_SAFE_INTEGER
}

/** A leaf hash as it lies in a store: null for anything else. */
export function toLeaf(value: unknown): Uint8Array | null {
  return value instanceof Uint8Array && value.length === hashBytes ? value : null
}
