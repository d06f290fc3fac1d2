/**
 * An entry as bytes. The public part is canonical JSON and is what the tree hashes; the personal part stands beside it,
 * bound by a salted commitment, so that it can be erased and every proof stays valid (K35).
 * Nothing here draws random numbers: the salt is passed in.
 */
import { hash } from 'node:crypto'
import { assert } from '../core/assert.ts'
import { parseInstant } from '../core/clock.ts'
import { canonicalJson, type Json } from '../core/digest.ts'
import { RegisterFailure } from './failure.ts'
import type { NewEntry, Stored } from './register.ts'
import { leafHash } from './tree.ts'

type Members = { readonly [key: string]: Json }

/** The personal part at rest. Without the 32 random bytes of salt a short fact could be guessed from its commitment. */
export type PrivatePart = { readonly salt: Uint8Array; readonly bytes: Uint8Array }

/** What can be made before the index is known. */
export type PreparedEntry = {
  readonly entry: NewEntry
  readonly commitment: string | null
  readonly personal: PrivatePart | null
}

/** The public part as it is hashed: `Stored` without its personal half. */
export type PublicEntry = Omit<Stored, 'personal'>

export const saltBytes = 32
/** The public part is read by auditors line by line; what is longer belongs beside it. */
export const publicBytesMax = 1_048_576
/** The manifests of the largest institution, accepted as one entry, take a few MB; SQLite would take 1 GB. */
export const personalBytesMax = 32 * 1_048_576

/** An entry that is ready to be stored, and what its caller gets. */
export type EncodedEntry = {
  readonly bytes: Uint8Array
  readonly leaf: Uint8Array
  readonly personal: PrivatePart | null
  readonly stored: Stored
}

/** Throws `too-large`, and a broken invariant for an entry that has not the form of one. */
export function encodeEntry(index: number, prepared: PreparedEntry): EncodedEntry {
  const { personal } = prepared
  const bytes = encodePublic(index, prepared)
  if (bytes.length > publicBytesMax || (personal?.bytes.length ?? 0) > personalBytesMax)
    throw new RegisterFailure('too-large', `An entry of the kind ${prepared.entry.kind} is too large to be recorded.`)
  const entry = parsePublic(bytes)
  assert(entry !== undefined, `an entry of the kind ${prepared.entry.kind} has its form`)
  // Read back from the bytes, so that what the caller folds is what the next start will fold.
  return { bytes, leaf: leafHash(bytes), personal, stored: toStored(entry, personal) }
}

/** The kind of an entry that takes personal parts away; `facts.indexes` says which. */
export const erasedKind = 'personal.erased'

export function commitmentOf(part: PrivatePart): string {
  return hash('sha256', Buffer.concat([part.salt, part.bytes]), 'hex')
}

/** The salt is asked for only where there is something to hide. */
export function prepareEntry(entry: NewEntry, salt: () => Uint8Array): PreparedEntry {
  if (entry.personal === undefined) return { entry, commitment: null, personal: null }
  const personal = { salt: salt(), bytes: Buffer.from(canonicalJson(entry.personal)) }
  assert(personal.salt.length === saltBytes, `a salt has ${saltBytes} bytes`)
  return { entry, commitment: commitmentOf(personal), personal }
}

/** Canonical bytes of the public part: the leaf's content. */
export function encodePublic(index: number, prepared: PreparedEntry): Uint8Array {
  const { kind, actor, at, subject, rule, facts } = prepared.entry
  return Buffer.from(
    canonicalJson({
      index,
      kind,
      actor: { person: actor.person, role: actor.role },
      at,
      subject,
      rule,
      facts,
      commitment: prepared.commitment,
    }),
  )
}

const isMembers = (value: unknown): value is Members =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

function keysSorted(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return true
  if (Array.isArray(value)) return value.every(keysSorted)
  let before = ''
  let first = true
  for (const [key, member] of Object.entries(value)) {
    if ((!first && key <= before) || !keysSorted(member)) return false
    before = key
    first = false
  }
  return true
}

/**
 * The value of a canonical JSON text; undefined when the text is no JSON or not in its one canonical form, so that
 * two different byte strings never read as the same entry.
 */
export function parseCanonical(text: string): Json | undefined {
  try {
    const value = JSON.parse(text) as Json
    // The native writer is several times faster; it differs from the canonical one in the order of keys only.
    if (JSON.stringify(value) === text && keysSorted(value)) return value
    return canonicalJson(value) === text ? value : undefined
  } catch {
    // No JSON, or nested deeper than the stack; neither was written by `canonicalJson`.
    return undefined
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Undefined for bytes that are no UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

const publicKeys = new Set(['actor', 'at', 'commitment', 'facts', 'index', 'kind', 'rule', 'subject'])

/** Strict: undefined for anything that `encodePublic` would not have written. */
export function parsePublic(bytes: Uint8Array): PublicEntry | undefined {
  const text = decodeText(bytes)
  const value = text === undefined ? undefined : parseCanonical(text)
  return value === undefined ? undefined : toPublic(value)
}

/** The same for a value that was already read from canonical text. */
export function toPublic(value: Json): PublicEntry | undefined {
  if (!isMembers(value) || Object.keys(value).some(key => !publicKeys.has(key))) return undefined
  const { index, kind, actor, at, subject, rule, facts, commitment } = value
  if (typeof index !== 'number' || !Number.isSafeInteger(index) || index < 0) return undefined
  if (typeof kind !== 'string' || kind === '' || typeof subject !== 'string') return undefined
  if (typeof at !== 'string' || !at.endsWith('Z') || parseInstant(at) === undefined) return undefined
  if (rule !== undefined && typeof rule !== 'string') return undefined
  if (!isMembers(actor) || Object.keys(actor).length !== 2) return undefined
  const { person, role } = actor
  if (typeof person !== 'string' || typeof role !== 'string' || !isMembers(facts)) return undefined
  if (commitment !== null && !(typeof commitment === 'string' && /^[0-9a-f]{64}$/.test(commitment))) return undefined
  const parsed = { index, kind, actor: { person, role }, at, subject, facts, commitment }
  return rule === undefined ? parsed : { ...parsed, rule }
}

/** The personal members, or undefined when the bytes are no JSON object. Their exact form is bound by the commitment. */
export function parsePersonal(bytes: Uint8Array): Members | undefined {
  const text = decodeText(bytes)
  if (text === undefined) return undefined
  try {
    const value = JSON.parse(text) as Json
    return isMembers(value) ? value : undefined
  } catch {
    // No JSON: changed, which the commitment says anyway.
    return undefined
  }
}

export function toStored(entry: PublicEntry, part: PrivatePart | null): Stored {
  return { ...entry, personal: part === null ? null : (parsePersonal(part.bytes) ?? null) }
}

/** The indexes that an erasing entry takes away; none for every other entry. */
export function erasedIndexes(entry: PublicEntry): readonly number[] {
  const indexes = entry.kind === erasedKind ? entry.facts.indexes : undefined
  return Array.isArray(indexes) ? indexes.filter(index => Number.isSafeInteger(index)) : []
}
