/**
 * Questions to the directory: answered, or a ProviderFailure. A size limit, a referral, an answer without the entry that
 * it must have are failures and never "absent", since what is missing from an answer would be planned for. RFC 4511
 * section 4.5.
 */
import { AndFilter, EqualityFilter, type Filter, NotFilter, OrFilter, PresenceFilter } from 'ldapts'
import { ProviderFailure } from '../provider.ts'
import type { Answered, Entry, LdapClient, Question } from './client.ts'
import type { Tree } from './dn.ts'
import { missingFrom } from './entry.ts'
import { resultCodes } from './failure.ts'
import type { Pool } from './pool.ts'
import type { Profile } from './profiles.ts'

/** What a request of the provider needs. */
export type Session = {
  readonly profile: Profile
  /** All that is asked of an entry, by the profile. */
  readonly attributes: readonly string[]
  readonly tree: Tree
  readonly bindDn: string
  /** Writes, and reads of single entries. */
  readonly pool: Pool
  /** Paged reads: slapd keeps the place of one paged search a connection, so they stand in line on their own. */
  readonly pages: Pool
  /** Counts what we wrote, so that it is not taken for somebody else's. */
  writes: number
}

/** A read that a broken connection cut short is asked once more: asking twice changes nothing. */
const readTriesMax = 2

export const equals = (attribute: string, value: string): Filter => new EqualityFilter({ attribute, value })
export const present = (attribute: string): Filter => new PresenceFilter({ attribute })
export const allOf = (...filters: Filter[]): Filter => new AndFilter({ filters })
export const anyOf = (...filters: Filter[]): Filter => new OrFilter({ filters })
export const noneOf = (filter: Filter): Filter => new NotFilter({ filter })

export const anything = present('objectClass')

/** @returns undefined when nothing stands at the base of the search. @throws ProviderFailure */
export async function ask<T>(
  pool: Pool,
  bindDn: string,
  question: (client: LdapClient) => Promise<Answered<T>>,
  signal: AbortSignal,
): Promise<T | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const reply = await pool.send(question, signal)
    switch (reply.kind) {
      case 'done':
        return reply.value
      case 'refused':
        if (reply.code === resultCodes.noSuchObject) return undefined
        throw reply.code === resultCodes.sizeLimitExceeded ? cutShort(bindDn, reply.failure) : reply.failure
      case 'cut':
        if (attempt < readTriesMax) continue
        throw reply.failure
      case 'unsent':
        throw reply.failure
      case 'stopped':
        throw brokenOff(signal)
    }
  }
}

export function brokenOff(signal: AbortSignal): ProviderFailure {
  return new ProviderFailure('timeout', 'reading the directory was broken off', {
    retry: 'later',
    cause: signal.reason,
  })
}

function cutShort(bindDn: string, cause: unknown): ProviderFailure {
  const line = `limits dn.exact="${bindDn}" size=unlimited size.prtotal=unlimited`
  return new ProviderFailure('rejected', `slapd cut its answer short at its size limit; it needs the line: ${line}`, {
    retry: 'later',
    cause,
  })
}

/** Below a base what a filter finds, in one answer without pages: for what is known to be small. */
export async function askOnce(
  { pool, bindDn, attributes }: Session,
  question: Pick<Question, 'base' | 'scope' | 'filter' | 'sizeLimit'> & { readonly attributes?: readonly string[] },
  signal: AbortSignal,
): Promise<readonly Entry[] | undefined> {
  return (await ask(pool, bindDn, client => client.search({ attributes, ...question }), signal))?.entries
}

/**
 * One entry. @returns undefined when the server says that nothing stands there. Success without the entry says that it
 * may not be seen, which is not absence. @throws ProviderFailure
 */
export async function askEntry(
  session: Session,
  base: string,
  signal: AbortSignal,
  attributes = session.attributes,
): Promise<Entry | undefined> {
  const found = await askOnce(session, { base, scope: 'base', filter: anything, attributes }, signal)
  if (found === undefined) return undefined
  const [entry, ...more] = found
  if (entry === undefined || more.length > 0)
    throw malformed(`asked for ${base} alone, the directory gave ${found.length} entries and called it a success`)
  refuseCutEntry(session, entry, attributes)
  return entry
}

export function malformed(message: string): ProviderFailure {
  return new ProviderFailure('malformed-reply', message, { retry: 'later' })
}

/** @throws ProviderFailure when an attribute that the entry must have is not there. */
export function refuseCutEntry({ profile }: Session, entry: Entry, asked: readonly string[]): void {
  const missing = missingFrom(profile, entry, asked)
  if (missing !== undefined)
    throw malformed(`${entry.dn} came without its ${missing}: the answer was cut, or the agent may not read it`)
}
