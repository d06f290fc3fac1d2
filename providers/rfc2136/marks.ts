/**
 * The marks of a zone (R21): a TXT record for each RRset of ours that names it with its mark, at a name of its own below
 * `_mailwarden.<zone>`, and one for the zone itself at `_mailwarden.<zone>`. A mark changes in the same UPDATE as the
 * RRset that it speaks of, and is shown to nobody as a resource. Pure.
 */
import { sha256 } from '../../agent/core/digest.ts'
import type { ZoneFileRRset } from '../../agent/standards/dns-text.ts'
import type { Prerequisite, UpdateStep } from '../../agent/standards/dns-update.ts'
import { fromRdata, toRdata, typeCodes } from '../../agent/standards/dns-wire.ts'

export const marksTtl = 60 // nobody looks them up but us, and we ask the server itself
const labelLength = 16 // 64 bits; two RRsets with one label share a name, and nothing is lost by it
const labelForm = /^[0-9a-f]{16}$/

/** Where the mark of the zone itself stands. */
export const marksOwner = (apex: string): string => `_mailwarden.${apex}`

/** What a mark is on: an RRset as `<owner> <type>`, or the zone. */
export type Marked = string
export const markedZone: Marked = '. zone'
export const markedRRset = (owner: string, type: string): Marked => `${owner} ${type}`

type MarkRecord = { readonly mark: string; readonly owner: string; readonly rdata: Buffer }

export type Marks = {
  readonly of: ReadonlyMap<Marked, MarkRecord>
  /** Every record of each RRset of marks, by owner, those too that say nothing to us: a prerequisite names them all. */
  readonly at: ReadonlyMap<string, readonly Buffer[]>
}

export const noMarks: Marks = { of: new Map(), at: new Map() }

function ownerOf(apex: string, marked: Marked): string {
  return marked === markedZone ? marksOwner(apex) : `${sha256(marked).slice(0, labelLength)}.${marksOwner(apex)}`
}

/** Owners stand relative to the apex, `@` for itself, without blanks (they are escaped): three words for each mark. */
function toText(apex: string, marked: Marked, mark: string): string {
  const [owner = '', type = ''] = marked.split(' ')
  if (owner === apex) return `@ ${type} ${mark}`
  return `${owner.endsWith(`.${apex}`) ? owner.slice(0, -apex.length - 1) : owner} ${type} ${mark}`
}

function toEntry(apex: string, octets: Buffer): readonly [Marked, string] | undefined {
  const value = fromRdata(typeCodes.TXT, octets)
  const words = value?.type === 'TXT' ? value.text.split(' ') : []
  const [owner = '', type = '', mark = ''] = words
  if (words.length !== 3 || words.includes('')) return undefined
  if (`${owner} ${type}` === markedZone) return [markedZone, mark]
  if (!Object.hasOwn(typeCodes, type)) return undefined
  return [markedRRset(owner === '@' ? apex : `${owner}.${apex}`, type), mark]
}

/** RRsets with these marks, for a zone file. */
export function marksRRsets(apex: string, entries: Iterable<readonly [Marked, string]>): ZoneFileRRset[] {
  const values = new Map<string, string[]>()
  for (const [marked, mark] of entries) {
    const owner = ownerOf(apex, marked)
    values.set(owner, [...(values.get(owner) ?? []), toText(apex, marked, mark)])
  }
  return [...values].map(([owner, values]) => ({ owner, type: 'TXT', ttl: marksTtl, values }))
}

/** Whether an RRset is one of marks, and so no resource: by its name, and below the zone's mark by all that it says. */
export function isOfMarks(apex: string, owner: string, type: number, rdata: readonly Buffer[]): boolean {
  if (type !== typeCodes.TXT || !owner.endsWith(marksOwner(apex))) return false
  if (owner === marksOwner(apex)) return true
  const label = owner.slice(0, -marksOwner(apex).length - 1)
  return labelForm.test(label) && rdata.every(octets => toEntry(apex, octets) !== undefined)
}

/** A name at which nothing but marks may stand. */
export function isMarksOwner(apex: string, owner: string): boolean {
  return owner === marksOwner(apex) || owner.endsWith(`.${marksOwner(apex)}`)
}

/** @param rrsets those of marks. */
export function readMarks(apex: string, rrsets: ReadonlyMap<string, readonly Buffer[]>): Marks {
  const of = new Map<Marked, MarkRecord>()
  for (const [owner, records] of rrsets)
    for (const rdata of records) {
      const entry = toEntry(apex, rdata)
      if (entry !== undefined) of.set(entry[0], { mark: entry[1], owner, rdata })
    }
  return { of, at: rrsets }
}

/** Nobody has touched these marks, nor put any where there are none. */
export function marksPrerequisites(apex: string, marks: Marks, markeds: readonly Marked[]): Prerequisite[] {
  return markeds.map(marked => {
    const owner = marks.of.get(marked)?.owner ?? ownerOf(apex, marked)
    const rdata = marks.at.get(owner)
    return rdata === undefined
      ? { needs: 'rrset-absent', owner, type: 'TXT' }
      : { needs: 'rrset-is', owner, type: 'TXT', rdata }
  })
}

/** What makes the marks so. @param wanted null for a mark that goes. */
export function markSteps(apex: string, marks: Marks, wanted: ReadonlyMap<Marked, string | null>): UpdateStep[] {
  return [...wanted].flatMap(([marked, mark]): UpdateStep[] => {
    const before = marks.of.get(marked)
    if ((before?.mark ?? null) === mark) return []
    const record = { owner: before?.owner ?? ownerOf(apex, marked), type: 'TXT' } as const
    const text = mark === null ? undefined : toText(apex, marked, mark)
    return [
      ...(before === undefined ? [] : [{ step: 'delete-record', ...record, rdata: before.rdata } as const]),
      ...(text === undefined
        ? []
        : [{ step: 'add', ...record, ttl: marksTtl, rdata: toRdata({ type: 'TXT', text }, 0) } as const]),
    ]
  })
}
