/**
 * Where marks stand. A zone's is its account, the one field that is stored in the same step as the zone itself and that
 * the cheap list shows. An RRset's is a comment of account `mailwarden`; where the back end keeps no comments (lmdb in
 * 4.7 refuses them), a list: disabled TXT records of `_mailwarden.<zone>`, never served, written in the same request as
 * the RRsets that they mark. Both places are read, whichever is written. Pure.
 */
import { splitText } from '../../agent/standards/dns-text.ts'
import { textOf } from './content.ts'
import type { FoundZone, WireComment, WireRecord, WireRRset } from './reply.ts'

export type MarkPlace = 'comments' | 'list'

export const commentAccount = 'mailwarden'
const entryWord = 'mailwarden-mark'
const commentingBackends = new Set(['gsqlite3', 'gmysql', 'gpgsql', 'godbc'])

/** The list works with every back end, so it is taken where the back ends aren't known to keep comments. */
export function markPlaceOf(launch: readonly string[] | undefined): MarkPlace {
  const known = launch !== undefined && launch.length > 0 && launch.every(backend => commentingBackends.has(backend))
  return known ? 'comments' : 'list'
}

/** An account that somebody gave a zone of theirs is no mark. */
export function zoneMark({ account }: { readonly account: string }): string | null {
  return /^mw\d+:/.test(account) ? account : null
}

export function isMark({ account }: WireComment): boolean {
  return account === commentAccount
}

export function markList(apex: string): { readonly owner: string; readonly type: 'TXT' } {
  return { owner: `_mailwarden.${apex}`, type: 'TXT' }
}

export function isMarkList(apex: string, { owner, type }: { readonly owner: string; readonly type: string }): boolean {
  const list = markList(apex)
  return owner === list.owner && type === list.type
}

export function rrsetKey({ owner, type }: { readonly owner: string; readonly type: string }): string {
  return `${owner}/${type}`
}

/** One entry of the list; undefined for a record that is none. */
export function parseEntry(record: WireRecord): { readonly key: string; readonly mark: string } | undefined {
  if (!record.disabled) return undefined
  const [word, owner, type, mark, more] = textOf(record.content)?.split(' ') ?? []
  if (word !== entryWord || owner === undefined || type === undefined || mark === undefined || more !== undefined)
    return undefined
  return { key: rrsetKey({ owner, type }), mark }
}

export function formatEntry({ owner, type }: { owner: string; type: string }, mark: string): WireRecord {
  const strings = splitText(`${entryWord} ${owner} ${type} ${mark}`)
  const content = strings.map(octets => `"${Buffer.from(octets).toString('latin1').replace(/["\\]/g, '\\$&')}"`)
  return { content: content.join(' '), disabled: true }
}

/** The marks of the list, by owner and type. */
export function listedMarks({ apex, rrsets }: FoundZone): Map<string, string> {
  const list = rrsets.find(rrset => isMarkList(apex, rrset))
  const entries = list?.records.map(parseEntry).filter(entry => entry !== undefined) ?? []
  return new Map(entries.map(({ key, mark }) => [key, mark]))
}

export function commentMark({ comments }: WireRRset): string | null {
  return comments.find(isMark)?.content ?? null
}
