/**
 * Findings as text: the words of each code in Spanish and English, the code frame, the JSON form (contract sections 2
 * and 4). Values come from files that others wrote: what would move the cursor, hide text or forge a line is shown as
 * an escape (K20). Pure.
 */
import type { Diagnostic, Place, Severity } from './diagnostic.ts'
import { commandMessages } from './messages/commands.ts'
import { frameWords, labels, phrases } from './messages/phrases.ts'
import { planningMessages } from './messages/planning.ts'
import { readingMessages } from './messages/reading.ts'
import { ruleMessages } from './messages/rules.ts'
import type { Language, Message, Phrase } from './messages/words.ts'
import { actMessages, actPhrases } from './messages-acts.ts'

export const messages = {
  ...readingMessages,
  ...ruleMessages,
  ...planningMessages,
  ...actMessages,
  ...commandMessages,
} as const
export type MessageCode = keyof typeof messages

export type DiagnosticJson = {
  readonly severity: Severity
  readonly code: string
  readonly summary: string
  readonly detail: string
  readonly file: string | null
  readonly line: number | null
  readonly column: number | null
  readonly pointer: string | null
  readonly related?: readonly {
    readonly file: string
    readonly line: number
    readonly column: number
    readonly label: string
  }[]
  readonly suggestion?: string
}

const unsafe =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped
  /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** One line of text without control, bidirectional and invisible characters: each is shown as `\u202e`. */
export function escapeText(text: string): string {
  return text.replace(unsafe, character => {
    if (character === '\n') return '\\n'
    if (character === '\t') return '\\t'
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

const valueMax = 300 // of a longer value the beginning is enough, and a line stays a line

function shown(value: string): string {
  const text = escapeText(value.length > valueMax ? `${value.slice(0, valueMax)}…` : value)
  return text
}

function lookUp<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

function fill(template: string, values: Readonly<Record<string, string>>, language: Language): string {
  return template.replaceAll(/\{(\w+)(\|phrase)?\}/g, (_, name: string, isPhrase: string | undefined) => {
    const value = lookUp(values, name) ?? ''
    if (isPhrase === undefined || value === '') return shown(value)
    const found: Phrase = lookUp<Phrase>(phrases, value) ?? lookUp<Phrase>(actPhrases, value) ?? phrases.other
    return fill(found[language], values, language)
  })
}

/** A part of a sentence by its key, as `{reason|phrase}` chooses it. */
export function phraseOf(key: string, values: Readonly<Record<string, string>>, language: Language): string {
  return fill('{key|phrase}', { ...values, key }, language)
}

/** Summary and detail of a finding. A code without words (a newer one's) shows itself and its values. */
export function wordsOf(
  diagnostic: Diagnostic,
  language: Language,
): { readonly summary: string; readonly detail: string } {
  const found = lookUp<Message>(messages, diagnostic.code)
  if (found === undefined) {
    const values = Object.entries(diagnostic.values).map(([key, value]) => `${key}: ${shown(value)}`)
    return { summary: escapeText(diagnostic.code), detail: values.join(', ') }
  }
  const { summary, detail } = found[language]
  return { summary, detail: fill(detail, diagnostic.values, language) }
}

export function formatPlace({ file, line, column }: Place): string {
  return `${escapeText(file)}:${line}:${column}`
}

function labelOf(label: string, language: Language): string {
  return lookUp<Phrase>(labels, label)?.[language] ?? escapeText(label)
}

/**
 * A finding for people, several lines without a final line feed.
 * @param source the text of the file that the place is in; without it there is no code frame.
 */
export function formatDiagnostic(diagnostic: Diagnostic, language: Language, source?: string): string {
  const { summary, detail } = wordsOf(diagnostic, language)
  const lines = [`${frameWords[diagnostic.severity][language]} ${escapeText(diagnostic.code)}: ${summary}`]
  if (diagnostic.place !== undefined) {
    const pointer = diagnostic.pointer ? `  ${shown(diagnostic.pointer)}` : ''
    lines.push(`  --> ${formatPlace(diagnostic.place)}${pointer}`)
    if (source !== undefined) lines.push(...codeFrame(diagnostic.place, source))
  }
  if (detail !== '') lines.push(`  ${detail}`)
  if (diagnostic.suggestion !== undefined) {
    lines.push(`  ${frameWords.meant[language].replace('{word}', () => shown(diagnostic.suggestion ?? ''))}`)
  }
  for (const { place, label } of diagnostic.related ?? []) {
    lines.push(`  ${formatPlace(place)}: ${labelOf(label, language)}`)
  }
  return lines.join('\n')
}

const frameWidthMax = 100 // longer lines are cut around the place

function codeFrame({ line, column, endColumn }: Place, source: string): readonly string[] {
  const text = source.split('\n', line)[line - 1]?.replace(/\r$/, '')
  if (text === undefined) return []
  const from = column - 1 > frameWidthMax - 20 ? column - 1 - 40 : 0
  const before = escapeText(text.slice(from, column - 1))
  const marked = text.slice(column - 1, Math.min((endColumn ?? column + 1) - 1, from + frameWidthMax))
  const shownLine = escapeText(text.slice(from, from + frameWidthMax))
  const start = from > 0 ? '…' : ''
  const end = text.length > from + frameWidthMax ? '…' : ''
  const gutter = String(line)
  const carets = '^'.repeat(Math.max(1, escapeText(marked).length))
  return [
    `  ${gutter} | ${start}${shownLine}${end}`,
    `  ${' '.repeat(gutter.length)} | ${' '.repeat(start.length + before.length)}${carets}`,
  ]
}

/** The stable JSON form (contract section 4). */
export function toDiagnosticJson(diagnostic: Diagnostic, language: Language): DiagnosticJson {
  const { severity, code, place, pointer, related, suggestion } = diagnostic
  const { summary, detail } = wordsOf(diagnostic, language)
  return {
    severity,
    code,
    summary,
    detail,
    file: place?.file ?? null,
    line: place?.line ?? null,
    column: place?.column ?? null,
    pointer: pointer ?? null,
    ...(related === undefined
      ? {}
      : {
          related: related.map(({ place: { file, line, column }, label }) => {
            return { file, line, column, label: labelOf(label, language) }
          }),
        }),
    ...(suggestion === undefined ? {} : { suggestion }),
  }
}
