/**
 * Someone with a hex editor, someone with SQL, and cosmic rays (R15, R16): every change of the store is found and the
 * first bad entry named, or it provably changed nothing that the register says.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import { formatFinding } from '../../agent/register/finding.ts'
import { verifyStore } from '../../agent/register/offline.ts'
import { openSqliteRegister } from '../../agent/register/sqlite.ts'
import { leafHash } from '../../agent/register/tree.ts'
import {
  ana,
  type Folder,
  fillStore,
  type State,
  sampleEntries,
  seededNumber,
  stateIn,
  temporaryFolder,
} from './fixture.ts'

const entries = 60
const flips = 1_200

let folder: Folder
let good: State
let bad: State

beforeAll(async () => {
  folder = temporaryFolder()
  good = stateIn(folder.path)
  await fillStore(good, entries)
  bad = { ...good, file: join(folder.path, 'bad.db') }
})
afterAll(() => folder[Symbol.dispose]())

/** All that the register says, read without mailwarden. Throws where SQLite cannot read it. */
function contentOf(file: string): string {
  using db = new DatabaseSync(file, { readOnly: true })
  const rows = ['entry ORDER BY idx', 'private ORDER BY idx', 'checkpoint ORDER BY size', 'meta ORDER BY name'].map(
    table => db.prepare(`SELECT * FROM ${table}`).all(),
  )
  return JSON.stringify(rows, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value))
}

test('the untouched store verifies', async () => {
  expect(await verifyStore(good)).toMatchObject({ ok: true, size: entries, findings: [], troubles: [] })
})

test(`${flips} single bits, over every page of the file`, async () => {
  const number = seededNumber('flip')
  const clean = contentOf(good.file)
  const { length } = readFileSync(good.file)
  await copyFile(good.file, bad.file)
  const handle = openSync(bad.file, 'r+')
  const byte = Buffer.alloc(1)
  let found = 0
  for (let flip = 0; flip < flips; flip++) {
    // One in each stretch of the file, so that no page is left out.
    const position = Math.floor((flip * length) / flips) + number(Math.floor(length / flips))
    readSync(handle, byte, 0, 1, position)
    const before = byte[0] as number
    byte[0] = before ^ (1 << number(8))
    writeSync(handle, byte, 0, 1, position)
    const { ok, findings } = await verifyStore(bad)
    if (!ok) {
      found += 1
      expect(findings.length).toBeGreaterThan(0)
    } else expect([position, contentOf(bad.file)]).toEqual([position, clean])
    byte[0] = before
    writeSync(handle, byte, 0, 1, position)
  }
  closeSync(handle)
  // Pages are nearly full, so a verifier that slept would not come near this.
  expect(found).toBeGreaterThan(flips / 2)
  expect(readFileSync(bad.file).equals(readFileSync(good.file))).toBe(true)
})

test('the same bits: opening for writing trusts nothing that verification does not', async () => {
  const number = seededNumber('open')
  const bytes = readFileSync(good.file)
  for (let flip = 0; flip < 60; flip++) {
    using scratch = temporaryFolder()
    const state = { ...good, file: join(scratch.path, 'mailwarden.db') }
    const spoilt = Buffer.from(bytes)
    const position = number(bytes.length)
    spoilt[position] = (spoilt[position] as number) ^ (1 << number(8))
    const { writeFile } = await import('node:fs/promises')
    await writeFile(state.file, spoilt)
    const before = await verifyStore(state)
    try {
      await using register = await openSqliteRegister({ ...state, witnessFiles: [] })
      // Structure that is damaged without harm to the content is found by the whole verification only.
      if (register.trust.ok) expect(before.findings.every(({ code }) => code === 'store.structure')).toBe(true)
      else await expect(register.append(sampleEntries(1))).rejects.toMatchObject({ kind: 'distrusted' })
    } catch (error) {
      expect([position, (error as Error).name]).toEqual([position, 'RegisterFailure'])
    }
  }
})

const blob = (value: unknown): Buffer => Buffer.from(value as Uint8Array)

type Forgery = {
  readonly title: string
  readonly forge: (db: DatabaseSync) => void
  /** What the first finding says. */
  readonly first: RegExp
}

function rewrite(
  db: DatabaseSync,
  index: number,
  change: (entry: Record<string, unknown>) => object,
  leaf: 'kept' | 'made anew',
) {
  const row = db.prepare('SELECT bytes, leaf FROM entry WHERE idx = ?').get(index) as {
    bytes: Uint8Array
    leaf: Uint8Array
  }
  const bytes = Buffer.from(canonicalJson(change(JSON.parse(blob(row.bytes).toString()) as Record<string, unknown>)))
  db.prepare('UPDATE entry SET bytes = ?, leaf = ? WHERE idx = ?').run(
    bytes,
    leaf === 'kept' ? row.leaf : leafHash(bytes),
    index,
  )
}

function swap(db: DatabaseSync, table: string, a: number, b: number) {
  const move = db.prepare(`UPDATE ${table} SET idx = ? WHERE idx = ?`)
  move.run(1_000, a)
  move.run(a, b)
  move.run(b, 1_000)
}

const forgeries: readonly Forgery[] = [
  {
    title: 'bytes changed',
    forge: db => rewrite(db, 17, entry => ({ ...entry, kind: 'incident.annulled' }), 'kept'),
    first: /^entry 17: its bytes/,
  },
  {
    title: 'bytes and leaf changed',
    forge: db => rewrite(db, 17, entry => ({ ...entry, kind: 'incident.annulled' }), 'made anew'),
    first: /^entries 0 to \d+: entries were changed: signed root/,
  },
  {
    title: 'leaf changed',
    forge: db => db.exec('UPDATE entry SET leaf = zeroblob(32) WHERE idx = 17'),
    first: /^entry 17: its bytes/,
  },
  {
    title: 'no entry any more',
    forge: db => db.exec("UPDATE entry SET bytes = CAST('{}' AS BLOB) WHERE idx = 17"),
    first: /^entry 17: /,
  },
  {
    title: 'two entries swapped',
    forge: db => swap(db, 'entry', 20, 21),
    first: /^entry 20: it says that it is entry 21/,
  },
  {
    title: 'swapped, and their numbers made to fit',
    forge: db => {
      swap(db, 'entry', 20, 22)
      for (const index of [20, 22]) rewrite(db, index, entry => ({ ...entry, index }), 'made anew')
    },
    first: /^entries 0 to \d+: entries were changed/,
  },
  { title: 'one missing', forge: db => db.exec('DELETE FROM entry WHERE idx = 31'), first: /^entry 31: missing/ },
  {
    title: 'a stretch missing',
    forge: db => db.exec('DELETE FROM entry WHERE idx BETWEEN 31 AND 40'),
    first: /^entries 31 to 40: missing/,
  },
  { title: 'the first missing', forge: db => db.exec('DELETE FROM entry WHERE idx = 0'), first: /^entry 0: missing/ },
  {
    title: 'one missing, the later ones moved up',
    forge: db => {
      db.exec('DELETE FROM entry WHERE idx = 31')
      for (let index = 32; index < entries; index++)
        db.prepare('UPDATE entry SET idx = ? WHERE idx = ?').run(index - 1, index)
    },
    first: /^entry 31: it says that it is entry 32/,
  },
  {
    title: 'the end cut',
    forge: db => db.exec('DELETE FROM entry WHERE idx >= 50'),
    first: /^entries 50 to 59: the end is missing: checkpoint 60/,
  },
  { title: 'everything cut', forge: db => db.exec('DELETE FROM entry'), first: /^entries 0 to 59: the end is missing/ },
  {
    title: 'an entry added',
    forge: db => db.prepare('INSERT INTO entry SELECT 60, bytes, leaf FROM entry WHERE idx = 3').run(),
    first: /^entry 60: /,
  },
  {
    title: 'an entry with a negative number',
    forge: db => db.prepare('INSERT INTO entry SELECT -1, bytes, leaf FROM entry WHERE idx = 3').run(),
    first: /^entry -1: /,
  },
  {
    title: 'the newest checkpoint cut',
    forge: db => db.exec('DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint)'),
    first: /no checkpoint/,
  },
  {
    title: 'all checkpoints cut',
    forge: db => db.exec('DELETE FROM checkpoint'),
    first: /there is no checkpoint at all/,
  },
  {
    title: 'a root changed',
    forge: db => db.exec('UPDATE checkpoint SET root = zeroblob(32) WHERE size = 60'),
    first: /^checkpoint 60: its signature is bad/,
  },
  {
    title: 'a time changed',
    forge: db => db.exec("UPDATE checkpoint SET at = '2020-01-01T00:00:00.000Z' WHERE size = 60"),
    first: /^checkpoint 60: its signature is bad/,
  },
  {
    title: 'a size changed',
    forge: db => db.exec('UPDATE checkpoint SET size = 59 WHERE size = 60'),
    first: /^checkpoint 59: its signature is bad/,
  },
  {
    title: 'a personal part changed',
    forge: db => db.exec(`UPDATE private SET bytes = CAST('{"login":"other@d.example"}' AS BLOB) WHERE idx = 8`),
    first: /^entry 8: its personal part does not fit/,
  },
  {
    title: 'a salt changed',
    forge: db => db.exec('UPDATE private SET salt = zeroblob(32) WHERE idx = 8'),
    first: /^entry 8: its personal part does not fit/,
  },
  {
    title: 'two personal parts swapped',
    forge: db => swap(db, 'private', 8, 10),
    first: /^entry 8: its personal part does not fit/,
  },
  {
    title: 'a personal part taken away',
    forge: db => db.exec('DELETE FROM private WHERE idx = 8'),
    first: /^entry 8: its personal part is gone/,
  },
  {
    title: 'all personal parts taken away',
    forge: db => db.exec('DELETE FROM private'),
    first: /^entry 1: its personal part is gone/,
  },
  {
    title: 'a personal part where none was',
    forge: db => db.exec('INSERT INTO private SELECT 9, salt, bytes FROM private WHERE idx = 8'),
    first: /^entry 9: a personal part stands where/,
  },
  {
    title: 'a personal part of no entry',
    forge: db => db.exec('INSERT INTO private SELECT 900, salt, bytes FROM private WHERE idx = 8'),
    first: /^entry 900: a personal part stands/,
  },
  {
    title: 'an erased personal part put back',
    forge: db => db.exec('INSERT INTO private SELECT 7, salt, bytes FROM private WHERE idx = 8'),
    first: /^entry 7: its personal part/,
  },
  {
    title: 'another register by name',
    forge: db => db.exec("UPDATE meta SET value = '0123456789abcdef' WHERE name = 'log'"),
    first: /^checkpoint 60: it is signed with another key/,
  },
  {
    title: 'a trigger',
    forge: db => db.exec('CREATE TRIGGER t AFTER INSERT ON entry BEGIN SELECT 1; END'),
    first: /trigger t/,
  },
  {
    title: 'a table made anew without its constraints',
    forge: db => db.exec('CREATE TABLE x AS SELECT * FROM meta; DROP TABLE meta; ALTER TABLE x RENAME TO meta'),
    first: /table meta/,
  },
]

describe('forgeries with SQL', () => {
  test.each(forgeries)('$title', async ({ forge, first }) => {
    using scratch = temporaryFolder()
    const state = { ...good, file: join(scratch.path, 'forged.db') }
    await copyFile(good.file, state.file)
    {
      using db = new DatabaseSync(state.file)
      forge(db)
    }
    const { ok, findings } = await verifyStore({ file: state.file, keysFolder: good.keysFolder })
    expect(ok).toBe(false)
    expect(findings[0] === undefined ? '' : formatFinding(findings[0])).toMatch(first)
    await using register = await openSqliteRegister(state)
    expect(register.trust.ok).toBe(false)
    await expect(register.append(sampleEntries(1))).rejects.toMatchObject({ kind: 'distrusted' })
  })
})

describe('a longer store', () => {
  test('damage is narrowed down to a stretch between two checkpoints, and a checkpoint missing from the middle shows', async () => {
    using scratch = temporaryFolder()
    const state = stateIn(scratch.path)
    {
      await using register = await openSqliteRegister(state)
      for (let written = 0; written < 1_600; written += 10) await register.append(sampleEntries(10, written))
    }
    {
      using db = new DatabaseSync(state.file)
      expect(db.prepare('SELECT count(*) AS count FROM checkpoint').get()).toEqual({ count: 7 })
      rewrite(db, 1_033, entry => ({ ...entry, subject: 'domain:other.example' }), 'made anew')
      db.exec('DELETE FROM checkpoint WHERE size = (SELECT size FROM checkpoint ORDER BY size LIMIT 1 OFFSET 2)')
    }
    const { findings } = await verifyStore(state)
    expect(findings.map(finding => formatFinding(finding))).toEqual([
      expect.stringMatching(/^checkpoint 1020: the checkpoint before it, 760, is missing/),
      expect.stringMatching(/^entries 1020 to 1269: entries were changed/),
    ])
  })

  test('thousands of findings are counted, the first hundred kept', async () => {
    using scratch = temporaryFolder()
    const state = stateIn(scratch.path)
    {
      await using register = await openSqliteRegister(state)
      await register.append(sampleEntries(2_000))
    }
    {
      using db = new DatabaseSync(state.file)
      db.exec('UPDATE entry SET leaf = zeroblob(32)')
    }
    const { found, findings } = await verifyStore(state)
    expect(found).toBe(2_000)
    expect(findings.map(({ place }) => place)).toEqual(Array.from({ length: 100 }, (_, entry) => ({ entry })))
  })
})

test('a stolen store without its key cannot be forged: signed with another key, it shows', async () => {
  using scratch = temporaryFolder()
  const thief = stateIn(scratch.path, 'thief')
  {
    await using register = await openSqliteRegister(thief)
    await register.append(sampleEntries(entries))
    await register.erasePersonal([4], ana, 'cover')
  }
  {
    using db = new DatabaseSync(thief.file)
    using real = new DatabaseSync(good.file, { readOnly: true })
    const log = (real.prepare("SELECT value FROM meta WHERE name = 'log'").get() as { value: string }).value
    db.prepare("UPDATE meta SET value = ? WHERE name = 'log'").run(log)
  }
  const { ok, findings } = await verifyStore({ file: thief.file, keysFolder: good.keysFolder })
  expect(ok).toBe(false)
  expect(findings[0]?.code).toBe('checkpoint.key')
})
