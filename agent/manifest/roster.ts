/**
 * Staff lists: CSV (RFC 4180) with a header line that names the columns `id`, `name`, `post`, `until`. Commas, or
 * semicolons as spreadsheets write them where the comma is the decimal sign. Pure (S35).
 */
import { type Day, isDay } from '../core/clock.ts'

/** Staff number to the last day, null while employed. Of several lines for one person the longest counts. */
export type Roster = ReadonlyMap<string, Day | null>

export type RosterProblem = { readonly line: number; readonly reason: string; readonly found: string }

const linesMax = 100_000 // the largest employer of the system has a fifth of it
const problemsMax = 20

export function parseRoster(text: string): { readonly roster: Roster; readonly problems: readonly RosterProblem[] } {
  const rows = splitRows(text.replace(/^\ufeff/, ''))
  const problems: RosterProblem[] = []
  const members = new Map<string, Day | null>()
  const header = rows[0]?.cells.map(cell => cell.trim().toLowerCase()) ?? []
  const column = { id: header.indexOf('id'), until: header.indexOf('until') }
  if (column.id === -1) return { roster: members, problems: [{ line: 1, reason: 'roster.header', found: '' }] }
  for (const { line, cells, closed } of rows.slice(1)) {
    if (cells.length === 1 && cells[0]?.trim() === '') continue
    const problem = closed ? rowProblem(cells, header.length, column) : { reason: 'roster.quote', found: '' }
    if (problem === undefined) addMember(members, cells[column.id]?.trim() ?? '', cells[column.until]?.trim() ?? '')
    else if (problems.length < problemsMax) problems.push({ line, ...problem })
  }
  if (rows.length > linesMax) problems.push({ line: linesMax, reason: 'roster.long', found: String(linesMax) })
  return { roster: members, problems }
}

function rowProblem(
  cells: readonly string[],
  width: number,
  column: { readonly id: number; readonly until: number },
): { reason: string; found: string } | undefined {
  if (cells.length !== width) return { reason: 'roster.columns', found: String(cells.length) }
  const id = cells[column.id]?.trim() ?? ''
  if (id === '') return { reason: 'roster.id', found: '' }
  const until = cells[column.until]?.trim() ?? ''
  return until === '' || isDay(until) ? undefined : { reason: 'roster.until', found: until }
}

function addMember(members: Map<string, Day | null>, id: string, until: string): void {
  const known = members.get(id)
  if (known === null) return
  const next = until === '' ? null : until
  if (known === undefined || next === null || next > known) members.set(id, next)
}

type Row = { readonly line: number; readonly cells: readonly string[]; readonly closed: boolean }

function splitRows(text: string): readonly Row[] {
  const headerEnd = text.search(/[\r\n]/)
  const header = headerEnd === -1 ? text : text.slice(0, headerEnd)
  const separator = header.includes(';') && !header.includes(',') ? ';' : ','
  const rows: Row[] = []
  let cells: string[] = []
  let line = 1
  let rowLine = 1
  let at = 0
  while (at <= text.length && rows.length <= linesMax) {
    const cell = readCell(text, at, separator)
    cells.push(cell.value)
    line += cell.lines
    const next = text[cell.end]
    if (next === separator) {
      at = cell.end + 1
      continue
    }
    rows.push({ line: rowLine, cells, closed: cell.closed })
    if (next === undefined) break
    at = cell.end + (next === '\r' && text[cell.end + 1] === '\n' ? 2 : 1)
    line += 1
    rowLine = line
    cells = []
  }
  return rows
}

type Cell = { readonly value: string; readonly end: number; readonly lines: number; readonly closed: boolean }

function readCell(text: string, start: number, separator: string): Cell {
  if (text[start] !== '"') {
    let end = start
    while (end < text.length && text[end] !== separator && text[end] !== '\n' && text[end] !== '\r') end += 1
    return { value: text.slice(start, end), end, lines: 0, closed: true }
  }
  let at = start + 1
  while (at < text.length) {
    const quote = text.indexOf('"', at)
    if (quote === -1) break
    if (text[quote + 1] === '"') {
      at = quote + 2
      continue
    }
    const raw = text.slice(start + 1, quote)
    const after = text[quote + 1]
    const closed = after === undefined || after === separator || after === '\n' || after === '\r'
    return { value: raw.replaceAll('""', '"'), end: quote + 1, lines: raw.split('\n').length - 1, closed }
  }
  const rest = text.slice(start + 1)
  return { value: rest, end: text.length, lines: rest.split('\n').length - 1, closed: false }
}
