/**
 * Reads of the tree: all of what was asked for, or a ProviderFailure. A size limit, a referral, a tree that cannot be
 * seen are failures and never "absent", since what is missing from an answer would be planned for deletion. RFC 4511
 * section 4.5, RFC 2696 (paging, which slapd's size limit counts across).
 */
import {
  AndFilter,
  type Client,
  type Entry,
  EqualityFilter,
  type Filter,
  NotFilter,
  OrFilter,
  PresenceFilter,
  type SearchOptions,
} from 'ldapts'
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { type Observed, ProviderFailure, type Scope } from '../provider.ts'
import { resultCodes } from './connection.ts'
import { compactDn, type Tree } from './dn.ts'
import { readAttributes, type Standing, toStanding, withDrift } from './entry.ts'
import { eachBounded, type Pool } from './pool.ts'

/** What a request of the provider needs. */
export type Session = {
  readonly tree: Tree
  readonly bindDn: string
  /** Writes, and reads of single entries. */
  readonly pool: Pool
  /** Paged reads: slapd keeps the place of one paged search a connection, so they stand in line on their own. */
  readonly pages: Pool
  /** Counts what we wrote, so that it is not taken for somebody else's. */
  writes: number
}

/** As many as an answer of one page may hold; a whole estate in one answer overflows ldapts's stack. */
const pageEntries = 1_000
/** Beyond this a read of the whole tree is cheaper than one for each domain. */
const domainsReadAloneMax = 200
/** A read that a broken connection cut short is asked once more: asking twice changes nothing. */
const readTriesMax = 2

export const equals = (attribute: string, value: string): Filter => new EqualityFilter({ attribute, value })
export const present = (attribute: string): Filter => new PresenceFilter({ attribute })
export const allOf = (...filters: Filter[]): Filter => new AndFilter({ filters })
export const anyOf = (...filters: Filter[]): Filter => new OrFilter({ filters })
export const noneOf = (filter: Filter): Filter => new NotFilter({ filter })

type Question = Pick<SearchOptions, 'scope' | 'filter' | 'sizeLimit'> & {
  readonly base: string
  readonly attributes?: readonly string[]
}

const anything = present('objectClass')

/** @returns undefined when nothing stands at the base of the search. @throws ProviderFailure */
async function ask(
  pool: Pool,
  bindDn: string,
  question: (client: Client) => Promise<Entry[]>,
  signal: AbortSignal,
): Promise<Entry[] | undefined> {
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

function brokenOff(signal: AbortSignal): ProviderFailure {
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

/** One answer without pages, for what is known to be small. */
export function askOnce(session: Session, question: Question, signal: AbortSignal): Promise<Entry[] | undefined> {
  const { base, attributes = readAttributes, ...rest } = question
  return ask(
    session.pool,
    session.bindDn,
    async client => {
      const options = { filter: anything, ...rest, attributes: [...attributes] }
      const { searchEntries, searchReferences } = await client.search(base, options)
      refuseReferrals(searchReferences)
      return searchEntries
    },
    signal,
  )
}

/** Any number of entries, page by page. */
export function askAll(session: Session, question: Question, signal: AbortSignal): Promise<Entry[] | undefined> {
  const { base, attributes = readAttributes, ...rest } = question
  return ask(
    session.pages,
    session.bindDn,
    async client => {
      const found: Entry[] = []
      const options = { filter: anything, ...rest, attributes: [...attributes], paged: { pageSize: pageEntries } }
      for await (const { searchEntries, searchReferences } of client.searchPaginated(base, options)) {
        if (signal.aborted) throw brokenOff(signal)
        refuseReferrals(searchReferences)
        for (const entry of searchEntries) found.push(entry)
      }
      return found
    },
    signal,
  )
}

function refuseReferrals(references: readonly string[]): void {
  if (references.length > 0)
    throw new ProviderFailure('unsupported', `a part of the directory stands elsewhere: ${references[0]}`, {
      retry: 'never',
    })
}

/** @throws ProviderFailure */
export async function observeTree(
  session: Session,
  scope: Scope,
  signal: AbortSignal,
): Promise<Observed<DirectoryResource>[]> {
  const { tree } = session
  // A tree that is not there is empty; a base that is not there, or may not be seen, says nothing about the tree.
  if ((await askOnce(session, { base: tree.base, scope: 'base', attributes: ['1.1'] }, signal)) === undefined)
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
  const entries = await askAll(session, { base, scope: 'sub' }, signal)
  return (entries ?? []).flatMap(entry => toStanding(entry, session.tree.place(entry.dn)) ?? [])
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
  const entry = (await askOnce(session, { base: dn, scope: 'base' }, signal))?.[0]
  return entry === undefined ? undefined : toStanding(entry, session.tree.place(entry.dn))
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

/** The accounts right below a domain that carry a mark, with no more than what the domain gives them. */
export async function readMarkedAccounts(
  session: Session,
  name: string,
  signal: AbortSignal,
): Promise<Standing<DirectoryAccount>[]> {
  const attributes = ['mwRole', 'mwDomainStatus', 'mwMay', 'mwMark']
  const filter = allOf(equals('objectClass', 'mwAccount'), present('mwMark'))
  const base = session.tree.domain(name)
  const entries = await askAll(session, { base, scope: 'one', filter, attributes }, signal)
  const found = (entries ?? []).flatMap(entry => toStanding(entry, session.tree.place(entry.dn)) ?? [])
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
  const held = ['mail', 'mwAddress', 'mailLocalAddress']
  const moved = [...marks.keys()].map(mark => equals('mwMark', mark))
  const filter = allOf(
    anyOf(noneOf(present('mwMark')), ...moved),
    anyOf(...names.flatMap(name => held.map(type => equals(type, name)))),
  )
  const entries = await askOnce(session, { base: session.tree.domains, scope: 'sub', filter }, signal)
  const wanted = new Set(names)
  const holders = new Map<string, string>()
  for (const entry of entries ?? []) {
    const standing = toStanding(entry, session.tree.place(entry.dn))
    const values = (type: string) => [entry[type] ?? []].flat().map(String)
    if (standing !== undefined && marks.get(standing.mark ?? '') === standing.resource.key) continue
    for (const name of held.flatMap(values))
      if (wanted.has(name.toLowerCase())) holders.set(name.toLowerCase(), standing?.resource.key ?? entry.dn)
  }
  return holders
}
