/**
 * The embedded directory: domains, accounts and passwords in one SQLite file that Postfix and Dovecot read directly
 * (contract section 3; tables and views in `schema.ts`). It writes what it is told and decides nothing. A password hash
 * goes in and never comes out. Several processes may have the file open.
 */

import type { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../agent/core/clock.ts'
import { hit } from '../../agent/core/failpoint.ts'
import type { Outcome } from '../../agent/model/change.ts'
import {
  canonicalDirectoryResource,
  checkDirectoryResource,
  type DirectoryResource,
} from '../../agent/standards/directory-resource.ts'
import { type CredentialStore, type Provider, ProviderFailure } from '../provider.ts'
import { carryOut, type DirectoryChange } from './change.ts'
import { beginImmediate, closeDatabase, openDatabase, rollBack, toFailure } from './database.ts'
import { prepareRows, type Rows, readAccount, readDomain, readScope } from './rows.ts'

export type EmbeddedDirectory = Provider<DirectoryResource> &
  CredentialStore & {
    foreignWrites(signal: AbortSignal): AsyncIterable<void>
  }

/** Changes of one transaction. The driver is synchronous: this many take a few milliseconds of the event loop. */
const transactionChangesMax = 200
const foreignWritesPollMs = 250

const forever = new AbortController().signal

/** What the directory is before its file was opened. */
export const describeEmbeddedDirectory = (file: string) =>
  ({
    name: 'directory',
    kinds: ['domain', 'account'],
    target: `embedded-directory:${file}`,
    check: checkDirectoryResource,
    canonical: canonicalDirectoryResource,
  }) as const

/** @throws ProviderFailure when the file can't be opened. */
export async function openEmbeddedDirectory(options: { file: string; clock: Clock }): Promise<EmbeddedDirectory> {
  const { file, clock } = options
  const database = openDatabase(file)
  const rows = prepareRows(database)
  const store: Store = { database, rows, clock }
  return {
    ...describeEmbeddedDirectory(file),
    async observe(scope, signal) {
      if (signal.aborted)
        throw new ProviderFailure('timeout', 'reading the directory was broken off', {
          retry: 'later',
          cause: signal.reason,
        })
      return observe(store, () => readScope(rows, scope))
    },
    apply: (changes, signal) => applyAll(store, changes, signal),
    doors: {
      read: async refs =>
        observe(store, () =>
          refs.flatMap(({ kind, key }) => {
            const found = kind === 'domain' ? readDomain(rows, key) : readAccount(rows, key)
            // The queries of Postfix and Dovecot see a domain beside its accounts.
            return found === undefined ? [] : [{ ...found, isWhole: true }]
          }),
        ),
      write: (changes, signal) => applyAll(store, changes, signal),
    },
    foreignWrites: signal => foreignWrites(store, signal),
    async setCredential(address, hash, changedAt) {
      const written = await write(store, forever, () => {
        if (readAccount(rows, address) === undefined)
          throw new ProviderFailure('rejected', `${address} does not stand in the directory`, { retry: 'never' })
        rows.putCredential.run(address, hash, changedAt)
      })
      if (written.result === 'failed' || written.result === 'unknown') throw written.failure
    },
    async credentialChanges(domain) {
      const found = observe(store, () => rows.credentialsOf.all(domain))
      return new Map(found.map(row => [String(row.address), Number(row.changed_at)]))
    },
    async [Symbol.asyncDispose]() {
      if (database.isOpen) closeDatabase(database, file)
    },
  }
}

type Store = { readonly database: DatabaseSync; readonly rows: Rows; readonly clock: Clock }

/** One picture: a read transaction sees one state of all tables. */
function observe<T>({ database }: Store, read: () => T): T {
  try {
    database.exec('BEGIN')
    const found = read()
    database.exec('COMMIT')
    return found
  } catch (error) {
    if (database.isOpen) rollBack(database)
    throw toFailure(error, 'the directory cannot be read')
  }
}

type Written<T> =
  | { readonly result: 'committed'; readonly value: T }
  /** The signal aborted before the transaction began. */
  | { readonly result: 'skipped' }
  /** Rolled back: nothing of it stands. */
  | { readonly result: 'failed'; readonly failure: ProviderFailure }
  /** The commit itself broke off: it may stand or not. */
  | { readonly result: 'unknown'; readonly failure: ProviderFailure }

async function write<T>(store: Store, signal: AbortSignal, work: () => T): Promise<Written<T>> {
  const { database } = store
  let committing = false
  try {
    if (!(await beginImmediate(database, signal))) return { result: 'skipped' }
    // From here to the commit nothing is awaited, so no other work of this process gets into the transaction.
    const value = work()
    hit('directory.insideTransaction')
    committing = true
    database.exec('COMMIT')
    hit('directory.afterCommit')
    return { result: 'committed', value }
  } catch (error) {
    if (database.isOpen) rollBack(database)
    const failure = toFailure(error, 'the directory cannot be written')
    return { result: committing ? 'unknown' : 'failed', failure }
  }
}

async function* applyAll(
  store: Store,
  changes: readonly DirectoryChange[],
  signal: AbortSignal,
): AsyncGenerator<Outcome> {
  for (let start = 0; start < changes.length; start += transactionChangesMax) {
    yield* await applyChunk(store, changes.slice(start, start + transactionChangesMax), signal)
    // Lets live decisions and other work in between two transactions.
    await setImmediate()
  }
}

async function applyChunk(store: Store, chunk: readonly DirectoryChange[], signal: AbortSignal): Promise<Outcome[]> {
  const all = (result: Outcome['result'], detail: string): Outcome[] =>
    chunk.map(({ change }) => ({ ref: change.ref, result, detail }))
  const written = await write(store, signal, () => chunk.map(change => carryOutAlone(store, change)))
  switch (written.result) {
    case 'committed':
      return written.value
    case 'skipped':
      return all('skipped', 'the run was stopped before')
    case 'failed':
    case 'unknown':
      return all(written.result, written.failure.message)
  }
}

/** Its own savepoint: a row that cannot be written (a trigger of a third party, say) does not stop its neighbours. */
function carryOutAlone({ database, rows }: Store, change: DirectoryChange): Outcome {
  database.exec('SAVEPOINT one')
  try {
    const outcome = carryOut(rows, change)
    database.exec('RELEASE one')
    return outcome
  } catch (error) {
    // A full disk may have ended the whole transaction; then there is nothing left to go on with.
    if (!database.isTransaction) throw error
    database.exec('ROLLBACK TO one; RELEASE one')
    return { ref: change.change.ref, result: 'failed', detail: error instanceof Error ? error.message : String(error) }
  }
}

/** One hint for any number of writes by others. Our own connection's writes don't move its `data_version`. */
async function* foreignWrites({ database, rows, clock }: Store, signal: AbortSignal): AsyncGenerator<void> {
  // A file that can't be read just now is for the next pass to report; this one only gives hints.
  let last = -1
  const version = () => {
    try {
      return Number(rows.dataVersion.get()?.data_version)
    } catch {
      return last
    }
  }
  last = version()
  while (true) {
    await clock.sleep(foreignWritesPollMs, signal)
    if (signal.aborted || !database.isOpen) return
    const now = version()
    if (now === last) continue
    last = now
    yield
  }
}
