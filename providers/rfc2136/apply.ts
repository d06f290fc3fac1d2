/**
 * Changes of many zones: new zones are made together, each zone's RRsets are written in messages of its own, and zones
 * that nothing is left in are removed together. One outcome for each change, whatever happens to its neighbours.
 */
import type { Clock } from '../../agent/core/clock.ts'
import type { Outcome } from '../../agent/model/change.ts'
import { canonicalDnsResource, type DnsResource, zoneOf } from '../../agent/standards/dns-resource.ts'
import { judge } from '../judge.ts'
import { type MarkedChange, ProviderFailure } from '../provider.ts'
import { applyRRsets } from './apply-zone.ts'
import { firstZoneFile, isRRsetChange } from './first-fill.ts'
import { inParallel } from './gate.ts'
import type { Session } from './session.ts'
import { toZoneMark } from './writing.ts'
import { zoneMark } from './zone-content.ts'
import type { Listing } from './zone-making.ts'
import { foundZone, type Zones } from './zones.ts'

const zonesAtOnceMax = 1_000 // one configuration for all of them; a cut then leaves no more than these in doubt
const zonesInWorkMax = 32 // the session's gates hold them back further, each kind of question for itself

type Marked = MarkedChange<DnsResource>
/** The changes of one zone. */
type Work = { readonly apex: string; readonly changes: readonly Marked[] }

function toWorks(changes: readonly Marked[]): Work[] {
  const works = new Map<string, Marked[]>()
  for (const given of changes) {
    const { change } = given
    const before = change.before === null ? null : canonicalDnsResource(change.before)
    const after = change.after === null ? null : canonicalDnsResource(change.after)
    const resource = after ?? before
    const apex = resource === null ? '' : zoneOf(resource)
    const marked = { ...given, change: { ...change, before, after } as Marked['change'] }
    const earlier = works.get(apex)
    if (earlier === undefined) works.set(apex, [marked])
    else earlier.push(marked)
  }
  return [...works].map(([apex, changes]) => ({ apex, changes }))
}

export type Context = {
  readonly session: Session
  readonly zones: Zones
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Up to a thousand zones at a time. */
export async function* applyChanges(context: Context, changes: readonly Marked[]): AsyncGenerator<Outcome> {
  const works = toWorks(changes)
  for (let start = 0; start < works.length; start += zonesAtOnceMax)
    yield* applyWorks(context, works.slice(start, start + zonesAtOnceMax))
}

const all = (changes: readonly Marked[], result: Outcome['result'], detail: string): Outcome[] =>
  changes.map(({ change: { ref } }) => ({ ref, result, detail }))

const steadfast = new AbortController().signal

async function* applyWorks(context: Context, works: readonly Work[]): AsyncGenerator<Outcome> {
  const { zones, signal } = context
  const skipped = (changes: readonly Marked[]) => all(changes, 'skipped', 'broken off before it began')
  if (signal.aborted) {
    for (const { changes } of works) yield* skipped(changes)
    return
  }
  let listing: Listing
  try {
    listing = await zones.list()
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    for (const { changes } of works) yield* all(changes, 'failed', error.message)
    return
  }
  const made = await makeZones(context, listing, works)
  try {
    if (made.size > 0) listing = await zones.list()
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    for (const { changes } of works) yield* all(changes, 'unknown', error.message)
    return
  }
  const standing = listing
  const emptied: Work[] = []
  for await (const { work, outcomes } of inParallel(works, zonesInWorkMax, async work => {
    // What a new zone began with stands there already, and its outcomes say so.
    if (signal.aborted && made.get(work.apex)?.served !== true) return { work: null, outcomes: skipped(work.changes) }
    return { work, outcomes: await applyZone(context, standing, work, made) }
  })) {
    yield* outcomes
    if (work?.changes.some(isZoneDelete) === true) emptied.push(work)
  }
  if (emptied.length > 0) yield* removeZones(context, listing, emptied)
}

const isZoneDelete = ({ change }: Marked) => change.ref.kind === 'zone' && change.action === 'delete'
const isZoneCreate = ({ change }: Marked) => change.ref.kind === 'zone' && change.action === 'create'

type Making = Awaited<ReturnType<Zones['make']>>

/**
 * Gives the server the zones that are to be and that it has not, with all that they begin with; finishes those that a pass
 * before this one was cut at, also those that were on their way out and are wanted again.
 */
async function makeZones({ zones, clock }: Context, listing: Listing, works: readonly Work[]): Promise<Making> {
  const wanted = works.flatMap(({ apex, changes }) => {
    const listed = listing.ours.get(apex)
    const create = changes.find(isZoneCreate)
    const noted = listed?.state === 'leaving' && !changes.some(isZoneDelete) ? listed.mark : undefined
    const mark = create?.mark ?? noted
    return mark === undefined ? [] : [{ apex, mark, changes, state: listed?.state }]
  })
  const fresh: { apex: string; text: string }[] = []
  const gone = new Map<string, string>()
  const [unfinished, staying]: [string[], string[]] = [[], []]
  const serial = Math.floor(clock.now() / 1000) % 2 ** 32
  for await (const { apex, mark, changes, state, zone } of inParallel(wanted, zonesInWorkMax, async one => ({
    ...one,
    // A failure here is met again, and told, when the zone's changes are held against it.
    zone: await zones.read(one.apex, listing, steadfast).catch(() => undefined),
  }))) {
    if (zone === null) {
      fresh.push({ apex, text: firstZoneFile(apex, mark, changes.filter(isRRsetChange), serial) })
      if (state === 'leaving') gone.set(apex, mark)
    }
    if (zone && zoneMark(zone) === mark && state === 'pending') unfinished.push(apex)
    if (zone && zoneMark(zone) === mark && state === 'leaving') staying.push(apex)
  }
  if (gone.size > 0) await zones.remove(gone)
  const made = new Map(fresh.length === 0 ? [] : await zones.make(fresh))
  for (const [apexes, finish] of [
    [unfinished, zones.complete],
    [staying, zones.stay],
  ] as const) {
    if (apexes.length === 0) continue
    for (const [apex, step] of await finish(apexes)) made.set(apex, { ...step, served: true })
  }
  return made
}

/** All changes of a zone but its removal. */
async function applyZone(context: Context, listing: Listing, work: Work, made: Making): Promise<Outcome[]> {
  const { session, zones, signal } = context
  const { apex, changes } = work
  const makingOf = made.get(apex)
  if (makingOf !== undefined && !makingOf.served && makingOf.result !== 'done')
    return all(changes, makingOf.result, makingOf.detail)
  const read = () => zones.read(apex, listing, steadfast)
  const outcomes: Outcome[] = []
  const create = changes.find(isZoneCreate)
  if (create !== undefined) outcomes.push(await zoneOutcome(context, listing, apex, create, makingOf))
  const adoption = changes.find(({ change }) => change.ref.kind === 'zone' && change.action === 'update')
  if (adoption !== undefined) outcomes.push(await adoptZone(context, listing, apex, adoption))
  const rrsets = changes.filter(isRRsetChange)
  if (rrsets.length === 0) return outcomes
  // What the zone began with stands there, whether or not it can be read back.
  const unread = makingOf === undefined ? 'failed' : 'unknown'
  return [...outcomes, ...(await applyRRsets(session, read, rrsets, signal, unread))]
}

/** A zone that others made gets our mark, and nothing else of it changes; how it was made stays theirs. */
async function adoptZone({ session, zones }: Context, listing: Listing, apex: string, adopt: Marked): Promise<Outcome> {
  const { ref } = adopt.change
  try {
    const zone = await zones.read(apex, listing, steadfast)
    const judgement = judge(adopt, foundZone(apex, listing, zone))
    if (judgement.verdict === 'conflict') return { ref, result: 'conflict', detail: judgement.detail }
    if (judgement.verdict === 'nothing') return { ref, result: 'applied' }
    if (zone === null) return { ref, result: 'conflict', detail: 'it is gone' }
    const answer = await session.update(toZoneMark(zone, adopt.mark))
    if (answer.result === 'done') return { ref, result: 'applied' }
    if (answer.result === 'lost') return { ref, result: 'unknown', detail: answer.failure.message }
    if (answer.result === 'not-sent') return { ref, result: 'failed', detail: answer.failure.message }
    return {
      ref,
      result: 'conflict',
      detail: 'the server refused the mark: it was edited meanwhile, or the key may not',
    }
  } catch (error) {
    if (error instanceof ProviderFailure) return { ref, result: 'failed', detail: error.message }
    throw error
  }
}

async function zoneOutcome(
  { zones }: Context,
  listing: Listing,
  apex: string,
  create: Marked,
  making: Making extends ReadonlyMap<string, infer M> ? M | undefined : never,
): Promise<Outcome> {
  const { ref } = create.change
  try {
    const judgement = judge(create, foundZone(apex, listing, await zones.read(apex, listing, steadfast)))
    if (judgement.verdict === 'conflict') return { ref, result: 'conflict', detail: judgement.detail }
    if (judgement.verdict === 'write') return { ref, result: 'failed', detail: 'it is not served' }
    if (making === undefined || making.result === 'done') return { ref, result: 'applied' }
    return { ref, result: making.result, detail: making.detail }
  } catch (error) {
    // What was given to the server may come to be served yet.
    const result = making === undefined ? 'failed' : 'unknown'
    if (error instanceof ProviderFailure) return { ref, result, detail: error.message }
    throw error
  }
}

/** Zones that nothing is left in, all with one configuration. */
async function* removeZones(context: Context, listing: Listing, works: readonly Work[]): AsyncGenerator<Outcome> {
  const { zones, signal } = context
  const going = new Map<string, Marked>()
  for (const { apex, changes } of works) {
    const remove = changes.find(isZoneDelete)
    if (remove === undefined) continue
    const { ref } = remove.change
    if (signal.aborted) {
      yield { ref, result: 'skipped', detail: 'broken off before it began' }
      continue
    }
    try {
      const zone = await zones.read(apex, listing, steadfast)
      const judgement = judge(remove, foundZone(apex, listing, zone))
      const left = zone?.shown.size ?? 0
      if (judgement.verdict === 'nothing') yield { ref, result: 'applied' }
      else if (judgement.verdict === 'conflict') yield { ref, result: 'conflict', detail: judgement.detail }
      else if (left > 0) yield { ref, result: 'conflict', detail: `${left} RRsets are left in it` }
      else if (!listing.ours.has(apex))
        yield { ref, result: 'failed', detail: 'it is not in the list of zones that we made' }
      else going.set(apex, remove)
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      yield { ref, result: 'failed', detail: error.message }
    }
  }
  if (going.size === 0) return
  const removed = await zones.remove(new Map([...going].map(([apex, { mark }]) => [apex, mark])))
  for (const [apex, { change }] of going) {
    const step = removed.get(apex)
    if (step === undefined) yield { ref: change.ref, result: 'failed', detail: 'it was not removed' }
    else if (step.result === 'done') yield { ref: change.ref, result: 'applied' }
    else yield { ref: change.ref, result: step.result, detail: step.detail }
  }
}
