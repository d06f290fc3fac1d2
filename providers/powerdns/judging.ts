/** The changes of one zone held against what stands in it. Pure but for `settle`. */
import type { Outcome } from '../../agent/model/change.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { conflict, type Judgement, judge, write } from '../judge.ts'
import type { MarkedChange } from '../provider.ts'
import { toContent } from './content.ts'
import { rrsetKey } from './marks.ts'
import { isCopy, leftAfter, observedZone, type Standing } from './standing.ts'

export type Marked = MarkedChange<DnsResource>
/** Gives changes their outcome; one that has its own keeps it. */
export type Settle = (changes: readonly Marked[], result: Outcome['result'], detail?: string) => void

const leftShownMax = 3 // enough to find them; the whole list is in the next plan

/** Settles what needs no write and gives the rest. */
export function judgeAll(
  standing: Standing | undefined,
  pending: readonly Marked[],
  creating: boolean,
  settle: Settle,
): Marked[] {
  const writes: Marked[] = []
  const going = new Set<string>()
  const take = (marked: Marked, judgement: Judgement) => {
    if (judgement.verdict === 'write') writes.push(marked)
    else if (judgement.verdict === 'conflict') settle([marked], 'conflict', judgement.detail)
    else settle([marked], 'applied')
    return judgement.verdict === 'write'
  }
  for (const marked of pending.filter(one => !isZone(one))) {
    const judgement = judge(marked, standing?.observed.get(keyOf(marked)))
    const written = take(marked, judgement.verdict === 'write' ? judgePlace(standing, creating) : judgement)
    if (written && marked.change.action === 'delete') going.add(keyOf(marked))
  }
  for (const marked of pending.filter(isZone)) {
    const judgement = judge(marked, standing === undefined ? undefined : observedZone(standing))
    const deleting = judgement.verdict === 'write' && marked.change.action === 'delete' && standing !== undefined
    take(marked, deleting ? judgeDeletion(standing, going) : judgement)
  }
  return writes
}

function judgePlace(standing: Standing | undefined, creating: boolean): Judgement {
  if (standing === undefined) return creating ? write : conflict('its zone does not exist')
  return isCopy(standing.found) ? conflict('its zone is a copy of another server’s') : write
}

/** What is left in a zone is someone else's or was edited: a mark alone doesn't let it go with the zone. */
function judgeDeletion(standing: Standing, going: ReadonlySet<string>): Judgement {
  const left = leftAfter(standing, going)
  if (left.length === 0) return write
  const more = left.length > leftShownMax ? ', …' : ''
  return conflict(`${left.length} RRsets are left in it: ${left.slice(0, leftShownMax).join(', ')}${more}`)
}

export function isZone({ change }: Marked): boolean {
  return change.ref.kind === 'zone'
}

/** Owner and type of an RRset's change. */
export function keyOf({ change }: Marked): string {
  const resource = change.after ?? change.before
  return resource?.kind === 'rrset' ? rrsetKey(resource) : ''
}

export function isUnwritable({ change: { after } }: Marked): boolean {
  return after?.kind === 'rrset' && after.values.some(value => toContent(after.type, value, 0) === undefined)
}
