/**
 * Exceptions of one fleet that decide nothing at an instant: over already, needless, nobody's, covered by another. An
 * exception that is told here can be struck out without any request being decided otherwise. Pure.
 */
import { isActive } from '../core/clock.ts'
import { addressAt, ownEntry } from '../decision/book.ts'
import { isEmpty } from '../decision/network.ts'
import { findParty, modeOf } from '../decision/party.ts'
import { classOf, isBeyond } from '../decision/scope.ts'
import type { MailboxRow } from '../decision/tables.ts'
import { accesses, type Exception } from '../model/entity.ts'
import { type Address, isAtOrBelow } from '../model/name.ts'
import { type Block, type Landscape, type PlacedBlock, partition, surveyLandscape } from './blocks.ts'
import type { Fleet } from './fleet.ts'
import { toAddressSet, without } from './intervals.ts'
import { regionsOf } from './regions.ts'

export type Finding = {
  readonly account: Address
  readonly exception: Exception
  readonly why: /** Its last day is over. */
    | 'over'
    /** The account is out of service: it neither writes nor hears. */
    | 'closed'
    /** All that it reaches, the account reaches by its own scope or access. */
    | 'needless'
    /** Nobody writes under that address: its domain is managed here, and it is no live account's. */
    | 'nobody'
    /** `by` reaches all that it reaches, and lasts as long. */
    | 'shadowed'
  readonly by: Exception | null
}

export function findIdleExceptions(fleet: Fleet): Finding[] {
  const { snapshot } = fleet
  const land = surveyLandscape(fleet, fleet, 'nobody')
  const found: Finding[] = []
  for (const [number, exceptions] of snapshot.exceptions) {
    const account = addressAt(snapshot.book, ownEntry(snapshot.book, number))
    const { mailbox } = findParty(snapshot, account)
    for (const [index, exception] of exceptions.entries()) {
      const by = coverOf(fleet, exceptions, index)
      const why = reasonOf(land, mailbox, exception) ?? (by === null ? null : 'shadowed')
      if (why !== null) found.push({ account, exception, why, by: why === 'shadowed' ? by : null })
    }
  }
  return found.sort(
    ({ exception: { place: a } }, { exception: { place: b } }) =>
      a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column,
  )
}

function reasonOf(land: Landscape, mailbox: MailboxRow | undefined, exception: Exception): Finding['why'] | null {
  const { at } = land.after
  if (!isActive({ until: exception.until }, at)) return 'over'
  if (mailbox === undefined || mailbox.standing !== 'live' || mailbox.domain.standing !== 'live') return 'closed'
  if (exception.kind === 'access') return isNeedlessAccess(land.after, mailbox, exception.access) ? 'needless' : null
  if (exception.kind === 'rate') return isNeedlessRate(land.after, exception) ? 'needless' : null
  if (isWithinScope(land, mailbox, exception)) return 'needless'
  return exception.kind === 'receive' && isNobody(land.after, exception.target) ? 'nobody' : null
}

type RateException = Exception & { readonly kind: 'rate' }

function isNeedlessRate({ snapshot: { limits } }: Fleet, given: RateException): boolean {
  return given.recipientsPerHour <= limits.recipientsPerHour && given.recipientsPerDay <= limits.recipientsPerDay
}

function isNeedlessAccess(
  { snapshot }: Fleet,
  { access, domain }: MailboxRow,
  given: (typeof accesses)[number],
): boolean {
  if (accesses.indexOf(given) <= accesses.indexOf(access)) return true
  const beyond = () => without(regionsOf(snapshot).national, toAddressSet(domain.institution.networks))
  return given === 'national' && beyond().length === 0
}

/** Block by block below the subject: is any of them beyond what the account has anyway? */
function isWithinScope(
  land: Landscape,
  { send, receive, domain: { institution } }: MailboxRow,
  { kind, target }: Exception & { readonly kind: 'send' | 'receive' },
): boolean {
  const { snapshot } = land.after
  const limit = kind === 'send' ? send : receive
  if (limit === 'international') return true
  const blocks = partition(land, [institution.name, institution.name], [target])
  return blocks
    .filter(placed => isReached(placed, target))
    .every(({ example }) => {
      const party = findParty(snapshot, example)
      if (isBeyond(classOf(party, institution), limit)) return false
      if (kind === 'send') return true
      // A stranger is as foreign as the address that they write from; a managed name is no stranger's.
      const isStrangers = party.managed === undefined || modeOf(snapshot, 'spoofed-sender') !== 'enforce'
      const { networks, country } = snapshot.national
      return !(isStrangers && (!isEmpty(networks) || country !== null))
    })
}

function isReached({ block, example }: PlacedBlock, target: string): boolean {
  if (target.includes('@')) return block.kind === 'address'
  return isNamed(block) && isAtOrBelow(example.slice(example.indexOf('@') + 1), target)
}

function isNamed({ kind }: Block): boolean {
  return kind !== 'odd' && kind !== 'literal' && kind !== 'bare' && kind !== 'null'
}

function isNobody({ snapshot }: Fleet, target: string): boolean {
  const rows = ['spoofed-sender', 'unknown-account', 'sender-mismatch'] as const
  if (!target.includes('@') || rows.some(name => modeOf(snapshot, name) !== 'enforce')) return false
  const { managed, mailbox } = findParty(snapshot, target)
  return managed !== undefined && mailbox?.standing !== 'live'
}

/** Of two alike, the later one is the one too many. */
function coverOf({ at }: Fleet, exceptions: readonly Exception[], index: number): Exception | null {
  const exception = exceptions[index]!
  const covers = (other: Exception, at: number) => {
    if (at === index || other.kind !== exception.kind || other.until < exception.until) return false
    if (!reaches(other, exception)) return false
    return at < index || other.until > exception.until || !reaches(exception, other)
  }
  return exceptions.find((other, place) => isActive({ until: other.until }, at) && covers(other, place)) ?? null
}

function reaches(wide: Exception, narrow: Exception): boolean {
  if (wide.kind === 'access') {
    return narrow.kind === 'access' && accesses.indexOf(wide.access) >= accesses.indexOf(narrow.access)
  }
  if (wide.kind === 'rate' || narrow.kind === 'rate')
    return (
      wide.kind === 'rate' &&
      narrow.kind === 'rate' &&
      wide.recipientsPerHour >= narrow.recipientsPerHour &&
      wide.recipientsPerDay >= narrow.recipientsPerDay
    )
  if (narrow.kind === 'access') return false
  if (wide.target.includes('@')) return wide.target === narrow.target
  return isAtOrBelow(narrow.target.slice(narrow.target.indexOf('@') + 1), wide.target)
}
