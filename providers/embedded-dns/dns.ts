/**
 * The DNS provider that needs no other server: zones in one SQLite file, answered for by this process when it is told
 * to listen. The command line may open the same file while the daemon serves it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../../agent/core/clock.ts'
import type { Diagnostic } from '../../agent/core/diagnostic.ts'
import type { Outcome } from '../../agent/model/change.ts'
import { canonicalDnsResource, type DnsResource } from '../../agent/standards/dns-resource.ts'
import { type MarkedChange, type Observed, type Provider, ProviderFailure, type Scope } from '../provider.ts'
import { checkDnsResource } from './check.ts'
import { respond } from './respond.ts'
import { DnsServer, type Endpoint, parseEndpoint } from './server.ts'
import { ZoneStore } from './store.ts'
import { StoredZoneIndex } from './zone-index.ts'

const foreignWritesPollMs = 250 // one cheap read; an edit by hand need not wait for the next sweep

export interface EmbeddedDns extends Provider<DnsResource> {
  /** Where it answers, UDP and TCP; null when it does not. */
  readonly listening: Endpoint | null
  foreignWrites(signal: AbortSignal): AsyncIterable<void>
  /** Ends the server and gives the file back. Harmless when repeated. */
  close(): Promise<void>
}

export type EmbeddedDnsOptions = {
  readonly file: string
  /** `host:port`, port 0 for any; null or absent: only the file. */
  readonly listen?: string | null
  readonly clock: Clock
}

/** Changes of one zone stand together in one transaction; the zones keep the order of the plan. */
function byZone(changes: readonly MarkedChange<DnsResource>[]): Map<string, MarkedChange<DnsResource>[]> {
  const zones = new Map<string, MarkedChange<DnsResource>[]>()
  for (const given of changes) {
    const { change } = given
    const before = change.before === null ? null : canonicalDnsResource(change.before)
    const after = change.after === null ? null : canonicalDnsResource(change.after)
    const resource = after ?? before
    const apex = resource === null ? '' : resource.kind === 'zone' ? resource.apex : resource.zone
    const marked = { ...given, change: { ...change, before, after } as MarkedChange<DnsResource>['change'] }
    const earlier = zones.get(apex)
    if (earlier === undefined) zones.set(apex, [marked])
    else earlier.push(marked)
  }
  return zones
}

/** @throws ProviderFailure when the file can't be opened or the address can't be listened on. */
export async function openEmbeddedDns({ file, listen, clock }: EmbeddedDnsOptions): Promise<EmbeddedDns> {
  const endpoint = listen === undefined || listen === null ? null : parseEndpoint(listen)
  if (endpoint === undefined) throw new ProviderFailure('rejected', `${listen} is no host:port`, { retry: 'never' })
  const store = new ZoneStore(file)
  let index: StoredZoneIndex | undefined
  let server: DnsServer | undefined
  try {
    if (endpoint !== null) {
      const zones = new StoredZoneIndex(store)
      index = zones
      server = await DnsServer.listen(endpoint, (message, transport) => respond(zones, message, transport))
    }
  } catch (error) {
    store.close()
    throw error
  }
  return new EmbeddedDnsProvider({ file, clock, store, index, server })
}

type Parts = {
  readonly file: string
  readonly clock: Clock
  readonly store: ZoneStore
  readonly index: StoredZoneIndex | undefined
  readonly server: DnsServer | undefined
}

class EmbeddedDnsProvider implements EmbeddedDns {
  readonly name = 'dns'
  readonly kinds = ['zone', 'rrset'] as const
  readonly target: string
  readonly #parts: Parts
  #closed: Promise<void> | undefined

  constructor(parts: Parts) {
    this.target = `embedded-dns:${parts.file}`
    this.#parts = parts
  }

  get listening(): Endpoint | null {
    return this.#parts.server?.listening ?? null
  }

  check(resource: DnsResource): readonly Diagnostic[] {
    return checkDnsResource(resource)
  }

  canonical(resource: DnsResource): DnsResource {
    return canonicalDnsResource(resource)
  }

  async observe(scope: Scope, signal: AbortSignal): Promise<readonly Observed<DnsResource>[]> {
    if (signal.aborted)
      throw new ProviderFailure('timeout', 'reading the zones was broken off', { retry: 'later', cause: signal.reason })
    try {
      return this.#parts.store.observe(scope)
    } catch (error) {
      throw new ProviderFailure('unreachable', 'the DNS file cannot be read', { retry: 'later', cause: error })
    }
  }

  async *apply(changes: readonly MarkedChange<DnsResource>[], signal: AbortSignal): AsyncIterable<Outcome> {
    for (const [apex, ofZone] of byZone(changes)) {
      if (signal.aborted) {
        yield* ofZone.map(
          ({ change: { ref } }): Outcome => ({ ref, result: 'skipped', detail: 'broken off before it began' }),
        )
        continue
      }
      const outcomes = this.#parts.store.applyZone(apex, ofZone)
      this.#parts.index?.refresh()
      yield* outcomes
      // Each zone waits for the disk; live decisions get their turn between two.
      await nextTurn()
    }
  }

  async *foreignWrites(signal: AbortSignal): AsyncIterable<void> {
    const { clock } = this.#parts
    let seen = this.#version()
    while (!signal.aborted && this.#closed === undefined) {
      await clock.sleep(foreignWritesPollMs, signal)
      if (signal.aborted || this.#closed !== undefined) return
      const version = this.#version()
      if (version === undefined) continue
      if (version !== seen) yield
      seen = version
    }
  }

  /** Undefined while the file can't be read: the next pass reports that, this only gives hints. */
  #version(): number | undefined {
    try {
      return this.#parts.store.dataVersion()
    } catch {
      return undefined
    }
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#parts.server?.close()
      this.#parts.store.close()
    })()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
