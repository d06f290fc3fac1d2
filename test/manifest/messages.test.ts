/** The words: both languages say the same, every code has them, none is unused, and no value breaks out of its line. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Diagnostic } from '../../agent/core/diagnostic.ts'
import { phrases } from '../../agent/core/messages/phrases.ts'
import { escapeText, formatDiagnostic, messages, toDiagnosticJson } from '../../agent/core/messages.ts'
import { generatedFiles } from '../../agent/manifest/generate.ts'

const root = new URL('../../', import.meta.url)
const placeholders = (text: string) => (text.match(/\{\w+(?:\|phrase)?\}/g) ?? []).toSorted()

function sourcesBelow(...folders: readonly string[]): string {
  return folders
    .flatMap(folder =>
      readdirSync(new URL(folder, root), { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('core/messages'))
        .map(entry => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
    )
    .join('\n')
}

const sources = sourcesBelow('agent/manifest/', 'agent/standards/')
const codes = (text: string) => new Set(text.match(/(?<=')[EWM]-[A-Z0-9-]+(?=')/g))

test('the same placeholders in both languages', () => {
  for (const [code, { es, en }] of Object.entries(messages)) {
    expect([code, placeholders(en.detail)]).toEqual([code, placeholders(es.detail)])
    expect([code, placeholders(es.summary + en.summary)]).toEqual([code, []])
  }
  for (const [key, { es, en }] of Object.entries(phrases))
    expect([key, placeholders(en)]).toEqual([key, placeholders(es)])
})

test('every code that the checks know has words, and every word is used', () => {
  const known = new Set(Object.keys(messages))
  expect([...codes(sources).difference(known)]).toEqual([])
  expect([...known.difference(codes(sourcesBelow('agent/', 'providers/', 'policies/')))]).toEqual([])
  const keys = Object.keys(phrases).filter(key => key.includes('.') && !sources.includes(`'${key}'`))
  const templated = keys.filter(key => !/^(network|taken)\./.test(key))
  expect(templated).toEqual([])
})

test('every phrase that the checks choose exists', () => {
  const chosen = sources.match(/(?<=')[a-z][a-zA-Z]+\.[a-zA-Z]+(?=')/g) ?? []
  const families = new Set(Object.keys(phrases).map(key => key.split('.')[0]))
  const unknown = chosen.filter(key => families.has(key.split('.')[0]) && !Object.hasOwn(phrases, key))
  expect(unknown.filter(key => !/^(holder|metadata)\./.test(key))).toEqual([])
})

const diagnostic: Diagnostic = {
  severity: 'error',
  code: 'E-INSTITUTION-UNKNOWN',
  values: { institution: 'a\u001b[2J\u202e\nb' },
  place: { file: 'x\u001b.yaml', line: 2, column: 7, endColumn: 9 },
  pointer: '/spec/institution',
  related: [{ place: { file: 'y.yaml', line: 1, column: 1 }, label: 'first' }],
  suggestion: 'ab\u0007',
}

test('control, bidirectional and ANSI characters are shown, not sent', () => {
  for (const language of ['es', 'en'] as const) {
    const text = formatDiagnostic(diagnostic, language, 'a\nspec: \u001bx\u202e\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none is what is tested
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
    expect(text).toContain('a\\u001b[2J\\u202e\\nb')
    expect(text.split('\n')).toHaveLength(7)
  }
  expect(escapeText('\ud800')).toBe('\\ud800')
})

test('the frame points at the place', () => {
  const lines = formatDiagnostic(
    { ...diagnostic, place: { file: 'x.yaml', line: 2, column: 7, endColumn: 9 } },
    'en',
    'a: 1\nspec: ab\n',
  ).split('\n')
  expect(lines.slice(1, 4)).toEqual(['  --> x.yaml:2:7  /spec/institution', '  2 | spec: ab', '    |       ^^'])
})

test('JSON has the fields of the contract', () => {
  expect(toDiagnosticJson({ ...diagnostic, values: { institution: 'x' } }, 'en')).toEqual({
    severity: 'error',
    code: 'E-INSTITUTION-UNKNOWN',
    summary: 'Unknown institution',
    detail: 'No Institution document is called "x" (S2). Write its metadata.name, or add the document.',
    file: 'x\u001b.yaml',
    line: 2,
    column: 7,
    pointer: '/spec/institution',
    related: [{ file: 'y.yaml', line: 1, column: 1, label: 'it stands here first' }],
    suggestion: 'ab\u0007',
  })
})

test('a code without words shows itself', () => {
  expect(formatDiagnostic({ severity: 'warning', code: 'W-NEW', values: { a: 'b' } }, 'es')).toBe(
    'aviso W-NEW: W-NEW\n  a: b',
  )
})

test('the generated files are fresh: node agent/manifest/generate.ts', () => {
  for (const [path, text] of generatedFiles())
    expect(readFileSync(fileURLToPath(new URL(path, root)), 'utf8')).toBe(text)
})
