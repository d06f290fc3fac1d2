/**
 * One change against what stands: read, judged, written on the condition that nobody wrote in between (the assertion
 * control over the entry's change number), and told truthfully. An update names only attributes of ours that differ. A
 * write whose answer was lost is `unknown` and not repeated.
 */
import type { Control } from 'ldapts'
import type { Outcome } from '../../agent/model/change.ts'
import type { DirectoryDomain } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { judge } from '../judge.ts'
import { type MarkedChange, ProviderFailure } from '../provider.ts'
import { anything, equals, type Session } from './ask.ts'
import { onlyWhile } from './assertion.ts'
import { type Carried, canonicalIn, carriedBy, type Standing, withDrift, withoutMirrors } from './entry.ts'
import { resultCodes } from './failure.ts'
import { differencesTo, newEntry, ownedOf } from './owned.ts'
import type { Reply } from './pool.ts'
import { readAccount, readDomain, readMarkedAccounts } from './read.ts'
import { walkAccounts } from './walk.ts'

export type DirectoryChange = MarkedChange<DirectoryResource>

/** What is read once for many changes. */
export type Surroundings = {
  /** The domain's entry as it stood when the first of these changes asked. */
  readonly domain: (name: string) => Promise<Standing<DirectoryDomain> | undefined>
  /** Who that is not ours goes by one of the names that the change would take; undefined when nobody does. */
  readonly foreignHolder: (change: DirectoryChange) => Promise<string | undefined>
  /** Makes the container that such an entry stands in, when it is not there. */
  readonly makeRoom: (resource: DirectoryResource) => Promise<Reply<void>>
  /** The server cannot be reached any more; what is left need not be tried. */
  readonly isLost: () => boolean
  readonly lose: () => void
}

/** How often an entry that changes under our hands is looked at again. */
const triesMax = 3

export async function carryOut(
  session: Session,
  marked: DirectoryChange,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Outcome> {
  const { ref } = marked.change
  const after = marked.change.after === null ? null : canonicalIn(session.profile, marked.change.after)
  const wanted = { ...marked, change: { ...marked.change, after } as DirectoryChange['change'] }
  try {
    for (let attempt = 1; attempt <= triesMax; attempt += 1) {
      if (signal.aborted) return { ref, result: 'skipped', detail: 'the run was stopped before' }
      if (surroundings.isLost()) return { ref, result: 'skipped', detail: 'the directory cannot be reached' }
      // A new entry is simply added: if something stands there, the server says so.
      const isNew = wanted.change.action === 'create' && attempt === 1
      const found = isNew ? undefined : await read(session, wanted.change, signal)
      const judgement = judge(wanted, found)
      if (judgement.verdict === 'nothing') return { ref, result: 'applied' }
      if (judgement.verdict === 'conflict') return { ref, result: 'conflict', detail: judgement.detail }
      const obstacle = await obstacleTo(wanted, surroundings)
      if (obstacle !== undefined) return { ref, result: 'conflict', detail: obstacle }
      const outcome = await write(session, wanted, found, surroundings, signal)
      if (outcome !== 'again') return outcome
    }
    return { ref, result: 'conflict', detail: 'somebody keeps writing to it' }
  } catch (error) {
    // Only reads before the write throw, and a connection that could not be made.
    if (!(error instanceof ProviderFailure)) throw error
    // Also when the bind is refused: to try it for each change would lock the agent out.
    if (session.pool.isDown() || session.pages.isDown()) surroundings.lose()
    return { ref, result: 'failed', detail: error.message }
  }
}

async function read(
  session: Session,
  { before, after }: DirectoryChange['change'],
  signal: AbortSignal,
): Promise<Standing | undefined> {
  const resource = (before ?? after) as DirectoryResource
  if (resource.kind === 'account') return readAccount(session, resource, signal)
  const domain = await readDomain(session, resource.domain, signal)
  if (domain === undefined || domain.mark === null) return domain
  return withDrift(domain, await readMarkedAccounts(session, resource.domain, signal))
}

/** What stands beside the object and speaks against the change; undefined when nothing does. */
async function obstacleTo(marked: DirectoryChange, surroundings: Surroundings): Promise<string | undefined> {
  const { change } = marked
  if (change.action === 'delete' || change.after.kind === 'domain') return undefined
  if (change.action === 'create') {
    const domain = await surroundings.domain(change.after.domain)
    if (domain === undefined) return 'its domain does not stand'
    if (domain.mark === null) return 'its domain is not ours'
  }
  // A name that a foreign account goes by would take that account's mail away.
  return surroundings.foreignHolder(marked)
}

async function write(
  session: Session,
  { change, mark, adopt }: DirectoryChange,
  found: Standing | undefined,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Outcome | 'again'> {
  const { ref } = change
  session.writes += 1
  if (found === undefined) {
    if (change.after === null) return { ref, result: 'applied' }
    return add(session, change.after, { mark, ref, surroundings }, signal)
  }
  const unchanged = onlyWhile(equals('entryCSN', found.csn))
  if (change.after === null) return told(ref, await remove(session, change.before, found.dn, unchanged, signal))
  // What an account carries of its domain is put right by the domain's own change, which compares it with what was seen;
  // unless the account becomes another thing to its domain, or ours.
  const isSame = adopt !== true && change.after.kind === 'account' && found.values['mwRole']?.[0] === change.after.role
  const carried = isSame ? undefined : await carriedFor(change.after, surroundings)
  const owned = ownedOf(session.profile, change.after, mark, carried, found.values)
  const differences = differencesTo(session.profile, found.values, change.after.kind, owned)
  const reply: Reply<void> =
    differences.length === 0
      ? { kind: 'done', value: undefined }
      : await session.pool.send(client => client.modify(found.dn, differences, unchanged), signal)
  const outcome = told(ref, reply)
  if (change.after.kind === 'account' || outcome === 'again' || outcome.result !== 'applied') return outcome
  const walked = await walk(session, change.after, signal)
  return walked.result === 'done' ? outcome : { ref, result: walked.result, detail: walked.detail }
}

/** A domain goes with the empty container of its accounts; what still stands in it, or beside it, keeps the domain. */
async function remove(
  session: Session,
  resource: DirectoryResource,
  dn: string,
  unchanged: Control,
  signal: AbortSignal,
): Promise<Reply<void>> {
  const { naming } = session.tree
  const reply = await session.pool.send(client => client.remove(dn, unchanged), signal)
  const holds = reply.kind === 'refused' && reply.code === resultCodes.notAllowedOnNonLeaf
  if (!holds || resource.kind !== 'domain' || naming.below === undefined) return reply
  const people = session.tree.people(resource.domain)
  const emptied = await session.pool.send(client => client.remove(people, onlyWhile(anything)), signal)
  if (emptied.kind !== 'done') return emptied.kind === 'refused' ? reply : emptied
  return session.pool.send(client => client.remove(dn, unchanged), signal)
}

/** Reading for the walk may fail too; the domain's own entry is written by then, so it is no plain failure. */
async function walk(session: Session, domain: DirectoryDomain, signal: AbortSignal) {
  try {
    return await walkAccounts(session, domain, signal)
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    const detail = `the domain itself is changed, its accounts are not yet: ${error.message}`
    return { result: 'unknown', detail } as const
  }
}

type Birth = { readonly mark: string; readonly ref: Outcome['ref']; readonly surroundings: Surroundings }

async function add(
  session: Session,
  resource: DirectoryResource,
  { mark, ref, surroundings }: Birth,
  signal: AbortSignal,
): Promise<Outcome | 'again'> {
  const { tree, profile } = session
  const dn = resource.kind === 'domain' ? tree.domain(resource.domain) : tree.account(resource.address, resource.domain)
  const owned = ownedOf(profile, resource, mark, await carriedFor(resource, surroundings), {})
  const entry = newEntry(profile, resource, owned)
  const reply = await session.pool.send(client => client.add(dn, entry), signal)
  if (reply.kind !== 'refused' || reply.code !== resultCodes.noSuchObject) return told(ref, reply)
  const made = await surroundings.makeRoom(resource)
  return made.kind === 'done' ? 'again' : told(ref, made)
}

/** An account is born with what its domain says of it, also during a hold. */
async function carriedFor(resource: DirectoryResource, surroundings: Surroundings): Promise<Carried | undefined> {
  if (resource.kind === 'domain') return undefined
  const domain = await surroundings.domain(resource.domain)
  return domain === undefined ? undefined : carriedBy(resource.role, withoutMirrors(domain))
}

/** Codes that mean that something stands otherwise than was thought: looked at again, never taken for a failure. */
const lookAgain: readonly number[] = [
  resultCodes.noSuchAttribute,
  resultCodes.attributeOrValueExists,
  resultCodes.noSuchObject,
  resultCodes.entryAlreadyExists,
  resultCodes.assertionFailed,
]

export function told(ref: Outcome['ref'], reply: Reply<void>): Outcome | 'again' {
  switch (reply.kind) {
    case 'done':
      return { ref, result: 'applied' }
    case 'refused':
      if (lookAgain.includes(reply.code)) return 'again'
      if (reply.code === resultCodes.notAllowedOnNonLeaf)
        return { ref, result: 'conflict', detail: 'entries still stand below it' }
      return { ref, result: 'failed', detail: reply.failure.message }
    case 'cut':
      return { ref, result: 'unknown', detail: reply.failure.message }
    case 'unsent':
      throw reply.failure
    case 'stopped':
      return { ref, result: 'skipped', detail: 'the run was stopped before' }
  }
}
