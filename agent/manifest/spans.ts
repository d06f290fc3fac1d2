/**
 * Where everything in a document stands, by path: what is left of a tree once its values are read. A tree of nodes takes
 * ten times the room, and every document of the estate is kept for as long as its file stays as it is. Pure.
 */
import type { Path, Span, TreeNode } from './tree.ts'

/**
 * One node after the other, the root first: start, end, kind, and of a collection the number of its members with, for each,
 * the cell that its node begins at; of a map before that the number of the key among `keys`, its start and its end.
 */
export type Spans = { readonly cells: Int32Array; readonly keys: readonly string[] }

const [scalar, map, sequence] = [0, 1, 2]
const headCells = 4 // start, end, kind, members
const entryCells = 4 // key, its start, its end, node

export function spansOf(root: TreeNode): Spans {
  const cells: number[] = []
  const keys = new Map<string, number>()
  const numberOf = (key: string) => {
    const known = keys.get(key) ?? keys.size
    keys.set(key, known)
    return known
  }
  const add = (node: TreeNode): number => {
    const at = cells.length
    if (node.kind === 'scalar') cells.push(node.start, node.end, scalar)
    else if (node.kind === 'map') {
      cells.push(node.start, node.end, map, node.entries.size)
      for (const [key, entry] of node.entries) cells.push(numberOf(key), entry.key.start, entry.key.end, 0)
      let place = at + headCells + entryCells - 1
      for (const { value } of node.entries.values()) {
        cells[place] = add(value)
        place += entryCells
      }
    } else {
      cells.push(node.start, node.end, sequence, node.items.length, ...node.items.map(() => 0))
      for (const [index, item] of node.items.entries()) cells[at + headCells + index] = add(item)
    }
    return at
  }
  add(root)
  return { cells: Int32Array.from(cells), keys: [...keys.keys()] }
}

export type Found = { readonly span: Span; readonly path: Path }

/**
 * The span that stands for a path: the value itself; of an empty value or a collection in block form its key, which is
 * where an editor should jump to; of a path that is not there, the nearest that is.
 */
export function locate(spans: Spans, path: Path): Found {
  let node = 0
  let key: Span | undefined
  for (const [depth, step] of path.entries()) {
    const entry = entryOf(spans, node, step)
    const next = entry === undefined ? itemOf(spans, node, step) : cell(spans, entry + entryCells - 1)
    if (next === undefined) return { span: spanOf(spans, node, key), path: path.slice(0, depth) }
    key = entry === undefined ? undefined : keySpan(spans, entry)
    node = next
  }
  return { span: spanOf(spans, node, key), path }
}

/** The span of a key itself, for findings about the key. */
export function locateKey(spans: Spans, path: Path): Found {
  let node: number | undefined = 0
  for (const step of path.slice(0, -1)) {
    if (node === undefined) break
    const entry = entryOf(spans, node, step)
    node = entry === undefined ? itemOf(spans, node, step) : cell(spans, entry + entryCells - 1)
  }
  const last = path.at(-1)
  const entry = node === undefined || last === undefined ? undefined : entryOf(spans, node, last)
  return entry === undefined ? locate(spans, path) : { span: keySpan(spans, entry), path }
}

const cell = ({ cells }: Spans, at: number): number => cells[at] ?? 0

/** The cell that an entry of a map begins at. */
function entryOf(spans: Spans, node: number, step: string | number): number | undefined {
  if (cell(spans, node + 2) !== map) return undefined
  const wanted = spans.keys.indexOf(String(step))
  if (wanted < 0) return undefined
  const end = node + headCells + cell(spans, node + 3) * entryCells
  for (let at = node + headCells; at < end; at += entryCells) if (cell(spans, at) === wanted) return at
  return undefined
}

/** The cell that a member of a sequence begins at. */
function itemOf(spans: Spans, node: number, step: string | number): number | undefined {
  const index = Number(step)
  if (cell(spans, node + 2) !== sequence || !(index >= 0 && index < cell(spans, node + 3))) return undefined
  return cell(spans, node + headCells + index)
}

const keySpan = (spans: Spans, entry: number): Span => ({ start: cell(spans, entry + 1), end: cell(spans, entry + 2) })

function spanOf(spans: Spans, node: number, key: Span | undefined): Span {
  const [start, end] = [cell(spans, node), cell(spans, node + 1)]
  const kind = cell(spans, node + 2)
  if (kind === scalar) return start === end && key !== undefined ? key : { start, end }
  if (key !== undefined) return key
  const isFilledMap = kind === map && cell(spans, node + 3) > 0
  return isFilledMap ? keySpan(spans, node + headCells) : { start, end: start + 1 }
}
