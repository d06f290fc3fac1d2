/**
 * The DNS provider for servers that take UPDATE (RFC 2136) under TSIG (RFC 8945) and give zones by AXFR: BIND, Knot, and
 * others for zones that stand. It reads whole zones and writes RRsets with prerequisites; zones come and go the server's
 * own way. It never writes what a plan has not seen, and believes no answer without a signature.
 */
import type { Clock } from '../../agent/core/clock.ts'
import type { Diagnostic } from '../../agent/core/diagnostic.ts'
import { bareName, canonicalDnsResource, type DnsResource } from '../../agent/standards/dns-resource.ts'
import { parseLabels } from '../../agent/standards/dns-text.ts'
import { secretOctets, type TsigKey, tsigAlgorithms } from '../../agent/standards/tsig.ts'
import { type Observed, type Provider, ProviderFailure, type Scope } from '../provider.ts'
import { applyChanges } from './apply.ts'
import { type BindZoneMaking, createBindZoneMaking } from './bind.ts'
import { createCatalog } from './catalog.ts'
import { checkRfc2136 } from './check.ts'
import { DnsClient, parseAddress } from './client.ts'
import { inParallel } from './gate.ts'
import { createKnotZoneMaking, type KnotZoneMaking } from './knot.ts'
import { createSession } from './session.ts'
import { observedRRset, type SeenZone } from './zone-content.ts'
import type { Listing } from './zone-making.ts'
import { createZones, foundZone, type Zones } from './zones.ts'

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

/** What the provider is before it was opened. */
export const describeRfc2136 = (server: string) =>
  ({
    name: 'dns',
    kinds: ['zone', 'rrset'],
    target: `rfc2136:${server}`,
    check: (resource: DnsResource): readonly Diagnostic[] => checkRfc2136(resource),
    canonical: canonicalDnsResource,
  }) as const

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
    apply: (changes, signal) => applyChanges({ session, zones, clock, signal }, changes),
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
  const unread: ProviderFailure[] = []
  for await (const part of inParallel([...new Set(apexes)].sort(), transfers, apex =>
    zones.read(apex, listing, signal).then(
      zone => shownOf(apex, listing, zone),
      (error: unknown) => {
        if (!(error instanceof ProviderFailure) || error.domains === null) throw error
        unread.push(error)
        return []
      },
    ),
  ))
    parts.push(part)
  if (unread.length > 0) throw ofAll(unread)
  return parts.flat().sort((a, b) => (a.resource.key < b.resource.key ? -1 : 1))
}

/** Every zone that could not be read, in one failure: the caller may do without them, and never takes them for absent. */
function ofAll(failures: readonly ProviderFailure[]): ProviderFailure {
  const [first] = failures as [ProviderFailure]
  const domains = failures.flatMap(failure => failure.domains ?? [])
  const more = failures.length === 1 ? '' : ` (and ${failures.length - 1} more zones)`
  return new ProviderFailure(first.kind, `${first.message}${more}`, { retry: first.retry, cause: first.cause, domains })
}

/** A zone that is not wholly made is not shown yet, so that the plan makes it; one that is not wholly gone still is. */
function shownOf(apex: string, listing: Listing, zone: SeenZone | null): Observed<DnsResource>[] {
  const found = foundZone(apex, listing, zone)
  const rrsets = zone === null ? [] : [...zone.shown.values()].map(seen => observedRRset(zone, seen))
  return [...(found === undefined || listing.ours.get(apex)?.state === 'pending' ? [] : [found]), ...rrsets]
}
