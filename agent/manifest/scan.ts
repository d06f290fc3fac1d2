/**
 * The characters of a manifest before any YAML: refuses what hides or breaks text (control characters, bidirectional
 * overrides, lone surrogates) and turns offsets into lines and columns. Linear, no I/O. Requirements T6, K18, K20.
 */
import type { Place } from '../core/diagnostic.ts'

/** 256 KiB: some 1,900 accounts. The parser's worst cases grow with the square of what it is given. */
export const fileBytesMax = 256 * 1024

/** Offsets at which lines begin; the first is 0. */
export type LineStarts = readonly number[]

export function lineStartsOf(text: string): LineStarts {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** Line and column, both from 1; columns count UTF-16 units, as editors do. */
export function positionOf(lines: LineStarts, offset: number): { readonly line: number; readonly column: number } {
  let low = 0
  let high = lines.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((lines[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return { line: low + 1, column: offset - (lines[low] ?? 0) + 1 }
}

/** A place for the span from `start` to `end`; it has an end column only when both stand on one line. */
export function placeOf(file: string, lines: LineStarts, start: number, end: number): Place {
  const { line, column } = positionOf(lines, start)
  const nextLine = lines[line]
  const oneLine = end > start && (nextLine === undefined || end < nextLine)
  return oneLine ? { file, line, column, endColumn: column + end - start } : { file, line, column }
}

export type BadCharacter = {
  readonly code: 'E-YAML-CONTROL' | 'E-YAML-BIDI'
  readonly offset: number
  readonly name: string
}

// CR counts only without LF behind it: readers disagree whether it ends a line, so two of them see two files.
const bad =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ufffe\uffff]|\r(?!\n)/g
const bidi = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/

const badCharactersMax = 20 // the twenty-first tells nobody anything new

/** Every character that no manifest may hold, in order. A byte order mark at the very start is let through. */
export function findBadCharacters(text: string): readonly BadCharacter[] {
  const found: BadCharacter[] = []
  for (const match of text.matchAll(bad)) {
    if (match.index === 0 && match[0] === '\ufeff') continue
    found.push(describe(match[0], match.index))
    if (found.length === badCharactersMax) return found
  }
  if (!text.isWellFormed()) {
    const offset = text.search(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/)
    found.push(describe(text.charAt(offset), offset))
  }
  return found
}

function describe(character: string, offset: number): BadCharacter {
  const name = `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`
  return { code: bidi.test(character) ? 'E-YAML-BIDI' : 'E-YAML-CONTROL', offset, name }
}

/** The same rule for a value that an escape such as `"\u202e"` made. Line feed and tab are text. */
export function findBadValue(value: string): BadCharacter | undefined {
  return value.startsWith('\ufeff') ? describe(value.charAt(0), 0) : findBadCharacters(value)[0]
}
