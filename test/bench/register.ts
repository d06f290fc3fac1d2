/**
 * The register against bare node:sqlite inserts of the same bytes with the same durability, in one run on one disk:
 * only the ratio travels to other machines. Then verification of 100,000 entries. Runs alone or from `run.ts`.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { encodePublic, prepareEntry } from '../../agent/register/entry.ts'
import { verifyStore } from '../../agent/register/offline.ts'
import type { NewEntry } from '../../agent/register/register.ts'
import { openSqliteRegister } from '../../agent/register/sqlite.ts'

const single = 2_000
const batches = 200
const batchEntries = 100
const verified = 100_000

export type RegisterFigures = {
  /** Entries a second. */
  readonly appendOneByOne: number
  readonly bareOneByOne: number
  /** A hundred concurrent calls, one transaction. */
  readonly appendConcurrent: number
  readonly appendBatch: number
  readonly bareBatch: number
  /** Milliseconds of one awaited append. */
  readonly appendP50Ms: number
  readonly appendP99Ms: number
  readonly verifyPerSecond: number
  readonly openMs: number
}

function entry(number: number): NewEntry {
  return {
    kind: 'apply.completed',
    actor: { person: 'daemon', role: 'schedule' },
    at: new Date().toISOString(),
    subject: `domain:d${number % 100}.example`,
    rule: 'S37',
    facts: { number, applied: 3, failed: 0, digest: 'd'.repeat(64) },
    personal: { outcomes: [{ ref: `directory:account:person${number}@d.example`, result: 'applied' }] },
  }
}

function options(folder: string) {
  return {
    file: join(folder, 'mailwarden.db'),
    keysFolder: join(folder, 'keys'),
    witnessFiles: [join(folder, 'register.witness')],
    clock: { now: () => Date.now(), sleep: async () => {} },
    random: randomBytes,
  }
}

const perSecond = (count: number, begun: number) => Math.round((count * 1_000) / (performance.now() - begun))

function bare(folder: string, transactions: number, entries: number): number {
  using db = new DatabaseSync(join(folder, `bare-${entries}.db`))
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  db.exec('CREATE TABLE entry (idx INTEGER PRIMARY KEY, bytes BLOB NOT NULL, beside BLOB NOT NULL)')
  const insert = db.prepare('INSERT INTO entry (bytes, beside) VALUES (?, ?)')
  const prepared = prepareEntry(entry(0), () => randomBytes(32))
  const bytes = encodePublic(0, prepared)
  // Leaf, salt, personal part and the share of a checkpoint: what the register writes besides.
  const beside = Buffer.alloc(64 + (prepared.personal?.bytes.length ?? 0) + Math.round(140 / entries))
  const begun = performance.now()
  for (let transaction = 0; transaction < transactions; transaction++) {
    db.exec('BEGIN IMMEDIATE')
    for (let number = 0; number < entries; number++) insert.run(bytes, beside)
    db.exec('COMMIT')
  }
  return perSecond(transactions * entries, begun)
}

export async function benchRegister(): Promise<RegisterFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'mailwarden-bench-'))
  try {
    const bareOneByOne = bare(folder, single, 1)
    const bareBatch = bare(folder, batches, batchEntries)
    let written = 0
    const times: number[] = []
    let appendOneByOne: number
    let appendConcurrent: number
    let appendBatch: number
    {
      await using register = await openSqliteRegister(options(folder))
      let begun = performance.now()
      for (; written < single; written++) {
        const before = performance.now()
        await register.append([entry(written)])
        times.push(performance.now() - before)
      }
      appendOneByOne = perSecond(single, begun)
      const hundred = () => Array.from({ length: batchEntries }, () => entry(written++))
      begun = performance.now()
      for (let batch = 0; batch < batches; batch++) await Promise.all(hundred().map(one => register.append([one])))
      appendConcurrent = perSecond(batches * batchEntries, begun)
      begun = performance.now()
      for (let batch = 0; batch < batches; batch++) await register.append(hundred())
      appendBatch = perSecond(batches * batchEntries, begun)
      while (written < verified) await register.append(hundred().slice(0, verified - register.size))
    }
    let begun = performance.now()
    const { ok, size } = await verifyStore(options(folder))
    if (!ok) throw new Error('the register of the bench does not verify')
    const verifyPerSecond = perSecond(size, begun)
    begun = performance.now()
    await using _again = await openSqliteRegister(options(folder))
    const openMs = Math.round(performance.now() - begun)
    times.sort((a, b) => a - b)
    const at = (share: number) => Number((times[Math.floor(times.length * share)] ?? 0).toFixed(2))
    return {
      appendOneByOne,
      bareOneByOne,
      appendConcurrent,
      appendBatch,
      bareBatch,
      appendP50Ms: at(0.5),
      appendP99Ms: at(0.99),
      verifyPerSecond,
      openMs,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const figures = await benchRegister()
  console.table(figures)
  const ratio = (a: number, b: number) => (a / b).toFixed(2)
  console.info(`against bare inserts: ${ratio(figures.appendOneByOne, figures.bareOneByOne)} one by one`)
  console.info(`${ratio(figures.appendBatch, figures.bareBatch)} in batches of ${batchEntries}`)
}
