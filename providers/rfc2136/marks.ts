/**
 * The marks of a zone (R21): one TXT RRset at `_mailwarden.<zone>`, a record for each RRset that is ours and one for the
 * zone itself. It changes in the same UPDATE as the RRset that it speaks of, and is shown to nobody as a resource.
 */
import { fromRdata, toRdata, typeCodes } from '../../agent/standards/dns-wire.ts'

export const marksTtl = 60 // nobody looks them up but us, and we ask the server itself

export const marksOwner = (apex: string): string => `_mailwarden.${apex}`

/** What a mark is on: an RRset as `<owner> <type>`, or the zone. */
export type Marked = string
export const markedZone: Marked = 'zone'
export const markedRRset = (owner: string, type: string): Marked => `${owner} ${type}`

export type Marks = {
  readonly of: ReadonlyMap<Marked, { readonly mark: string; readonly rdata: Buffer }>
  /** Every record of the RRset, those too that say nothing to us: a prerequisite names them all. */
  readonly rdata: readonly Buffer[]
}

export const noMarks: Marks = { of: new Map(), rdata: [] }

/** One record. Owners have no blanks (they are escaped), so the mark is what stands after the last one. */
export function markText(marked: Marked, mark: string): string {
  return `${marked} ${mark}`
}

export function markRdata(marked: Marked, mark: string): Buffer {
  return toRdata({ type: 'TXT', text: markText(marked, mark) }, 0)
}

export function readMarks(rdatas: readonly Buffer[]): Marks {
  const of = new Map<Marked, { mark: string; rdata: Buffer }>()
  for (const rdata of rdatas) {
    const value = fromRdata(typeCodes.TXT, rdata)
    const parts = value?.type === 'TXT' ? /^(zone|\S+ \S+) (\S+)$/.exec(value.text) : null
    const [, marked, mark] = parts ?? []
    if (marked !== undefined && mark !== undefined) of.set(marked, { mark, rdata })
  }
  return { of, rdata: rdatas }
}
