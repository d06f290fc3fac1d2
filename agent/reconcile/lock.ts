/**
 * One process at a time. The lock is SQLite's own RESERVED lock on a small file: the kernel drops it with the process,
 * however that ends, so there is never a stale lock; and others can read who holds it.
 */
import { DatabaseSync } from 'node:sqlite'

export type Lock = { release(): void }
export type Holder = { readonly pid: number; readonly what: string; readonly since: string }

const sqliteBusy = 5
const sqliteFull = 13

/** @returns the lock, or who holds it. */
export function takeLock(file: string, holder: Holder): Lock | Holder {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    writeHolder(database, holder)
    database.exec('BEGIN IMMEDIATE')
  } catch (error) {
    // Somebody has it. Anything else (a read-only file) is no holder and is said as it is.
    const other = codeOf(error) === sqliteBusy ? readHolder(database) : undefined
    database.close()
    if (other === undefined) throw error
    return other
  }
  return {
    release() {
      database.exec('ROLLBACK')
      database.close()
    },
  }
}

/** On a full disk nobody's name is written, and the lock holds all the same: a suspension must not wait for room. */
function writeHolder(database: DatabaseSync, holder: Holder): void {
  try {
    database.exec('PRAGMA journal_mode=DELETE')
    database.exec('CREATE TABLE IF NOT EXISTS holder (pid INTEGER, what TEXT, since TEXT)')
    database.exec('BEGIN IMMEDIATE')
    database.exec('DELETE FROM holder')
    database.prepare('INSERT INTO holder VALUES (?, ?, ?)').run(holder.pid, holder.what, holder.since)
    database.exec('COMMIT')
  } catch (error) {
    if (codeOf(error) !== sqliteFull) throw error
    if (database.isTransaction) database.exec('ROLLBACK')
  }
}

/** Extended codes keep the primary one in their lowest byte. */
function codeOf(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) % 256
}

function readHolder(database: DatabaseSync): Holder | undefined {
  try {
    return database.prepare('SELECT pid, what, since FROM holder').get() as Holder | undefined
  } catch {
    // Between two commits of the one who takes it: somebody holds it, but can't be named yet.
    return { pid: 0, what: '?', since: '?' }
  }
}
