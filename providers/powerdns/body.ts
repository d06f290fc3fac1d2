/**
 * The bodies of the requests that write: all RRsets of a new zone, or all changed RRsets of one that stands. What is
 * not ours in an RRset that we write (disabled records, comments of others) goes along as it was. Pure.
 */
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import type { MarkedChange } from '../provider.ts'
import { nextSerial, serialOf, toContent, withSerial } from './content.ts'
import {
  commentAccount,
  commentMark,
  formatEntry,
  isMark,
  isMarkList,
  type MarkPlace,
  markList,
  parseEntry,
  rrsetKey,
  zoneMark,
} from './marks.ts'
import type { WireComment, WireRecord } from './reply.ts'
import { disabledOf, placeholderSoa, type Standing, toStanding } from './standing.ts'

function isSoa({ change }: MarkedChange<DnsResource>): boolean {
  const resource = change.after ?? change.before
  return resource?.kind === 'rrset' && resource.type === 'SOA'
}

type SentRRset = {
  readonly name: string
  readonly type: string
  readonly changetype: 'REPLACE' | 'DELETE'
  readonly ttl?: number
  readonly records?: readonly WireRecord[]
  /** Absent: the server leaves the comments as they are. */
  readonly comments?: readonly WireComment[]
}

export type PatchBody = { readonly rrsets: readonly SentRRset[] }

const placeholderTtl = 3600
const listTtl = 3600 // never served

/** @param writes of RRsets, one for each owner and type, whose values parse. */
export function patchBody(
  standing: Standing,
  writes: readonly MarkedChange<DnsResource>[],
  place: MarkPlace,
  firstSerial: number,
): PatchBody {
  const { found, wires } = standing
  const apexSoa = wires.get(rrsetKey({ owner: found.apex, type: 'SOA' }))
  const current = serialOf(apexSoa?.records[0]?.content ?? '') ?? firstSerial
  // A server that edits serials raises the one that it is given; the others take it as it is.
  const serial = found.soaEditApi === '' && apexSoa !== undefined ? nextSerial(current) : current
  const soaWrite = writes.find(isSoa)
  // A SOA that goes leaves its place to the filling.
  const going = soaWrite !== undefined && soaWrite.change.after === null
  const sent = writes
    .filter(write => !going || write !== soaWrite)
    .map(write => sentRRset(standing, write, place, serial))
  if (going || soaWrite === undefined) sent.push(...sentSoa(standing, going, place, serial))
  sent.push(...sentList(standing, writes, place))
  return { rrsets: sent.toSorted((a, b) => Number(a.changetype === 'REPLACE') - Number(b.changetype === 'REPLACE')) }
}

/** What makes room comes first; an alias last, so that a refusal of its neighbours' company names the alias. */
export function inOrder(writes: readonly MarkedChange<DnsResource>[]): MarkedChange<DnsResource>[] {
  const rank = ({ change }: MarkedChange<DnsResource>) => {
    if (change.after === null) return 0
    return change.after.kind === 'rrset' && change.after.type === 'CNAME' ? 2 : 1
  }
  return writes.toSorted((a, b) => rank(a) - rank(b))
}

export type NewZone = {
  readonly apex: string
  readonly kind: string
  readonly mark: string
  readonly serial: number
}

export function zoneBody(zone: NewZone, writes: readonly MarkedChange<DnsResource>[], place: MarkPlace) {
  const { apex, kind, mark, serial } = zone
  const empty = toStanding({ apex, kind, account: mark, soaEditApi, dnssec: false, rrsets: [] })
  const rrsets = patchBody(empty, writes, place, serial).rrsets.map(({ changetype: _, ...rrset }) => rrset)
  return { name: dotted(apex), kind, account: mark, nameservers: [], soa_edit_api: soaEditApi, rrsets }
}

/** One more at each request that writes: two within a second are two for the secondaries as well. */
const soaEditApi = 'INCREASE'

function sentRRset(
  { wires }: Standing,
  { change, mark }: MarkedChange<DnsResource>,
  place: MarkPlace,
  serial: number,
): SentRRset {
  const { before, after } = change
  const resource = after ?? before
  if (resource?.kind !== 'rrset') throw new TypeError('only RRsets go into a body')
  const { owner, type, ttl } = resource
  const target = { name: dotted(owner), type }
  const wire = wires.get(rrsetKey(resource))
  const disabled = disabledOf(wire)
  const others = wire?.comments.filter(comment => !isMark(comment)) ?? []
  if (after === null) {
    if (disabled.length === 0 && others.length === 0) return { ...target, changetype: 'DELETE' }
    const left = { ttl: wire?.ttl ?? ttl, records: disabled, ...(place === 'comments' ? { comments: others } : {}) }
    return { ...target, changetype: 'REPLACE', ...left }
  }
  const contents = resource.values.map(value => toContent(type, value, serial) ?? '')
  const records = [
    ...contents.map(content => ({ content, disabled: false })),
    ...disabled.filter(({ content }) => !contents.includes(content)),
  ]
  const commented = place === 'comments' && (wire === undefined || commentMark(wire) !== mark)
  const comments = [...others, { content: mark, account: commentAccount }]
  return { ...target, changetype: 'REPLACE', ttl, records, ...(commented ? { comments } : {}) }
}

/** The SOA where it isn't among the writes: its serial rises where the server doesn't see to it, and it is never absent. */
function sentSoa({ found, wires }: Standing, going: boolean, place: MarkPlace, serial: number): SentRRset[] {
  const wire = wires.get(rrsetKey({ owner: found.apex, type: 'SOA' }))
  const target = { name: dotted(found.apex), type: 'SOA', changetype: 'REPLACE' } as const
  if (wire === undefined || wire.records.length === 0 || going) {
    // A zone of somebody else's that has none is none of our business.
    if (!going && zoneMark(found) === null) return []
    const records = [{ content: toContent('SOA', placeholderSoa, serial) ?? '', disabled: false }]
    const others = wire?.comments.filter(comment => !isMark(comment)) ?? []
    const comments = place === 'comments' ? { comments: others } : {}
    return [{ ...target, ttl: placeholderTtl, records, ...comments }]
  }
  if (found.soaEditApi !== '') return []
  const records = wire.records.map(({ content, disabled }) => ({ content: withSerial(content, serial), disabled }))
  return [{ ...target, ttl: wire.ttl, records }]
}

/** The list of marks where it changes: marks of RRsets that are gone fall out, those that comments carry as well. */
function sentList(standing: Standing, writes: readonly MarkedChange<DnsResource>[], place: MarkPlace): SentRRset[] {
  const { found, wires } = standing
  const { apex } = found
  const marks = new Map([...standing.marks].filter(([key]) => wires.has(key)))
  for (const { change, mark } of writes) {
    const resource = change.after ?? change.before
    if (resource?.kind !== 'rrset') continue
    if (change.after === null || place === 'comments') marks.delete(rrsetKey(resource))
    else marks.set(rrsetKey(resource), mark)
  }
  const wanted = [...marks].map(([key, mark]) => {
    const slash = key.lastIndexOf('/')
    return formatEntry({ owner: key.slice(0, slash), type: key.slice(slash + 1) }, mark)
  })
  const list = found.rrsets.find(rrset => isMarkList(apex, rrset))
  const entries = list?.records.filter(record => parseEntry(record) !== undefined) ?? []
  const text = (records: readonly WireRecord[]) =>
    records
      .map(({ content }) => content)
      .toSorted()
      .join('\n')
  if (text(wanted) === text(entries)) return []
  const others = list?.records.filter(record => parseEntry(record) === undefined) ?? []
  const { owner, type } = markList(apex)
  const records = [...others, ...wanted]
  if (records.length === 0) return [{ name: dotted(owner), type, changetype: 'DELETE' }]
  return [{ name: dotted(owner), type, changetype: 'REPLACE', ttl: list?.ttl ?? listTtl, records }]
}

export function dotted(name: string): string {
  return name === '.' ? name : `${name}.`
}

/** The RRsets that a refusal names, by owner and type; none when it names none. */
export function namedIn(error: string, writes: readonly MarkedChange<DnsResource>[]): MarkedChange<DnsResource>[] {
  return writes.filter(({ change }) => {
    const resource = change.after ?? change.before
    if (resource?.kind !== 'rrset') return false
    const { owner, type } = resource
    // The server escapes less than we do.
    const name = dotted(owner).replace(/\\([^\d.\\])/g, '$1')
    // The words of a record, of an RRset, and of a name alone (RRset by its spelling).
    return [`Record ${name}/${type} `, `RRset ${name} IN ${type}`, `Name '${name}' `].some(words =>
      error.includes(words),
    )
  })
}
