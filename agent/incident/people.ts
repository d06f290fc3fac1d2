/**
 * People and their tokens (contract section 4, K5). A token is 256 random bits, printed once; the register keeps its
 * digest. Pure: the bytes and the time are arguments. Who is no longer in the configuration has no power.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { dayMs, formatInstant, type Instant, parseInstant } from '../core/clock.ts'
import { Secret } from '../core/secret.ts'
import type { Actor, NewEntry, Stored } from '../register/register.ts'

/** So that scanners of leaked secrets recognise one. */
const prefix = 'mw1_'
export const tokenBytes = 32
/** A token that nobody renews for a year belongs to nobody. */
export const tokenDaysDefault = 365

export type Token = {
  readonly person: string
  readonly digest: string
  readonly expiresAt: Instant
  readonly madeAt: Instant
  /** `local:<user>` where nobody with a token made it. */
  readonly madeBy: string
}
/** `holders`: since when somebody has had a token, the revoked ones included. */
export type Tokens = { readonly live: readonly Token[]; readonly holders: ReadonlyMap<string, Instant> }
export const emptyTokens: Tokens = { live: [], holders: new Map() }

export type OperatorPerson = { readonly name: string; readonly role: string }

function digestOfToken(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** @param bytes `tokenBytes` of them, random. */
export function createToken(
  person: string,
  bytes: Uint8Array,
  context: { actor: Actor; at: Instant; expiresAt: Instant },
): { readonly token: Secret; readonly entry: NewEntry } {
  const token = `${prefix}${Buffer.from(bytes).toString('base64url')}`
  const facts = { person, digest: digestOfToken(token), expiresAt: formatInstant(context.expiresAt) }
  const entry: NewEntry = {
    kind: 'token.created',
    actor: context.actor,
    at: formatInstant(context.at),
    subject: person,
    rule: 'K5',
    facts,
  }
  return { token: new Secret(token), entry }
}

export function revokeTokens(person: string, context: { actor: Actor; at: Instant }): NewEntry {
  return {
    kind: 'token.revoked',
    actor: context.actor,
    at: formatInstant(context.at),
    subject: person,
    rule: 'K5',
    facts: { person },
  }
}

export function applyTokenEntry(tokens: Tokens, entry: Stored): Tokens {
  const person = String(entry.facts['person'] ?? '')
  if (entry.kind === 'token.created') {
    const expiresAt = parseInstant(String(entry.facts['expiresAt'])) ?? 0
    const digest = String(entry.facts['digest'])
    // One that could not be compared would shut everybody else out.
    if (!/^[0-9a-f]{64}$/.test(digest)) return tokens
    const madeAt = parseInstant(entry.at) ?? 0
    const token = { person, digest, expiresAt, madeAt, madeBy: entry.actor.person }
    const holders = tokens.holders.has(person) ? tokens.holders : new Map(tokens.holders).set(person, madeAt)
    return { live: [...tokens.live, token], holders }
  }
  if (entry.kind === 'token.revoked') return { ...tokens, live: tokens.live.filter(token => token.person !== person) }
  return tokens
}

/** Those that have not expired, by person and end. That a person is still in the configuration is not asked here. */
export function liveTokens(tokens: Tokens, at: Instant): readonly Token[] {
  return tokens.live
    .filter(({ expiresAt }) => expiresAt > at)
    .toSorted((a, b) => (a.person < b.person ? -1 : a.person > b.person ? 1 : a.expiresAt - b.expiresAt))
}

/** The person of a token and the token, with the role that the configuration gives now; undefined for any other text. */
export function authenticate(
  tokens: Tokens,
  people: readonly OperatorPerson[],
  text: string,
  at: Instant,
): { readonly person: OperatorPerson; readonly token: Token } | undefined {
  const given = Buffer.from(digestOfToken(text), 'hex')
  let found: Token | undefined
  // Every token is compared, in constant time each: how long it takes tells nothing.
  for (const token of tokens.live) if (timingSafeEqual(Buffer.from(token.digest, 'hex'), given)) found = token
  if (found === undefined || found.expiresAt <= at) return undefined
  const person = people.find(({ name }) => name === found.person)
  return person === undefined ? undefined : { person, token: found }
}

/**
 * Whether a token proves another person than whoever sits at the host. The first tokens of an installation are made
 * there, by nobody in particular. Once two people have theirs, one that is made there after an incident began proves
 * nothing in it for a day: else whoever sits there would be any two people. By then the alarm of its making was read.
 * @param since when the incident was declared.
 */
export function provesPerson(tokens: Tokens, token: Token, since: Instant, at: Instant): boolean {
  if (!token.madeBy.startsWith('local:') || token.madeAt <= since || at - token.madeAt >= dayMs) return true
  return [...tokens.holders.values()].filter(holderSince => holderSince <= since).length < 2
}
