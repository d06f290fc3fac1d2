/**
 * The marks of a zone (R21): one TXT RRset at `_mailwarden.<zone>` that names each RRset of ours, and the zone itself,
 * with its mark. It changes in the same UPDATE as the RRset that it speaks of, and is shown to nobody as a resource. Pure.
 */
import { sha256 } from '../../agent/core/digest.ts'
import type { UpdateStep } from '../../agent/standards/dns-update.ts'
import { fromRdata, toRdata, typeCodes } from '../../agent/standards/dns-wire.ts'

export const marksTtl = 60 // nobody looks them up but us, and we ask the server itself
const recordsMax = 64 // BIND takes 100 records to an RRset by default; more marks share a record

export const marksOwner = (apex: string): string => `_mailwarden.${apex}`

/** What a mark is on: an RRset as `<owner> <type>`, or the zone. */
export type Marked = string
export const markedZone: Marked = '. zone'
export const markedRRset = (owner: string, type: string): Marked => `${owner} ${type}`

type MarkRecord = { readonly rdata: Buffer; readonly entries: ReadonlyMap<Marked, string> }

export type Marks = {
  readonly of: ReadonlyMap<Marked, string>
  readonly records: readonly MarkRecord[]
  /** Every record of the RRset, those too that say nothing to us: a prerequisite names them all. */
  readonly rdata: readonly Buffer[]
}

export const noMarks: Marks = { of: new Map(), records: [], rdata: [] }

/** Owners stand relative to the apex, `@` for itself, without blanks (they are escaped): three words for each mark. */
function toText(apex: string, entries: Iterable<readonly [Marked, string]>): string {
  const relative = (marked: Marked) => {
    const [owner = '', type = ''] = marked.split(' ')
    if (owner === apex) return `@ ${type}`
    return owner.endsWith(`.${apex}`) ? `${owner.slice(0, -apex.length - 1)} ${type}` : marked
  }
  return [...entries].map(([marked, mark]) => `${relative(marked)} ${mark}`).join(' ')
}

function toEntries(apex: string, text: string): Map<Marked, string> | undefined {
  const words = text.split(' ')
  if (words.length % 3 !== 0 || words.includes('')) return undefined
  const entries = new Map<Marked, string>()
  for (let at = 0; at < words.length; at += 3) {
    const [owner = '', type = '', mark = ''] = words.slice(at, at + 3)
    const marked = `${owner} ${type}`
    entries.set(marked === markedZone ? marked : markedRRset(owner === '@' ? apex : `${owner}.${apex}`, type), mark)
  }
  return entries
}

/** The same for ever, so that a change of one mark touches one record. */
function bucketOf(marked: Marked): number {
  return Number.parseInt(sha256(marked).slice(0, 8), 16) % recordsMax
}

/** Texts of the records that hold these marks. */
export function marksTexts(apex: string, entries: Iterable<readonly [Marked, string]>): string[] {
  const buckets = new Map<number, [Marked, string][]>()
  for (const [marked, mark] of [...entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const bucket = buckets.get(bucketOf(marked))
    if (bucket === undefined) buckets.set(bucketOf(marked), [[marked, mark]])
    else bucket.push([marked, mark])
  }
  return [...buckets.values()].map(bucket => toText(apex, bucket))
}

export function readMarks(apex: string, rdata: readonly Buffer[]): Marks {
  const records = rdata.flatMap((octets): MarkRecord[] => {
    const value = fromRdata(typeCodes.TXT, octets)
    const entries = value?.type === 'TXT' ? toEntries(apex, value.text) : undefined
    return entries === undefined ? [] : [{ rdata: octets, entries }]
  })
  return { of: new Map(records.flatMap(({ entries }) => [...entries])), records, rdata }
}

/** What makes the marks so. @param wanted null for a mark that goes. */
export function markSteps(apex: string, marks: Marks, wanted: ReadonlyMap<Marked, string | null>): UpdateStep[] {
  const changed = [...wanted].filter(([marked, mark]) => (marks.of.get(marked) ?? null) !== mark)
  if (changed.length === 0) return []
  const buckets = new Set(changed.map(([marked]) => bucketOf(marked)))
  const touched = marks.records.filter(({ entries }) =>
    [...entries.keys()].some(marked => buckets.has(bucketOf(marked))),
  )
  const next = new Map<Marked, string | null>([...touched.flatMap(({ entries }) => [...entries]), ...changed])
  const kept = [...next].flatMap(([marked, mark]) => (mark === null ? [] : [[marked, mark] as const]))
  const record = { owner: marksOwner(apex), type: 'TXT' } as const
  return [
    ...touched.map(({ rdata }): UpdateStep => ({ step: 'delete-record', ...record, rdata })),
    ...marksTexts(apex, kept).map(
      (text): UpdateStep => ({ step: 'add', ...record, ttl: marksTtl, rdata: toRdata({ type: 'TXT', text }, 0) }),
    ),
  ]
}
