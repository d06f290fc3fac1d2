/**
 * A hint that somebody else wrote: the database's change number (contextCSN) moved and it was not by us. Only where
 * the server shows that number (overlay syncprov); elsewhere there are no hints, and sweeps find what changed.
 */

import { GreaterThanEqualsFilter } from 'ldapts'
import type { Clock } from '../../agent/core/clock.ts'
import { ProviderFailure } from '../provider.ts'
import { allOf, askEntry, askOnce, equals, noneOf, type Session } from './ask.ts'
import { compactDn } from './dn.ts'

const pollMs = 2_000

/** Ends at once where the server doesn't show its change number. */
export async function* foreignWrites(session: Session, clock: Clock, signal: AbortSignal): AsyncGenerator<void> {
  const suffix = await quietly(() => findSuffix(session, signal))
  if (suffix === undefined) return
  let last = await quietly(() => changeNumber(session, suffix, signal))
  if (last === undefined) return
  let writes = session.writes
  while (true) {
    await clock.sleep(pollMs, signal)
    if (signal.aborted) return
    const now = await quietly(() => changeNumber(session, suffix, signal))
    if (now === undefined || now === last) continue
    const since = last
    const wroteToo = session.writes !== writes
    last = now
    writes = session.writes
    if (!wroteToo || (await quietly(() => othersWrote(session, since, signal))) !== false) yield
  }
}

/** A server that cannot be asked just now is for the next pass to report; this one only gives hints. */
async function quietly<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ProviderFailure) return undefined
    throw error
  }
}

async function findSuffix(session: Session, signal: AbortSignal): Promise<string | undefined> {
  const root = await askEntry(session, '', signal, ['namingContexts'])
  const contexts = root?.values.get('namingContexts') ?? []
  const base = compactDn(session.tree.base)
  return contexts
    .filter(context => base === compactDn(context) || base.endsWith(`,${compactDn(context)}`))
    .toSorted((a, b) => b.length - a.length)[0]
}

async function changeNumber(session: Session, suffix: string, signal: AbortSignal): Promise<string | undefined> {
  const entry = await askEntry(session, suffix, signal, ['contextCSN'])
  return entry?.values.get('contextCSN')?.toSorted().join(' ')
}

/** While we wrote too: whether an entry of the tree was changed since by anyone else. What was removed leaves no trace here. */
async function othersWrote(session: Session, since: string, signal: AbortSignal): Promise<boolean> {
  const after = since.split(' ').map(value => new GreaterThanEqualsFilter({ attribute: 'entryCSN', value }))
  const [first] = after
  if (first === undefined) return true
  const filter = allOf(first, noneOf(equals('modifiersName', session.bindDn)))
  const base = session.tree.domains
  const found = await askOnce(session, { base, scope: 'sub', filter, sizeLimit: 1, attributes: ['1.1'] }, signal)
  return (found ?? []).length > 0
}
