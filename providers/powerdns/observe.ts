/** Everything within a scope, or a ProviderFailure. A zone that comes, goes or changes meanwhile is read again. */
import { bareName, type DnsResource } from '../../agent/standards/dns-resource.ts'
import { type Observed, ProviderFailure, type Scope } from '../provider.ts'
import type { Api } from './api.ts'
import { inFlight } from './pool.ts'
import type { FoundZone, ListedZone } from './reply.ts'
import { observedZone, toStanding } from './standing.ts'

const roundsMax = 8 // lists that may differ from the one before; more is a server that never rests

export async function observe(
  api: Api,
  scope: Scope,
  width: number,
  signal: AbortSignal,
): Promise<Observed<DnsResource>[]> {
  if (signal.aborted)
    throw new ProviderFailure('timeout', 'reading the zones was broken off', { retry: 'later', cause: signal.reason })
  const zones = scope === 'all' ? await readAll(api, width, signal) : await readNamed(api, scope.domains, width, signal)
  const standings = zones.toSorted((a, b) => (a.apex < b.apex ? -1 : 1)).map(toStanding)
  return standings.flatMap(standing => [observedZone(standing), ...standing.observed.values()])
}

async function readNamed(api: Api, domains: readonly string[], width: number, signal: AbortSignal) {
  const apexes = [...new Set(domains.map(bareName))]
  const zones = await readEach(api, apexes, width, signal)
  return [...zones.values()].filter(zone => zone !== undefined)
}

type Read = { readonly serial: number; readonly zone: FoundZone }

async function readAll(api: Api, width: number, signal: AbortSignal): Promise<FoundZone[]> {
  const read = new Map<string, Read>()
  let listed = await api.list(signal)
  for (let round = 1; round <= roundsMax; round += 1) {
    const wanted = listed.filter(({ apex, serial }) => read.get(apex)?.serial !== serial)
    const serials = new Map(wanted.map(({ apex, serial }) => [apex, serial]))
    for (const [apex, zone] of await readEach(api, [...serials.keys()], width, signal)) {
      if (zone === undefined) read.delete(apex)
      else read.set(apex, { serial: serials.get(apex) ?? 0, zone })
    }
    const again = await api.list(signal)
    if (isSame(listed, again) && again.every(({ apex }) => read.has(apex)))
      return again.flatMap(({ apex }) => read.get(apex)?.zone ?? [])
    listed = again
  }
  throw new ProviderFailure('conflict', 'the list of zones reads differently each time', { retry: 'later' })
}

function isSame(one: readonly ListedZone[], other: readonly ListedZone[]): boolean {
  const serials = new Map(one.map(({ apex, serial }) => [apex, serial]))
  return one.length === other.length && other.every(({ apex, serial }) => serials.get(apex) === serial)
}

/** Undefined for a zone that isn't there. The first failure ends the others. */
async function readEach(api: Api, apexes: readonly string[], width: number, signal: AbortSignal) {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const zones = new Map<string, FoundZone | undefined>()
  const begin = async (apex: string) => {
    try {
      return { apex, zone: await api.readZone(apex, either) }
    } catch (error) {
      return { apex, error }
    }
  }
  for await (const { apex, zone, error } of inFlight(apexes, width, begin)) {
    if (error !== undefined) {
      stop.abort()
      throw error
    }
    zones.set(apex, zone)
  }
  return zones
}
