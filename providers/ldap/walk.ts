/**
 * Writes what a domain says of its accounts onto each of them, since the filters of Postfix and Dovecot see one entry
 * at a time. The domain's own entry was flipped before, in one write. Safe to repeat and to break off: it looks for
 * what differs, writes that, and looks again until nothing does. Accounts without a mark are not touched.
 */
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'
import { allOf, equals, type Session } from './ask.ts'
import { onlyWhile } from './assertion.ts'
import { carriedBy, type Standing } from './entry.ts'
import { resultCodes } from './failure.ts'
import { carriedValues, differencesTo } from './owned.ts'
import { eachBounded, type Reply } from './pool.ts'
import { readMarkedAccounts } from './read.ts'

export type Walked =
  | { readonly result: 'done' }
  /** Some accounts don't carry it; what was in flight at a cut may. */
  | { readonly result: 'failed' | 'unknown'; readonly detail: string }

/** Accounts that are born or change their role while we walk are met in the next round; nobody does that for ever. */
const roundsMax = 5

/** @throws ProviderFailure when the accounts cannot be read. */
export async function walkAccounts(session: Session, domain: DirectoryDomain, signal: AbortSignal): Promise<Walked> {
  let left = 0
  for (let round = 0; round < roundsMax; round += 1) {
    const accounts = await readMarkedAccounts(session, domain.domain, signal)
    const drifted = accounts.filter(account => changesFor(session, account, domain).length > 0)
    if (drifted.length === 0) return { result: 'done' }
    left = drifted.length
    const ended = await writeAll(session, drifted, domain, signal)
    if (ended !== undefined) return ended
  }
  return { result: 'failed', detail: `${left} accounts of the domain are changed as fast as they are put right` }
}

function changesFor({ profile }: Session, { resource, values }: Standing<DirectoryAccount>, domain: DirectoryDomain) {
  const carried = carriedValues(profile, carriedBy(resource.role, domain), values['mwAccountStatus']?.[0] ?? '')
  // No class is added here: an entry that lost ours is not our account any more.
  return differencesTo(profile, values, 'account', carried).filter(
    ({ modification }) => modification.type !== 'objectClass',
  )
}

async function writeAll(
  session: Session,
  drifted: readonly Standing<DirectoryAccount>[],
  domain: DirectoryDomain,
  signal: AbortSignal,
): Promise<Walked | undefined> {
  const missed: Record<Exclude<Reply<void>['kind'], 'done'>, number> = { refused: 0, cut: 0, unsent: 0, stopped: 0 }
  let first = ''
  await eachBounded(drifted, session.pool.places, async account => {
    // Without a connection, or after an abort, the rest need not be tried.
    if (missed.unsent > 0 || missed.stopped > 0) {
      missed.stopped += 1
      return
    }
    const { role } = account.resource
    const own = equals('mwAccountStatus', account.values['mwAccountStatus']?.[0] ?? '')
    const stillSo = onlyWhile(allOf(equals('mwMark', account.mark ?? ''), equals('mwRole', role), own))
    session.writes += 1
    const reply = await session.pool.send(
      client => client.modify(account.dn, changesFor(session, account, domain), stillSo),
      signal,
    )
    if (reply.kind === 'done') return
    // Gone or another one since it was read: the next round sees what it is now.
    if (reply.kind === 'refused' && [resultCodes.noSuchObject, resultCodes.assertionFailed].some(c => c === reply.code))
      return
    missed[reply.kind] += 1
    if (first === '' && reply.kind !== 'stopped') first = `: ${reply.failure.message}`
  })
  const count = missed.refused + missed.cut + missed.unsent + missed.stopped
  if (count === 0) return undefined
  const detail = `the domain itself is changed, ${count} of its accounts are not yet${first}`
  return { result: missed.refused === count ? 'failed' : 'unknown', detail }
}
