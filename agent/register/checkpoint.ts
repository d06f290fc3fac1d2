/**
 * A checkpoint: "the first N entries have this root", signed with Ed25519 (RFC 8032) over a text that people can read
 * and compare over the phone. The text is a signed note as the Go checksum database and C2SP's tlog-checkpoint have it,
 * so other tools verify it too: origin, size, root in base64, then our own lines (time, previous), a blank, a signature.
 * Pure: keys and time are passed in, nothing is read or written.
 */
import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto'
import { parseInstant } from '../core/clock.ts'
import type { Checkpoint } from './register.ts'

/**
 * `root` is lower-case hex, `signature` base64 of key id and Ed25519 signature, as in the note's last line.
 * `previous` is the size of the checkpoint kept before this one: it makes a checkpoint missing from the middle show.
 */
export type SignedCheckpoint = Checkpoint & { readonly previous: number | null }

export type PublicKey = { readonly object: KeyObject; readonly raw: Uint8Array; readonly pem: string }

/** A note as it stands in a witness file. */
export type Note = { readonly origin: string; readonly checkpoint: SignedCheckpoint }

/** A note has six lines; anything longer is something else. */
export const noteBytesMax = 1_024

const signatureBytes = 64
const keyIdBytes = 4

export const originOf = (logId: string): string => `mailwarden/${logId}`

/** @returns undefined when the text is no Ed25519 public key in PEM. */
export function parsePublicKey(pem: string): PublicKey | undefined {
  try {
    return toPublicKey(createPublicKey(pem))
  } catch {
    return undefined
  }
}

export function toPublicKey(key: KeyObject): PublicKey | undefined {
  const object = key.type === 'private' ? createPublicKey(key) : key
  const { x } = object.export({ format: 'jwk' })
  if (object.asymmetricKeyType !== 'ed25519' || x === undefined) return undefined
  const pem = object.export({ format: 'pem', type: 'spki' }).toString()
  return { object, raw: Buffer.from(x, 'base64url'), pem }
}

/** The four bytes by which a note names its key: SHA-256 over name, newline, algorithm 1 (Ed25519) and key. */
function keyIdOf(origin: string, key: PublicKey): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(`${origin}\n\u0001`), key.raw]), 'buffer').subarray(0, keyIdBytes)
}

/** The signed text, its last newline included. */
function bodyOf(origin: string, checkpoint: Omit<SignedCheckpoint, 'signature'>): string {
  const { size, root, at, previous } = checkpoint
  const base64 = Buffer.from(root, 'hex').toString('base64')
  return `${origin}\n${size}\n${base64}\n${at}\nprevious ${previous ?? 'none'}\n`
}

export function signCheckpoint(
  origin: string,
  unsigned: Omit<SignedCheckpoint, 'signature'>,
  privateKey: KeyObject,
  publicKey: PublicKey,
): SignedCheckpoint {
  const signature = sign(null, Buffer.from(bodyOf(origin, unsigned)), privateKey)
  return { ...unsigned, signature: Buffer.concat([keyIdOf(origin, publicKey), signature]).toString('base64') }
}

/** `other-key` is told apart because it means a wrong key file far more often than a forged signature. */
export function checkSignature(
  origin: string,
  checkpoint: SignedCheckpoint,
  key: PublicKey,
): 'good' | 'bad' | 'other-key' {
  if (!isWellFormed(checkpoint)) return 'bad'
  const bytes = Buffer.from(checkpoint.signature, 'base64')
  if (!bytes.subarray(0, keyIdBytes).equals(keyIdOf(origin, key))) return 'other-key'
  const body = Buffer.from(bodyOf(origin, checkpoint))
  return verify(null, body, key.object, bytes.subarray(keyIdBytes)) ? 'good' : 'bad'
}

/** One spelling for each value: what does not print back as it was read is not accepted. */
export function isWellFormed({ size, root, at, previous, signature }: SignedCheckpoint): boolean {
  const bytes = Buffer.from(signature, 'base64')
  return (
    Number.isSafeInteger(size) &&
    size >= 0 &&
    (previous === null || (Number.isSafeInteger(previous) && previous >= 0 && previous < size)) &&
    /^[0-9a-f]{64}$/.test(root) &&
    at.endsWith('Z') &&
    parseInstant(at) !== undefined &&
    bytes.length === keyIdBytes + signatureBytes &&
    bytes.toString('base64') === signature
  )
}

export function formatNote({ origin, checkpoint }: Note): string {
  return `${bodyOf(origin, checkpoint)}\n— ${origin} ${checkpoint.signature}\n`
}

/** @returns undefined when the text is not exactly what `formatNote` writes. The signature is not checked here. */
export function parseNote(text: string): Note | undefined {
  if (text.length > noteBytesMax) return undefined
  const [origin, size, root, at, previous, blank, line, end] = text.split('\n')
  if (origin === undefined || !/^mailwarden\/[0-9a-f]{16}$/.test(origin)) return undefined
  if (size === undefined || root === undefined || at === undefined || blank !== '' || end !== '') return undefined
  const kept = /^previous (none|\d{1,16})$/.exec(previous ?? '')?.[1]
  const signature = line?.split(' ')[2]
  if (kept === undefined || signature === undefined) return undefined
  const checkpoint = {
    size: Number(size),
    root: Buffer.from(root, 'base64').toString('hex'),
    at,
    previous: kept === 'none' ? null : Number(kept),
    signature,
  }
  const note = { origin, checkpoint }
  return isWellFormed(checkpoint) && formatNote(note) === text ? note : undefined
}
