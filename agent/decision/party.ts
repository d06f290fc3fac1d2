/**
 * Looking up, in a snapshot: whose address this is, what hold lies on it, which mode a policy has. Pure; the cost does
 * not grow with the number of accounts.
 */
import { type Instant, isActive } from '../core/clock.ts'
import type { Place } from '../core/diagnostic.ts'
import type { PolicyName } from '../manifest/schema.ts'
import { type Exception, type Scope, scopes } from '../model/entity.ts'
import type { Hold, Lever } from '../model/incident.ts'
import type { Address, DomainName } from '../model/name.ts'
import { parseEnvelopeAddress, simpleSign } from './address.ts'
import {
  accessIn,
  addressAt,
  domainIn,
  findEntry,
  findMailbox,
  hasExceptions,
  isOwnAddress,
  ownEntry,
  type PlacedSetting,
  placeAt,
  receiveIn,
  roleIn,
  sendIn,
  standingIn,
  traitsAt,
} from './book.ts'
import { findHost } from './hosts.ts'
import type { Mode } from './image.ts'
import { isNationalAddress } from './scope.ts'
import type { Snapshot } from './snapshot.ts'
import type { DomainRow, MailboxRow, Party } from './tables.ts'

/**
 * The hold that closes one of `levers` for a party: of the whole domain first, then of the account.
 * @param reach how far the mail goes or comes from; undefined where no correspondent is known yet, and then a hold that
 * is being lifted in stages waits until one is.
 */
export function holdOn(
  snapshot: Snapshot,
  party: Party,
  levers: readonly Lever[],
  reach: () => Scope | undefined,
): Hold | undefined {
  const { domains, accounts } = snapshot.holds
  if (party.managed === undefined || domains.size + accounts.size === 0) return undefined
  const closing = (holds: readonly Hold[] | undefined) =>
    holds?.find(hold => hold.levers.some(lever => levers.includes(lever)) && isInForce(hold, reach))
  const ofDomain = closing(domains.get(party.managed.name))
  if (ofDomain !== undefined || party.mailbox === undefined) return ofDomain
  return closing(accounts.get(party.mailbox.address))
}

/** During a staged release what is near enough goes through already. */
export function isInForce({ cap }: Hold, reach: () => Scope | undefined): boolean {
  if (cap === undefined) return true
  const scope = reach()
  return scope !== undefined && scopes.indexOf(scope) > scopes.indexOf(cap)
}

export function modeOf(snapshot: Snapshot, policy: PolicyName): Mode {
  return snapshot.modes[policy] ?? 'enforce'
}

/** Looks an address of a request up. Text that is no address is a party too: a foreign one. */
export function findParty(snapshot: Snapshot, text: string): Party {
  const sign = simpleSign(text)
  return sign >= 0 ? findPlain(snapshot, text, sign) : findOther(snapshot, text)
}

/** The common case: an address in canonical form costs one pass for its host, and a look into the book if it is of ours. */
function findPlain(snapshot: Snapshot, text: string, sign: number): Party {
  const { domain: number, isNational } = findHost(snapshot.hosts, text, sign + 1)
  if (number >= 0) return findManaged(snapshot, text, sign, snapshot.domainRows[number]!)
  const domain = text.slice(sign + 1) as DomainName
  const scope = isNational ? 'national' : 'international'
  return { form: 'plain', text, domain, ip: undefined, scope, managed: undefined, mailbox: undefined }
}

function findOther(snapshot: Snapshot, text: string): Party {
  const address = parseEnvelopeAddress(text)
  const nobody: Party = {
    form: address.form,
    text,
    domain: null,
    ip: undefined,
    scope: 'international',
    managed: undefined,
    mailbox: undefined,
  }
  switch (address.form) {
    case 'null':
      return nobody
    case 'bare':
      return { ...nobody, scope: 'local' }
    case 'literal': {
      const isInside = isNationalAddress(snapshot, address.ip)
      return { ...nobody, ip: address.ip, scope: isInside ? 'national' : 'international' }
    }
    case 'odd':
      return { ...nobody, domain: address.domain, managed: snapshot.domains.get(address.domain ?? '') }
    case 'plain':
      return findPlain(snapshot, `${address.localpart}@${address.domain}`, address.localpart.length)
  }
}

/** @param text in canonical form, of a managed domain, but for a `+detail`. */
function findManaged(snapshot: Snapshot, text: string, sign: number, managed: DomainRow): Party {
  const found = findMailboxOf(snapshot, text)
  if (found !== undefined) return found
  const plus = text.indexOf('+')
  // The detail is dropped for accounts; who is none is named as they were written.
  const canonical = plus > 0 && plus < sign ? `${text.slice(0, plus)}${text.slice(sign)}` : ''
  return (
    (canonical === '' ? undefined : findMailboxOf(snapshot, canonical)) ?? {
      form: 'plain',
      text,
      domain: managed.name,
      ip: undefined,
      scope: 'national',
      managed,
      mailbox: undefined,
    }
  )
}

function findMailboxOf(snapshot: Snapshot, address: string): Party | undefined {
  const entry = findEntry(snapshot.book, address)
  const number = findMailbox(snapshot.book, entry)
  if (number < 0) return undefined
  const traits = traitsAt(snapshot.book, entry)
  const own = isOwnAddress(traits) ? (address as Address) : addressAt(snapshot.book, ownEntry(snapshot.book, number))
  const mailbox = mailboxOf(snapshot, number, traits, own)
  const { domain } = mailbox
  return {
    form: 'plain',
    text: address,
    domain: domain.name,
    ip: undefined,
    scope: 'national',
    managed: domain,
    mailbox,
  }
}

const noExceptions: readonly Exception[] = []

function mailboxOf(snapshot: Snapshot, number: number, traits: number, address: Address): MailboxRow {
  const { domainRows, exceptions } = snapshot
  return {
    number,
    address,
    role: roleIn(traits),
    domain: domainRows[domainIn(traits)]!,
    standing: standingIn(traits),
    send: sendIn(traits),
    receive: receiveIn(traits),
    access: accessIn(traits),
    exceptions: hasExceptions(traits) ? (exceptions.get(number) ?? noExceptions) : noExceptions,
  }
}

/** The line of a setting, or, without one of its own, of the mailbox. */
export function placeOf(snapshot: Snapshot, mailbox: MailboxRow, setting?: PlacedSetting): Place | null {
  return placeAt(snapshot.book, mailbox.number, setting) ?? placeAt(snapshot.book, mailbox.number) ?? null
}

export function institutionOf(snapshot: Snapshot | null, text: string): string | null {
  if (snapshot === null) return null
  const managed = snapshot.domains.get(text as DomainName) ?? findParty(snapshot, text).managed
  return managed?.institution.name ?? null
}

/** Recipients in an hour that a declared sender may write to; 0 for who is none. */
export function allowedIn(snapshot: Snapshot, address: string, at: Instant): number {
  const exceptions = findParty(snapshot, address).mailbox?.exceptions ?? []
  const live = exceptions.filter(one => one.kind === 'rate' && isActive({ until: one.until }, at))
  return Math.max(0, ...live.map(one => (one.kind === 'rate' ? one.recipientsPerHour : 0)))
}
