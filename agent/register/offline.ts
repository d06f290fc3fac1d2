/**
 * The register for the command line, without a daemon or beside one: verify, list, prove. Reads only; nothing here
 * takes the writer's lock, writes to the store or moves its log. Exports are written by `export-store.ts`.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { assert } from '../core/assert.ts'
import { originOf, type PublicKey, parsePublicKey, type SignedCheckpoint } from './checkpoint.ts'
import { parsePublic, toStored } from './entry.ts'
import { type ExportCheck, type ExportVerdict, verifyExportStream } from './export.ts'
import { isOutside, RegisterFailure, toFailure } from './failure.ts'
import { readPublicKey } from './keys.ts'
import { type EntryProof, type GrowthProof, proveGrowth, proveInclusion, type Signed } from './proof.ts'
import type { Stored } from './register.ts'
import { entryPages, readCheckpoints, walkStore } from './rows.ts'
import { checkSchema, checkStructure, openForReading, readLogId, stateOf } from './store.ts'
import { emptyFrontier, type LeafAt, rootOf, withLeaf } from './tree.ts'
import { addFinding, beginVerification, endVerification, type Verdict, type Verification } from './verify.ts'
import { checkWitnessLeft, readWitnesses } from './witness.ts'

export type StorePlace = {
  readonly file: string
  /** PEM, from a place that you trust; else `register.pub` of the keys folder. */
  readonly publicKey?: string
  readonly keysFolder?: string
}

/** `last` keeps this many in memory at most. */
export const listLastMax = 10_000

/** Reads everything, content and structure. Damage is a verdict; only a missing store or key throws. */
export async function verifyStore(
  place: StorePlace & { readonly witnessFiles?: readonly string[] },
): Promise<Verdict & { readonly troubles: readonly string[] }> {
  const publicKey = await takePublicKey(place)
  const files = place.witnessFiles ?? []
  // The witnesses first: a daemon that writes meanwhile only moves the store ahead of what was read here.
  const { witnesses, troubles } = await readWitnesses(files)
  const begin = (origin: string) => beginVerification({ origin, publicKey, witnesses, personal: 'stored' })
  let walk: Verification | undefined
  try {
    await inStore(place.file, async db => {
      walk = begin(originOf(readLogId(db)))
      checkSchema(db, walk)
      checkStructure(db, walk)
      await walkStore(db, walk, () => {}, nextTurn)
    })
  } catch (error) {
    if (!isOutside(error) || (error instanceof RegisterFailure && error.kind === 'not-found')) throw error
    walk ??= begin('')
    addFinding(walk, 'store.unreadable', { entry: walk.size }, { detail: (error as Error).message })
  }
  assert(walk !== undefined, 'a store that reads is walked')
  checkWitnessLeft(walk, files, witnesses)
  return { ...endVerification(walk), troubles }
}

/** Every byte of the file counts. Throws only where the file cannot be read. */
export async function verifyExport(file: string, check: ExportCheck = {}): Promise<ExportVerdict> {
  try {
    return await verifyExportStream(createReadStream(file), check)
  } catch (error) {
    throw toFailure(error, `read ${file}`)
  }
}

export type ListFilter = {
  /** `incident` takes `incident.declared`, and so does `incident.declared`. */
  readonly kind?: string
  readonly subject?: string
  readonly from?: number
  /** Only the newest so many of those that fit. */
  readonly last?: number
}

/** In order. Does not verify: that is `verifyStore`. */
export async function* listEntries(file: string, filter: ListFilter = {}): AsyncGenerator<Stored> {
  const { last } = filter
  if (last !== undefined && last > listLastMax)
    throw new RegisterFailure('too-large', `At most the last ${listLastMax} entries can be asked for.`)
  const newest: Stored[] = []
  const db = await openStore(file)
  try {
    for (const page of entryPages(db, Math.max(0, filter.from ?? 0))) {
      for (const raw of page) {
        const entry = raw.bytes === null ? undefined : parsePublic(raw.bytes)
        if (entry === undefined || entry.index !== raw.index)
          throw new RegisterFailure('unreadable', `Entry ${raw.index} cannot be read; run register verify.`)
        if (!fits(entry, filter)) continue
        const stored = toStored(entry, raw.personal)
        if (last === undefined) yield stored
        else if (newest.push(stored) > last) newest.shift()
      }
      await nextTurn()
    }
  } finally {
    db.close()
  }
  yield* newest
}

function fits(entry: { readonly kind: string; readonly subject: string }, { kind, subject }: ListFilter): boolean {
  if (subject !== undefined && entry.subject !== subject) return false
  return kind === undefined || entry.kind === kind || entry.kind.startsWith(kind.endsWith('.') ? kind : `${kind}.`)
}

/**
 * That an entry is in the register, as JSON that stands alone. `personal` opens its personal part to whoever gets the
 * proof. Throws `distrusted` where the entries do not have the signed root: then there is nothing to prove.
 */
export async function proveEntry(
  place: StorePlace,
  index: number,
  personal: 'left-out' | 'included' = 'left-out',
): Promise<EntryProof> {
  const publicKey = await takePublicKey(place)
  return inStore(place.file, async db => {
    const { leafAt, signed } = await readTree(db, publicKey)
    const [raw] = entryPages(db, index).next().value ?? []
    const entry = raw?.index !== index || raw.bytes === null ? undefined : parsePublic(raw.bytes)
    if (raw === undefined || entry === undefined)
      throw new RegisterFailure('not-found', `The register has no entry ${index}.`)
    if (personal === 'included' && raw.personal === null)
      throw new RegisterFailure('not-found', `Entry ${index} has no personal part, or it was erased.`)
    return proveInclusion(entry, personal === 'included' ? raw.personal : null, leafAt, signed)
  })
}

/** The same for many entries at once, all against one head, with their personal parts where they stand. */
export async function proveEntries(place: StorePlace, indexes: ReadonlySet<number>): Promise<readonly EntryProof[]> {
  const publicKey = await takePublicKey(place)
  return inStore(place.file, async db => {
    const { leafAt, signed } = await readTree(db, publicKey)
    const proofs: EntryProof[] = []
    for (const index of [...indexes].toSorted((a, b) => a - b)) {
      const [raw] = entryPages(db, index).next().value ?? []
      const entry = raw?.index !== index || raw.bytes === null ? undefined : parsePublic(raw.bytes)
      if (raw === undefined || entry === undefined)
        throw new RegisterFailure('not-found', `The register has no entry ${index}.`)
      proofs.push(proveInclusion(entry, raw.personal, leafAt, signed))
    }
    return proofs
  })
}

/** That the register of `size` entries is the beginning of the present one. */
export async function proveConsistency(place: StorePlace, size: number): Promise<GrowthProof> {
  const publicKey = await takePublicKey(place)
  return inStore(place.file, async db => {
    const { leafAt, signed, rootAt } = await readTree(db, publicKey)
    const whole = signed.checkpoint.size
    if (!Number.isSafeInteger(size) || size < 0 || size > whole)
      throw new RegisterFailure('not-found', `The register has ${whole} entries; there was no head of ${size}.`)
    return proveGrowth({ size, root: rootAt(size) }, leafAt, signed)
  })
}

type Tree = { readonly leafAt: LeafAt; readonly rootAt: (size: number) => string; readonly signed: Signed }

/** All leaf hashes: 32 MB for a million entries. */
async function readTree(db: DatabaseSync, publicKey: PublicKey): Promise<Tree> {
  const leaves: Uint8Array[] = []
  for (const page of entryPages(db, 0)) {
    for (const { index, leaf } of page)
      if (leaf === null || index !== leaves.length) throw unproven()
      else leaves.push(leaf)
    await nextTurn()
  }
  const leafAt: LeafAt = index => {
    const leaf = leaves[index]
    assert(leaf !== undefined, `leaf ${index} was read`)
    return leaf
  }
  const rootAt = (size: number) => {
    let frontier = emptyFrontier
    for (let index = 0; index < size; index++) frontier = withLeaf(frontier, leafAt(index))
    return Buffer.from(rootOf(frontier)).toString('hex')
  }
  let checkpoint: SignedCheckpoint | undefined
  for (const each of readCheckpoints(db)) checkpoint = each
  if (checkpoint?.size !== leaves.length || checkpoint.root !== rootAt(leaves.length)) throw unproven()
  return { leafAt, rootAt, signed: { origin: originOf(readLogId(db)), checkpoint, publicKey: publicKey.pem } }
}

function unproven(): RegisterFailure {
  return new RegisterFailure('distrusted', 'The register does not verify, so it proves nothing; run register verify.')
}

export async function takePublicKey({ publicKey, keysFolder }: StorePlace): Promise<PublicKey> {
  if (publicKey === undefined && keysFolder !== undefined) return readPublicKey(keysFolder)
  const key = publicKey === undefined ? undefined : parsePublicKey(publicKey)
  if (key === undefined)
    throw new RegisterFailure('key', 'Verifying needs the Ed25519 public key of the register, in PEM.')
  return key
}

async function openStore(file: string): Promise<DatabaseSync> {
  try {
    await stat(file)
  } catch (error) {
    throw new RegisterFailure('not-found', `There is no register in ${file}.`, error)
  }
  const db = openForReading(file)
  try {
    // One read transaction, so that a daemon that goes on writing does not show half.
    db.exec('BEGIN')
    if (stateOf(db) !== 'register')
      throw new RegisterFailure('unreadable', `${file} holds no register that can be read.`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** For reading only; throws `RegisterFailure`, or whatever `work` throws. */
export async function inStore<T>(file: string, work: (db: DatabaseSync) => Promise<T>): Promise<T> {
  let db: DatabaseSync | undefined
  try {
    db = await openStore(file)
    return await work(db)
  } catch (error) {
    throw toFailure(error, `read ${file}`)
  } finally {
    db?.close()
  }
}
