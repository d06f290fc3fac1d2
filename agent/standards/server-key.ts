/**
 * Keys that mailwarden shows to servers, in the forms in which the servers keep them: slapd a salted SHA-1 (its own
 * `{SSHA}`, the strongest that it verifies without another module), PowerDNS scrypt. For random keys only, which nobody
 * guesses; what people type is hashed by `password.ts`.
 *
 * `{SSHA}` + base64(SHA-1(password, salt) + salt). `$scrypt$ln=2,p=1,r=8$salt$hash` as `pdnsutil hash-password` writes
 * it, base64 with padding.
 */
import { createHash, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { assert } from '../core/assert.ts'
import type { Secret } from '../core/secret.ts'

const saltBytes = 16
/** Fewer random octets than this could be guessed against a hash that is as fast as SHA-1. */
const keyLengthMin = 32
/**
 * Each request of the API computes it once. The cost that `pdnsutil` takes for what people type (ln=10) let PowerDNS make a
 * third as many zones a second; a random key is not guessed however cheap its hash is.
 */
const cost = { ln: 2, r: 8, p: 1 } as const
const hashBytes = 32

const scryptAsync = promisify(scrypt) as (
  password: string,
  salt: Buffer,
  length: number,
  options: { N: number; r: number; p: number },
) => Promise<Buffer>

export function hashForSlapd(key: Secret): string {
  const salt = randomBytes(saltBytes)
  const digest = createHash('sha1').update(checkedKey(key)).update(salt).digest()
  return `{SSHA}${Buffer.concat([digest, salt]).toString('base64')}`
}

export async function hashForPowerDns(key: Secret): Promise<string> {
  const { ln, r, p } = cost
  const salt = randomBytes(saltBytes)
  const hash = await scryptAsync(checkedKey(key), salt, hashBytes, { N: 2 ** ln, r, p })
  return `$scrypt$ln=${ln},p=${p},r=${r}$${salt.toString('base64')}$${hash.toString('base64')}`
}

function checkedKey(key: Secret): string {
  assert(key.reveal().length >= keyLengthMin, 'a key is random and long')
  return key.reveal()
}
