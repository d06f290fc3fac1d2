/** The SQLite register: the common suite, then what only a file can get wrong: lock, key, witness, full disk, swaps. */
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { parseNote } from '../../agent/register/checkpoint.ts'
import { listEntries, verifyStore } from '../../agent/register/offline.ts'
import { openSqliteRegister } from '../../agent/register/sqlite.ts'
import { testRegister } from '../conformance/register.suite.ts'
import {
  ana,
  collect,
  copyState,
  fillStore,
  type State,
  sampleEntries,
  sampleEntry,
  stateIn,
  temporaryFolder,
} from './fixture.ts'

testRegister({ name: 'sqlite register', open: folder => openSqliteRegister(stateIn(folder)) })

const codesOf = (trust: { ok: boolean; findings?: readonly { code: string }[] }) =>
  trust.ok ? [] : (trust.findings ?? []).map(({ code }) => code)

async function dump(state: State): Promise<string> {
  return JSON.stringify(await collect(listEntries(state.file)))
}

describe('one writer', () => {
  test('a second opening is refused, readers are not', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await using register = await openSqliteRegister(state)
    await register.append(sampleEntries(5))
    await expect(openSqliteRegister(state)).rejects.toMatchObject({ kind: 'held' })
    expect((await verifyStore(state)).findings).toEqual([])
    await register.append([sampleEntry(5)])
    expect((await collect(listEntries(state.file))).length).toBe(6)
  })

  test('another process is refused too, and gets in once this one has closed', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    const child = () =>
      spawnSync(process.execPath, [join(import.meta.dirname, 'append-child.ts'), folder.path, '1'], {
        encoding: 'utf8',
      })
    {
      await using register = await openSqliteRegister(state)
      await register.append(sampleEntries(1))
      expect(child().stderr).toMatch(/Another mailwarden process holds/)
    }
    expect(child().stdout).toBe('1\n')
  })

  test('reading beside a writer moves nothing into the file', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await using register = await openSqliteRegister(state)
    await register.append(sampleEntries(20))
    const before = readFileSync(state.file)
    const log = readFileSync(`${state.file}-wal`)
    await verifyStore(state)
    await collect(listEntries(state.file))
    expect(readFileSync(state.file).equals(before)).toBe(true)
    expect(readFileSync(`${state.file}-wal`).equals(log)).toBe(true)
    // Reading the file by hand has dropped this process's locks on it (POSIX), so nothing is written after this.
  })

  test('files are for their owner alone', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await using register = await openSqliteRegister(state)
    await register.append(sampleEntries(2))
    for (const name of ['mailwarden.db', 'mailwarden.db-wal', 'mailwarden.db-shm', 'keys/register.key'])
      expect([name, (statSync(join(folder.path, name)).mode & 0o777).toString(8)]).toEqual([name, '600'])
  })

  test('a store that was replaced or removed under the writer takes no more entries', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await using register = await openSqliteRegister(state)
    await register.append(sampleEntries(3))
    await rename(state.file, `${state.file}.away`)
    await expect(register.append([sampleEntry(3)])).rejects.toMatchObject({ kind: 'distrusted' })
    await rename(`${state.file}.away`, state.file)
    await expect(register.append([sampleEntry(3)])).rejects.toMatchObject({ kind: 'distrusted' })
    expect(register.size).toBe(3)
  })

  test('a store that another process changed under the writer takes no more entries', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await using register = await openSqliteRegister(state)
    await register.append(sampleEntries(3))
    using other = new DatabaseSync(state.file)
    other.exec('DELETE FROM entry WHERE idx = 2')
    await expect(register.append([sampleEntry(3)])).rejects.toMatchObject({ kind: 'distrusted' })
    expect(register.trust.ok).toBe(false)
  })
})

describe('keys', () => {
  test('a store whose key is missing is an error that says so, and no key is made', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await fillStore(state, 10)
    await rm(join(state.keysFolder, 'register.key'))
    await expect(openSqliteRegister(state)).rejects.toMatchObject({
      kind: 'key',
      message: expect.stringMatching(/key is missing/),
    })
    expect(existsSync(join(state.keysFolder, 'register.key'))).toBe(false)
    await rm(state.keysFolder, { recursive: true })
    await expect(openSqliteRegister(state)).rejects.toMatchObject({ kind: 'key' })
    expect(existsSync(state.keysFolder)).toBe(false)
  })

  test('the key of another register opens distrusted and signs nothing', async () => {
    using folder = temporaryFolder()
    const state = stateIn(join(folder.path, 'a'))
    const other = stateIn(join(folder.path, 'b'), 'other')
    await fillStore(state, 10)
    await fillStore(other, 10)
    await using register = await openSqliteRegister({ ...state, keysFolder: other.keysFolder })
    expect(codesOf(register.trust)).toContain('checkpoint.key')
    await expect(register.append([sampleEntry(1)])).rejects.toMatchObject({ kind: 'distrusted' })
    await expect(register.acceptHead(ana, 'never mind')).rejects.toMatchObject({ kind: 'distrusted' })
  })

  test('any bit of the key files changed: refused, distrusted, or the very same key', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await fillStore(state, 12)
    for (const name of ['register.key', 'register.pub']) {
      const file = join(state.keysFolder, name)
      const good = readFileSync(file)
      for (let position = 0; position < good.length; position++) {
        const bad = Buffer.from(good)
        bad[position] = (bad[position] as number) ^ (1 << (position % 8))
        await writeFile(file, bad)
        const outcome = await openSqliteRegister(state).then(
          async register => {
            const { trust, publicKey } = register
            await register[Symbol.asyncDispose]()
            return trust.ok ? publicKey : 'distrusted'
          },
          (error: { kind?: string }) => error.kind,
        )
        if (outcome !== 'distrusted' && outcome !== 'key')
          expect([name, position, outcome]).toEqual([
            name,
            position,
            readFileSync(join(state.keysFolder, 'register.pub'), 'utf8'),
          ])
      }
      await writeFile(file, good)
    }
  })

  test('a power cut between the two key files is healed', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await fillStore(state, 12)
    const publicFile = join(state.keysFolder, 'register.pub')
    const before = readFileSync(publicFile, 'utf8')
    await rm(publicFile)
    await using register = await openSqliteRegister(state)
    expect(register.trust.ok).toBe(true)
    expect(readFileSync(publicFile, 'utf8')).toBe(before)
  })
})

describe('witness', () => {
  test('stands at the head after closing, and at each further place', async () => {
    using folder = temporaryFolder()
    const base = stateIn(folder.path)
    const state = { ...base, witnessFiles: [...base.witnessFiles, join(folder.path, 'second.witness')] }
    await fillStore(state, 30)
    for (const file of state.witnessFiles) expect(parseNote(readFileSync(file, 'utf8'))?.checkpoint.size).toBe(30)
  })

  test('a witness that is behind is normal: the power was cut between commit and witness', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    const [witness] = state.witnessFiles as [string]
    let old: string
    {
      await using register = await openSqliteRegister(state)
      await register.append(sampleEntries(7))
      await register.witness()
      old = readFileSync(witness, 'utf8')
      await register.append(sampleEntries(7, 7))
    }
    await writeFile(witness, old)
    await using register = await openSqliteRegister(state)
    expect(register.trust).toEqual({ ok: true })
    expect(parseNote(readFileSync(witness, 'utf8'))?.checkpoint.size).toBe(14)
  })

  test('a witness that cannot be written is a trouble, never a stop', async () => {
    using folder = temporaryFolder()
    const base = stateIn(folder.path)
    const state = { ...base, witnessFiles: [...base.witnessFiles, join(folder.path, 'no-such-folder', 'w')] }
    await using register = await openSqliteRegister(state)
    await register.append(sampleEntries(3))
    await register.witness()
    expect(register.size).toBe(3)
    expect(register.troubles).toEqual([expect.stringMatching(/could not be written \(ENOENT\)/)])
    await mkdir(join(folder.path, 'no-such-folder'))
    await register.append([sampleEntry(3)])
    await register.witness()
    expect(register.troubles).toEqual([])
  })

  test('entries without any witness left: distrusted; a further one that is new: fine', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await fillStore(state, 12)
    const [witness] = state.witnessFiles as [string]
    {
      await using register = await openSqliteRegister({ ...state, witnessFiles: [witness, join(folder.path, 'added')] })
      expect(register.trust.ok).toBe(true)
    }
    await rm(witness)
    await using register = await openSqliteRegister(state)
    expect(codesOf(register.trust)).toEqual(['witness.missing'])
    expect(existsSync(witness)).toBe(false)
  })

  test('any one byte of a witness changed is found', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await fillStore(state, 12)
    const [witness] = state.witnessFiles as [string]
    const good = readFileSync(witness)
    for (let position = 0; position < good.length; position++) {
      const bad = Buffer.from(good)
      bad[position] = (bad[position] as number) ^ (1 << (position % 8))
      await writeFile(witness, bad)
      const { ok, findings } = await verifyStore(state)
      expect([position, ok, findings[0]?.code.startsWith('witness.')]).toEqual([position, false, true])
    }
  })

  test('an idle register is signed again with a new time, over the same root', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await using register = await openSqliteRegister(state)
    await register.append(sampleEntries(5))
    const before = await register.checkpoint()
    const after = await register.signAgain()
    expect({ ...after, at: '', signature: '' }).toEqual({ ...before, at: '', signature: '' })
    expect(after.at > before.at).toBe(true)
    expect((await verifyStore(state)).findings).toEqual([])
  })
})

/** Yesterday's copy with 20 entries, today's with 40, both as a stopped or a killed daemon leaves them. */
async function twoDays(folder: string): Promise<{ yesterday: State; today: State; running: State }> {
  const state = stateIn(join(folder, 'live'))
  await fillStore(state, 20)
  const yesterday = await copyState(state, join(folder, 'yesterday'))
  const register = await openSqliteRegister(state)
  await register.append(sampleEntries(20, 20))
  await register.witness()
  // While the daemon runs, today's entries are in the log; a copy now is what a kill -9 leaves.
  const running = await copyState(state, join(folder, 'running'))
  await register[Symbol.asyncDispose]()
  const today = await copyState(state, join(folder, 'today'))
  return { yesterday, today, running }
}

/** Either refused, or distrusted, or all that was there today; never less without a word. */
async function expectNeverOlder(state: State, today: string): Promise<string> {
  const size = JSON.parse(today).length as number
  const verdict = await verifyStore(state)
  try {
    await using register = await openSqliteRegister(state)
    if (!register.trust.ok) {
      expect(verdict.ok).toBe(false)
      await expect(register.append([sampleEntry(0)])).rejects.toMatchObject({ kind: 'distrusted' })
      return codesOf(register.trust).join()
    }
    expect(register.size).toBe(size)
    expect(JSON.stringify(await collect(register.read(0)))).toBe(today)
    return 'newest'
  } catch (error) {
    expect(error).toMatchObject({ name: 'RegisterFailure' })
    return (error as { kind: string }).kind
  }
}

describe("yesterday's backup put back (R9)", () => {
  test('the store alone, over a stopped daemon: behind its witness, both heads shown', async () => {
    using folder = temporaryFolder()
    const { yesterday, today } = await twoDays(folder.path)
    const newest = await dump(today)
    await copyFile(yesterday.file, today.file)
    expect(await expectNeverOlder(today, newest)).toBe('witness.behind')
    const { findings } = await verifyStore(today)
    expect(findings[0]?.values).toMatchObject({ size: '20', witnessed: '40' })
  })

  test.each([
    ['with the log of today', []],
    ['with the log of today, its index removed', ['-shm']],
    ['the log removed', ['-wal']],
    ['log and index removed', ['-wal', '-shm']],
  ])('over a killed daemon, %s', async (_, removed) => {
    using folder = temporaryFolder()
    const { yesterday, today, running } = await twoDays(folder.path)
    const newest = await dump(today)
    await copyFile(yesterday.file, running.file)
    for (const suffix of removed) rmSync(`${running.file}${suffix}`)
    const outcome = await expectNeverOlder(running, newest)
    expect(outcome).toBe(removed.includes('-wal') ? 'witness.behind' : 'newest')
  })

  test.each([[['-wal']], [['-shm']], [['-wal', '-shm']], [['']], [['', '-wal', '-shm']]])(
    'files of a killed daemon removed: %j',
    async removed => {
      using folder = temporaryFolder()
      const { today, running } = await twoDays(folder.path)
      const newest = await dump(today)
      for (const suffix of removed) rmSync(`${running.file}${suffix}`)
      if (!removed.includes('')) {
        const outcome = await expectNeverOlder(running, newest)
        expect(outcome).toBe(removed.includes('-wal') ? 'witness.behind' : 'newest')
        return
      }
      // The store itself is gone: a new one is begun, and the witness of the old one keeps it from being used.
      await using register = await openSqliteRegister(running)
      expect(codesOf(register.trust)).toEqual(['witness.origin'])
      await expect(register.append([sampleEntry(0)])).rejects.toMatchObject({ kind: 'distrusted' })
    },
  )

  test("today's log cut in the middle and at each end of its frames", async () => {
    using folder = temporaryFolder()
    const { today, running } = await twoDays(folder.path)
    const newest = await dump(today)
    const log = readFileSync(`${running.file}-wal`)
    const outcomes = new Set<string>()
    // A frame is a header of 24 bytes and a page of 4,096, after the log's own 32.
    for (let length = 32; length <= log.length; length += 2_060) {
      const copy = await copyState(running, join(folder.path, `cut-${length}`))
      await writeFile(`${copy.file}-wal`, log.subarray(0, length))
      rmSync(`${copy.file}-shm`)
      outcomes.add(await expectNeverOlder(copy, newest))
      rmSync(copy.folder, { recursive: true })
    }
    expect([...outcomes].sort()).toEqual(['newest', 'witness.behind'])
  })

  test('witness and store both put back from yesterday: only a witness elsewhere shows it', async () => {
    using folder = temporaryFolder()
    const { yesterday, today } = await twoDays(folder.path)
    const elsewhere = join(folder.path, 'elsewhere')
    await copyFile(today.witnessFiles[0] as string, elsewhere)
    expect((await verifyStore(yesterday)).ok).toBe(true)
    const { findings } = await verifyStore({ ...yesterday, witnessFiles: [elsewhere] })
    expect(findings.map(({ code }) => code)).toEqual(['witness.behind'])
  })

  test('a fork is shown with both heads, and an operator who accepts it leaves an entry', async () => {
    using folder = temporaryFolder()
    const { yesterday, today } = await twoDays(folder.path)
    {
      await using other = await openSqliteRegister(yesterday)
      await other.append(sampleEntries(25, 500))
    }
    await copyFile(yesterday.file, today.file)
    const witnessed = parseNote(readFileSync(today.witnessFiles[0] as string, 'utf8'))?.checkpoint
    {
      await using register = await openSqliteRegister(today)
      expect(codesOf(register.trust)).toEqual(['witness.fork'])
      const values = register.trust.ok ? {} : register.trust.findings[0]?.values
      expect(values).toMatchObject({
        size: '40',
        witnessed: witnessed?.root,
        found: expect.stringMatching(/^[0-9a-f]{64}$/),
      })
      const accepted = await register.acceptHead(ana, 'the other host is gone')
      expect(accepted).toMatchObject({
        kind: 'register.accepted',
        facts: { findings: ['witness.fork'], size: 45, witnessed: [{ size: 40, root: witnessed?.root }] },
      })
      await register.append([sampleEntry(1)])
    }
    await using register = await openSqliteRegister(today)
    expect(register.trust).toEqual({ ok: true })
    expect(register.size).toBe(47)
  })
})

describe('a full disk (R17)', () => {
  test('a plain error, memory as before, and it goes on once there is room', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    const opened: DatabaseSync[] = []
    await using register = await openSqliteRegister({ ...state, tune: db => opened.push(db) })
    const [db] = opened as [DatabaseSync]
    await register.append(sampleEntries(10))
    const before = await register.checkpoint()
    const { pages } = db.prepare('SELECT page_count AS pages FROM pragma_page_count').get() as { pages: number }
    db.exec(`PRAGMA max_page_count = ${pages + 2}`)
    const big = () => register.append([{ ...sampleEntry(1), facts: { text: 'x'.repeat(60_000) } }])
    const answers = await Promise.allSettled([big(), register.append([sampleEntry(2)]), big()])
    for (const answer of answers)
      expect(answer).toMatchObject({
        status: 'rejected',
        reason: { kind: 'full', message: expect.stringMatching(/disk is full/) },
      })
    expect(register.size).toBe(10)
    expect(await register.checkpoint()).toEqual(before)
    expect((await collect(register.read(0))).length).toBe(10)
    expect(register.trust.ok).toBe(true)
    db.exec('PRAGMA max_page_count = 1000000')
    const [stored] = await big()
    expect(stored?.index).toBe(10)
    await register.witness()
    expect((await verifyStore(state)).findings).toEqual([])
  })
})

/** A disk of 24 MB of our own, where this machine lets us have one. */
function smallDisk(folder: string): Disposable | undefined {
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'mailwarden-test', folder])
  if (status !== 0) return undefined
  return { [Symbol.dispose]: () => void spawnSync('umount', [folder]) }
}

const canMount = (() => {
  using folder = temporaryFolder()
  using disk = smallDisk(folder.path)
  return disk !== undefined
})()

describe.skipIf(!canMount)(
  `a disk that is really full${canMount ? '' : ' (skipped: only root may mount a tmpfs)'}`,
  () => {
    test('a thousand suspensions go on out of the reserve, everything else is refused until there is room', async () => {
      using folder = temporaryFolder()
      using disk = smallDisk(folder.path)
      expect(disk).toBeDefined()
      const usesReserve = ({ kind }: { kind: string }) => kind.startsWith('incident.')
      const state = { ...stateIn(folder.path), usesReserve }
      const suspension = { ...sampleEntry(0), kind: 'incident.declared', personal: { reason: 'x'.repeat(200) } }
      const other = { ...sampleEntry(1), kind: 'apply.completed' }
      const filler = join(folder.path, 'filler')
      {
        await using register = await openSqliteRegister(state)
        await register.append([other, suspension])
        expect(register.troubles).toEqual([])
        expect(statSync(`${state.file}.reserve`).size).toBe(8 * 1_048_576)
        fillUp(filler)
        let refused = 0
        // Some appends still fit into blocks that the log has already.
        for (let tries = 0; tries < 2_000 && refused === 0; tries++)
          await register.append([other]).catch(error => {
            expect(error).toMatchObject({ kind: 'full' })
            refused += 1
          })
        expect(refused).toBe(1)
        const before = register.size
        for (let count = 0; count < 1_000; count++) await register.append([suspension])
        expect(register.size).toBe(before + 1_000)
        expect(statSync(`${state.file}.reserve`).size).toBe(0)
        await expect(register.append([other])).rejects.toMatchObject({ kind: 'full' })
        const mixed = await Promise.allSettled([register.append([suspension]), register.append([other])])
        expect(mixed.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
        expect(register.troubles.some(trouble => /disk is full/.test(trouble))).toBe(true)
        await rm(filler)
        await register.signAgain()
        expect(statSync(`${state.file}.reserve`).size).toBe(8 * 1_048_576)
        await register.append([other])
        expect(register.troubles).toEqual([])
      }
      expect((await verifyStore(state)).findings).toEqual([])
      await using register = await openSqliteRegister(state)
      expect(register.trust).toEqual({ ok: true })
    })

    test('a first start on a full disk fails with a sentence and leaves nothing half begun', async () => {
      using folder = temporaryFolder()
      using disk = smallDisk(folder.path)
      expect(disk).toBeDefined()
      const filler = join(folder.path, 'filler')
      fillUp(filler)
      const state = stateIn(folder.path)
      await expect(openSqliteRegister(state)).rejects.toMatchObject({ kind: 'full' })
      await rm(filler)
      await using register = await openSqliteRegister(state)
      await register.append(sampleEntries(3))
      expect((await verifyStore(state)).findings).toEqual([])
    })
  },
)

/** Writes until nothing more goes in. */
function fillUp(file: string): void {
  const handle = openSync(file, 'w')
  for (let block = Buffer.alloc(65_536); block.length > 0; )
    try {
      writeSync(handle, block)
    } catch {
      block = block.subarray(0, block.length >> 1)
    }
  closeSync(handle)
}

describe('what a store must not be', () => {
  test('a file of something else is left as it is', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await writeFile(state.file, 'not a database, but somebody needs it'.repeat(200))
    const before = readFileSync(state.file)
    await expect(openSqliteRegister(state)).rejects.toMatchObject({ kind: 'unreadable' })
    expect(readFileSync(state.file).equals(before)).toBe(true)
    expect(existsSync(state.keysFolder)).toBe(false)
  })

  test("somebody's database is not taken over", async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    {
      using other = new DatabaseSync(state.file)
      other.exec('CREATE TABLE theirs (x)')
    }
    await expect(openSqliteRegister(state)).rejects.toMatchObject({ kind: 'unreadable' })
  })

  test('a newer format is refused with a sentence', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await fillStore(state, 12)
    {
      using db = new DatabaseSync(state.file)
      db.exec("UPDATE meta SET value = 'mailwarden-register/2' WHERE name = 'format'")
    }
    await expect(openSqliteRegister(state)).rejects.toMatchObject({ kind: 'unsupported' })
  })

  test('a trigger that would rewrite what is appended is found', async () => {
    using folder = temporaryFolder()
    const state = stateIn(folder.path)
    await fillStore(state, 12)
    {
      using db = new DatabaseSync(state.file)
      db.exec('CREATE TRIGGER sly AFTER INSERT ON entry BEGIN DELETE FROM private WHERE idx = new.idx; END')
    }
    await using register = await openSqliteRegister(state)
    expect(codesOf(register.trust)).toEqual(['store.schema'])
  })
})

test('erased personal data are in no file of the store', async () => {
  using folder = temporaryFolder()
  const state = stateIn(folder.path)
  const canary = 'canary-7f3a@d.example'
  await using register = await openSqliteRegister(state)
  await register.append([
    ...sampleEntries(30),
    { ...sampleEntry(1), personal: { login: canary } },
    ...sampleEntries(30),
  ])
  const holds = () => ['', '-wal'].some(suffix => readFileSync(`${state.file}${suffix}`).includes(canary))
  expect(holds()).toBe(true)
  await register.erasePersonal([30], ana, 'retention')
  expect(holds()).toBe(false)
})

test('a start hands out every entry while it verifies them', async () => {
  using folder = temporaryFolder()
  const state = stateIn(folder.path)
  await fillStore(state, 30)
  const seen: unknown[] = []
  await using register = await openSqliteRegister({ ...state, onEntry: entry => seen.push(entry) })
  expect(seen).toEqual(await collect(register.read(0)))
})
