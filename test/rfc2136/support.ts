/** What the tests of the provider share: a provider over a server, changes applied, a third party's zone. */

import { canonicalJson } from '../../agent/core/digest.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { formatMasterValue, parseRdata } from '../../agent/standards/dns-text.ts'
import type { Observed, Provider } from '../../providers/provider.ts'
import { openRfc2136, type Rfc2136Options } from '../../providers/rfc2136/rfc2136.ts'
import type { Sample } from '../conformance/provider.suite.ts'
import { dnsSample } from '../conformance/samples.ts'
import { create, markFor, never, remove, rrset, update } from '../dns/bench.ts'
import type { Bind } from '../servers/bind.ts'
import type { Knot } from '../servers/knot.ts'
import { waitUntil } from '../servers/mail-servers.ts'

export type Server = Bind | Knot

export const foreignApex = 'other.example'
const foreignNs = rrset(foreignApex, '@', 'NS', ['ns1.theirs.example'])

/** SOA and apex NS can't be taken from a server's zone, so third parties edit what stands below them. */
export const serverSample: Sample<DnsResource> = {
  ...dnsSample,
  foreign: [...dnsSample.foreign, foreignNs],
  edit: resource =>
    resource.kind === 'zone' || resource.type === 'SOA' || resource.type === 'NS'
      ? undefined
      : dnsSample.edit(resource),
}

export function openProvider(server: Server, over: Partial<Rfc2136Options> = {}): Provider<DnsResource> {
  return openRfc2136({
    server: server.server,
    key: server.key,
    zones: [foreignApex],
    zoneMaking: server.zoneMaking,
    clock: systemClock,
    ...over,
  })
}

/** Lines of a zone file. */
export function masterLines(resources: readonly DnsResource[]): string[] {
  return resources.flatMap(resource => {
    if (resource.kind === 'zone') return []
    const { owner, ttl, type, values } = resource
    return values.map(value => `${owner}. ${ttl} IN ${type} ${formatMasterValue(parseRdata(type, value)!, 1)}`)
  })
}

export async function writeBehind(server: Server, resource: DnsResource, value: DnsResource | null): Promise<void> {
  if (resource.kind === 'rrset') {
    // The foreign zone begins with its SOA, which an UPDATE with the same values would not change.
    if (resource.type !== 'SOA') server.third.write(resource, value)
    return
  }
  const soa = serverSample.foreign.filter(one => one.kind === 'rrset' && (one.type === 'SOA' || one.type === 'NS'))
  server.addForeignZone(resource.apex, masterLines(soa))
  await waitUntil(`${resource.apex} to be served`, () => server.third.transfer(resource.apex).includes('SOA'))
}

export async function apply(
  provider: Provider<DnsResource>,
  changes: readonly Change<DnsResource>[],
): Promise<Outcome[]> {
  const marked = changes.map(change => ({ change, mark: markFor((change.after ?? change.before)!) }))
  const outcomes: Outcome[] = []
  for await (const outcome of provider.apply(marked, never)) outcomes.push(outcome)
  return outcomes
}

export const observeAll = (provider: Provider<DnsResource>): Promise<readonly Observed<DnsResource>[]> =>
  provider.observe('all', never)

export function resources(observed: readonly Observed<DnsResource>[]): DnsResource[] {
  return observed.map(({ resource }) => resource)
}

/** The changes that lead from what is ours to the desired, zones first and last as a plan has them. */
export function changesTo(
  observed: readonly Observed<DnsResource>[],
  desired: readonly DnsResource[],
): Change<DnsResource>[] {
  const ours = new Map(
    observed
      .filter(({ resource, mark }) => mark === markFor(resource))
      .map(({ resource }) => [keyOf(resource), resource]),
  )
  const wanted = new Map(desired.map(resource => [keyOf(resource), resource]))
  const changes: Change<DnsResource>[] = []
  for (const [key, after] of wanted) {
    const before = ours.get(key)
    if (before === undefined) changes.push(create(after))
    else if (canonicalJson(before) !== canonicalJson(after)) changes.push(update(before, after))
  }
  for (const [key, before] of ours) if (!wanted.has(key)) changes.push(remove(before))
  const rank = ({ ref, action }: Change<DnsResource>) => (ref.kind === 'zone' ? (action === 'delete' ? 2 : 0) : 1)
  return changes.sort((a, b) => rank(a) - rank(b))
}

const keyOf = (resource: DnsResource) => `${resource.kind} ${resource.key}`

/** Outcomes that the truth belies: done and not there, or not done and there. */
export function lies(
  outcomes: readonly Outcome[],
  changes: readonly Change<DnsResource>[],
  truth: readonly Observed<DnsResource>[],
): Outcome[] {
  const standing = new Map(truth.map(({ resource }) => [keyOf(resource), canonicalJson(resource)]))
  return outcomes.filter(({ ref, result }) => {
    const change = changes.find(one => one.ref.kind === ref.kind && one.ref.key === ref.key)
    if (change === undefined || result === 'unknown') return false
    const wanted = result === 'applied' ? change.after : change.before
    const stands = standing.get(`${ref.kind} ${ref.key}`)
    return stands !== (wanted === null ? undefined : canonicalJson(wanted))
  })
}
