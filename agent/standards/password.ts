/**
 * Passwords: hashed for the mail server, generated for people (T18, K23). Argon2id comes from Node itself, and Dovecot
 * verifies its PHC string; a password is never compared here, never logged, and leaves its `Secret` only to be hashed.
 *
 * RFC 9106 (Argon2); the string is that of the Password Hashing Competition with Dovecot's scheme in front:
 * `{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, base64 without padding.
 */
import { argon2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { assert } from '../core/assert.ts'
import { Secret } from '../core/secret.ts'

/**
 * 19 MiB, two passes, one lane: the least that OWASP recommends. Dovecot computes it again at every login that its
 * cache does not answer, so more memory would be a lever for whoever guesses passwords.
 */
const memoryKiB = 19_456
const passes = 2
/** Dovecot verifies through libsodium, which computes with one lane. */
const lanes = 1
const saltBytes = 16 // RFC 9106 section 3.1 recommends 128 bits
const hashBytes = 32
/** Longer input is a mistake or an attack; SASL PLAIN (RFC 4616) ends at 255 octets in the mail clients we know. */
const passwordBytesMax = 255

const argon2Async = promisify(argon2)

/** In a scheme that Dovecot verifies, with its `{ARGON2ID}` prefix. Computed in Node's thread pool, off the event loop. */
export async function hashPassword(secret: Secret): Promise<string> {
  const message = Buffer.from(secret.reveal().normalize('NFC'), 'utf8')
  assert(message.length > 0 && message.length <= passwordBytesMax, 'a password has 1 to 255 octets')
  const nonce = randomBytes(saltBytes)
  const hash = await argon2Async('argon2id', {
    message,
    nonce,
    parallelism: lanes,
    tagLength: hashBytes,
    memory: memoryKiB,
    passes,
  })
  message.fill(0)
  return `{ARGON2ID}$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$${unpadded(nonce)}$${unpadded(hash)}`
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '')
}

/** 31 characters that nobody takes for another one: no 0 and o, no 1, l and i. */
const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789'
const groups = 4
const groupLength = 4
/** A byte at or above this is drawn again; otherwise the first characters of the alphabet would come up more often. */
const fairBytes = Math.floor(256 / alphabet.length) * alphabet.length

/** A one-time password to read out or print: four groups of four, 79 bits. `random(n)` gives n random bytes. */
export function generatePassword(random: (count: number) => Uint8Array): Secret {
  const wanted = groups * groupLength
  let text = ''
  while (text.length < wanted) {
    for (const byte of random(wanted - text.length)) if (byte < fairBytes) text += alphabet[byte % alphabet.length]
  }
  return new Secret(text.match(new RegExp(`.{${groupLength}}`, 'g'))?.join('-') ?? text)
}
