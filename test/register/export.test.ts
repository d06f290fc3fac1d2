/** Exports and proofs: verified with nothing but the file; any byte changed is found and named; hostile files never throw. */
import { existsSync, readFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canonicalJson, sha256 } from '../../agent/core/digest.ts'
import { lineBytesMax, verifyExportStream } from '../../agent/register/export.ts'
import { exportRegister, streamExport } from '../../agent/register/export-store.ts'
import { type Finding, findingSentences, formatFinding } from '../../agent/register/finding.ts'
import { listEntries, proveConsistency, proveEntry, verifyExport, verifyStore } from '../../agent/register/offline.ts'
import { type EntryProof, type GrowthProof, verifyProof } from '../../agent/register/proof.ts'
import { openSqliteRegister } from '../../agent/register/sqlite.ts'
import { leafHash } from '../../agent/register/tree.ts'
import {
  ana,
  collect,
  type Folder,
  fillStore,
  type State,
  sampleEntries,
  seededNumber,
  stateIn,
  temporaryFolder,
} from './fixture.ts'

const entries = 60
let folder: Folder
let state: State
let whole: string
let lean: string
let publicKey: string
let witness: { name: string; text: string }

async function exportOf(from: State, personal: 'included' | 'left-out'): Promise<string> {
  let text = ''
  await streamExport({ ...from, personal }, async part => {
    text += part
  })
  return text
}

async function* chunksOf(bytes: Uint8Array | string, size = 65_536): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.from(bytes)
  for (let at = 0; at < buffer.length; at += size) yield buffer.subarray(at, at + size)
}

beforeAll(async () => {
  folder = temporaryFolder()
  state = stateIn(folder.path)
  await fillStore(state, entries)
  whole = await exportOf(state, 'included')
  lean = await exportOf(state, 'left-out')
  publicKey = readFileSync(join(state.keysFolder, 'register.pub'), 'utf8')
  witness = { name: 'mailed', text: readFileSync(state.witnessFiles[0] as string, 'utf8') }
})
afterAll(() => folder[Symbol.dispose]())

describe('a good export', () => {
  test.each([1, 7, 65_536])('verifies, read %i bytes at a time', async size => {
    for (const text of [whole, lean]) {
      const alone = await verifyExportStream(chunksOf(text, size))
      expect(alone).toMatchObject({ ok: true, size: entries, findings: [], keyFrom: 'export' })
      const withAll = await verifyExportStream(chunksOf(text, size), { publicKey, witnesses: [witness] })
      expect(withAll).toMatchObject({ ok: true, keyFrom: 'given', root: alone.root })
    }
  })

  test('holds personal parts only when asked to', () => {
    expect(lean).not.toMatch(/person\d|retention/)
    expect(whole).toMatch(/person8@d\.example/)
    // Erased before.
    expect(whole).not.toMatch(/person[47]@d\.example/)
  })

  test('is plain JSON lines with the entries as they were recorded', async () => {
    const stored = await collect(listEntries(state.file))
    const lines = whole
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
    expect(lines.flatMap(({ entry }) => (entry === undefined ? [] : [entry]))).toEqual(
      stored.map(({ personal: _, ...entry }) => entry),
    )
    for (const line of whole.trimEnd().split('\n')) expect(canonicalJson(JSON.parse(line))).toBe(line)
  })

  test('goes to a file that appears only when it is whole', async () => {
    const target = join(folder.path, 'register.jsonl')
    expect(await exportRegister({ ...state, personal: 'included', target })).toMatchObject({ ok: true, size: entries })
    expect(readFileSync(target, 'utf8')).toBe(whole)
    expect((await verifyExport(target, { publicKey })).ok).toBe(true)
    expect(existsSync(`${target}.new`)).toBe(false)
  })

  test('can be made while a daemon writes, and is a consistent point', async () => {
    using live = temporaryFolder()
    const running = stateIn(live.path)
    await using register = await openSqliteRegister(running)
    await register.append(sampleEntries(500))
    let going = true
    const writer = (async () => {
      while (going) await register.append(sampleEntries(5))
    })()
    for (let round = 0; round < 5; round++) {
      const { findings, size } = await verifyExportStream(chunksOf(await exportOf(running, 'included')))
      expect(findings).toEqual([])
      expect(size).toBeGreaterThanOrEqual(500)
    }
    going = false
    await writer
    expect(register.size).toBeGreaterThan(500)
  })

  test('is refused for a store that does not verify', async () => {
    const bad = { ...state, file: join(folder.path, 'bad.db') }
    await copyFile(state.file, bad.file)
    {
      using db = new DatabaseSync(bad.file)
      db.exec("UPDATE private SET bytes = CAST('{}' AS BLOB) WHERE idx = 8")
    }
    const target = join(folder.path, 'bad.jsonl')
    await expect(exportRegister({ ...bad, personal: 'included', target })).rejects.toThrow(/entry 8: its personal part/)
    expect([existsSync(target), existsSync(`${target}.new`)]).toEqual([false, false])
  })
})

/** The line that a position of the text is on, counted from 1. */
const lineOf = (text: Buffer, position: number) => text.subarray(0, position).filter(byte => byte === 10).length + 1

/** Whether a finding points at a line, or at the entries about it. */
function names(finding: Finding, line: number): boolean {
  return 'line' in finding.place && Math.abs(finding.place.line - line) <= 1
}

describe('every byte counts', () => {
  test('each position flipped: found, and the line named', async () => {
    // A shorter one, as each of its bytes costs a verification.
    using other = temporaryFolder()
    const short = stateIn(other.path)
    await fillStore(short, 18)
    const text = await exportOf(short, 'left-out')
    const bytes = Buffer.from(text)
    const number = seededNumber('export')
    let exact = 0
    for (let position = 0; position < bytes.length; position++) {
      const before = bytes[position] as number
      bytes[position] = before ^ (1 << number(8))
      const { ok, findings } = await verifyExportStream(chunksOf(bytes))
      const line = lineOf(Buffer.from(text), position)
      expect([position, ok]).toEqual([position, false])
      const named = findings.some(finding => names(finding, line))
      if (!named) expect([position, line, findings.map(finding => formatFinding(finding))]).toBe('named')
      if (findings[0] !== undefined && names(findings[0], line)) exact += 1
      bytes[position] = before
    }
    // A changed header spoils every signature, so that its own line is not always the first.
    expect(exact).toBeGreaterThan(bytes.length * 0.95)
  })

  test('the same with personal parts, every 23rd position', async () => {
    const bytes = Buffer.from(whole)
    const number = seededNumber('whole')
    for (let position = 0; position < bytes.length; position += 23) {
      const before = bytes[position] as number
      bytes[position] = before ^ (1 << number(8))
      const { ok, findings } = await verifyExportStream(chunksOf(bytes))
      const line = lineOf(Buffer.from(whole), position)
      expect([position, ok, findings.some(finding => names(finding, line))]).toEqual([position, false, true])
      bytes[position] = before
    }
  })

  test('cut at any place, or with a byte more', async () => {
    for (let length = 0; length < lean.length; length += 41) {
      const { ok } = await verifyExportStream(chunksOf(Buffer.from(lean).subarray(0, length)))
      expect([length, ok]).toEqual([length, false])
    }
    for (const more of [' ', '\n', '{}\n', lean])
      expect((await verifyExportStream(chunksOf(`${lean}${more}`))).ok).toBe(false)
  })

  test('lines taken out, doubled, swapped', async () => {
    const lines = lean.split('\n').slice(0, -1)
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at] as string
      const edits = [lines.toSpliced(at, 1), lines.toSpliced(at, 0, line)]
      if (at + 1 < lines.length) edits.push(lines.with(at, lines[at + 1] as string).with(at + 1, line))
      for (const edited of edits)
        expect([at, (await verifyExportStream(chunksOf(`${edited.join('\n')}\n`))).ok]).toEqual([at, false])
    }
  })
})

/** As a forger would: changes lines and makes a new closing line. */
function forged(text: string, change: (lines: string[]) => string[]): string {
  const body = change(text.split('\n').slice(0, -2)).map(line => `${line}\n`)
  const digest = sha256(body.join(''))
  return `${body.join('')}${canonicalJson({ digest, lines: body.length })}\n`
}

describe('forged exports with a good digest', () => {
  test('an old state: only a witness from elsewhere shows it', async () => {
    using other = temporaryFolder()
    const live = stateIn(other.path)
    let old: string
    {
      await using register = await openSqliteRegister(live)
      await register.append(sampleEntries(20))
      old = await exportOf(live, 'left-out')
      await register.append(sampleEntries(10))
    }
    const newest = { name: 'mailed', text: readFileSync(live.witnessFiles[0] as string, 'utf8') }
    expect((await verifyExportStream(chunksOf(old))).ok).toBe(true)
    const { findings } = await verifyExportStream(chunksOf(old), { witnesses: [newest] })
    expect(findings.map(({ code }) => code)).toEqual(['witness.behind'])
  })

  test('a whole register made up with another key: found with the true key or a witness', async () => {
    using other = temporaryFolder()
    const thief = stateIn(other.path, 'thief')
    await fillStore(thief, entries)
    const text = await exportOf(thief, 'left-out')
    expect((await verifyExportStream(chunksOf(text))).ok).toBe(true)
    const withKey = await verifyExportStream(chunksOf(text), { publicKey })
    expect(withKey.findings.map(({ code }) => code)).toContain('export.key')
    const withWitness = await verifyExportStream(chunksOf(text), { witnesses: [witness] })
    expect(withWitness.findings.map(({ code }) => code)).toEqual(['witness.origin'])
    expect((await verifyExportStream(chunksOf(whole), { publicKey: 'no key at all' })).ok).toBe(false)
  })

  test('an entry changed together with its leaf hash and the digest', async () => {
    const text = forged(lean, lines =>
      lines.map(line => {
        if (!line.startsWith('{"entry":') || !line.includes('"index":23,')) return line
        const { entry } = JSON.parse(line) as { entry: Record<string, unknown> }
        const bytes = canonicalJson({ ...entry, subject: 'domain:other.example' })
        return `{"entry":${bytes},"leaf":"${Buffer.from(leafHash(Buffer.from(bytes))).toString('hex')}"}`
      }),
    )
    const { findings } = await verifyExportStream(chunksOf(text))
    expect(findings.map(finding => formatFinding(finding))).toEqual([
      expect.stringMatching(/^entries 0 to 59: entries were changed/),
    ])
  })
})

describe('hostile files never throw', () => {
  const judge = async (bytes: Uint8Array | string) => {
    const { ok } = await verifyExportStream(chunksOf(bytes, 997), {
      publicKey,
      witnesses: [witness, { name: 'x', text: 'x' }],
    })
    expect(ok).toBe(false)
  }

  test('arbitrary bytes', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), judge), { seed: 11, numRuns: 500 })
  })

  test('arbitrary JSON lines behind a good header', async () => {
    const [header = ''] = lean.split('\n')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), values =>
        judge([header, ...values.map(value => canonicalJson(value))].join('\n')),
      ),
      { seed: 11, numRuns: 300 },
    )
  })

  test('lines of the right shape with arbitrary values', async () => {
    const [header = ''] = lean.split('\n')
    const anything = fc.oneof(fc.jsonValue(), fc.integer(), fc.string())
    const line = fc.oneof(
      fc.record({ entry: anything, leaf: anything, personal: anything }, { requiredKeys: [] }),
      fc.record({
        checkpoint: fc.record({
          size: anything,
          root: anything,
          at: anything,
          previous: anything,
          signature: anything,
        }),
      }),
      fc.record({
        checkpoint: fc.record({
          size: fc.integer(),
          root: fc.string(),
          at: fc.string(),
          previous: fc.integer(),
          signature: fc.string(),
        }),
      }),
      fc.record({ digest: anything, lines: anything }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(line), values =>
        judge([header, ...values.map(value => canonicalJson(value)), ''].join('\n')),
      ),
      { seed: 11, numRuns: 500 },
    )
  })

  test('nesting deeper than the stack, endless lines', async () => {
    const [header = ''] = lean.split('\n')
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    await judge(deep)
    for (const line of [
      deep,
      `{"entry":${deep}}`,
      `{"entry":{"facts":${deep}},"leaf":"${'0'.repeat(64)}"}`,
      `{"checkpoint":${deep}}`,
    ])
      await judge(`${header}\n${line}\n`)
    for (const depth of [500, 1_000, 2_000, 3_000, 4_000, 6_000, 8_000]) {
      const facts = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
      await judge(`${header}\n{"entry":{"facts":${facts}},"leaf":"${'0'.repeat(64)}"}\n`)
    }
    const block = Buffer.alloc(1_048_576, 120)
    async function* endless(first: string) {
      yield Buffer.from(first)
      for (;;) yield block
    }
    for (const first of ['', `${header}\n`]) {
      const { findings } = await verifyExportStream(endless(first))
      expect(findings.map(({ code, values }) => [code, values.max])).toContainEqual(['line.long', String(lineBytesMax)])
    }
  }, 120_000)
})

describe('proofs', () => {
  test('each entry is proven in the head, alone, with the key, with the witness', async () => {
    const stored = await collect(listEntries(state.file))
    for (let index = 0; index < entries; index++) {
      const proof = JSON.parse(JSON.stringify(await proveEntry(state, index))) as EntryProof
      const { ok, entry, checkpoint } = verifyProof(proof, { publicKey, witnesses: [witness] })
      const { personal: _, ...expected } = stored[index] ?? {}
      expect([ok, entry, checkpoint?.size]).toEqual([true, expected, entries])
      expect(JSON.stringify(proof)).not.toMatch(/person\d/)
    }
  })

  test('a personal part is opened only when asked for, and proven with it', async () => {
    const proof = await proveEntry(state, 8, 'included')
    expect(verifyProof(proof)).toMatchObject({ ok: true, keyFrom: 'export', personal: { login: 'person8@d.example' } })
    const lie = { ...proof, personal: { ...proof.personal, value: { login: 'other@d.example' } } }
    expect(verifyProof(lie).findings.map(({ code }) => code)).toEqual(['private.changed'])
    await expect(proveEntry(state, 4, 'included')).rejects.toMatchObject({ kind: 'not-found' })
    await expect(proveEntry(state, entries)).rejects.toMatchObject({ kind: 'not-found' })
  })

  test('a proof made before an erasure verifies after it', async () => {
    using other = temporaryFolder()
    const live = stateIn(other.path)
    await using register = await openSqliteRegister(live)
    await register.append(sampleEntries(30))
    const before = await proveEntry(live, 10, 'included')
    await register.erasePersonal([10], ana, 'asked for by the holder')
    expect(verifyProof(before, { publicKey: register.publicKey }).ok).toBe(true)
    expect(verifyProof(await proveEntry(live, 10)).ok).toBe(true)
    expect((await verifyStore(live)).findings).toEqual([])
    const growth = await proveConsistency(live, 30)
    expect(verifyProof(growth, { witnesses: [{ name: 'before', text: before.checkpoint }] }).ok).toBe(true)
  })

  test('growth between every size and the head', async () => {
    for (let size = 0; size <= entries; size++) {
      const proof: GrowthProof = await proveConsistency(state, size)
      expect([size, verifyProof(proof, { publicKey }).findings]).toEqual([size, []])
      if (size === 0) continue
      const lie = { ...proof, from: { ...proof.from, root: 'ab'.repeat(32) } }
      expect([size, verifyProof(lie).ok]).toEqual([size, false])
    }
    await expect(proveConsistency(state, entries + 1)).rejects.toMatchObject({ kind: 'not-found' })
  })

  test('any one character of a proof changed is found, or says the same', async () => {
    for (const proof of [await proveEntry(state, 32, 'included'), await proveConsistency(state, 33)]) {
      const text = JSON.stringify(proof)
      const number = seededNumber('proof')
      for (let at = 0; at < text.length; at++) {
        const bytes = Buffer.from(text)
        bytes[at] = (bytes[at] as number) ^ (1 << number(7))
        let read: unknown
        try {
          read = JSON.parse(bytes.toString())
        } catch {
          continue
        }
        const { ok } = verifyProof(read, { publicKey, witnesses: [witness] })
        if (ok) expect([at, canonicalJson(read)]).toEqual([at, canonicalJson(proof)])
      }
    }
  })

  test('arbitrary documents never throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.record(
            {
              format: fc.constant('mailwarden-proof/1'),
              path: fc.anything(),
              checkpoint: fc.constant(witness.text),
              publicKey: fc.constant(publicKey),
              entry: fc.anything(),
              from: fc.anything(),
              personal: fc.anything(),
            },
            { requiredKeys: ['format', 'path', 'checkpoint', 'publicKey'] },
          ),
        ),
        document => {
          expect(verifyProof(document).ok).toBe(false)
        },
      ),
      { seed: 3, numRuns: 1_000 },
    )
  })

  test('a store that does not verify proves nothing', async () => {
    const bad = { ...state, file: join(folder.path, 'unproven.db') }
    await copyFile(state.file, bad.file)
    {
      using db = new DatabaseSync(bad.file)
      db.exec('UPDATE entry SET leaf = zeroblob(32) WHERE idx = 8')
    }
    await expect(proveEntry(bad, 3)).rejects.toMatchObject({ kind: 'distrusted' })
  })
})

describe('list', () => {
  test('by kind, subject, start and end', async () => {
    const all = await collect(listEntries(state.file))
    const indexes = async (filter: Parameters<typeof listEntries>[1]) =>
      (await collect(listEntries(state.file, filter))).map(({ index }) => index)
    const those = (fits: (entry: (typeof all)[number]) => boolean) => all.filter(fits).map(({ index }) => index)
    expect(await indexes({ kind: 'apply' })).toEqual(those(({ kind }) => kind.startsWith('apply.')))
    expect(await indexes({ kind: 'apply.' })).toEqual(those(({ kind }) => kind.startsWith('apply.')))
    expect(await indexes({ kind: 'apply.intended' })).toEqual(those(({ kind }) => kind === 'apply.intended'))
    expect(await indexes({ kind: 'app' })).toEqual([])
    expect(await indexes({ subject: 'domain:d3.example', from: 20 })).toEqual(
      those(({ subject, index }) => subject === 'domain:d3.example' && index >= 20),
    )
    expect(await indexes({ kind: 'apply', last: 3 })).toEqual(those(({ kind }) => kind.startsWith('apply.')).slice(-3))
    expect(await indexes({ last: 0 })).toEqual([])
    expect(await indexes({ from: 1_000 })).toEqual([])
    await expect(indexes({ last: 1_000_000 })).rejects.toMatchObject({ kind: 'too-large' })
  })

  test('a store that is not there is said to be so, and none is made', async () => {
    const file = join(folder.path, 'none.db')
    await expect(collect(listEntries(file))).rejects.toMatchObject({ kind: 'not-found' })
    await expect(verifyStore({ ...state, file })).rejects.toMatchObject({ kind: 'not-found' })
    expect(existsSync(file)).toBe(false)
  })
})

test('each finding has its sentence in both languages, with the same values', () => {
  const values = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()
  for (const [code, { en, es }] of Object.entries(findingSentences)) {
    expect([code, values(es)]).toEqual([code, values(en)])
    expect(es).not.toBe(en)
  }
  const finding = { code: 'entry.index', place: { line: 9, entry: 5 }, values: { says: '6' } } as const
  expect(formatFinding(finding, 'es')).toBe('línea 9 (entrada 5): dice ser la entrada 6: movida o intercambiada.')
})
