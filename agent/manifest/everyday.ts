/**
 * The everyday part of YAML, read in one pass: block maps and lists, flow collections on one line, plain and simply
 * quoted scalars on one line, comments, `---`. Anything else, and anything wrong, is left to the full parser by
 * returning undefined, so that this reader decides no question that has two answers. That both read the same is tested
 * on generated, mutated and hostile text (`test/manifest/everyday.test.ts`). It makes `validate` several times faster.
 * Pure; YAML 1.2 sections 7 and 8.
 */

import type { MapEntry, ScalarNode, TreeNode } from './tree.ts'
import type { YamlDocument } from './yaml-file.ts'

/** The same limits as the full parser has: beyond them it gives the findings. */
const depthMax = 60
const membersMax = 1990
const documentsMax = 1000

/** A line with something on it. `start` is the offset of its first character that is no blank. */
type Line = { readonly begin: number; readonly start: number; readonly end: number; readonly separator: boolean }
type State = { readonly text: string; readonly lines: readonly Line[]; at: number }

export function parseEveryday(text: string): readonly YamlDocument[] | undefined {
  // Tabs, carriage returns and a byte order mark have rules of their own.
  if (/[\t\r\ufeff]/.test(text)) return undefined
  const lines = toLines(text)
  if (lines === undefined) return undefined
  const state: State = { text, lines, at: 0 }
  const documents: YamlDocument[] = []
  while (state.at < lines.length) {
    if (lines[state.at]?.separator) state.at += 1
    const line = lines[state.at]
    if (line === undefined || line.separator || line.start !== line.begin || documents.length > documentsMax) {
      return undefined
    }
    const root = readMap(state, 0, line.start, 0)
    const next = lines[state.at]
    if (root === undefined || (next !== undefined && !next.separator)) return undefined
    documents.push({ root, sound: true })
  }
  return documents.length === 0 ? undefined : documents
}

function toLines(text: string): readonly Line[] | undefined {
  const lines: Line[] = []
  for (let begin = 0; begin < text.length; ) {
    const feed = text.indexOf('\n', begin)
    const end = feed === -1 ? text.length : feed
    let start = begin
    while (start < end && text[start] === ' ') start += 1
    if (start < end && text[start] !== '#') {
      const separator = start === begin && text.startsWith('---', begin)
      if (separator && skipBlanks(text, begin + 3, end) !== end) return undefined
      if (start === begin && (text[begin] === '%' || text.startsWith('...', begin))) return undefined
      lines.push({ begin, start, end, separator })
    }
    begin = end + 1
  }
  return lines
}

function skipBlanks(text: string, from: number, end: number): number {
  let at = from
  while (at < end && text[at] === ' ') at += 1
  return at
}

/** True when nothing but blanks and a comment follows. */
function isRestEmpty(text: string, from: number, end: number): boolean {
  const at = skipBlanks(text, from, end)
  return at === end || (text[at] === '#' && at > from)
}

function isDash(text: string, at: number, end: number): boolean {
  return text[at] === '-' && (at + 1 === end || text[at + 1] === ' ')
}

const keyForm = /([A-Za-z][A-Za-z0-9_-]{0,99}):(?= |\n|$)/y

function keyAt(text: string, at: number): string | undefined {
  keyForm.lastIndex = at
  return keyForm.exec(text)?.[1]
}

/** A block map whose keys stand at `indent`; the first one at `first`, which may be behind a dash. */
function readMap(state: State, indent: number, first: number, depth: number): TreeNode | undefined {
  const { text, lines } = state
  const entries = new Map<string, MapEntry>()
  let start = first
  for (;;) {
    const name = keyAt(text, start)
    if (name === undefined || entries.has(name) || entries.size > membersMax) return undefined
    const value = readMember(state, indent, start + name.length + 1, depth)
    if (value === undefined) return undefined
    entries.set(name, { key: { start, end: start + name.length }, value })
    const next = lines[state.at]
    if (next === undefined || next.separator || next.start - next.begin < indent) break
    if (next.start - next.begin > indent) return undefined
    start = next.start
  }
  return { kind: 'map', start: first, end: first, entries }
}

/** What stands behind a key, on its line or below it. */
function readMember(state: State, indent: number, after: number, depth: number): TreeNode | undefined {
  const { text, lines } = state
  const line = lines[state.at]
  if (line === undefined || depth > depthMax) return undefined
  if (!isRestEmpty(text, after, line.end)) return readInline(state, after, line, depth)
  state.at += 1
  const next = lines[state.at]
  const below = next === undefined || next.separator ? -1 : next.start - next.begin
  if (next !== undefined && below >= indent && isDash(text, next.start, next.end))
    return readList(state, below, depth + 1)
  if (next !== undefined && below > indent) return readMap(state, below, next.start, depth + 1)
  return { kind: 'scalar', start: after, end: after, value: null, plain: '' }
}

function readList(state: State, indent: number, depth: number): TreeNode | undefined {
  const { text, lines } = state
  const items: TreeNode[] = []
  const start = lines[state.at]?.start ?? 0
  for (;;) {
    const line = lines[state.at]
    if (line === undefined || line.separator || line.start - line.begin < indent) break
    if (line.start - line.begin > indent || items.length > membersMax) return undefined
    // A key at the indent of the list belongs to the map around it, which judges it.
    if (!isDash(text, line.start, line.end)) break
    const at = skipBlanks(text, line.start + 1, line.end)
    if (at === line.end || text[at] === '#') return undefined
    const item =
      keyAt(text, at) === undefined
        ? readInline(state, at, line, depth)
        : readMap(state, at - line.begin, at, depth + 1)
    if (item === undefined) return undefined
    items.push(item)
  }
  return { kind: 'sequence', start, end: start, items }
}

/** A value that ends on its line. */
function readInline(state: State, from: number, line: Line, depth: number): TreeNode | undefined {
  const { text } = state
  const at = skipBlanks(text, from, line.end)
  const opening = text[at]
  const node =
    opening === '{' || opening === '['
      ? readFlow(text, at, line.end, depth + 1)
      : opening === '"' || opening === "'"
        ? readQuoted(text, at, line.end)
        : readPlain(text, at, line.end)
  if (node === undefined || !isRestEmpty(text, node.next, line.end)) return undefined
  state.at += 1
  return node.node
}

type Read = { readonly node: TreeNode; readonly next: number }

/** A quoted scalar without any escape. */
function readQuoted(text: string, start: number, lineEnd: number): Read | undefined {
  const quote = text[start] ?? ''
  const close = text.indexOf(quote, start + 1)
  if (close === -1 || close >= lineEnd || text[close + 1] === quote) return undefined
  const value = text.slice(start + 1, close)
  if (quote === '"' && value.includes('\\')) return undefined
  return { node: { kind: 'scalar', start, end: close + 1, value, plain: undefined }, next: close + 1 }
}

// Letters, digits and what is not ASCII; every indicator of YAML, and every sign that a number may begin with, is out.
const plainStart = /[A-Za-z0-9\u00a1-\u{10ffff}]/u

function readPlain(text: string, start: number, lineEnd: number): Read | undefined {
  if (!plainStart.test(text[start] ?? '')) return undefined
  // Only the line is searched: a search through the rest of the file, line after line, would be quadratic.
  const rest = text.slice(start, lineEnd)
  const comment = rest.indexOf(' #')
  let length = comment === -1 ? rest.length : comment
  while (rest[length - 1] === ' ') length -= 1
  const plain = rest.slice(0, length)
  if (plain.includes(': ') || plain.endsWith(':')) return undefined
  return { node: toScalar(plain, start), next: start + length }
}

const flowPlain = /[^,[\]{}:#"'\n]+/y

function readFlowPlain(text: string, start: number): Read | undefined {
  flowPlain.lastIndex = start
  const found = flowPlain.exec(text)?.[0]
  if (found === undefined || !plainStart.test(text[start] ?? '')) return undefined
  let length = found.length
  while (found[length - 1] === ' ') length -= 1
  const next = text[start + found.length]
  if (next !== ',' && next !== ']' && next !== '}') return undefined
  return { node: toScalar(found.slice(0, length), start), next: start + length }
}

function readFlow(text: string, start: number, lineEnd: number, depth: number): Read | undefined {
  if (depth > depthMax) return undefined
  const isMap = text[start] === '{'
  const close = isMap ? '}' : ']'
  const entries = new Map<string, MapEntry>()
  const items: TreeNode[] = []
  let at = skipBlanks(text, start + 1, lineEnd)
  while (text[at] !== close) {
    const key = isMap ? keyAt(text, at) : ''
    if (key === undefined || entries.has(key) || entries.size + items.length > membersMax) return undefined
    const from = isMap ? skipBlanks(text, at + key.length + 1, lineEnd) : at
    const member = readFlowMember(text, from, lineEnd, depth)
    if (member === undefined) return undefined
    if (isMap) entries.set(key, { key: { start: at, end: at + key.length }, value: member.node })
    else items.push(member.node)
    at = skipBlanks(text, member.next, lineEnd)
    if (text[at] === close) break
    if (text[at] !== ',') return undefined
    at = skipBlanks(text, at + 1, lineEnd)
    // A comma before the end is legal, and left to the full parser.
    if (at >= lineEnd || text[at] === close) return undefined
  }
  const node: TreeNode = isMap
    ? { kind: 'map', start, end: start, entries }
    : { kind: 'sequence', start, end: start, items }
  return { node, next: at + 1 }
}

function readFlowMember(text: string, at: number, lineEnd: number, depth: number): Read | undefined {
  if (at >= lineEnd) return undefined
  const opening = text[at]
  if (opening === '{' || opening === '[') return readFlow(text, at, lineEnd, depth + 1)
  if (opening === '"' || opening === "'") return readQuoted(text, at, lineEnd)
  return readFlowPlain(text, at)
}

/** The core schema of YAML 1.2 (section 10.3.2), for texts that begin with a letter or a digit. */
function toScalar(plain: string, start: number): ScalarNode {
  return { kind: 'scalar', start, end: start + plain.length, value: coreValue(plain), plain }
}

function coreValue(plain: string): string | number | boolean | null {
  const first = plain.charCodeAt(0)
  if (first >= 0x30 && first <= 0x39) {
    if (/^[0-9]+$/.test(plain)) return Number.parseInt(plain, 10)
    if (/^0o[0-7]+$/.test(plain)) return Number.parseInt(plain.slice(2), 8)
    if (/^0x[0-9a-fA-F]+$/.test(plain)) return Number.parseInt(plain.slice(2), 16)
    return /^[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?$/.test(plain) ? Number.parseFloat(plain) : plain
  }
  if (/^(?:[Tt]rue|TRUE)$/.test(plain)) return true
  if (/^(?:[Ff]alse|FALSE)$/.test(plain)) return false
  return /^(?:[Nn]ull|NULL)$/.test(plain) ? null : plain
}
