/**
 * The register's key pair, in a folder of its own apart from the store: a stolen store cannot be forged (K25).
 * A key is made once, for a new register; it is never replaced silently. RFC 8032, RFC 8410 (PKCS #8).
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { assert } from '../core/assert.ts'
import { type PublicKey, parsePublicKey, toPublicKey } from './checkpoint.ts'
import { RegisterFailure } from './failure.ts'
import { readIfThere, replaceFile } from './files.ts'

export type KeyPair = {
  readonly privateKey: KeyObject
  /** Derived from the private key: what it can sign for. */
  readonly publicKey: PublicKey
  /** False when `register.pub` says otherwise. */
  readonly paired: boolean
}

export const privateKeyName = 'register.key'
export const publicKeyName = 'register.pub'

const seedBytes = 32
/** RFC 8410 section 7: the fixed head of an Ed25519 private key in DER; the seed follows. */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex')

/** @returns undefined when there is no private key. */
export async function readKeys(folder: string): Promise<KeyPair | undefined> {
  const file = join(folder, privateKeyName)
  const pem = await readIfThere(file)
  if (pem === undefined) return undefined
  const privateKey = parsePrivateKey(pem)
  const publicKey = privateKey === undefined ? undefined : toPublicKey(privateKey)
  if (privateKey === undefined || publicKey === undefined)
    throw new RegisterFailure('key', `${file} is no Ed25519 key. Put the key back from its backup.`)
  const publicFile = join(folder, publicKeyName)
  const written = await readIfThere(publicFile)
  // The power was cut between the two files of the first start; the public one follows from the private one.
  if (written === undefined) await replaceFile(publicFile, publicKey.pem, 0o644)
  return { privateKey, publicKey, paired: written === undefined || written === publicKey.pem }
}

/** For a new register only. */
export async function makeKeys(folder: string, random: (bytes: number) => Uint8Array): Promise<KeyPair> {
  if ((await readIfThere(join(folder, publicKeyName))) !== undefined)
    throw new RegisterFailure(
      'key',
      `${join(folder, publicKeyName)} is there and ${privateKeyName} is not: put the key back from its backup, or remove the public key to begin a new register.`,
    )
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const seed = random(seedBytes)
  assert(seed.length === seedBytes, `an Ed25519 seed has ${seedBytes} bytes`)
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Head, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = toPublicKey(privateKey)
  assert(publicKey !== undefined, 'a new key is an Ed25519 key')
  await replaceFile(join(folder, privateKeyName), privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), 0o600)
  await replaceFile(join(folder, publicKeyName), publicKey.pem, 0o644)
  return { privateKey, publicKey, paired: true }
}

export async function readPublicKey(folder: string): Promise<PublicKey> {
  const file = join(folder, publicKeyName)
  const pem = await readIfThere(file)
  if (pem === undefined)
    throw new RegisterFailure('key', `${file} is missing: verifying needs the public key of the register.`)
  const key = parsePublicKey(pem)
  if (key === undefined) throw new RegisterFailure('key', `${file} is no Ed25519 public key.`)
  return key
}

function parsePrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    // The error of OpenSSL names no file and may quote the input; the caller says which file it is.
    return undefined
  }
}
