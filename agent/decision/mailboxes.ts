/**
 * Who has which address: accounts, aliases, administrators, collectors, and the names that every domain has. Pure; part
 * of building a snapshot.
 */
import type { Exception } from '../model/entity.ts'
import { type Address, toAddress } from '../model/name.ts'
import { type DomainState, isProvisioned, type World, type WorldDomain } from '../model/world.ts'
import { type Book, type BookBuilder, type BookMailbox, createBookBuilder, type Role, type Standing } from './book.ts'

/** Names that RFC 2142 section 4 and RFC 5321 section 4.5.1 want answered in every domain: the administrator's. */
const administratorNames = ['postmaster', 'abuse'] as const

export function standingOf(state: DomainState): Standing {
  return state === 'withdrawn' ? 'withdrawn' : isProvisioned(state) ? 'live' : 'absent'
}

export type Mailboxes = {
  readonly book: Book
  /** Of the few mailboxes that have any, by number. */
  readonly exceptions: ReadonlyMap<number, readonly Exception[]>
}

/** @param numbers of the domains in the snapshot. */
export function buildMailboxes(world: World, numbers: ReadonlyMap<string, number>): Mailboxes {
  const builder = createBookBuilder(roomFor(world))
  const exceptions = new Map<number, readonly Exception[]>()
  for (const { domain, state } of world.domains.values()) {
    const { administrator, collector } = domain
    const number = numbers.get(domain.name)
    if (number === undefined) continue
    const service = (address: Address, role: Role) =>
      builder.enter(address, builder.add(serviceMailbox(address, role, number, { domain, state })))
    service(administrator, 'administrator')
    if (collector !== null) service(collector, 'collector')
  }
  for (const { account, state } of world.accounts.values()) {
    const domain = numbers.get(account.domain)
    const owner = world.domains.get(account.domain)
    if (domain === undefined || owner === undefined) continue
    const { address, send, receive, access, place, places } = account
    // Withdrawn is for good, whatever else is in the way.
    const ofDomain = standingOf(owner.state)
    const standing = ofDomain === 'live' || state === 'withdrawn' ? standingOf(state) : ofDomain
    const hasExceptions = account.exceptions.length > 0
    const mailbox = builder.add({
      address,
      role: 'user',
      domain,
      standing,
      send,
      receive,
      access,
      hasExceptions,
      place,
      places,
    })
    if (hasExceptions) exceptions.set(mailbox, account.exceptions)
    builder.enter(address, mailbox)
  }
  enterOtherNames(world, numbers, builder)
  return { book: builder.finish(), exceptions }
}

/** Names before aliases, and both before the names that every domain has, so that none takes another's. */
function enterOtherNames(world: World, numbers: ReadonlyMap<string, number>, builder: BookBuilder): void {
  for (const { account } of world.accounts.values()) {
    if (account.aliases.length === 0 || !numbers.has(account.domain)) continue
    const mailbox = builder.owner(account.address)
    for (const alias of account.aliases) builder.enter(alias, mailbox)
  }
  for (const { domain } of world.domains.values()) {
    const administrator = builder.owner(domain.administrator)
    if (administrator < 0) continue
    for (const localpart of administratorNames) {
      const address = toAddress(localpart, domain.name)
      const owner = builder.owner(address)
      if (owner < 0 || builder.standing(owner) !== 'live') builder.enter(address, administrator)
    }
  }
}

/** Upper bounds; what is entered twice is counted twice. */
function roomFor({ domains, accounts }: World): Parameters<typeof createBookBuilder>[0] {
  let addresses = 0
  let letters = 0
  const count = (address: string) => {
    addresses += 1
    letters += address.length
  }
  for (const { domain } of domains.values()) {
    count(domain.administrator)
    if (domain.collector !== null) count(domain.collector)
    for (const localpart of administratorNames) count(`${localpart}@${domain.name}`)
  }
  for (const { account } of accounts.values()) {
    count(account.address)
    for (const alias of account.aliases) count(alias)
  }
  return { addresses, letters, mailboxes: domains.size * 2 + accounts.size }
}

/**
 * Administrator and collector have no scopes of their own: they write as far as an account does by default, and hear
 * everybody, since postmaster@ and abuse@ must be heard by strangers (RFC 2142, RFC 5321 section 4.5.1).
 */
function serviceMailbox(
  address: Address,
  role: Role,
  number: number,
  { domain, state }: Pick<WorldDomain, 'domain' | 'state'>,
): BookMailbox {
  return {
    address,
    role,
    domain: number,
    standing: standingOf(state),
    send: 'national',
    receive: 'international',
    access: 'institution',
    hasExceptions: false,
    place: domain.place,
    places: {},
  }
}
