/**
 * The doors of the directory by themselves: a domain's two flags, an account's one, each in its own entry and by one write.
 * The domain's flag closes every login of it at once (Dovecot asks its entry first); what its accounts carry of it is the
 * pass's work. Written on the condition that nobody wrote in between, as everything is.
 */
import type { Outcome } from '../../agent/model/change.ts'
import type { Ref } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { judge } from '../judge.ts'
import { type Door, ProviderFailure } from '../provider.ts'
import { equals, type Session } from './ask.ts'
import { onlyWhile } from './assertion.ts'
import { type DirectoryChange, told } from './change.ts'
import type { Standing } from './entry.ts'
import { differencesTo, ownedOf } from './owned.ts'
import { readAccount, readDomain } from './read.ts'

/** How often an entry that changes under our hands is looked at again. */
const triesMax = 3

/** @throws ProviderFailure */
export async function readDoors(
  session: Session,
  refs: readonly Ref[],
  signal: AbortSignal,
): Promise<readonly Door<DirectoryResource>[]> {
  const found = await Promise.all(refs.map(ref => readDoor(session, ref, signal)))
  return found.flatMap(standing => {
    if (standing === undefined) return []
    const { resource, mark } = standing
    // What a domain says, each of its accounts carries.
    return [{ resource, mark, isWhole: resource.kind === 'account' }]
  })
}

function readDoor(session: Session, { kind, key }: Ref, signal: AbortSignal): Promise<Standing | undefined> {
  if (kind === 'domain') return readDomain(session, key, signal)
  const domain = key.slice(key.lastIndexOf('@') + 1)
  return readAccount(session, { key, domain } as Parameters<typeof readAccount>[1], signal)
}

export async function writeDoor(session: Session, marked: DirectoryChange, signal: AbortSignal): Promise<Outcome> {
  const { ref, after } = marked.change
  try {
    for (let attempt = 1; attempt <= triesMax; attempt += 1) {
      if (signal.aborted) return { ref, result: 'skipped', detail: 'the run was stopped before' }
      const found = await readDoor(session, ref, signal)
      const judgement = judge(marked, found)
      if (judgement.verdict === 'nothing') return { ref, result: 'applied' }
      if (judgement.verdict === 'conflict') return { ref, result: 'conflict', detail: judgement.detail }
      if (found === undefined || after === null) return { ref, result: 'conflict', detail: 'it is no door' }
      const owned = ownedOf(session.profile, after, marked.mark, undefined, found.values)
      const differences = differencesTo(session.profile, found.values, after.kind, owned)
      session.writes += 1
      const unchanged = onlyWhile(equals('entryCSN', found.csn))
      const outcome = told(
        ref,
        await session.pool.send(client => client.modify(found.dn, differences, unchanged), signal),
      )
      if (outcome !== 'again') return outcome
    }
    return { ref, result: 'conflict', detail: 'somebody keeps writing to it' }
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    return { ref, result: 'failed', detail: error.message }
  }
}
