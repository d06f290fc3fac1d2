/**
 * Zones as they come, stand and go. A zone is absent only when the server itself says so under the key's signature and
 * our own list does not say otherwise; anything else that is not the whole zone is a failure.
 */
import type { Clock } from '../../agent/core/clock.ts'
import { codeName, responseCodes } from '../../agent/standards/dns-message.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { type Observed, ProviderFailure } from '../provider.ts'
import type { Catalog } from './catalog.ts'
import { createGate, eachOf } from './gate.ts'
import type { Session } from './session.ts'
import { readZone, type SeenZone, zoneMark, zoneResource } from './zone-content.ts'
import { done, type Listing, type NewZone, type StepResult, unsettled, type ZoneMaking } from './zone-making.ts'

const freezesAtOnceMax = 4 // each may be a process and a zone written to the disk
const pollFirstMs = 10 // most zones are loaded by then
const pollMostMs = 500 // when thousands load, asking more often only takes their time

/** Reading goes on to the truth, whatever was broken off. */
const steadfast = new AbortController().signal

/** `served`: records can be read and written, whatever else is missing. */
export type Made = StepResult & { readonly served: boolean }
export type Removed = StepResult | { readonly result: 'conflict'; readonly detail: string }

export interface Zones {
  /** @throws ProviderFailure */
  list(): Promise<Listing>
  /** Null: it does not exist. @throws ProviderFailure */
  read(apex: string, listing: Listing, signal: AbortSignal): Promise<SeenZone | null>
  make(zones: readonly NewZone[]): Promise<ReadonlyMap<string, Made>>
  /** What is left to do for zones that are served: their first UPDATE, the catalog, the note. */
  complete(apexes: readonly string[]): Promise<ReadonlyMap<string, StepResult>>
  /** Zones that were on their way out, and are wanted again. */
  stay(apexes: readonly string[]): Promise<ReadonlyMap<string, StepResult>>
  /** @param zones with their marks; each is removed only while nothing is left in it. */
  remove(zones: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, Removed>>
}

export type ZonesParts = {
  readonly session: Session
  readonly making: ZoneMaking | null
  readonly catalog: Catalog | null
  readonly clock: Clock
  readonly loadMs: number
}

export function createZones({ session, making, catalog, clock, loadMs }: ZonesParts): Zones {
  /** A configuration is read and written as a whole, by one at a time. */
  const exclusive = createGate(1)
  type Kind = 'unauthorized' | 'rejected' | 'malformed-reply' | 'unreachable'
  const fail = (kind: Kind, message: string, domains?: readonly string[]) =>
    new ProviderFailure(kind, message, {
      retry: kind === 'unauthorized' ? 'never' : 'later',
      ...(domains === undefined ? {} : { domains }),
    })

  async function read(apex: string, listing: Listing, signal: AbortSignal): Promise<SeenZone | null> {
    // The server has answered: what is wrong is wrong with this zone.
    const bad = (kind: Kind, message: string) => fail(kind, message, [apex])
    // Knot signs no answer about a zone that it has not; its own list is the proof.
    if (listing.everybodys?.has(apex) === false) return null
    const transfer = await session.transfer(apex, signal)
    if (transfer.result === 'zone') {
      const zone = readZone(apex, transfer.records)
      if (zone === undefined) throw bad('malformed-reply', `the SOA of ${apex} from ${session.server} is malformed`)
      return zone
    }
    const { rcode } = transfer
    const { server } = session
    if (rcode === responseCodes.refused) throw bad('unauthorized', `${server} does not let the key transfer ${apex}`)
    const listed = listing.ours.get(apex)
    if (rcode !== responseCodes.notAuthoritative) {
      const why = listed === undefined || rcode !== responseCodes.serverFailure ? null : await unloaded(apex)
      // What a step of ours was cut at holds nothing but what we gave it: it is made anew.
      if (why !== null && listed?.state !== 'made') return null
      if (why !== null) throw bad('rejected', `${server} could not load the zone ${apex}: ${why}`)
      throw bad('unreachable', `${server} answers ${codeName(rcode)} to the transfer of ${apex}`)
    }
    // BIND means by this code that it has no such zone; Knot also that we may not have it.
    if (listed?.state === 'made')
      throw bad('rejected', `${apex} is configured and ${server} does not serve it: see its log`)
    if (listed === undefined && listing.everybodys?.has(apex) === true)
      throw bad('unauthorized', `${server} has the zone ${apex} and does not let the key transfer it`)
    const soa = await session.soa(apex, signal)
    if (!soa.signed) throw soa.failure
    if (soa.authoritative) throw bad('unauthorized', `${server} serves ${apex} and does not let the key transfer it`)
    if (soa.rcode === responseCodes.serverFailure) throw bad('unreachable', `${server} answers SERVFAIL for ${apex}`)
    return null
  }

  const unloaded = async (apex: string) => (await making?.unloaded?.(apex)) ?? null

  /** Asks again and again for each; gives those that are not as wanted when the time is over. */
  async function waitUntil(apexes: readonly string[], served: boolean): Promise<string[]> {
    const deadline = clock.now() + loadMs
    let left = [...apexes]
    for (let pauseMs = pollFirstMs; ; pauseMs = Math.min(2 * pauseMs, pollMostMs)) {
      const answers = await Promise.all(left.map(isServed))
      left = left.filter((_, index) => answers[index] !== served)
      if (left.length === 0 || clock.now() > deadline) return left
      await clock.sleep(pauseMs, steadfast)
    }
  }

  async function isServed(apex: string): Promise<boolean> {
    const soa = await session.soa(apex, steadfast)
    return soa.signed && soa.authoritative
  }

  async function make(zones: readonly NewZone[]): Promise<ReadonlyMap<string, Made>> {
    const results = new Map<string, Made>()
    const settle = (apexes: readonly string[], result: StepResult, served: boolean) => {
      for (const apex of apexes) results.set(apex, { ...result, served })
    }
    const all = zones.map(({ apex }) => apex)
    if (making === null) {
      const detail = 'nothing is configured that makes zones: make it on the server, and name it under zones'
      settle(all, { result: 'failed', detail }, false)
      return results
    }
    let given: string[] = []
    try {
      const added = await making.add(zones)
      for (const [apex, result] of added) settle([apex], result, false)
      given = all.filter(apex => added.get(apex)?.result === 'done')
      const unserved = await waitUntil(given, true)
      const served = given.filter(apex => !unserved.includes(apex))
      if (unserved.length > 0) {
        settle(unserved, { result: 'unknown', detail: 'it was not loaded in time' }, false)
        await making.discard(unserved)
        settle(unserved, { result: 'failed', detail: 'the server did not load it in time: see its log' }, false)
      }
      given = []
      if (served.length > 0) for (const [apex, step] of await complete(served)) settle([apex], step, true)
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      for (const apex of all) if (!results.has(apex)) settle([apex], { result: 'failed', detail: error.message }, false)
      settle(given, { result: 'unknown', detail: error.message }, false)
      // With a key that the server does not take they could never be filled or looked at.
      if (given.length > 0 && error.kind === 'unauthorized')
        await making.discard(given).then(
          () => settle(given, { result: 'failed', detail: error.message }, false),
          () => {},
        )
    }
    return results
  }

  async function complete(apexes: readonly string[]): Promise<Map<string, StepResult>> {
    const steps = new Map(await Promise.all(apexes.map(async apex => [apex, await writeFirst(apex)] as const)))
    const begun = apexes.filter(apex => steps.get(apex)?.result === 'done')
    if (begun.length === 0) return steps
    const rest = await attempt(begun, async () => {
      await catalog?.add(begun, steadfast)
      await making?.confirm(begun)
    })
    return new Map([...steps, ...rest])
  }

  async function writeFirst(apex: string): Promise<StepResult> {
    const update = making?.firstUpdate?.(apex)
    if (update === undefined) return done
    const answer = await session.update(update)
    if (answer.result === 'done') return done
    if (answer.result !== 'refused') return unsettled('unknown', answer.failure.message)
    return unsettled('failed', `${session.server} answers ${codeName(answer.rcode)} to the first update of ${apex}`)
  }

  async function attempt(apexes: readonly string[], work: () => Promise<void>): Promise<Map<string, StepResult>> {
    const all = (step: StepResult) => new Map(apexes.map(apex => [apex, step]))
    try {
      await work()
      return all(done)
    } catch (error) {
      if (error instanceof ProviderFailure) return all(unsettled('failed', error.message))
      throw error
    }
  }

  async function remove(zones: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, Removed>> {
    const results = new Map<string, Removed>()
    if (making === null) return results
    try {
      await making.leave(zones)
      const listing = await making.list()
      const blind: string[] = []
      await eachOf(zones, freezesAtOnceMax, async ([apex, mark]) => {
        if (await isServed(apex)) await making.freeze(apex)
        else if ((await unloaded(apex)) !== null) blind.push(apex)
        const kept = await stillNeeded(apex, mark, listing)
        if (kept !== null) results.set(apex, { result: 'conflict', detail: kept })
      })
      const staying = [...results.keys()]
      if (staying.length > 0) await making.stay(staying)
      const going = [...zones.keys()].filter(apex => !results.has(apex))
      if (going.length === 0) return results
      await catalog?.remove(going, steadfast)
      await making.remove(going, async () => {
        const served = await waitUntil(going, false)
        if (served.length > 0) throw fail('unreachable', `${session.server} still serves ${served.join(', ')}`)
        for (const apex of blind) await making.putAway?.(apex)
      })
      for (const apex of going) results.set(apex, done)
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      for (const apex of zones.keys())
        if (!results.has(apex)) results.set(apex, { result: 'unknown', detail: error.message })
    }
    return results
  }

  /** Looks once more when nobody can write any more; what is left then keeps the zone. */
  async function stillNeeded(apex: string, mark: string, listing: Listing): Promise<string | null> {
    const zone = await read(apex, listing, steadfast)
    if (zone === null) return null
    if (zone.shown.size > 0) return `${zone.shown.size} RRsets are left in it`
    return zoneMark(zone) === mark ? null : 'it carries another mark'
  }

  return {
    list: async () => (making === null ? { ours: new Map(), everybodys: null } : making.list()),
    read,
    make: zones => exclusive(() => make(zones)),
    complete: apexes => exclusive(() => complete(apexes)),
    stay: apexes =>
      exclusive(() =>
        attempt(apexes, async () => {
          await catalog?.add(apexes, steadfast)
          await making?.stay(apexes)
        }),
      ),
    remove: zones => exclusive(() => remove(zones)),
  }
}

/** What a plan is held against: the zone as it stands, or what is noted of one that is on its way out. */
export function foundZone(apex: string, listing: Listing, zone: SeenZone | null): Observed<DnsResource> | undefined {
  const listed = listing.ours.get(apex)
  if (zone !== null) return { resource: zoneResource(apex), mark: zoneMark(zone) }
  return listed?.state === 'leaving' ? { resource: zoneResource(apex), mark: listed.mark } : undefined
}
