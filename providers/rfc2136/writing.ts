/**
 * From changes of one zone to one UPDATE (RFC 2136), with prerequisites that say exactly what was seen, so that an edit
 * in between is refused by the server itself. Pure. Nothing is sent that a server would pass over in silence: that would
 * come back as done (RFC 2136 section 3.4.2.2: an alias beside other data, an older SOA; 3.4.2.4: the last NS).
 */
import type { RecordType, RRsetResource } from '../../agent/model/resource.ts'
import { messageOctetsMax } from '../../agent/standards/dns-message.ts'
import { formatRdata, parseRdata, type Rdata } from '../../agent/standards/dns-text.ts'
import {
  type Prerequisite,
  prerequisiteRecords,
  stepRecord,
  type Update,
  type UpdateStep,
  updateOverhead,
} from '../../agent/standards/dns-update.ts'
import { fromRdata, toRdata, typeCodes } from '../../agent/standards/dns-wire.ts'
import type { MarkedChange } from '../provider.ts'
import { markedRRset, markedZone, markSteps, marksPrerequisites } from './marks.ts'
import { placeholderRdata, placeholderTtl, type SeenRRset, type SeenZone } from './zone-content.ts'

const updateRecordsMax = 200 // larger messages gain nothing, and a refusal then concerns fewer neighbours
const staleMarksMax = 20
const soaTailOctets = 20 // serial, refresh, retry, expire, minimum
const nextSerial = (serial: number) => (serial === 0xffff_ffff ? 1 : serial + 1)
const updateOctetsMax = messageOctetsMax - 1_024 // room for the TSIG, whose key name may take 255 octets

export type RRsetChange = MarkedChange<RRsetResource>
/** Changes that go in one message or not at all. */
export type Unit = readonly RRsetChange[]

export const resourceOf = ({ change }: RRsetChange): RRsetResource => change.after ?? change.before

const keyOf = (resource: RRsetResource) => markedRRset(resource.owner, resource.type)

/** An alias takes the place of other records only in the message that takes those away (RFC 1034 section 3.6.2). */
export function toUnits(changes: readonly RRsetChange[]): Unit[] {
  const aliased = new Set(changes.map(resourceOf).flatMap(({ owner, type }) => (type === 'CNAME' ? [owner] : [])))
  const units = new Map<string, RRsetChange[]>()
  for (const change of changes) {
    const resource = resourceOf(change)
    const key = aliased.has(resource.owner) ? resource.owner : keyOf(resource)
    const earlier = units.get(key)
    if (earlier === undefined) units.set(key, [change])
    else earlier.push(change)
  }
  return [...units.values()]
}

/** Why a unit cannot stand in the zone beside what is there; undefined when it can. */
export function clashOf(zone: SeenZone, unit: Unit): string | undefined {
  const owner = unit[0] === undefined ? '' : resourceOf(unit[0]).owner
  const types = new Set(zone.typesAt.get(owner))
  for (const { change } of unit) {
    if (change.after === null) types.delete(change.before.type)
    else types.add(change.after.type)
  }
  if (!types.has('CNAME') || types.size === 1) return undefined
  return 'an alias and other records cannot stand at one name'
}

type Pieces = {
  readonly prerequisites: readonly Prerequisite[]
  readonly removals: readonly UpdateStep[]
  readonly additions: readonly UpdateStep[]
}

function piecesOf(zone: SeenZone, marked: RRsetChange): Pieces {
  const { change } = marked
  const { owner, type } = resourceOf(marked)
  const found = zone.shown.get(markedRRset(owner, type)) ?? zone.placeholders.get(markedRRset(owner, type))
  const rdatas = (change.after?.values ?? []).flatMap(value => parseRdata(type, value) ?? [])
  const ttl = change.after?.ttl ?? placeholderTtl
  const add = (rdata: Rdata): UpdateStep => {
    // RFC 2136 section 3.4.2.2: a SOA is taken when its serial is newer (RFC 1982).
    return { step: 'add', owner, type, ttl, rdata: toRdata(rdata, nextSerial(zone.serial)) }
  }
  const steps = ((): Pick<Pieces, 'removals' | 'additions'> => {
    if (type === 'SOA')
      return { removals: [], additions: (rdatas.length > 0 ? rdatas : [placeholderRdata(type)]).map(add) }
    if (type === 'NS' && owner === zone.apex) {
      // The RRset as a whole can't be deleted at the apex, nor its last record: new ones come first.
      const wanted = rdatas.length > 0 ? rdatas : [placeholderRdata(type)]
      const texts = new Set(wanted.map(formatRdata))
      const stale = (found?.rdata ?? []).filter(rdata => !texts.has(textOf(type, rdata)))
      const without = (rdata: Buffer): UpdateStep => ({ step: 'delete-record', owner, type, rdata })
      // Knot keeps the TTL of an RRset unless a record comes that is new to it.
      const passing = found === undefined || found.ttl === ttl ? [] : [placeholderRdata(type)]
      const goes = passing.filter(rdata => !texts.has(formatRdata(rdata))).map(rdata => without(toRdata(rdata, 0)))
      return { removals: [], additions: [...[...passing, ...wanted].map(add), ...stale.map(without), ...goes] }
    }
    return { removals: found === undefined ? [] : [{ step: 'delete-rrset', owner, type }], additions: rdatas.map(add) }
  })()
  return { ...steps, prerequisites: prerequisitesOf(zone, marked, found) }
}

function textOf(type: RecordType, octets: Buffer): string {
  const rdata = fromRdata(typeCodes[type], octets)
  return rdata === undefined ? '' : formatRdata(rdata)
}

function prerequisitesOf(zone: SeenZone, marked: RRsetChange, found: SeenRRset | undefined): Prerequisite[] {
  const { owner, type } = resourceOf(marked)
  if (found !== undefined) return [{ needs: 'rrset-is', owner, type, rdata: found.rdata }]
  const standing = new Set(zone.typesAt.get(owner))
  const absent = (type: RecordType): Prerequisite => ({ needs: 'rrset-absent', owner, type })
  if (type !== 'CNAME') return [absent(type), ...(standing.has('CNAME') ? [] : [absent('CNAME')])]
  if (standing.size === 0) return [{ needs: 'name-unused', owner }]
  const types = Object.keys(typeCodes) as RecordType[]
  return types.filter(other => !standing.has(other)).map(absent)
}

const markAfter = ({ change, mark }: RRsetChange): string | null => (change.after === null ? null : mark)

export type Filled = { readonly taken: readonly Unit[]; readonly update: Update }

/** Whether nobody has written into the zone since it was read, or only not where we write. */
export type Lock = 'whole-zone' | 'what-is-written'

type Draft = { readonly prerequisites: readonly Prerequisite[]; readonly steps: readonly UpdateStep[] }

/**
 * Marks of RRsets that somebody removed. Left there, they would make ours what is put in that place; a few at a time, so
 * that there is room for what is to be written.
 */
function staleMarks({ apex, shown, marks }: SeenZone, units: readonly Unit[]): Draft {
  const gone = [...marks.of.keys()].filter(marked => marked !== markedZone && !shown.has(marked))
  const written = gone.length === 0 ? null : new Set(units.flat().map(change => keyOf(resourceOf(change))))
  const stale = gone.filter(marked => written?.has(marked) !== true).slice(0, staleMarksMax)
  const absent = stale.map((marked): Prerequisite => {
    const [owner = '', type = ''] = marked.split(' ')
    return { needs: 'rrset-absent', owner, type: type as RecordType }
  })
  return {
    prerequisites: [...absent, ...marksPrerequisites(apex, marks, stale)],
    steps: markSteps(apex, marks, new Map(stale.map(marked => [marked, null]))),
  }
}

/** The zone's own mark, where it has none. */
export function toZoneMark({ apex, marks }: SeenZone, mark: string): Update {
  return {
    zone: apex,
    prerequisites: marksPrerequisites(apex, marks, [markedZone]),
    steps: markSteps(apex, marks, new Map([[markedZone, mark]])),
  }
}

function distinct(prerequisites: readonly Prerequisite[]): Prerequisite[] {
  const keyed = prerequisites.map(one => [`${one.owner} ${one.needs === 'name-unused' ? '' : one.type}`, one] as const)
  return [...new Map(keyed).values()]
}

/**
 * One UPDATE with as many units as it takes, from the first on; undefined when not even the first fits.
 * @param lock a TTL changes without a prerequisite on the RRset noticing (RFC 2136 section 2.4.2); the serial tells.
 */
export function fillUpdate(zone: SeenZone, units: readonly Unit[], lock: Lock): Filled | undefined {
  const { apex, marks } = zone
  const soa: Prerequisite = { needs: 'rrset-is', owner: apex, type: 'SOA', rdata: [zone.soa] }
  const stale = staleMarks(zone, units)
  const always = {
    prerequisites: [...(lock === 'whole-zone' ? [soa] : []), ...stale.prerequisites],
    steps: stale.steps,
  }
  const pieces: Pieces[] = []
  const markers: UpdateStep[] = []
  const taken: Unit[] = []
  let octets = updateOverhead(apex) + octetsOf(always)
  let records = 0
  for (const unit of units) {
    const own = unit.map(change => piecesOf(zone, change))
    const wanted = new Map(unit.map(change => [keyOf(resourceOf(change)), markAfter(change)]))
    const marking = {
      prerequisites: marksPrerequisites(apex, marks, [...wanted.keys()]),
      steps: markSteps(apex, marks, wanted),
    }
    const drafts = [
      ...own.map(({ prerequisites, removals, additions }) => ({ prerequisites, steps: [...removals, ...additions] })),
      marking,
    ]
    octets += drafts.reduce((sum, draft) => sum + octetsOf(draft), 0)
    records += drafts.reduce((sum, { steps }) => sum + steps.length, 0)
    if (octets > updateOctetsMax || (taken.length > 0 && records > updateRecordsMax)) break
    taken.push(unit)
    pieces.push(...own, { prerequisites: marking.prerequisites, removals: [], additions: [] })
    markers.push(...marking.steps)
  }
  if (taken.length === 0) return undefined
  const additions = pieces.flatMap(piece => piece.additions)
  const isAddress = (step: UpdateStep) => step.type === 'A' || step.type === 'AAAA'
  const update = {
    zone: apex,
    prerequisites: distinct([...always.prerequisites, ...pieces.flatMap(piece => piece.prerequisites)]),
    steps: [
      ...pieces.flatMap(piece => piece.removals),
      // BIND looks for the addresses of targets within the zone.
      ...additions.filter(isAddress),
      ...additions.filter(step => !isAddress(step)),
      ...always.steps,
      ...markers,
    ],
  }
  return { taken, update }
}

/** The zone as one more UPDATE will find it, but for what this one wrote; undefined when that is not to be told. */
export function zoneAfter(zone: SeenZone, { taken, update }: Filled): SeenZone | undefined {
  if (taken.flat().some(change => resourceOf(change).type === 'SOA')) return undefined
  const serial = nextSerial(zone.serial)
  const soa = Buffer.from(zone.soa)
  soa.writeUInt32BE(serial, soa.length - soaTailOctets)
  const written = new Set(update.steps.map(({ owner }) => owner))
  const of = new Map([...zone.marks.of].filter(([, { owner }]) => !written.has(owner)))
  return { ...zone, serial, soa, marks: { ...zone.marks, of } }
}

function octetsOf({ prerequisites, steps }: Draft): number {
  let octets = 0
  for (const prerequisite of prerequisites)
    for (const record of prerequisiteRecords(prerequisite)) octets += record.length
  for (const step of steps) octets += stepRecord(step).length
  return octets
}
