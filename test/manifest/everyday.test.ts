/** The quick reader and the full parser read the same: same values, same spans; where they could differ, it declines. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseEveryday } from '../../agent/manifest/everyday.ts'
import { parseFull } from '../../agent/manifest/parse.ts'
import type { TreeNode } from '../../agent/manifest/tree.ts'
import { corpus } from '../hostile/corpus.ts'
import { sampleText } from './sample.ts'

/** All that anything downstream looks at: values, source texts, spans of keys and scalars, starts of unnamed lists. */
function seen(node: TreeNode, named: boolean): unknown {
  switch (node.kind) {
    case 'map':
      return [...node.entries].map(([name, { key, value }]) => [name, key.start, key.end, seen(value, true)])
    case 'sequence':
      return { start: named ? 0 : node.start, items: node.items.map(item => seen(item, false)) }
    case 'scalar': {
      const empty = named && node.start === node.end
      return [node.value, node.plain ?? null, empty ? 0 : node.start, empty ? 0 : node.end]
    }
  }
}

/** @returns whether the quick reader took it. */
function compare(text: string): boolean {
  const everyday = parseEveryday(text)
  if (everyday === undefined) return false
  const full = parseFull(text)
  expect(full.problems).toEqual([])
  expect(everyday.map(({ root, sound }) => [sound, seen(root, false)])).toEqual(
    full.documents.map(({ root, sound }) => [sound, seen(root, false)]),
  )
  return true
}

test('the sample is everyday YAML', () => {
  expect(compare(sampleText)).toBe(true)
})

test.each([
  'a: 1\n',
  'a:\n- b\n- c\nd: e\n',
  'a:\n  - b: 1\n    c: 2\n  -   d: 3\n      e: 4\n',
  'a: {b: [c, {d: "e"}], f: {}}\n',
  'a: x # c\n# d\nb: y#z\n',
  'a: "b"   # c\n',
  "a: 'b'\n",
  'a:\nb:\n',
  'a: b:c\n',
  'a: 12:30\nb: 017\nc: 0x1F\nd: 0o17\ne: 1e3\nf: 1.\ng: NO\nh: Null\ni: TRUE\nj: 1_0\n',
  '# only\n---\na: 1\n---\nb: 2',
  'a: 123456789012345678901234567890\n',
  'a: 1.5.2\n',
  'a: é\n',
  'a: b\u00a0\n',
  'a: [ b , c ]\n',
  'a: [[], {}]\n',
  'a: b  c\n',
  'a:   # c\n  b: 1\n',
  'a:\n\n  # c\n\n  b: 1\n',
])('both read %j', text => {
  expect(compare(text)).toBe(true)
})

test.each([
  'a: b\n  c\n',
  'a: "b\\n"\n',
  "a: 'it''s'\n",
  'a: |\n  b\n',
  'a: &b c\n',
  'a: *b\n',
  'a: !t b\n',
  '<<: a\n',
  '__proto__: 1\n',
  'a: 1\na: 2\n',
  'a: {b: 1, b: 2}\n',
  'a: [b,]\n',
  'a: {b}\n',
  'a: {b: 1\n  }\n',
  'a: b: c\n',
  'a:b\n',
  '\ta: 1\n',
  'a: 1\r\n',
  '- a\n',
  'a\n',
  '',
  '---\n',
  '%YAML 1.2\n---\na: 1\n',
  'a: 1\n...\n',
  'a: -\n',
  'a: - b\n',
  'a: ~\n',
  'a:\n  b: 1\n c: 2\n',
  'a:\n  - b\n c: 2\n',
  '  a: 1\n',
  'a:\n  - b\n  c: 1\n',
  '"a": 1\n',
  '? a\n',
  'a: [b: c]\n',
  'a: "b" c\n',
  'a: {b: 1} c\n',
  'a: {b:1}\n',
  'a: [b]#c\n',
  'a: "b"#c\n',
  '--- a\n',
  'a:\n  -\n    b\n',
  'a: @b\n',
  'a: [b #c\n]\n',
])('the quick reader declines %j', text => {
  expect(parseEveryday(text)).toBeUndefined()
})

test('of the hostile corpus it takes nothing that is refused for its YAML', () => {
  for (const { text } of corpus) if (text.length < 20_000) compare(text)
})

const indentless = fc.constantFrom(
  'a',
  'b: 1',
  'key: value',
  '- x',
  '- k: v',
  '-',
  'l:',
  'm: [a, b]',
  'n: {a: 1, b: {c: 2}}',
  '# c',
  'p: "q"',
  "r: 's' # t",
  'u: v #w',
  '---',
  '',
  'x: y: z',
  'é: 1',
  'd: 2026-03-02',
  'o: 017',
  'w: a  ',
  'e: [',
  'f: ]',
  'g: "a',
  '...',
  '- - a',
  '- [a]',
  '- {a: b}',
  'h: a,b',
  'i: {a: b, }',
  'j: b#c',
  'k: Null',
)
const generated = fc
  .array(fc.tuple(fc.nat(4), indentless), { minLength: 1, maxLength: 14 })
  .map(lines => lines.map(([indent, text]) => ' '.repeat(indent) + text).join('\n'))

test('generated lines at any indent: it reads the same or declines', () => {
  let taken = 0
  fc.assert(
    fc.property(generated, text => {
      if (compare(text)) taken += 1
    }),
    { numRuns: 6000 },
  )
  expect(taken).toBeGreaterThan(20)
})

const piece = fc.constantFrom(
  ' ',
  '  ',
  '\n',
  ':',
  ': ',
  '-',
  '- ',
  '#',
  ' #',
  ',',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  'a',
  '1',
  '0',
  '.',
  '~',
  '|',
  '&a',
  '\\',
  '---\n',
  '\n\n',
  '\u00a0',
  '\u3000',
  'é',
  '%',
  '@',
  '`',
  '!',
  '>',
  '?',
  '? ',
  '=',
  '<<',
  '\u2003',
)

test('the sample with pieces put in or cut out: it reads the same or declines', () => {
  let taken = 0
  fc.assert(
    fc.property(fc.nat(sampleText.length), fc.nat(3), fc.array(piece, { maxLength: 3 }), (at, cut, pieces) => {
      const text = sampleText.slice(0, at) + pieces.join('') + sampleText.slice(at + cut)
      if (compare(text)) taken += 1
    }),
    { numRuns: 2500 },
  )
  expect(taken).toBeGreaterThan(500)
})
