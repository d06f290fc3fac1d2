/** Tokens of people (contract section 4, K5). */
import { describe, expect, test } from 'vitest'
import { dayMs, formatInstant } from '../../agent/core/clock.ts'
import {
  applyTokenEntry,
  authenticate,
  createToken,
  emptyTokens,
  revokeTokens,
  tokenBytes,
} from '../../agent/incident/people.ts'
import type { NewEntry } from '../../agent/register/register.ts'
import { staff, start, store } from './fixture.ts'

const actor = { person: 'local:root', role: 'local' }
const made = (person: string, byte: number, expiresAt = start + dayMs) =>
  createToken(person, new Uint8Array(tokenBytes).fill(byte), { actor, at: start, expiresAt })
const fold = (...entries: readonly NewEntry[]) => entries.map(store).reduce(applyTokenEntry, emptyTokens)

describe('tokens', () => {
  test('256 bits behind a prefix that scanners know; the entry has no more than the digest', () => {
    const { token, entry } = made('ana', 1)
    expect(token.reveal()).toMatch(/^mw1_[A-Za-z0-9_-]{43}$/)
    expect(JSON.stringify(entry)).not.toContain(token.reveal())
    expect(entry).toMatchObject({
      kind: 'token.created',
      facts: {
        person: 'ana',
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
        expiresAt: formatInstant(start + dayMs),
      },
    })
    expect(`${token} ${JSON.stringify({ token })}`).not.toContain('mw1_')
  })

  test('a token is its person, until its last instant', () => {
    const { token, entry } = made('ana', 1)
    const tokens = fold(entry, made('berta', 2).entry)
    expect(authenticate(tokens, staff, token.reveal(), start)?.person).toEqual({ name: 'ana', role: 'responder' })
    expect(authenticate(tokens, staff, token.reveal(), start + dayMs - 1)?.person.name).toBe('ana')
    expect(authenticate(tokens, staff, token.reveal(), start + dayMs)).toBeUndefined()
  })

  test.each(['', 'mw1_', `mw1_${'A'.repeat(43)}`, 'x'.repeat(100_000)])('another text is nobody', text => {
    expect(authenticate(fold(made('ana', 1).entry), staff, text, start)).toBeUndefined()
  })

  test('revoked, or gone from the configuration: no power; a newer one of the same person works', () => {
    const { token, entry } = made('ana', 1)
    const newer = made('ana', 3)
    const tokens = fold(entry, revokeTokens('ana', { actor, at: start }), newer.entry)
    expect(authenticate(tokens, staff, token.reveal(), start)).toBeUndefined()
    expect(authenticate(tokens, staff, newer.token.reveal(), start)?.person.name).toBe('ana')
    expect(
      authenticate(
        tokens,
        staff.filter(({ name }) => name !== 'ana'),
        newer.token.reveal(),
        start,
      ),
    ).toBeUndefined()
  })

  test('the role is the one of today', () => {
    const { token, entry } = made('ana', 1)
    expect(authenticate(fold(entry), [{ name: 'ana', role: 'auditor' }], token.reveal(), start)?.person.role).toBe(
      'auditor',
    )
  })

  test('an entry with a broken digest or day opens nothing and breaks nothing', () => {
    const { token, entry } = made('ana', 1)
    for (const facts of [
      { person: 'ana', digest: 'ff', expiresAt: entry.facts['expiresAt'] ?? null },
      { ...entry.facts, expiresAt: 'soon' },
    ])
      expect(authenticate(fold({ ...entry, facts }), staff, token.reveal(), start)).toBeUndefined()
  })
})
