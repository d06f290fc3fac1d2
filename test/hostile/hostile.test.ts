/** T6 to T8, K18, R24: hostile manifests are refused with line and column, in time, and leave nothing behind. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDiagnostic } from '../../agent/core/messages.ts'
import { loadEstate } from '../../agent/manifest/load.ts'
import { parseYaml } from '../../agent/manifest/parse.ts'
import { check, sampleText } from '../manifest/sample.ts'
import { corpus } from './corpus.ts'

test('the corpus has more than two hundred manifests', () => {
  expect(new Set(corpus.map(({ text }) => text)).size).toBeGreaterThan(200)
})

test.each(corpus.map(each => [each.name, each] as const))('%s', (_, { text, code }) => {
  const { diagnostics, estates } = check(text)
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  expect(errors.length).toBeGreaterThan(0)
  if (code !== undefined) expect(errors.map(each => each.code)).toContain(code)
  for (const { place } of errors) {
    expect(place?.line).toBeGreaterThan(0)
    expect(place?.column).toBeGreaterThan(0)
    expect(place?.line).toBeLessThanOrEqual(text.split('\n').length)
  }
  expect(estates.size).toBe(0)
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  for (const each of errors.slice(0, 5)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none is what is tested
    expect(formatDiagnostic(each, 'es', text)).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/)
  }
})

test('an ordinary neighbour is read while the whole corpus stands beside it', () => {
  const files = Object.fromEntries(corpus.map(({ text }, index) => [`hostile-${index}.yaml`, text]))
  const { estates, blocked } = check({ ...files, 'good.yaml': sampleText })
  expect(estates.get('hospital-calixto-garcia')?.accounts).toHaveLength(3)
  expect([...blocked.keys()].filter(subject => subject.includes('hcg'))).toEqual([])
})

test('a file of 10 MB is refused before it is read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailwarden-'))
  try {
    await writeFile(join(folder, 'big.yaml'), Buffer.alloc(10 * 1024 * 1024, '['))
    const { diagnostics, texts } = await loadEstate(folder, { today: '2026-05-01', timeZone: 'America/Havana' })
    expect(diagnostics.map(({ code }) => code)).toEqual(['E-FILE-SIZE'])
    expect(texts.size).toBe(0)
  } finally {
    await rm(folder, { recursive: true })
  }
})

const yamlish = fc.array(
  fc.constantFrom(
    ...'\n\n  ::-[]{},#&*!|>\'"%@`?~ab1\\\t',
    '- ',
    ': ',
    '\n  ',
    '---\n',
    'kind: Waiver\n',
    'spec:\n',
    '<<',
    '__proto__',
    '\u202e',
    '\0',
    '\ud800',
  ),
  { maxLength: 80 },
)

test('arbitrary text never throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        yamlish.map(parts => parts.join('')),
        fc.string({ unit: 'binary' }),
      ),
      text => {
        const { diagnostics } = check(text)
        for (const each of diagnostics) formatDiagnostic(each, 'en', text)
        expect(({} as Record<string, unknown>).polluted).toBeUndefined()
      },
    ),
    { numRuns: 3000 },
  )
})

test('the sample with any piece cut out, doubled or replaced never throws and never loses its places', () => {
  const at = fc.nat(sampleText.length)
  fc.assert(
    fc.property(at, fc.nat(40), yamlish, (start, length, parts) => {
      const text = sampleText.slice(0, start) + parts.slice(0, 6).join('') + sampleText.slice(start + length)
      const { diagnostics } = check(text)
      const lines = text.split('\n')
      for (const { place } of diagnostics) {
        if (place?.file !== 'hcg.yaml') continue
        expect(place.line).toBeLessThanOrEqual(lines.length)
        expect(place.column).toBeLessThanOrEqual((lines[place.line - 1]?.length ?? 0) + 1)
      }
    }),
    { numRuns: 600 },
  )
})

test('limits stop the reading early: work is bounded by tokens, not by the size of the file', () => {
  const problem = parseYaml('['.repeat(1_000_000)).problems[0]
  expect(problem?.start).toBeLessThan(100)
  expect(
    parseYaml(Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join('\n')).problems[0]?.start,
  ).toBeLessThan(20_000)
})
