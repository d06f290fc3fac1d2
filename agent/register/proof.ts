/**
 * Proofs as JSON that stands alone: that an entry is in the register as signed, and that a later register goes on where
 * an earlier one ended. Whoever has the document and the public key needs neither the store nor trust in its owner.
 * RFC 6962 sections 2.1.1 and 2.1.2. Pure.
 */
import { canonicalJson, type Json } from '../core/digest.ts'
import { checkSignature, formatNote, parseNote, parsePublicKey, type SignedCheckpoint } from './checkpoint.ts'
import { commitmentOf, type PrivatePart, type PublicEntry, parsePersonal, saltBytes, toPublic } from './entry.ts'
import type { ExportCheck } from './export.ts'
import type { Finding, FindingCode, Place } from './finding.ts'
import {
  consistencyPath,
  hashBytes,
  inclusionPath,
  type LeafAt,
  leafHash,
  verifyConsistency,
  verifyInclusion,
} from './tree.ts'

export const proofFormat = 'mailwarden-proof/1'

type Common = {
  readonly format: typeof proofFormat
  /** Sibling hashes in hex, from the leaf up. */
  readonly path: readonly string[]
  /** The signed note with size and root. */
  readonly checkpoint: string
  /** PEM; trust it only as far as you know it from elsewhere. */
  readonly publicKey: string
}

/** `personal` opens the commitment of this one entry, and of no other. */
export type EntryProof = Common & {
  readonly entry: PublicEntry
  readonly personal?: { readonly salt: string; readonly value: Json }
}

/** That the register of `from.size` entries with `from.root` is the beginning of the one in the checkpoint. */
export type GrowthProof = Common & { readonly from: { readonly size: number; readonly root: string } }

export type ProofVerdict = {
  readonly ok: boolean
  readonly findings: readonly Finding[]
  readonly entry: PublicEntry | null
  readonly personal: { readonly [key: string]: Json } | null
  readonly checkpoint: SignedCheckpoint | null
  readonly keyFrom: 'given' | 'export'
}

export type Signed = { readonly origin: string; readonly checkpoint: SignedCheckpoint; readonly publicKey: string }

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export function proveInclusion(
  entry: PublicEntry,
  personal: PrivatePart | null,
  leafAt: LeafAt,
  { origin, checkpoint, publicKey }: Signed,
): EntryProof {
  const proof = {
    format: proofFormat,
    entry,
    path: inclusionPath(entry.index, checkpoint.size, leafAt).map(toHex),
    checkpoint: formatNote({ origin, checkpoint }),
    publicKey,
  } as const
  if (personal === null) return proof
  return { ...proof, personal: { salt: toHex(personal.salt), value: parsePersonal(personal.bytes) ?? null } }
}

export function proveGrowth(
  from: GrowthProof['from'],
  leafAt: LeafAt,
  { origin, checkpoint, publicKey }: Signed,
): GrowthProof {
  return {
    format: proofFormat,
    from,
    path: consistencyPath(from.size, checkpoint.size, leafAt).map(toHex),
    checkpoint: formatNote({ origin, checkpoint }),
    publicKey,
  }
}

/** Takes any value that JSON can hold and never throws for it. */
export function verifyProof(document: unknown, check: ExportCheck = {}): ProofVerdict {
  const findings: Finding[] = []
  const add = (code: FindingCode, place: Place, values: Finding['values'] = {}) =>
    findings.push({ code, place, values })
  const keyFrom = check.publicKey === undefined ? 'export' : 'given'
  const refuse = (): ProofVerdict => {
    add('proof.form', { store: 'proof' })
    return { ok: false, findings, entry: null, personal: null, checkpoint: null, keyFrom }
  }
  const proof = toProof(document)
  const note = proof === undefined ? undefined : parseNote(proof.checkpoint)
  const key = parsePublicKey(check.publicKey ?? proof?.publicKey ?? '')
  if (proof === undefined || note === undefined || key === undefined) return refuse()
  const { origin, checkpoint } = note
  if (key.pem !== proof.publicKey) add('export.key', { store: 'proof' })
  const signature = checkSignature(origin, checkpoint, key)
  if (signature !== 'good')
    add(signature === 'bad' ? 'checkpoint.signature' : 'checkpoint.key', { checkpoint: checkpoint.size })
  const root = Buffer.from(checkpoint.root, 'hex')
  const path = proof.path.map(step => Buffer.from(step, 'hex'))
  const { entry, from } = proof
  if (entry !== null) {
    const leaf = leafHash(Buffer.from(canonicalJson(entry)))
    if (!verifyInclusion(entry.index, checkpoint.size, leaf, path, root)) add('proof.path', { entry: entry.index })
    if (proof.personal !== null && commitmentOf(proof.personal) !== entry.commitment)
      add('private.changed', { entry: entry.index })
  }
  if (from !== null) {
    const older = { size: from.size, root: Buffer.from(from.root, 'hex') }
    if (!verifyConsistency(older, { size: checkpoint.size, root }, path)) add('proof.path', { checkpoint: from.size })
  }
  for (const { name, text } of check.witnesses ?? []) compareWitness(name, text, { origin, checkpoint, from }, add)
  const personal = proof.personal === null ? null : (parsePersonal(proof.personal.bytes) ?? null)
  return { ok: findings.length === 0, findings, entry, personal, checkpoint, keyFrom }
}

/** A witness can be compared with what the proof states roots for; of other sizes it says nothing. */
function compareWitness(
  name: string,
  text: string,
  { origin, checkpoint, from }: { origin: string; checkpoint: SignedCheckpoint; from: GrowthProof['from'] | null },
  add: (code: FindingCode, place: Place, values?: Finding['values']) => void,
): void {
  const place = { witness: name }
  const witnessed = parseNote(text)
  if (witnessed === undefined) {
    add('witness.form', place)
    return
  }
  if (witnessed.origin !== origin) {
    add('witness.origin', place, { witnessed: witnessed.origin, found: origin })
    return
  }
  const { size, root } = witnessed.checkpoint
  for (const stated of from === null ? [checkpoint] : [checkpoint, from])
    if (stated.size === size && stated.root !== root)
      add('witness.fork', place, { size: String(size), witnessed: root, found: stated.root })
}

type ReadProof = {
  readonly entry: PublicEntry | null
  readonly from: GrowthProof['from'] | null
  readonly personal: PrivatePart | null
  readonly path: readonly string[]
  readonly checkpoint: string
  readonly publicKey: string
}

const hex = (length: number) => new RegExp(`^[0-9a-f]{${2 * length}}$`)

/** A tree of 2^53 leaves has paths of 53 hashes, and a consistency proof at most twice as many. */
const pathHashesMax = 110

const proofMembers = new Set(['format', 'path', 'checkpoint', 'publicKey', 'entry', 'from', 'personal'])

function toProof(document: unknown): ReadProof | undefined {
  if (document === null || typeof document !== 'object') return undefined
  if (Object.keys(document).some(name => !proofMembers.has(name))) return undefined
  const { format, path, checkpoint, publicKey, entry, from, personal } = document as Record<string, Json | undefined>
  if (format !== proofFormat || typeof checkpoint !== 'string' || typeof publicKey !== 'string') return undefined
  // The key has one spelling, too: what is not checked could be anything.
  if (parsePublicKey(publicKey)?.pem !== publicKey) return undefined
  if (!Array.isArray(path) || path.length > pathHashesMax) return undefined
  if (!path.every(step => typeof step === 'string' && hex(hashBytes).test(step))) return undefined
  const common = { path: path as string[], checkpoint, publicKey }
  if (entry !== undefined) {
    const read = safely(() => toPublic(entry))
    const opened = personal === undefined ? null : safely(() => toPrivate(personal))
    if (read === undefined || opened === undefined) return undefined
    return { ...common, entry: read, from: null, personal: opened }
  }
  if (from === null || typeof from !== 'object' || Array.isArray(from)) return undefined
  const { size, root } = from as { readonly [key: string]: Json }
  if (!Number.isSafeInteger(size) || typeof root !== 'string' || !hex(hashBytes).test(root)) return undefined
  return { ...common, entry: null, from: { size: size as number, root }, personal: null }
}

function toPrivate(personal: Json): PrivatePart | undefined {
  if (personal === null || typeof personal !== 'object') return undefined
  const { salt, value } = personal as { readonly [key: string]: Json }
  if (typeof salt !== 'string' || !hex(saltBytes).test(salt) || value === undefined) return undefined
  return { salt: Buffer.from(salt, 'hex'), bytes: Buffer.from(canonicalJson(value)) }
}

/** Nesting deeper than the stack is no proof either. */
function safely<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
