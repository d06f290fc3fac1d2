/**
 * What client addresses are by their country, as one fleet sees them: national by the operator's networks or by country
 * data, or of no country that any registry knows (ADR 17). All others are foreign. Pure.
 */
import type { Snapshot } from '../decision/snapshot.ts'
import { countryIntervals } from '../model/country.ts'
import { type AddressSet, toAddressSet, union, v6Begin, without } from './intervals.ts'

export type Regions = { readonly national: AddressSet; readonly unknown: AddressSet }

const found = new WeakMap<Snapshot, Regions>()

export function regionsOf(snapshot: Snapshot): Regions {
  const known = found.get(snapshot)
  if (known !== undefined) return known
  const { networks, country } = snapshot.national
  const own = toAddressSet(networks)
  const told = (value: 'national' | 'unknown'): AddressSet => {
    if (country === null) return []
    const { v4, v6 } = countryIntervals(country, value)
    return [...v4, ...v6.map(([from, to]) => [v6Begin + from, v6Begin + to] as const)]
  }
  const national = union(own, told('national'))
  const regions = { national, unknown: without(union(told('unknown'), []), national) }
  found.set(snapshot, regions)
  return regions
}
