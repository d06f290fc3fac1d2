/** What the tests of the provider share: a provider over a server, changes applied, a third party's zone. */
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { formatMasterValue, parseRdata } from '../../agent/standards/dns-text.ts'
import type { Observed, Provider } from '../../providers/provider.ts'
import { openRfc2136, type Rfc2136Options } from '../../providers/rfc2136/rfc2136.ts'
import type { Sample } from '../conformance/provider.suite.ts'
import { dnsSample } from '../conformance/samples.ts'
import { markFor, never, rrset } from '../dns/bench.ts'
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
