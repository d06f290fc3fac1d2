/**
 * Opening the register in SQLite: lock, key, the whole store verified against its witnesses, all before the first entry
 * is taken (R9). A store that does not verify opens distrusted, to be read and never written; one whose key is missing
 * does not open at all. `writer.ts` has what comes after.
 */
import { mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { formatInstant } from '../core/clock.ts'
import { originOf, signCheckpoint } from './checkpoint.ts'
import { isOutside, RegisterFailure, toFailure } from './failure.ts'
import { syncFolder } from './files.ts'
import { type KeyPair, makeKeys, readKeys } from './keys.ts'
import { holdStore } from './lock.ts'
import { fillReserve, reserveFileOf } from './reserve.ts'
import { prepareWriting, walkStore } from './rows.ts'
import { checkSchema, createTables, openForWriting, readLogId, stateOf } from './store.ts'
import { emptyFrontier, rootOf } from './tree.ts'
import { addFinding, beginVerification, endVerification, type Witness } from './verify.ts'
import { checkWitnessLeft, readWitnesses } from './witness.ts'
import { type Opening, type SqliteOptions, SqliteRegister } from './writer.ts'

export type { SqliteOptions, SqliteRegister, Trust } from './writer.ts'

const logIdBytes = 8

/** Opens or begins the register. Throws `RegisterFailure`; a store that reads but does not verify opens distrusted. */
export async function openSqliteRegister(options: SqliteOptions): Promise<SqliteRegister> {
  const { file } = options
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const lock = holdStore(file)
  let db: DatabaseSync | undefined
  try {
    // Personal data are in it: SQLite would make it readable for all, and copies the mode to its log.
    await (await open(file, 'a', 0o600)).close()
    db = openForWriting(file)
    options.tune?.(db)
    const keys = await takeKeys(db, options)
    const before = await readWitnesses(options.witnessFiles)
    if (stateOf(db) === 'new') await beginStore(db, keys, options)
    const origin = originOf(readLogId(db))
    const opening = await readStore(db, origin, keys, before.witnesses, options)
    const register = new SqliteRegister({ options, lock, db, keys, origin, opening, inode: (await stat(file)).ino })
    for (const trouble of before.troubles) register.noteTrouble(trouble)
    if (register.trust.ok) await register.witness()
    if (options.usesReserve !== undefined) register.noteTrouble(await fillReserve(reserveFileOf(file)))
    return register
  } catch (error) {
    db?.close()
    lock[Symbol.dispose]()
    throw toFailure(error, `open the register ${file}`)
  }
}

async function takeKeys(db: DatabaseSync, { file, keysFolder, random }: SqliteOptions): Promise<KeyPair> {
  const state = stateOf(db)
  if (state === 'foreign')
    throw new RegisterFailure('unreadable', `${file} holds something, but no register that can be read.`)
  const keys = await readKeys(keysFolder)
  if (keys !== undefined) return keys
  if (state === 'register')
    throw new RegisterFailure(
      'key',
      `${file} holds a register, but its key is missing from ${keysFolder}. Put register.key back from its backup: a new key would make every earlier checkpoint look forged.`,
    )
  return makeKeys(keysFolder, random)
}

async function beginStore(db: DatabaseSync, keys: KeyPair, { file, clock, random }: SqliteOptions): Promise<void> {
  const logId = Buffer.from(random(logIdBytes)).toString('hex')
  const root = Buffer.from(rootOf(emptyFrontier)).toString('hex')
  const unsigned = { size: 0, root, at: formatInstant(clock.now()), previous: null }
  db.exec('BEGIN IMMEDIATE')
  createTables(db, logId)
  const checkpoint = signCheckpoint(originOf(logId), unsigned, keys.privateKey, keys.publicKey)
  prepareWriting(db).insertCheckpoint(checkpoint)
  db.exec('COMMIT')
  await syncFolder(dirname(file))
}

async function readStore(
  db: DatabaseSync,
  origin: string,
  keys: KeyPair,
  witnesses: readonly Witness[],
  { witnessFiles, onEntry }: SqliteOptions,
): Promise<Opening> {
  const walk = beginVerification({ origin, publicKey: keys.publicKey, witnesses, personal: 'stored' })
  try {
    checkSchema(db, walk)
    await walkStore(db, walk, entry => onEntry?.(entry), nextTurn)
  } catch (error) {
    if (!isOutside(error)) throw error
    addFinding(walk, 'store.unreadable', { entry: walk.size }, { detail: (error as Error).message })
  }
  if (!keys.paired) addFinding(walk, 'key.mismatch', { store: 'keys' })
  checkWitnessLeft(walk, witnessFiles, witnesses)
  return { verdict: endVerification(walk), frontier: walk.frontier, witnesses }
}
