/**
 * DNS UPDATE messages: RFC 2136. The server holds every prerequisite against the zone and makes all of the updates or
 * none, at once: whoever writes says what it saw, and an edit in between is refused by the server itself. Pure.
 */
import type { RecordType } from '../model/resource.ts'
import { classIn, headerOctets } from './dns-message.ts'
import { nameOctets, numbers, typeCodes } from './dns-wire.ts'

const opcodeUpdate = 5
const classNone = 254
const classAny = 255
const typeSoa = 6
const typeAny = 255

/** RFC 2136 section 2.4. Values are held against the whole RRset, without its TTL. */
export type Prerequisite =
  | { readonly needs: 'rrset-is'; readonly owner: string; readonly type: RecordType; readonly rdata: readonly Buffer[] }
  | { readonly needs: 'rrset-absent'; readonly owner: string; readonly type: RecordType }
  | { readonly needs: 'name-unused'; readonly owner: string }

/** RFC 2136 section 2.5, done in the order given. */
export type UpdateStep =
  | {
      readonly step: 'add'
      readonly owner: string
      readonly type: RecordType
      readonly ttl: number
      readonly rdata: Buffer
    }
  | { readonly step: 'delete-rrset'; readonly owner: string; readonly type: RecordType }
  | { readonly step: 'delete-record'; readonly owner: string; readonly type: RecordType; readonly rdata: Buffer }

function record(owner: string, type: number, cls: number, ttl: number, rdata: Buffer): Buffer {
  const name = nameOctets(owner)
  const octets = Buffer.alloc(name.length + 10 + rdata.length)
  let at = name.copy(octets)
  at = octets.writeUInt16BE(type, at)
  at = octets.writeUInt16BE(cls, at)
  at = octets.writeUInt32BE(ttl, at)
  at = octets.writeUInt16BE(rdata.length, at)
  rdata.copy(octets, at)
  return octets
}

const empty = Buffer.alloc(0)

/** One record for each value; one with nothing for an absence. */
export function prerequisiteRecords(prerequisite: Prerequisite): Buffer[] {
  const { owner } = prerequisite
  switch (prerequisite.needs) {
    case 'rrset-is':
      return prerequisite.rdata.map(rdata => record(owner, typeCodes[prerequisite.type], classIn, 0, rdata))
    case 'rrset-absent':
      return [record(owner, typeCodes[prerequisite.type], classNone, 0, empty)]
    case 'name-unused':
      return [record(owner, typeAny, classNone, 0, empty)]
  }
}

export function stepRecord(step: UpdateStep): Buffer {
  const type = typeCodes[step.type]
  switch (step.step) {
    case 'add':
      return record(step.owner, type, classIn, step.ttl, step.rdata)
    case 'delete-rrset':
      return record(step.owner, type, classAny, 0, empty)
    case 'delete-record':
      return record(step.owner, type, classNone, 0, step.rdata)
  }
}

export type Update = {
  readonly zone: string
  readonly prerequisites: readonly Prerequisite[]
  readonly steps: readonly UpdateStep[]
}

export function encodeUpdate(id: number, { zone, prerequisites, steps }: Update): Buffer {
  const needed = prerequisites.flatMap(prerequisiteRecords)
  const done = steps.map(stepRecord)
  const counts = numbers([1, 2], [needed.length, 2], [done.length, 2], [0, 2])
  const zoneSection = [nameOctets(zone), numbers([typeSoa, 2], [classIn, 2])]
  return Buffer.concat([numbers([id, 2], [opcodeUpdate << 11, 2]), counts, ...zoneSection, ...needed, ...done])
}

/** The octets of a message around its prerequisites and steps. */
export function updateOverhead(zone: string): number {
  return headerOctets + nameOctets(zone).length + 4
}
