/** What the tests of PowerDNS share: applying, comparing, and one sight of a server for before and after. */
import { expect } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { openPowerDns, type PowerDns, type PowerDnsOptions } from '../../providers/powerdns/powerdns.ts'
import type { Observed, Provider } from '../../providers/provider.ts'
import { create, markFor, never, remove, update } from '../dns/bench.ts'
import type { Pdns } from '../servers/pdns.ts'

export function openOn(pdns: Pdns, over: Partial<PowerDnsOptions> = {}): PowerDns {
  return openPowerDns({ url: pdns.url, key: pdns.key, clock: systemClock, ...over })
}

export async function applyTo(
  provider: Provider<DnsResource>,
  changes: readonly Change<DnsResource>[],
): Promise<Outcome[]> {
  const marked = changes.map(change => ({ change, mark: markFor((change.after ?? change.before) as DnsResource) }))
  return Array.fromAsync(provider.apply(marked, never))
}

export function isOurs({ resource, mark }: Observed<DnsResource>): boolean {
  return mark === markFor(resource)
}

/** The changes from what is ours to what is wanted. */
export function changesFrom(
  observed: readonly Observed<DnsResource>[],
  wanted: readonly DnsResource[],
): Change<DnsResource>[] {
  const keyOf = (resource: DnsResource) => `${resource.kind} ${resource.key}`
  const ours = new Map(observed.filter(isOurs).map(({ resource }) => [keyOf(resource), resource]))
  const changes: Change<DnsResource>[] = []
  for (const after of wanted) {
    const before = ours.get(keyOf(after))
    ours.delete(keyOf(after))
    if (before === undefined) changes.push(create(after))
    else if (canonicalJson(before) !== canonicalJson(after)) changes.push(update(before, after))
  }
  return [...changes, ...[...ours.values()].map(remove)]
}

/** Goes to a state; every change must be applied, and nothing be left to change. */
export async function reach(provider: Provider<DnsResource>, wanted: readonly DnsResource[]): Promise<void> {
  const outcomes = await applyTo(provider, changesFrom(await provider.observe('all', never), wanted))
  expect(outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
  expect(changesFrom(await provider.observe('all', never), wanted)).toEqual([])
}

/** A zone with its settings, metadata and keys, without what moves by itself. */
export async function sightOf(pdns: Pdns, apex: string): Promise<unknown> {
  const zone = await pdns.zone(apex)
  if (zone === undefined) return undefined
  const { json: metadata } = await pdns.api('GET', `/zones/${apex}./metadata`)
  const { json: keys } = await pdns.api('GET', `/zones/${apex}./cryptokeys`)
  return { zone, metadata, keys }
}

/** A sight without the records and serial: the settings alone. */
export async function settingsOf(pdns: Pdns, apex: string): Promise<unknown> {
  const { zone, ...rest } = (await sightOf(pdns, apex)) as { zone: Record<string, unknown> }
  const { rrsets: _, serial, edited_serial, notified_serial, ...settings } = zone
  return { settings, ...rest }
}
