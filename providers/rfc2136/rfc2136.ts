/**
 * The DNS provider for servers that take UPDATE (RFC 2136) under TSIG (RFC 8945) and give zones by AXFR: BIND, Knot, and
 * others for zones that stand. It reads whole zones and writes RRsets with prerequisites; zones come and go the server's
 * own way. It never writes what a plan has not seen, and believes no answer without a signature.
 */
import type { Clock } from '../../agent/core/clock.ts'
import type { Diagnostic } from '../../agent/core/diagnostic.ts'
import type { Outcome } from '../../agent/model/change.ts'
import { bareName, canonicalDnsResource, type DnsResource, zoneOf } from '../../agent/standards/dns-resource.ts'
import { parseLabels } from '../../agent/standards/dns-text.ts'
import { secretOctets, type TsigKey, tsigAlgorithms } from '../../agent/standards/tsig.ts'
import { judge } from '../judge.ts'
import { type MarkedChange, type Observed, type Provider, ProviderFailure, type Scope } from '../provider.ts'
import { applyRRsets } from './apply-zone.ts'
import { type BindZoneMaking, createBindZoneMaking } from './bind.ts'
import { createCatalog } from './catalog.ts'
import { checkRfc2136 } from './check.ts'
import { DnsClient, parseAddress } from './client.ts'
import { firstZoneFile, isRRsetChange } from './first-fill.ts'
import { inParallel } from './gate.ts'
import { createKnotZoneMaking, type KnotZoneMaking } from './knot.ts'
import { createSession } from './session.ts'
import { observedRRset, type SeenZone, zoneMark, zoneResource } from './zone-content.ts'
import { createZones, type Listing, type Zones } from './zones.ts'

const zonesAtOnceMax = 1_000 // one configuration for all of them; a cut then leaves no more than these in doubt
const zonesInWorkMax = 32 // the session's gates hold them back further, each kind of question for itself

export type Rfc2136Options = {
  /** `host:port` of the primary; it must take TCP. */
  readonly server: string
  readonly key: TsigKey
  /** Zones that are looked after beside those that we make: made by others, read and written with the same key. */
  readonly zones?: readonly string[]
  /** How zones come and go; absent: by others only. */
  readonly zoneMaking?: BindZoneMaking | KnotZoneMaking
  /** A catalog zone (RFC 9432) on the same server, in which each zone of ours is a member. */
  readonly catalog?: string
  readonly clock: Clock
  readonly connectMs?: number
  /** From a question to its answer, or from one message of a transfer to the next. */
  readonly answerMs?: number
  readonly transferMs?: number
  /** How long the server may take to load new zones. */
  readonly loadMs?: number
  /** UPDATEs and short questions on the way at once. */
  readonly questionsAtOnce?: number
  readonly transfersAtOnce?: number
}

/** Opens no connection yet. @throws ProviderFailure for options that make no sense. */
export function openRfc2136(options: Rfc2136Options): Provider<DnsResource> {
  const { server, key, clock, zoneMaking } = options
  const address = parseAddress(server)
  const wrong = (message: string) => new ProviderFailure('rejected', message, { retry: 'never' })
  if (address === undefined) throw wrong(`${server} is no host:port`)
  if (parseLabels(key.name) === undefined) throw wrong(`${key.name} is no name of a key`)
  if (!tsigAlgorithms.includes(key.algorithm))
    throw wrong(`keys are for ${tsigAlgorithms.join(' or ')}, not ${key.algorithm}`)
  if (secretOctets(key.secret) === undefined)
    throw wrong(`the secret of the key ${key.name} is no base64 of 16 octets or more`)
  const client = new DnsClient(address, options.connectMs ?? 5_000)
  const limits = {
    questions: options.questionsAtOnce ?? 16,
    transfers: options.transfersAtOnce ?? 4,
    answerMs: options.answerMs ?? 10_000,
    transferMs: options.transferMs ?? 60_000,
  }
  const session = createSession({ server, client, key, clock, limits })
  const making =
    zoneMaking === undefined
      ? null
      : zoneMaking.kind === 'bind'
        ? createBindZoneMaking(zoneMaking, bareName(key.name))
        : createKnotZoneMaking(zoneMaking)
  const catalog = options.catalog === undefined ? null : createCatalog(session, bareName(options.catalog))
  const zones = createZones({ session, making, catalog, clock, loadMs: options.loadMs ?? 30_000 })
  const configured = (options.zones ?? []).map(bareName)

  return {
    name: 'dns',
    kinds: ['zone', 'rrset'],
    target: `rfc2136:${server}`,
    check: (resource): readonly Diagnostic[] => checkRfc2136(resource),
    canonical: canonicalDnsResource,
    observe: (scope, signal) => observe(zones, configured, scope, limits.transfers, signal),
    async *apply(changes, signal) {
      const works = toWorks(changes)
      for (let start = 0; start < works.length; start += zonesAtOnceMax)
        yield* applyWorks({ session, zones, clock, signal }, works.slice(start, start + zonesAtOnceMax))
    },
    async [Symbol.asyncDispose]() {
      client.close()
    },
  }
}

async function observe(
  zones: Zones,
  configured: readonly string[],
  scope: Scope,
  transfers: number,
  signal: AbortSignal,
): Promise<readonly Observed<DnsResource>[]> {
  const listing = await zones.list()
  const apexes = scope === 'all' ? [...listing.ours.keys(), ...configured] : scope.domains.map(bareName)
  const parts: Observed<DnsResource>[][] = []
  for await (const part of inParallel([...new Set(apexes)].sort(), transfers, async apex =>
    shownOf(apex, listing, await zones.read(apex, listing, signal)),
  ))
    parts.push(part)
  return parts.flat().sort((a, b) => (a.resource.key < b.resource.key ? -1 : 1))
}

/** A zone that is not wholly made is not shown yet, so that the plan makes it; one that is not wholly gone still is. */
function shownOf(apex: string, listing: Listing, zone: SeenZone | null): Observed<DnsResource>[] {
  const found = foundZone(apex, listing, zone)
  const rrsets = zone === null ? [] : [...zone.shown.values()].map(seen => observedRRset(zone, seen))
  return [...(found === undefined || listing.ours.get(apex)?.state === 'pending' ? [] : [found]), ...rrsets]
}

function foundZone(apex: string, listing: Listing, zone: SeenZone | null): Observed<DnsResource> | undefined {
  const listed = listing.ours.get(apex)
  if (zone !== null) return { resource: zoneResource(apex), mark: zoneMark(zone) }
  return listed?.state === 'leaving' ? { resource: zoneResource(apex), mark: listed.mark } : undefined
}

type Marked = MarkedChange<DnsResource>
/** The changes of one zone. */
type Work = { readonly apex: string; readonly changes: readonly Marked[] }

function toWorks(changes: readonly Marked[]): Work[] {
  const works = new Map<string, Marked[]>()
  for (const { change, mark } of changes) {
    const before = change.before === null ? null : canonicalDnsResource(change.before)
    const after = change.after === null ? null : canonicalDnsResource(change.after)
    const resource = after ?? before
    const apex = resource === null ? '' : zoneOf(resource)
    works.set(apex, [...(works.get(apex) ?? []), { change: { ...change, before, after } as Marked['change'], mark }])
  }
  return [...works].map(([apex, changes]) => ({ apex, changes }))
}

type Context = {
  readonly session: Parameters<typeof applyRRsets>[0]
  readonly zones: Zones
  readonly clock: Clock
  readonly signal: AbortSignal
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
  const emptied: Work[] = []
  for await (const { work, outcomes } of inParallel(works, zonesInWorkMax, async work => {
    // What a new zone began with stands there already, and its outcomes say so.
    if (signal.aborted && made.get(work.apex)?.served !== true) return { work: null, outcomes: skipped(work.changes) }
    return { work, outcomes: await applyZone(context, listing, work, made) }
  })) {
    yield* outcomes
    if (work?.changes.some(isZoneDelete) === true) emptied.push(work)
  }
  if (emptied.length > 0) yield* removeZones(context, listing, emptied)
}

const isZoneDelete = ({ change }: Marked) => change.ref.kind === 'zone' && change.action === 'delete'
const isZoneCreate = ({ change }: Marked) => change.ref.kind === 'zone' && change.action === 'create'

type Making = Awaited<ReturnType<Zones['make']>>

/** Gives the server the zones that are to be and that it has not, with all that they begin with. */
async function makeZones({ zones, clock }: Context, listing: Listing, works: readonly Work[]): Promise<Making> {
  const wanted = works.filter(({ changes }) => changes.some(isZoneCreate))
  const fresh: { apex: string; text: string }[] = []
  for await (const one of inParallel(wanted, zonesInWorkMax, async ({ apex, changes }) => {
    // A failure here is met again, and told, when the zone's changes are held against it.
    const absent = await zones.read(apex, listing, steadfast).then(
      zone => zone === null && listing.ours.get(apex)?.state !== 'leaving',
      () => false,
    )
    const mark = changes.find(isZoneCreate)?.mark ?? ''
    const serial = Math.floor(clock.now() / 1000) % 2 ** 32
    return absent ? { apex, text: firstZoneFile(apex, mark, changes.filter(isRRsetChange), serial) } : null
  }))
    if (one !== null) fresh.push(one)
  return fresh.length === 0 ? new Map() : zones.make(fresh)
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
  const rrsets = changes.filter(isRRsetChange)
  return rrsets.length === 0 ? outcomes : [...outcomes, ...(await applyRRsets(session, read, rrsets, signal))]
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
    // A pass before this one may have been cut between the making of the zone and what comes after.
    const pending = making === undefined && listing.ours.get(apex)?.state === 'pending'
    const step = pending ? await zones.complete([apex]) : making
    if (step === undefined || step.result === 'done') return { ref, result: 'applied' }
    return { ref, result: step.result, detail: step.detail }
  } catch (error) {
    if (error instanceof ProviderFailure) return { ref, result: 'failed', detail: error.message }
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
  const removed = await zones.remove(new Map([...going].map(([apex, { mark }]) => [apex, mark])), listing)
  for (const [apex, { change }] of going) {
    const step = removed.get(apex)
    if (step === undefined) yield { ref: change.ref, result: 'failed', detail: 'it was not removed' }
    else if (step.result === 'done') yield { ref: change.ref, result: 'applied' }
    else yield { ref: change.ref, result: step.result, detail: step.detail }
  }
}
