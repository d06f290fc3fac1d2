/**
 * One writer a store: a lock that the kernel drops when its process dies, so a kill -9 leaves nothing to clean up.
 * It is SQLite's own file lock on an empty file beside the store, because Node has no other; readers never touch it.
 */
import { DatabaseSync } from 'node:sqlite'
import { RegisterFailure, toFailure } from './failure.ts'

/** Throws `held` at once when another process, or another opening in this one, writes to the store. */
export function holdStore(file: string): Disposable {
  const lock = new DatabaseSync(`${file}.lock`, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    const failure = toFailure(error, `hold ${file}`)
    if (!(failure instanceof RegisterFailure) || failure.kind !== 'held') throw failure
    throw new RegisterFailure(
      'held',
      `Another mailwarden process holds ${file}: ask that one, or stop it first.`,
      error,
    )
  }
  return { [Symbol.dispose]: () => lock.close() }
}
