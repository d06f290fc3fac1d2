/**
 * The store's file: its tables, and opening it. SQLite with WAL and synchronous=FULL (an acknowledged row survives
 * kill -9 and the power cut, T20). Nothing here decides whether the content is true; `verify.ts` does.
 */
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { RegisterFailure } from './failure.ts'
import { addFinding, type Verification } from './verify.ts'

export const storeFormat = 'mailwarden-register/1'
/** T4: the default would answer "locked" at once; longer than this nobody waits for an answer anyway. */
export const busyTimeoutMs = 5_000
/** T3: from 3.7.0 to 3.51.2 a WAL database could be corrupted by two connections. */
const sqliteVersionMin = [3, 51, 3] as const
const tables: Readonly<Record<string, string>> = {
  entry: 'CREATE TABLE entry (idx INTEGER PRIMARY KEY, bytes BLOB NOT NULL, leaf BLOB NOT NULL) STRICT',
  private: 'CREATE TABLE private (idx INTEGER PRIMARY KEY, salt BLOB NOT NULL, bytes BLOB NOT NULL) STRICT',
  checkpoint:
    'CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, root BLOB NOT NULL, at TEXT NOT NULL, previous INTEGER, signature BLOB NOT NULL) STRICT',
  meta: 'CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID',
}

/** For appending. The file must exist already, so that it has the mode that the caller gave it. */
export function openForWriting(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: busyTimeoutMs })
  return guarded(db, () => {
    checkVersion(db)
    const { journal_mode: mode } = db.prepare('PRAGMA journal_mode = WAL').get() as { journal_mode: string }
    if (mode !== 'wal')
      throw new RegisterFailure('unsupported', `${file} cannot be kept with a write-ahead log (${mode}).`)
    db.exec('PRAGMA synchronous = FULL')
    // Erased personal data are overwritten with zeros, not only unlinked (K35).
    db.exec('PRAGMA secure_delete = ON')
  })
}

/** For verifying, listing, exporting beside a running daemon; never writes, never moves the log into the file. */
export function openForReading(file: string): DatabaseSync {
  const open = (path: string | URL) => {
    const db = new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs })
    return guarded(db, () => {
      checkVersion(db)
      // The first read is where SQLite needs its shared memory beside the file.
      db.prepare('SELECT count(*) FROM sqlite_schema').get()
    })
  }
  try {
    return open(file)
  } catch (error) {
    // On a read-only medium there is no room for shared memory, and no writer either.
    if ((error as { errcode?: number }).errcode !== 14) throw error
    const url = pathToFileURL(file)
    url.searchParams.set('immutable', '1')
    return open(url)
  }
}

function guarded(db: DatabaseSync, prepare: () => void): DatabaseSync {
  try {
    prepare()
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function checkVersion(db: DatabaseSync): void {
  const { version } = db.prepare('SELECT sqlite_version() AS version').get() as { version: string }
  const parts = version.split('.').map(Number)
  for (const [place, least] of sqliteVersionMin.entries()) {
    const part = parts[place] ?? 0
    if (part > least) return
    if (part < least)
      throw new RegisterFailure(
        'unsupported',
        `SQLite ${version} can corrupt the register; mailwarden needs ${sqliteVersionMin.join('.')} or newer.`,
      )
  }
}

export function createTables(db: DatabaseSync, logId: string): void {
  for (const sql of Object.values(tables)) db.exec(sql)
  const insert = db.prepare('INSERT INTO meta (name, value) VALUES (?, ?)')
  insert.run('format', storeFormat)
  insert.run('log', logId)
}

/** `new` only for a file without any content: an old store whose first page is damaged must not be taken for one. */
export function stateOf(db: DatabaseSync): 'new' | 'register' | 'foreign' {
  const { objects } = db.prepare('SELECT count(*) AS objects FROM sqlite_schema').get() as { objects: number }
  const { page_count: pages } = db.prepare('PRAGMA page_count').get() as { page_count: number }
  if (objects === 0) return pages <= 1 ? 'new' : 'foreign'
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined ? 'foreign' : 'register'
}

/** Throws for a store of another format: a newer mailwarden wrote it. */
export function readLogId(db: DatabaseSync): string {
  const meta = readMeta(db)
  const format = meta.get('format')
  if (format !== storeFormat)
    throw new RegisterFailure(
      'unsupported',
      `The store has the format ${format ?? 'of nothing known'}; this mailwarden reads ${storeFormat}.`,
    )
  const logId = meta.get('log') ?? ''
  if (!/^[0-9a-f]{16}$/.test(logId))
    throw new RegisterFailure('unreadable', 'The store does not say which register it is.')
  return logId
}

function readMeta(db: DatabaseSync): Map<string, string> {
  const rows = db.prepare('SELECT name, value FROM meta').all() as { name: unknown; value: unknown }[]
  return new Map(rows.map(({ name, value }) => [String(name), String(value)]))
}

/** Tables exactly as made; a trigger or a view could rewrite what is read or written. */
export function checkSchema(db: DatabaseSync, walk: Verification): void {
  const rows = db.prepare('SELECT type, name, tbl_name AS owner, sql FROM sqlite_schema').all() as Record<
    string,
    unknown
  >[]
  const seen = new Set<string>()
  for (const { type, name, owner, sql } of rows) {
    const expected = tables[String(name)]
    if (type === 'table' && expected === sql && owner === name) seen.add(String(name))
    // Tables of others may share the file; nothing may hang on ours.
    else if (type !== 'table' || expected !== undefined)
      addFinding(walk, 'store.schema', { store: 'store' }, { object: `${type} ${name}` })
  }
  for (const name of Object.keys(tables))
    if (!seen.has(name)) addFinding(walk, 'store.schema', { store: 'store' }, { object: `table ${name}` })
  for (const name of readMeta(db).keys())
    if (name !== 'format' && name !== 'log') addFinding(walk, 'store.meta', { store: 'store' }, { object: name })
}

/** SQLite's own view: finds broken structure, hardly ever changed content (T2). Reads the whole file. */
export function checkStructure(db: DatabaseSync, walk: Verification): void {
  const rows = db.prepare('PRAGMA integrity_check(5)').all() as { integrity_check: unknown }[]
  for (const { integrity_check: detail } of rows)
    if (detail !== 'ok') addFinding(walk, 'store.structure', { store: 'store' }, { detail: String(detail) })
}
