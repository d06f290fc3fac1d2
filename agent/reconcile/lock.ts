/**
 * One process at a time. The lock is SQLite's own RESERVED lock on a small file: the kernel drops it with the process,
 * however that ends, so there is never a stale lock; and others can read who holds it.
 */
import { DatabaseSync } from 'node:sqlite'

export type Lock = { release(): void }
export type Holder = { readonly pid: number; readonly what: string; readonly since: string }

/** @returns the lock, or who holds it. */
export function takeLock(file: string, holder: Holder): Lock | Holder {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode=DELETE')
    database.exec('CREATE TABLE IF NOT EXISTS holder (pid INTEGER, what TEXT, since TEXT)')
    database.exec('BEGIN IMMEDIATE')
    database.exec('DELETE FROM holder')
    database.prepare('INSERT INTO holder VALUES (?, ?, ?)').run(holder.pid, holder.what, holder.since)
    database.exec('COMMIT')
    database.exec('BEGIN IMMEDIATE')
  } catch (error) {
    // 5 is SQLITE_BUSY: somebody has it. Anything else (a full disk, a read-only one) is no holder and is said as it is.
    const busy = (error as { errcode?: number }).errcode === 5
    const other = busy ? readHolder(database) : undefined
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

function readHolder(database: DatabaseSync): Holder | undefined {
  try {
    return database.prepare('SELECT pid, what, since FROM holder').get() as Holder | undefined
  } catch {
    // Between two commits of the one who takes it: somebody holds it, but can't be named yet.
    return { pid: 0, what: '?', since: '?' }
  }
}
