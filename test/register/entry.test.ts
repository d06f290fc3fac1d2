/** One value, one spelling: entries and checkpoints read back as written, and nothing else reads at all. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import { checkSignature, formatNote, parseNote, parsePublicKey } from '../../agent/register/checkpoint.ts'
import { commitmentOf, encodePublic, parseCanonical, parsePublic, prepareEntry } from '../../agent/register/entry.ts'
import { openSqliteRegister } from '../../agent/register/sqlite.ts'
import { sampleEntries, sampleEntry, seededRandom, stateIn, temporaryFolder } from './fixture.ts'

const salt = () => seededRandom('salt')(32)

test('encode and parse are inverse for whatever facts there are', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(), (facts, index) => {
      const bytes = encodePublic(index, prepareEntry({ ...sampleEntry(0), facts: facts as never }, salt))
      const entry = parsePublic(bytes)
      expect(entry?.index).toBe(index)
      expect(canonicalJson(entry?.facts)).toBe(canonicalJson(facts))
    }),
    { seed: 7, numRuns: 300 },
  )
})

test('canonical text is exactly what canonicalJson writes', () => {
  fc.assert(
    fc.property(fc.json(), text => {
      const value = parseCanonical(text)
      expect(value !== undefined).toBe(canonicalJson(JSON.parse(text)) === text)
    }),
    { seed: 7, numRuns: 1_000 },
  )
  for (const text of [
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a": 1}',
    '1.0',
    '-0',
    '1e400',
    '"\\u0041"',
    ' 1',
    '1\n',
    '',
    '[1,]',
  ])
    expect([text, parseCanonical(text)]).toEqual([text, undefined])
  for (const text of ['{"10":1,"9":2}', '{"__proto__":{"x":1}}', '""', 'null', '"\\ud800"', '[]'])
    expect([text, canonicalJson(parseCanonical(text) ?? null)]).toEqual([text, text])
  expect(parseCanonical('['.repeat(200_000) + ']'.repeat(200_000))).toBeUndefined()
})

test('an entry in any other form is none', () => {
  const good = JSON.parse(Buffer.from(encodePublic(3, prepareEntry(sampleEntry(1), salt))).toString()) as object
  const parse = (value: object) => parsePublic(Buffer.from(canonicalJson(value)))
  expect(parse(good)).toMatchObject({ index: 3 })
  const wrong = [
    { extra: 1 },
    { index: -1 },
    { index: 1.5 },
    { index: '3' },
    { kind: '' },
    { kind: null },
    { actor: 'ana' },
    { actor: { person: 'ana' } },
    { actor: { person: 'ana', role: 'responder', more: 1 } },
    { at: '2026-01-01' },
    { at: '2026-01-01T00:00:00+01:00' },
    { subject: 1 },
    { rule: null },
    { facts: [] },
    { facts: null },
    { commitment: undefined },
    { commitment: 'A'.repeat(64) },
    { commitment: 'a'.repeat(63) },
  ]
  for (const change of wrong) expect([change, parse({ ...good, ...change })]).toEqual([change, undefined])
  expect(parsePublic(Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from(canonicalJson(good))]))).toBeUndefined()
  expect(parsePublic(Buffer.of(0xff, 0xfe))).toBeUndefined()
})

test('the commitment depends on salt and content, and the same content twice does not show', () => {
  const random = seededRandom('two')
  const [a, b] = [0, 1].map(() => prepareEntry(sampleEntry(1), () => random(32)))
  expect(a?.commitment).not.toBe(b?.commitment)
  expect(a?.commitment).toBe(commitmentOf(a?.personal ?? { salt: Buffer.of(), bytes: Buffer.of() }))
  expect(prepareEntry(sampleEntry(0), salt).commitment).toBeNull()
})

test('a note is a signed note; any other byte is another note or none, and never a good one', async () => {
  using folder = temporaryFolder()
  await using register = await openSqliteRegister(stateIn(folder.path))
  await register.append(sampleEntries(70))
  const text = await register.note()
  const key = parsePublicKey(register.publicKey)
  const note = parseNote(text)
  if (note === undefined || key === undefined) throw new Error('the note reads')
  expect(formatNote(note)).toBe(text)
  expect(checkSignature(note.origin, note.checkpoint, key)).toBe('good')
  expect(text.split('\n').slice(0, 2)).toEqual([register.origin, '70'])
  const bytes = Buffer.from(text)
  for (let position = 0; position < bytes.length; position++)
    for (let bit = 0; bit < 8; bit++) {
      const bad = Buffer.from(bytes)
      bad[position] = (bad[position] as number) ^ (1 << bit)
      const read = parseNote(bad.toString())
      if (read !== undefined)
        expect([position, bit, checkSignature(read.origin, read.checkpoint, key)]).not.toContain('good')
    }
})
