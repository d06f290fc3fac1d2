/**
 * The file: opened, checked, created, its lock waited for without blocking the event loop, and left so that the mail
 * servers can go on reading it. Knows nothing of domains and accounts.
 *
 * Why WAL: Postfix has no busy timeout, and a map that is locked for the length of one commit kills the smtpd that asks
 * ("fatal: … database is locked"). In WAL a reader never meets a writer's lock. Its price is that a reader needs the
 * `-wal` and `-shm` files, which the last connection of a writer deletes; a Postfix that may not create them would then
 * fail until mailwarden is back. So `close` leaves them (see there), and the shipped maps open the file with `mode=ro`,
 * under which not even root's tools delete them.
 */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { ProviderFailure } from '../provider.ts'
import { schema, schemaVersion } from './schema.ts'

/** Debian's Postfix and Dovecot read, nobody else does: there are password hashes in it. Their group is the folder's. */
const fileMode = 0o640
/** Another process that writes is waited for this long; its transactions take milliseconds. */
const busyMsMax = 5_000
/** SQLite's own wait blocks the event loop, and with it live decisions; so it is short and we wait between the tries. */
const blockingMsMax = 5
const retryMs = 20
/** The write-ahead log is cut back to this after a checkpoint. */
const walBytesMax = 4 * 1024 * 1024
/** Before 3.51.3 two connections that write and checkpoint at once can corrupt a WAL database. */
const sqliteVersionMin = [3, 51, 3] as const

export function openDatabase(file: string): DatabaseSync {
  checkVersion()
  try {
    createFile(file)
    const database = new DatabaseSync(file, { timeout: busyMsMax })
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${walBytesMax}`)
    createTables(database, file)
    database.exec(`PRAGMA busy_timeout = ${blockingMsMax}`)
    return database
  } catch (error) {
    throw toFailure(error, `the directory ${file} cannot be opened`)
  }
}

/**
 * Leaves `-wal` and `-shm` in place: a connection that may only read, and closes last, cannot take the lock under
 * which SQLite would delete them. What stands in them is not lost, the next writer goes on from there.
 */
export function closeDatabase(database: DatabaseSync, file: string): void {
  let reader: DatabaseSync | undefined
  try {
    database.exec('PRAGMA wal_checkpoint(PASSIVE)')
    reader = new DatabaseSync(file, { readOnly: true })
    reader.prepare('SELECT count(*) FROM domain').get()
  } catch {
    // Without the reader the files go, and whoever opens the directory next makes them again.
  }
  database.close()
  reader?.close()
}

/** Begins a write transaction. @returns false when the signal aborted first. */
export async function beginImmediate(database: DatabaseSync, signal: AbortSignal): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += retryMs) {
    if (signal.aborted) return false
    try {
      database.exec('BEGIN IMMEDIATE')
      return true
    } catch (error) {
      if (!isBusy(error) || waitedMs >= busyMsMax) throw toFailure(error, 'the directory is locked by another process')
    }
    // No `clock.sleep`: that one does not keep the process alive, and a command would end in the middle of its work.
    // The abort is seen above, and the wait is short.
    await setTimeout(retryMs)
  }
}

export function rollBack(database: DatabaseSync): void {
  if (database.isTransaction) database.exec('ROLLBACK')
}

export function toFailure(error: unknown, message: string): ProviderFailure {
  if (error instanceof ProviderFailure) return error
  return new ProviderFailure(isBusy(error) ? 'timeout' : 'unreachable', message, { retry: 'later', cause: error })
}

const sqliteBusy = 5

function isBusy(error: unknown): boolean {
  // Extended codes keep the primary one in their lowest byte.
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0
  return (code & 0xff) === sqliteBusy
}

/** SQLite would create it readable for everybody; it gives `-wal` and `-shm` the mode and group of the file itself. */
function createFile(file: string): void {
  // SQLite's name for no file at all: a preview of an estate that was never applied must leave no trace.
  if (file === ':memory:') return
  mkdirSync(dirname(file), { recursive: true, mode: 0o750 })
  try {
    closeSync(openSync(file, 'wx', fileMode))
    chmodSync(file, fileMode)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

function createTables(database: DatabaseSync, file: string): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0)
    if (version > schemaVersion)
      throw new ProviderFailure('unsupported', `the directory ${file} was written by a later mailwarden`, {
        retry: 'never',
      })
    if (version === 0) database.exec(`${schema}; PRAGMA user_version = ${schemaVersion}`)
    database.exec('COMMIT')
  } catch (error) {
    rollBack(database)
    throw error
  }
}

function checkVersion(): void {
  const version = process.versions.sqlite ?? '0'
  const parts = version.split('.').map(Number)
  for (const [index, least] of sqliteVersionMin.entries()) {
    const part = parts[index] ?? 0
    if (part > least) return
    if (part < least)
      throw new ProviderFailure(
        'unsupported',
        `SQLite ${version} is too old, ${sqliteVersionMin.join('.')} is needed`,
        {
          retry: 'never',
        },
      )
  }
}
