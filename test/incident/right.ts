/**
 * What is right at the end of an incident (mission section 6), told a second time from the list of entries alone: beside the
 * product's own fold, never by it. Tests judge by it what a model did, and what a real daemon did that was killed.
 */
import { dayMs } from '../../agent/core/clock.ts'
import type { Stored } from '../../agent/register/register.ts'
import { staff } from './fixture.ts'

const isMe = (a: string, b: string) => a.replace('local:', '').toLowerCase() === b.replace('local:', '').toLowerCase()
const roleOf = (person: string) => staff.find(({ name }) => name === person)?.role

/** Entries of an incident since it was last made wider or began again; what came before proves nothing for some of them. */
function sinceRenewed(own: readonly Stored[]): readonly Stored[] {
  const widened = own.findLastIndex(({ kind, facts }) => kind === 'incident.joined' && facts['widened'] === true)
  const ordered = own.findLastIndex(({ kind }) => kind === 'release.ordered')
  // The first one after an order took it back; those after that one found nothing to take back.
  const taken = ordered < 0 ? -1 : own.findIndex(({ kind }, index) => index > ordered && kind === 'incident.joined')
  return own.slice(Math.max(widened, taken) + 1)
}

/** Why two people may not have ended it with the last of these entries; empty when they may. */
export function faults(own: readonly Stored[], second: Stored, firstKind: string): string[] {
  const found: string[] = []
  const first = own.findLast(({ kind, index }) => kind === firstKind && index < second.index)
  if (first === undefined) return ['nobody was first']
  if (isMe(first.actor.person, second.actor.person)) found.push('one person')
  if (roleOf(first.actor.person) !== 'responder' || roleOf(second.actor.person) !== 'security-lead') found.push('roles')
  if (Math.abs(Date.parse(second.at) - Date.parse(first.at)) >= dayMs) found.push('the approval had expired')
  if (first.facts['digest'] !== second.facts['digest']) found.push('another thing was approved')
  const written = own.filter(({ kind }) => kind === 'report.received').map(one => String(one.personal?.['author']))
  for (const { actor } of [first, second])
    if (written.some(author => isMe(author, actor.person))) found.push('an author')
  const declared = own.find(({ kind }) => kind === 'incident.declared')
  if (declared !== undefined && isMe(declared.actor.person, second.actor.person)) found.push('who declared')
  return found
}

export function faultsOfRelease(own: readonly Stored[], second: Stored, hasMail: boolean): string[] {
  const found = faults(own, second, 'release.approved')
  const last = (kind: string) => own.findLast(entry => entry.kind === kind && entry.index < second.index)
  const report = last('report.received')
  const isAccepted = own.some(
    ({ kind, facts, index }) =>
      kind === 'report.accepted' && index < second.index && facts['report'] === report?.facts['report'],
  )
  if (report === undefined || !isAccepted) found.push('report')
  if (last('action.verified') === undefined) found.push('action')
  const renewed = sinceRenewed(own.filter(({ index }) => index < second.index))
  if (!renewed.some(({ kind }) => kind === 'secrets.rotated')) found.push('secrets')
  if (hasMail && !renewed.some(({ kind }) => kind === 'mail.decided')) found.push('mail')
  return found
}

/** What the entries say must still be closed: everything, until an order, and then by what its stages opened. */
export function openedBy(own: readonly Stored[]): 'nothing' | 'local' | 'national' | 'all' {
  const ended = own.some(({ kind }) => ['service.restored', 'incident.annulled', 'incident.duplicate'].includes(kind))
  if (ended) return 'all'
  const ordered = own.findLastIndex(({ kind }) => kind === 'release.ordered')
  if (ordered < 0 || own.slice(ordered).some(({ kind }) => kind === 'incident.joined')) return 'nothing'
  const stages = own.slice(ordered).filter(({ kind }) => kind === 'release.stage').length
  return (['nothing', 'local', 'national'] as const)[stages] ?? 'all'
}
