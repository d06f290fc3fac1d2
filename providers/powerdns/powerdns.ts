/**
 * Zones and RRsets on a PowerDNS Authoritative Server, over its HTTP API (4.7 and later). It never writes the server's
 * database, and leaves what it didn't make as it is: kind, masters, account, metadata, keys, other types, other comments.
 */
import type { Clock } from '../../agent/core/clock.ts'
import type { Secret } from '../../agent/core/secret.ts'
import type { Outcome } from '../../agent/model/change.ts'
import { canonicalDnsResource, type DnsResource, zoneOf } from '../../agent/standards/dns-resource.ts'
import { type MarkedChange, type Provider, ProviderFailure } from '../provider.ts'
import { createApi } from './api.ts'
import { checkPowerDns } from './check.ts'
import { createHttpClient } from './http.ts'
import { observe } from './observe.ts'
import { createGate, inFlight } from './pool.ts'
import type { ListedZone } from './reply.ts'
import { applyZone } from './write.ts'

const inFlightDefault = 4 // lmdb and PostgreSQL gain nothing beyond; SQLite teaches one
const inFlightMax = 64
const timeoutMsDefault = 15_000
const foreignWritesPollMs = 5_000 // one cheap list, 0.1 s of the server's time with 10,000 zones

export interface PowerDns extends Provider<DnsResource> {
  foreignWrites(signal: AbortSignal): AsyncIterable<void>
}

export type PowerDnsOptions = {
  /** `http://127.0.0.1:8081`, or https, with a path where a proxy has it below one. */
  readonly url: string
  readonly key: Secret
  /** PowerDNS calls itself `localhost`, the default. */
  readonly serverId?: string
  /** Requests sent and not yet answered, 4 by default. Writes go one at a time after a first 500 (SQLite). */
  readonly inFlight?: number
  /** Of zones that we make: `Native` by default, `Primary` where PowerDNS notifies secondaries. */
  readonly kind?: 'Native' | 'Primary'
  readonly timeoutMs?: number
  /** PEM of the authority that signed the API's certificate, where it isn't one of the system's. */
  readonly ca?: string
  readonly clock: Clock
}

/** Asks the server nothing yet. @throws ProviderFailure when an option can't be used. */
export function openPowerDns(options: PowerDnsOptions): PowerDns {
  const { clock, serverId = 'localhost', kind = 'Native' } = options
  const width = options.inFlight ?? inFlightDefault
  const timeoutMs = options.timeoutMs ?? timeoutMsDefault
  if (!Number.isInteger(width) || width < 1 || width > inFlightMax || !(timeoutMs > 0))
    throw new ProviderFailure('rejected', `1 to ${inFlightMax} requests in flight, with a time-out`, { retry: 'never' })
  const http = createHttpClient({
    url: options.url,
    key: options.key,
    clock,
    timeoutMs,
    connectionsMax: width + 1, // one for the list of `foreignWrites`
    ca: options.ca,
  })
  const api = createApi(http, serverId, clock)
  const gate = createGate(width)
  const closed = new AbortController()
  /** Zones that we wrote since the list was last looked at. */
  const written = new Set<string>()

  return {
    name: 'dns',
    kinds: ['zone', 'rrset'],
    target: `powerdns:${http.base}/${serverId}`,
    check: checkPowerDns,
    canonical: canonicalDnsResource,
    observe: (scope, signal) => observe(api, scope, width, AbortSignal.any([signal, closed.signal])),

    async *apply(changes, signal) {
      const begin = async ([apex, ofZone]: readonly [string, readonly MarkedChange<DnsResource>[]]) => {
        if (signal.aborted || closed.signal.aborted)
          return ofZone.map(({ change: { ref } }): Outcome => {
            return { ref, result: 'skipped', detail: 'broken off before it began' }
          })
        written.add(apex)
        return await applyZone({ api, gate, clock, kind }, apex, ofZone, signal)
      }
      for await (const outcomes of inFlight([...byZone(changes)], width, begin)) yield* outcomes
    },

    async *foreignWrites(signal) {
      const either = AbortSignal.any([signal, closed.signal])
      let seen: ReadonlyMap<string, string> | undefined
      while (!either.aborted) {
        const own = new Set(written)
        // A list that can't be read is no hint; the next pass reports that.
        const listed = await api.list(either).catch(() => undefined)
        if (either.aborted) return
        if (listed !== undefined) {
          const now = new Map(listed.map(zone => [zone.apex, versionOf(zone)]))
          for (const apex of own) written.delete(apex)
          if (seen !== undefined && differs(seen, now, own)) yield
          seen = now
        }
        await clock.sleep(foreignWritesPollMs, either)
      }
    },

    async [Symbol.asyncDispose]() {
      closed.abort()
      http.close()
    },
  }
}

function versionOf({ serial, account }: ListedZone): string {
  return `${serial} ${account}`
}

function differs(
  seen: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
  own: ReadonlySet<string>,
): boolean {
  return [...new Set([...seen.keys(), ...now.keys()])].some(apex => !own.has(apex) && seen.get(apex) !== now.get(apex))
}

/** Changes of one zone go together; the zones keep the order of the plan. */
function byZone(changes: readonly MarkedChange<DnsResource>[]): Map<string, MarkedChange<DnsResource>[]> {
  const canonical = changes.map(({ change, mark }) => {
    const before = change.before === null ? null : canonicalDnsResource(change.before)
    const after = change.after === null ? null : canonicalDnsResource(change.after)
    return { change: { ...change, before, after } as MarkedChange<DnsResource>['change'], mark }
  })
  return Map.groupBy(canonical, ({ change }) => zoneOf((change.after ?? change.before) as DnsResource))
}
