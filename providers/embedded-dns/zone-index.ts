/**
 * Zones as the server looks them up: by name, ready to be sent. A zone is built when it is first asked for and built
 * again after it changed, whoever changed it; the others stay as they are.
 */
import { parseRdata, type Rdata } from '../../agent/standards/dns-text.ts'
import { toRdata, typeCodes } from '../../agent/standards/dns-wire.ts'
import type { StoredZone } from './rows.ts'

export type WireRRset = {
  readonly type: number
  readonly ttl: number
  readonly rdatas: readonly Uint8Array[]
  /** Names that the values point to, for the alias chain and the additional section. */
  readonly targets: readonly string[]
}

/** RRsets of one name by type; an empty non-terminal has none (RFC 4592 section 2.2.2). */
export type ZoneNode = ReadonlyMap<number, WireRRset>

export type IndexedZone = {
  readonly apex: string
  readonly nodes: ReadonlyMap<string, ZoneNode>
  /** The SOA for negative answers, its TTL bounded by its minimum (RFC 2308 section 3). Undefined: not yet complete. */
  readonly negative: WireRRset | undefined
}

/** What the index reads from. */
export interface ZoneSource {
  dataVersion(): number
  changedSince(
    revision: number,
  ): readonly { readonly apex: string; readonly number: number; readonly exists: boolean }[]
  readZone(apex: string): StoredZone | undefined
}

function targetsOf(rdata: Rdata): readonly string[] {
  switch (rdata.type) {
    case 'NS':
    case 'CNAME':
    case 'SRV':
      return [rdata.target]
    case 'MX':
      return [rdata.exchange]
    default:
      return []
  }
}

/** Values that do not parse, as a third party may leave them, are not served. */
function toWire(type: keyof typeof typeCodes, ttl: number, values: readonly string[], serial: number): WireRRset {
  const rdatas = values.map(value => parseRdata(type, value)).filter(rdata => rdata !== undefined)
  const seconds = Math.min(Math.max(Math.trunc(ttl), 0), 2 ** 31 - 1) // RFC 2181 section 8
  return {
    type: typeCodes[type],
    ttl: seconds,
    rdatas: rdatas.map(rdata => toRdata(rdata, serial)),
    targets: rdatas.flatMap(targetsOf),
  }
}

export function buildZone(apex: string, { serial, rrsets }: StoredZone): IndexedZone {
  const nodes = new Map<string, Map<number, WireRRset>>([[apex, new Map()]])
  let negative: WireRRset | undefined
  for (const { owner, type, ttl, values } of rrsets) {
    if (!(type in typeCodes) || (owner !== apex && !owner.endsWith(`.${apex}`))) continue
    const rrset = toWire(type, ttl, values, serial)
    if (rrset.rdatas.length === 0) continue
    for (let name = owner; !nodes.has(name); name = name.slice(name.indexOf('.') + 1)) nodes.set(name, new Map())
    nodes.get(owner)?.set(rrset.type, rrset)
    const soa = type === 'SOA' && owner === apex ? parseRdata('SOA', values[0] ?? '') : undefined
    if (soa?.type === 'SOA') negative = { ...rrset, ttl: Math.min(rrset.ttl, soa.times[3]) }
  }
  return { apex, nodes, negative }
}

export interface ZoneIndex {
  /** The zone that a name belongs to, the deepest of those that are here. */
  zoneOf(name: string): IndexedZone | undefined
}

export class StoredZoneIndex implements ZoneIndex {
  readonly #source: ZoneSource
  /** Null: known, not built yet. */
  readonly #zones = new Map<string, IndexedZone | null>()
  #dataVersion = -1
  #revision = 0

  constructor(source: ZoneSource) {
    this.#source = source
    this.refresh()
  }

  /** Forgets what changed since the last time. Call it after a write of this process. */
  refresh(): void {
    // Read before the changes: what is written in between is seen again next time.
    this.#dataVersion = this.#source.dataVersion()
    for (const { apex, number, exists } of this.#source.changedSince(this.#revision)) {
      if (exists) this.#zones.set(apex, null)
      else this.#zones.delete(apex)
      this.#revision = number
    }
  }

  zoneOf(name: string): IndexedZone | undefined {
    if (this.#source.dataVersion() !== this.#dataVersion) this.refresh()
    for (let apex = name; ; apex = apex.slice(apex.indexOf('.') + 1)) {
      const zone = this.#zones.get(apex)
      if (zone !== undefined) return zone ?? this.#build(apex)
      if (!apex.includes('.')) return undefined
    }
  }

  #build(apex: string): IndexedZone | undefined {
    const stored = this.#source.readZone(apex)
    if (stored === undefined) return undefined
    const zone = buildZone(apex, stored)
    this.#zones.set(apex, zone)
    return zone
  }
}
