/**
 * The tables of the embedded DNS: zones, their RRsets, and which zone changed when. The triggers see every writer, also
 * one that opens the file with another program, so the server's memory never outlives what stands in the file.
 */

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ProviderFailure } from '../provider.ts'

const schemaVersion = 1
const busyTimeoutMs = 5_000 // the command line and the daemon may write at once; each transaction is short
// SQLite up to 3.51.2 can corrupt a WAL database when two connections write and checkpoint together.
const sqliteVersionMin = [3, 51, 3] as const

const tables = `
  CREATE TABLE zone (
    apex TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,
    serial INTEGER NOT NULL,
    mark TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE rrset (
    zone TEXT NOT NULL COLLATE NOCASE REFERENCES zone (apex),
    owner TEXT NOT NULL COLLATE NOCASE,
    type TEXT NOT NULL COLLATE NOCASE,
    ttl INTEGER NOT NULL,
    "values" TEXT NOT NULL CHECK (json_type("values") = 'array'),
    mark TEXT,
    PRIMARY KEY (zone, owner, type)
  ) STRICT, WITHOUT ROWID;
  -- The newest change of each zone, deleted ones too; numbers rise over all zones.
  CREATE TABLE revision (zone TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX revision_number ON revision (number);
`

function trigger(table: 'zone' | 'rrset', event: 'INSERT' | 'UPDATE' | 'DELETE'): string {
  const column = table === 'zone' ? 'apex' : 'zone'
  const rows = event === 'INSERT' ? ['NEW'] : event === 'DELETE' ? ['OLD'] : ['OLD', 'NEW']
  // No upsert: the conflict clause of the statement that fires a trigger overrides those inside it.
  const notes = rows.map(
    row => `INSERT INTO revision (zone, number) SELECT ${row}.${column}, 0
        WHERE NOT EXISTS (SELECT 1 FROM revision WHERE zone = ${row}.${column});
      UPDATE revision SET number = 1 + (SELECT max(number) FROM revision) WHERE zone = ${row}.${column};`,
  )
  return `CREATE TRIGGER ${table}_${event.toLowerCase()} AFTER ${event} ON ${table} BEGIN ${notes.join(' ')} END;`
}

const triggers = (['zone', 'rrset'] as const)
  .flatMap(table => (['INSERT', 'UPDATE', 'DELETE'] as const).map(event => trigger(table, event)))
  .join('\n')

function assertSqliteVersion(): void {
  const version = process.versions.sqlite ?? '0.0.0'
  const parts = version.split('.').map(Number)
  const older = sqliteVersionMin.map((least, index) => (parts[index] ?? 0) - least).find(difference => difference !== 0)
  if (older !== undefined && older < 0)
    throw new ProviderFailure('unsupported', `SQLite ${version} is older than ${sqliteVersionMin.join('.')}`, {
      retry: 'never',
    })
}

function migrate(database: DatabaseSync): void {
  const version = () => Number(database.prepare('PRAGMA user_version').get()?.user_version)
  if (version() === schemaVersion) return
  database.exec('BEGIN IMMEDIATE')
  try {
    // Another program may have made the tables while this one waited for the lock.
    const found = version()
    if (found > schemaVersion)
      throw new ProviderFailure('unsupported', `the DNS file has version ${found}, this is ${schemaVersion}`, {
        retry: 'never',
      })
    if (found === 0) database.exec(`${tables}${triggers}PRAGMA user_version = ${schemaVersion};`)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

/** Opens the file, making it and its folder when absent. */
export function openDatabase(file: string): DatabaseSync {
  assertSqliteVersion()
  let database: DatabaseSync | undefined
  try {
    mkdirSync(dirname(file), { recursive: true })
    database = new DatabaseSync(file, { timeout: busyTimeoutMs })
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
    migrate(database)
    return database
  } catch (error) {
    database?.close()
    if (error instanceof ProviderFailure) throw error
    throw new ProviderFailure('unreachable', `the DNS file ${file} cannot be opened`, { retry: 'later', cause: error })
  }
}
