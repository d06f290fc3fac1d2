/**
 * The changes of one zone: read, judge each, write what is to be written in one request, and settle what became of it.
 * The API has no condition to hold a write to, so the reading right before it is the lock. A request without a clear
 * reply is never believed either way: the zone is read again and judged again, so nothing is made twice.
 */
import type { Clock } from '../../agent/core/clock.ts'
import type { Outcome } from '../../agent/model/change.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { conflict, type Judgement, judge, write } from '../judge.ts'
import { type MarkedChange, type Observed, ProviderFailure } from '../provider.ts'
import { type Api, firstPauseMs, type WriteResult } from './api.ts'
import { inOrder, namedIn, patchBody, zoneBody } from './body.ts'
import { toContent } from './content.ts'
import { type MarkPlace, rrsetKey } from './marks.ts'
import type { Gate } from './pool.ts'
import { parseJson, parseZone } from './reply.ts'
import { isCopy, leftAfter, observedZone, type Standing, toStanding } from './standing.ts'

const attemptsMax = 7 // of a write without a clear reply; with pauses that double, about five seconds

export type WriteContext = {
  readonly api: Api
  readonly gate: Gate
  readonly clock: Clock
  /** Of new zones. */
  readonly kind: string
}

type Marked = MarkedChange<DnsResource>
type Settle = (changes: readonly Marked[], result: Outcome['result'], detail?: string) => void

/** Never throws but on a broken invariant. @param changes canonical, of this zone only. */
export async function applyZone(
  context: WriteContext,
  apex: string,
  changes: readonly Marked[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const pending = new Set(changes)
  const settle: Settle = (settled, result, detail) => {
    for (const marked of settled) {
      if (!pending.delete(marked)) continue
      const { ref } = marked.change
      outcomes.push(detail === undefined ? { ref, result } : { ref, result, detail })
    }
  }
  /** The last write without a clear reply: what is still pending may have been done, or may yet be. */
  let doubt: (WriteResult & { kind: 'unclear' }) | undefined
  try {
    settle(changes.filter(isUnwritable), 'failed', 'PowerDNS cannot hold one of its values')
    const place = await context.api.markPlace(signal)
    const widths = { patch: Number.POSITIVE_INFINITY }
    let blind = changes.every(({ change }) => change.action === 'create') && changes.some(isZone)
    for (let attempt = 1, pauseMs = firstPauseMs; pending.size > 0; ) {
      const step = await nextStep(context, { apex, pending, place, blind, patchMax: widths.patch, settle }, signal)
      if (step === undefined) break
      const { result, sent } = step
      if (result.kind === 'done') {
        settle(sent, 'applied')
        widths.patch = Number.POSITIVE_INFINITY
      } else if (result.kind === 'refused') settleRefused(result.detail, sent, widths, settle)
      else if (result.kind === 'barred')
        settle([...pending], doubt?.mayHappen ? 'unknown' : 'failed', result.failure.message)
      if (result.kind === 'unclear' || (result.kind === 'moved' && !blind)) {
        if (result.kind === 'unclear') {
          doubt = result
          if (result.busy) context.gate.narrow()
        }
        if (attempt === attemptsMax || signal.aborted) break
        await context.clock.sleep(pauseMs, signal)
        attempt += 1
        pauseMs *= 2
      }
      blind = false
    }
    const detail = doubt?.failure.message ?? 'the zone comes and goes'
    settle([...pending], doubt?.mayHappen ? 'unknown' : 'failed', detail)
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    settle([...pending], doubt === undefined ? 'failed' : 'unknown', error.message)
  }
  return outcomes
}

type Situation = {
  readonly apex: string
  readonly pending: ReadonlySet<Marked>
  readonly place: MarkPlace
  /** A new zone is sent without a look: the server itself refuses one that stands. */
  readonly blind: boolean
  /** RRsets in one request, after a refusal that named none. */
  readonly patchMax: number
  readonly settle: Settle
}

type Step = { readonly result: WriteResult; readonly sent: readonly Marked[] }

/** Reads, judges and writes once; undefined when nothing is left to write. */
async function nextStep(context: WriteContext, situation: Situation, signal: AbortSignal): Promise<Step | undefined> {
  const { api, gate, clock, kind } = context
  const { apex, pending, place, blind, patchMax, settle } = situation
  const found = blind ? undefined : await api.readZone(apex, signal)
  const standing = found === undefined ? undefined : toStanding(found)
  const creation = [...pending].find(marked => isZone(marked) && marked.change.action === 'create')
  const writes = judgeAll(standing, [...pending], creation !== undefined, settle)
  if (writes.length === 0) return undefined
  const serial = Math.floor(clock.now() / 1000) % 2 ** 32
  const rrsets = inOrder(writes.filter(marked => !isZone(marked)))
  if (standing === undefined) {
    if (creation === undefined) return undefined
    // A refusal that names no RRset may be the zone's own: it is made bare, and the RRsets follow.
    const sent = [creation, ...rrsets.slice(0, Math.max(0, patchMax - 1))]
    const zone = { apex, kind, mark: creation.mark, serial }
    const body = zoneBody(zone, sent.slice(1), place)
    const result = await gate.run(() => api.createZone(body))
    return { result: whole(api, apex, body.rrsets.length, result), sent }
  }
  const deletion = writes.find(isZone)
  if (deletion !== undefined) return { result: await gate.run(() => api.deleteZone(apex)), sent: writes }
  const sent = rrsets.slice(0, patchMax)
  const body = patchBody(standing, sent, place, serial)
  return { result: await gate.run(() => api.patchZone(apex, body)), sent }
}

/** A reply that says "made" and doesn't show what was made is none. */
function whole(api: Api, apex: string, count: number, result: WriteResult): WriteResult {
  if (result.kind !== 'done') return result
  const zone = parseZone(parseJson(result.body))
  if (zone?.apex === apex && zone.rrsets.length >= count) {
    api.believe(apex, result.body)
    return result
  }
  const failure = new ProviderFailure('malformed-reply', 'PowerDNS did not show the new zone', { retry: 'later' })
  return { kind: 'unclear', failure, mayHappen: true, busy: false }
}

/** Settles what needs no write and gives the rest. */
function judgeAll(standing: Standing | undefined, pending: readonly Marked[], creating: boolean, settle: Settle) {
  const writes: Marked[] = []
  const going = new Set<string>()
  const take = (marked: Marked, judgement: Judgement) => {
    if (judgement.verdict === 'write') writes.push(marked)
    else if (judgement.verdict === 'conflict') settle([marked], 'conflict', judgement.detail)
    else settle([marked], 'applied')
    return judgement.verdict === 'write'
  }
  for (const marked of pending.filter(one => !isZone(one))) {
    const resource = marked.change.after ?? marked.change.before
    const key = resource?.kind === 'rrset' ? rrsetKey(resource) : ''
    const judgement = judge(marked, standing?.observed.get(key))
    const written = take(marked, judgement.verdict === 'write' ? judgePlace(standing, creating) : judgement)
    if (written && marked.change.action === 'delete') going.add(key)
  }
  for (const marked of pending.filter(isZone)) {
    const observed = standing === undefined ? undefined : observedZone(standing)
    const judgement = judge(marked, observed as Observed<DnsResource> | undefined)
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
  const named = left.slice(0, 3).join(', ')
  return conflict(`${left.length} RRsets are left in it: ${named}${left.length > 3 ? ', …' : ''}`)
}

/** The RRsets that the refusal names fail, the others go on; when it names none, fewer are tried at once. */
function settleRefused(detail: string, sent: readonly Marked[], widths: { patch: number }, settle: Settle): void {
  const named = namedIn(detail, sent)
  if (named.length > 0) settle(named, 'failed', detail)
  else if (sent.length > 1) widths.patch = Math.ceil(sent.length / 2)
  else settle(sent, 'failed', detail)
}

function isZone({ change }: Marked): boolean {
  return change.ref.kind === 'zone'
}

function isUnwritable({ change: { after } }: Marked): boolean {
  return after?.kind === 'rrset' && after.values.some(value => toContent(after.type, value, 0) === undefined)
}
