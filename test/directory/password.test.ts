/** Passwords: the form that Dovecot reads, and one-time passwords drawn evenly. The oracle itself runs in test/servers. */
import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { generatePassword, hashPassword } from '../../agent/standards/password.ts'

test('a hash is a PHC string with its scheme, and never twice the same', async () => {
  const secret = generatePassword(randomBytes)
  const hashes = await Promise.all([hashPassword(secret), hashPassword(secret)])
  for (const hash of hashes) {
    expect(hash).toMatch(/^\{ARGON2ID\}\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(hash).not.toContain(secret.reveal())
  }
  expect(hashes[0]).not.toBe(hashes[1])
})

test('one password in two Unicode spellings is one password', async () => {
  // Without the salt there is nothing to compare, so the lengths tell: composed and decomposed differ in bytes.
  const [composed, decomposed] = ['ñ'.normalize('NFC'), 'ñ'.normalize('NFD')]
  expect(Buffer.byteLength(composed)).not.toBe(Buffer.byteLength(decomposed))
  const longest = 127 // 127 times two octets fit into 255, three each would not
  await expect(hashPassword(new Secret(decomposed.repeat(longest)))).resolves.toContain('{ARGON2ID}')
})

test('an empty password and one beyond 255 octets are never hashed', async () => {
  await expect(hashPassword(new Secret(''))).rejects.toThrow('1 to 255')
  await expect(hashPassword(new Secret('x'.repeat(256)))).rejects.toThrow('1 to 255')
})

test('the event loop goes on while a password is hashed', async () => {
  let turns = 0
  const counting = setInterval(() => turns++, 1)
  await hashPassword(new Secret('a b c'))
  clearInterval(counting)
  expect(turns).toBeGreaterThan(0)
})

test('a generated password is four groups of four that nobody misreads, and does not print itself', () => {
  const secret = generatePassword(randomBytes)
  expect(secret.reveal()).toMatch(/^([a-hj-km-np-z2-9]{4}-){3}[a-hj-km-np-z2-9]{4}$/)
  expect(`${secret} ${JSON.stringify({ secret })} ${inspect(secret)}`).not.toContain(secret.reveal())
  expect(generatePassword(randomBytes).reveal()).not.toBe(secret.reveal())
})

test('every character comes up as often as any other: bytes that would favour some are drawn again', () => {
  const counts = new Map<string, number>()
  // Each byte value once and again, so an even draw gives exactly even counts.
  let next = 0
  const everyByte = (count: number) => Uint8Array.from({ length: count }, () => next++ % 256)
  while (next < 256 * 16)
    for (const character of generatePassword(everyByte).reveal().replaceAll('-', ''))
      counts.set(character, (counts.get(character) ?? 0) + 1)
  expect(counts.size).toBe(31)
  expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(2)
})
