/**
 * Who holds which account, as a person tells it: CSV (RFC 4180) with a header line that names the columns `account`,
 * `name`, `id`, `post`, `purpose`, `category`. Commas or semicolons. Pure.
 */
import type { ImportedHolder, Left } from '../estate.ts'

const columns = ['name', 'id', 'post', 'purpose', 'category'] as const

export function readHolders(
  text: string,
  file: string,
): { readonly holders: ReadonlyMap<string, ImportedHolder>; readonly left: readonly Left[] } {
  const [header, ...rows] = readCsv(text.replace(/^\ufeff/, ''))
  const names = header?.cells.map(cell => cell.trim().toLowerCase()) ?? []
  const at = names.indexOf('account')
  const left: Left[] = []
  const holders = new Map<string, ImportedHolder>()
  if (at < 0) return { holders, left: [{ where: `${file}:1`, what: 'account', reason: 'syntax' }] }
  for (const { line, cells } of rows) {
    const account = cells[at]?.trim().toLowerCase() ?? ''
    if (cells.length !== names.length || account === '' || holders.has(account)) {
      left.push({ where: `${file}:${line}`, what: account, reason: holders.has(account) ? 'taken' : 'syntax' })
      continue
    }
    const told = columns.flatMap(column => {
      const cell = cells[names.indexOf(column)]?.trim() ?? ''
      return cell === '' ? [] : [[column, cell] as const]
    })
    holders.set(account, Object.fromEntries(told))
  }
  return { holders, left }
}

type Row = { readonly line: number; readonly cells: string[] }

function readCsv(text: string): Row[] {
  const first = text.split(/\r?\n/, 1)[0] ?? ''
  const comma = first.includes(';') && !first.includes(',') ? ';' : ','
  const rows: Row[] = []
  let line = 1
  let row: Row = { line, cells: [''] }
  let quoted = false
  const append = (more: string) => row.cells.push(`${row.cells.pop() ?? ''}${more}`)
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? ''
    if (character === '\n') line += 1
    if (character === '"') {
      if (quoted && text[at + 1] === '"') {
        append('"')
        at += 1
      } else quoted = !quoted
    } else if (!quoted && character === comma) row.cells.push('')
    else if (!quoted && (character === '\n' || character === '\r')) {
      if (row.cells.length > 1 || row.cells[0] !== '') rows.push(row)
      row = { line, cells: [''] }
    } else append(character)
  }
  if (row.cells.length > 1 || row.cells[0] !== '') rows.push(row)
  return rows
}
