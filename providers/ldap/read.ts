/**
 * Reads of the tree: what stands there, as resources, all of what was asked for or a ProviderFailure. Whether an answer
 * is whole is for whole.ts to say.
 */
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { type Observed, ProviderFailure, type Scope } from '../provider.ts'
import { allOf, anyOf, askEntry, askOnce, equals, noneOf, present, type Session } from './ask.ts'
import { compactDn } from './dn.ts'
import { carriedAttributesOf, type Standing, toStanding, withDrift } from './entry.ts'
import { eachBounded } from './pool.ts'
import { readWhole, refuseWithoutBase } from './whole.ts'

/** Beyond this a read of the whole tree is cheaper than one for each domain. */
const domainsReadAloneMax = 200

/** @throws ProviderFailure */
export async function observeTree(
  session: Session,
  scope: Scope,
  signal: AbortSignal,
): Promise<Observed<DirectoryResource>[]> {
  const { tree } = session
  // A tree that is not there is empty; a base that is not there, or may not be seen, says nothing about the tree.
  if ((await askEntry(session, tree.base, signal, ['1.1'])) === undefined)
    throw new ProviderFailure('rejected', `${tree.base} does not stand in the directory, or may not be read`, {
      retry: 'later',
    })
  const names = scope === 'all' ? undefined : [...new Set(scope.domains)]
  const parts: Standing[][] = []
  if (names === undefined || names.length > domainsReadAloneMax) {
    const wanted = names === undefined ? undefined : new Set<string>(names)
    const found = await readBelow(session, tree.domains, signal)
    parts.push(wanted === undefined ? found : found.filter(({ resource }) => wanted.has(resource.domain)))
  } else {
    await eachBounded(names, session.pages.places, async name => {
      parts.push(await readBelow(session, tree.domain(name), signal))
    })
  }
  return inOrder(parts.flat().map(standing => withoutUs(standing, session.bindDn)))
}

/** What we wrote last tells nothing of who edited before. */
function withoutUs(standing: Standing, bindDn: string): Standing {
  if (standing.writer === undefined || compactDn(standing.writer.by) !== compactDn(bindDn)) return standing
  const { writer: _, ...others } = standing
  return others
}

async function readBelow(session: Session, base: string, signal: AbortSignal): Promise<Standing[]> {
  const entries = await readWhole(session, base, signal)
  return (entries ?? []).flatMap(entry => toStanding(session.profile, entry, session.tree.place(entry.dn)) ?? [])
}

/** Domains before accounts, each by its key and once: an entry in our form goes before others of the same address. */
function inOrder(found: readonly Standing[]): Observed<DirectoryResource>[] {
  const domains = found.filter(isDomain)
  const accounts = new Map<string, Standing<DirectoryAccount>>()
  for (const account of found.filter(isAccount)) {
    const other = accounts.get(account.resource.key)
    if (other === undefined || other.mark === null) accounts.set(account.resource.key, account)
  }
  const accountsOf = Map.groupBy(accounts.values(), ({ resource }) => resource.domain)
  return [
    ...domains.map(domain => withDrift(domain, accountsOf.get(domain.resource.domain) ?? [])).toSorted(byKey),
    ...[...accounts.values()].toSorted(byKey),
  ].map(({ resource, mark, writer }) => ({ resource, mark, ...(writer && { writer }) }))
}

function byKey(a: Standing, b: Standing): number {
  return a.resource.key < b.resource.key ? -1 : a.resource.key > b.resource.key ? 1 : 0
}

function isDomain(found: Standing): found is Standing<DirectoryDomain> {
  return found.resource.kind === 'domain'
}

function isAccount(found: Standing): found is Standing<DirectoryAccount> {
  return found.resource.kind === 'account'
}

/** The one entry, without what its accounts carry. */
async function readEntry(session: Session, dn: string, signal: AbortSignal): Promise<Standing | undefined> {
  const entry = await askEntry(session, dn, signal)
  return entry === undefined ? undefined : toStanding(session.profile, entry, session.tree.place(entry.dn))
}

export async function readDomain(
  session: Session,
  name: string,
  signal: AbortSignal,
): Promise<Standing<DirectoryDomain> | undefined> {
  const found = await readEntry(session, session.tree.domain(name), signal)
  return found !== undefined && isDomain(found) ? found : undefined
}

export async function readAccount(
  session: Session,
  { key, domain }: Pick<DirectoryAccount, 'key' | 'domain'>,
  signal: AbortSignal,
): Promise<Standing<DirectoryAccount> | undefined> {
  const found = await readEntry(session, session.tree.account(key, domain), signal)
  return found !== undefined && isAccount(found) ? found : undefined
}

/** The accounts of a domain that carry a mark, with no more than what the domain has a say in. */
export async function readMarkedAccounts(
  session: Session,
  name: string,
  signal: AbortSignal,
): Promise<Standing<DirectoryAccount>[]> {
  const entries = await readWhole(session, session.tree.domain(name), signal, carriedAttributesOf(session.profile))
  const found = (entries ?? []).flatMap(entry => toStanding(session.profile, entry, session.tree.place(entry.dn)) ?? [])
  return found.filter(isAccount).filter(({ mark }) => mark !== null)
}

/**
 * Which of these names an account that is not ours goes by, and that account's address. An entry of ours that somebody
 * renamed is not ours where it stands, and goes by its name still: a second one would let nobody in.
 * @param marks of the objects that would take the names, with their keys.
 */
export async function readForeignHolders(
  session: Session,
  names: readonly string[],
  marks: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { profile } = session
  const held = [...new Set(['mail', profile.account.address, profile.account.aliases])]
  const base = session.tree.domains
  const moved = [...marks.keys()].map(mark => equals('mwMark', mark))
  // The base itself matches too: without it, that nobody was found says nothing.
  const filter = anyOf(
    equals('objectClass', profile.naming.rootEntry['objectClass']?.[0] ?? ''),
    allOf(
      anyOf(noneOf(present('mwMark')), ...moved),
      anyOf(...names.flatMap(name => held.map(type => equals(type, name)))),
    ),
  )
  const entries = await askOnce(session, { base, scope: 'sub', filter }, signal)
  if (entries !== undefined)
    refuseWithoutBase(
      entries.map(({ dn }) => dn),
      base,
    )
  const wanted = new Set(names)
  const holders = new Map<string, string>()
  for (const entry of entries ?? []) {
    const standing = toStanding(session.profile, entry, session.tree.place(entry.dn))
    if (standing !== undefined && marks.get(standing.mark ?? '') === standing.resource.key) continue
    for (const name of held.flatMap(type => entry.values.get(type) ?? []))
      if (wanted.has(name.toLowerCase())) holders.set(name.toLowerCase(), standing?.resource.key ?? entry.dn)
  }
  return holders
}
