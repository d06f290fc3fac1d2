/**
 * The words of a master file (RFC 1035 section 5.1): parentheses, quotes, comments and escapes undone, one record a
 * line. It never throws; what is no word ends its record with a fault. Pure.
 */

export type Word = { readonly text: string; readonly quoted: boolean }

/** One record or directive. `blank`: its line began with white space, so its owner is that of the one before. */
export type Line = {
  readonly line: number
  readonly blank: boolean
  readonly words: readonly Word[]
  readonly fault: 'quote' | 'parenthesis' | null
}

const wordsMax = 100_000 // of one record; more than a message of DNS can hold

export function* readLines(text: string): Generator<Line> {
  let at = 0
  let line = 1
  while (at < text.length) {
    const start = line
    const blank = text[at] === ' ' || text[at] === '\t'
    const words: Word[] = []
    let depth = 0
    let fault: Line['fault'] = null
    for (;;) {
      const character = text[at]
      if (character === undefined) break
      if (character === '\n') {
        line += 1
        at += 1
        if (depth === 0) break
      } else if (character === ';') {
        while (at < text.length && text[at] !== '\n') at += 1
      } else if (character === '(') {
        depth += 1
        at += 1
      } else if (character === ')') {
        if (depth === 0) fault = 'parenthesis'
        else depth -= 1
        at += 1
      } else if (character === ' ' || character === '\t' || character === '\r') at += 1
      else {
        const { word, next, closed } = character === '"' ? readQuoted(text, at) : readBare(text, at)
        if (!closed) fault = 'quote'
        if (words.length < wordsMax) words.push(word)
        at = next
      }
    }
    if (depth > 0) fault = 'parenthesis'
    if (words.length > 0 || fault !== null) yield { line: start, blank, words, fault }
  }
}

type Read = { readonly word: Word; readonly next: number; readonly closed: boolean }

/** Escapes stay as they are: what they mean depends on where the word stands. */
function readQuoted(text: string, start: number): Read {
  let at = start + 1
  // A quote that nobody closed ends with its line, or it would swallow the file.
  while (at < text.length && text[at] !== '"' && text[at] !== '\n')
    at += text[at] === '\\' && text[at + 1] !== '\n' ? 2 : 1
  const closed = text[at] === '"'
  return {
    word: { text: text.slice(start + 1, Math.min(at, text.length)), quoted: true },
    next: closed ? at + 1 : at,
    closed,
  }
}

function readBare(text: string, start: number): Read {
  let at = start
  while (at < text.length && !/[ \t\r\n;()"]/.test(text[at] ?? ''))
    at += text[at] === '\\' && text[at + 1] !== '\n' ? 2 : 1
  const next = Math.min(at, text.length)
  return { word: { text: text.slice(start, next), quoted: false }, next, closed: true }
}

/** The octets of a character-string: `\DDD` is one, `\X` is X. Undefined when an escape is none. */
export function octetsOf(text: string): Uint8Array | undefined {
  const octets: number[] = []
  for (const [piece] of text.matchAll(/\\\d{3}|\\.|[^\\]|\\$/gsu)) {
    if (/^\\\d{3}$/.test(piece)) {
      const octet = Number(piece.slice(1))
      if (octet > 255) return undefined
      octets.push(octet)
    } else if (piece === '\\') return undefined
    else octets.push(...new TextEncoder().encode(piece.startsWith('\\') ? piece.slice(1) : piece))
  }
  return Uint8Array.from(octets)
}
