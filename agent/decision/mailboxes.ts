/**
 * Who has which address: accounts, aliases, administrators, collectors, and the names that every domain has. Pure; part
 * of building a snapshot.
 */
import { type Address, toAddress } from '../model/name.ts'
import { type DomainState, isProvisioned, type World, type WorldAccount } from '../model/world.ts'
import type { DomainRow, MailboxRow, Party, Standing } from './tables.ts'

/** Names that RFC 2142 section 4 and RFC 5321 section 4.5.1 want answered in every domain: the administrator's. */
const administratorNames = ['postmaster', 'abuse'] as const

export function standingOf(state: DomainState): Standing {
  return state === 'withdrawn' ? 'withdrawn' : isProvisioned(state) ? 'live' : 'absent'
}

export function buildParties(world: World, domains: ReadonlyMap<string, DomainRow>): ReadonlyMap<string, Party> {
  const parties = new Map<string, Party>()
  const enter = (address: Address, mailbox: MailboxRow) => {
    const known = parties.get(address)?.mailbox
    // Names are unique among valid manifests; if two claim one after all, the one in service has it.
    if (known !== undefined && (known.standing === 'live' || mailbox.standing !== 'live')) return
    const { domain } = mailbox
    parties.set(address, {
      form: 'plain',
      text: address,
      domain: domain.name,
      ip: undefined,
      scope: 'national',
      managed: domain,
      mailbox,
    })
  }
  const rows: [WorldAccount['account'], MailboxRow][] = []
  for (const { domain } of world.domains.values()) {
    const row = domains.get(domain.name)
    if (row === undefined) continue
    enter(domain.administrator, serviceMailbox(domain.administrator, 'administrator', row))
    if (domain.collector !== null) enter(domain.collector, serviceMailbox(domain.collector, 'collector', row))
  }
  for (const { account, state } of world.accounts.values()) {
    const domain = domains.get(account.domain)
    if (domain === undefined) continue
    const { address, send, receive, access, exceptions, place, places } = account
    // Withdrawn is for good, whatever else is in the way.
    const standing = domain.standing === 'live' || state === 'withdrawn' ? standingOf(state) : domain.standing
    const mailbox = {
      address,
      role: 'user',
      domain,
      standing,
      send,
      receive,
      access,
      exceptions,
      place,
      places,
    } as const
    enter(address, mailbox)
    rows.push([account, mailbox])
  }
  // Names before aliases, and both before the names that every domain has, so that none takes another's.
  for (const [account, own] of rows) {
    const mailbox = parties.get(account.address)?.mailbox ?? own
    for (const alias of account.aliases) enter(alias, mailbox)
  }
  for (const { domain } of world.domains.values()) {
    const mailbox = parties.get(domain.administrator)?.mailbox
    if (mailbox === undefined) continue
    for (const localpart of administratorNames) {
      const address = toAddress(localpart, domain.name)
      if (parties.get(address)?.mailbox?.standing !== 'live') enter(address, mailbox)
    }
  }
  return parties
}

/**
 * Administrator and collector have no scopes of their own: they write as far as an account does by default, and hear
 * everybody, since postmaster@ and abuse@ must be heard by strangers (RFC 2142, RFC 5321 section 4.5.1).
 */
function serviceMailbox(address: Address, role: 'administrator' | 'collector', domain: DomainRow): MailboxRow {
  return {
    address,
    role,
    domain,
    standing: domain.standing,
    send: 'national',
    receive: 'international',
    access: 'institution',
    exceptions: [],
    place: domain.place,
    places: {},
  }
}
