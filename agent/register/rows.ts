/**
 * The rows of the store: read in pages, so that the event loop runs in between, and written by one set of statements.
 * What a row says is not judged here; a place that holds something of another type reads as null or empty.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SignedCheckpoint } from './checkpoint.ts'
import type { EncodedEntry, PrivatePart } from './entry.ts'
import { RegisterFailure } from './failure.ts'
import type { Stored } from './register.ts'
import { addFinding, type RawEntry, toLeaf, type Verification, verifyCheckpoint, verifyEntry } from './verify.ts'

/** Rows a page of reading holds; between pages the event loop runs, so that live decisions wait 3 ms at most. */
const pageRowsMax = 200
/** A page ends early here: one row can hold a personal part of 32 MB. */
const pageBytesMax = 1_048_576

type EntryRow = { idx: number; bytes: unknown; leaf: unknown; owner: number | null; salt: unknown; personal: unknown }

const selectEntries = `SELECT e.idx AS idx, e.bytes AS bytes, e.leaf AS leaf, p.idx AS owner, p.salt AS salt, p.bytes AS personal
  FROM entry AS e LEFT JOIN private AS p ON p.idx = e.idx WHERE e.idx >= ? ORDER BY e.idx`

const toBytes = (value: unknown): Uint8Array => (value instanceof Uint8Array ? value : new Uint8Array())

function toRaw(row: EntryRow): RawEntry {
  const personal: PrivatePart | null =
    row.owner === null ? null : { salt: toBytes(row.salt), bytes: toBytes(row.personal) }
  return {
    index: row.idx,
    bytes: row.bytes instanceof Uint8Array ? row.bytes : null,
    leaf: toLeaf(row.leaf),
    personal,
  }
}

/** Entries from an index on, in order, one page after the other; the connection is free between pages. */
export function* entryPages(db: DatabaseSync, from: number): Generator<readonly RawEntry[]> {
  const statement = db.prepare(selectEntries)
  let next = from
  for (;;) {
    const page = readPage(statement, next)
    if (page.length === 0) return
    yield page
    const last = page.reduce((most, { index }) => Math.max(most, index), Number.MIN_SAFE_INTEGER)
    // Only a damaged index tree answers with rows before those asked for; it would do so for ever.
    if (last < next) throw new RegisterFailure('unreadable', `the rows of the store are out of order after ${next}`)
    next = last + 1
  }
}

function readPage(statement: StatementSync, from: number): RawEntry[] {
  const page: RawEntry[] = []
  let bytes = 0
  for (const row of statement.iterate(from)) {
    const raw = toRaw(row as EntryRow)
    page.push(raw)
    bytes += (raw.bytes?.length ?? 0) + (raw.personal?.bytes.length ?? 0)
    if (page.length >= pageRowsMax || bytes >= pageBytesMax) break
  }
  return page
}

type CheckpointRow = { size: number; root: unknown; at: unknown; previous: number | null; signature: unknown }

function toCheckpoint(row: CheckpointRow): SignedCheckpoint {
  return {
    size: row.size,
    root: Buffer.from(toBytes(row.root)).toString('hex'),
    at: String(row.at),
    previous: row.previous,
    signature: Buffer.from(toBytes(row.signature)).toString('base64'),
  }
}

export function* readCheckpoints(db: DatabaseSync): Generator<SignedCheckpoint> {
  const statement = db.prepare(
    'SELECT size, root, at, previous, signature FROM checkpoint WHERE size > ? ORDER BY size LIMIT ?',
  )
  let after = Number.MIN_SAFE_INTEGER
  for (;;) {
    const rows = statement.all(after, pageRowsMax) as CheckpointRow[]
    for (const row of rows) yield toCheckpoint(row)
    const last = rows.reduce((most, { size }) => Math.max(most, size), Number.MIN_SAFE_INTEGER)
    if (last <= after) return
    after = last
  }
}

export type HeadRow = { readonly size: number; readonly rows: number; readonly root: string | null }

const selectHead = 'SELECT (SELECT max(idx) FROM entry) AS last, size, root FROM checkpoint ORDER BY size DESC LIMIT 1'

/** What the store holds at this moment, for comparing with what the writer remembers. */
export function readHead(statement: StatementSync): HeadRow {
  const row = statement.get() as { last: number | null; size: number; root: unknown } | undefined
  if (row === undefined) return { size: 0, rows: 0, root: null }
  return { size: row.size, rows: (row.last ?? -1) + 1, root: Buffer.from(toBytes(row.root)).toString('hex') }
}

export function prepareHead(db: DatabaseSync): StatementSync {
  return db.prepare(selectHead)
}

export type StoreItem =
  | { readonly entry: RawEntry; readonly checkpoint?: never }
  | { readonly checkpoint: SignedCheckpoint; readonly entry?: never }

/** Everything in the order of a verification: each checkpoint after the last entry that it covers. In pages. */
export function* storePages(db: DatabaseSync): Generator<readonly StoreItem[]> {
  const checkpoints = readCheckpoints(db)
  let waiting = checkpoints.next()
  const before = (size: number): StoreItem[] => {
    const items: StoreItem[] = []
    while (waiting.done !== true && waiting.value.size <= size) {
      items.push({ checkpoint: waiting.value })
      waiting = checkpoints.next()
    }
    return items
  }
  for (const page of entryPages(db, Number.MIN_SAFE_INTEGER))
    yield page.flatMap(entry => [...before(entry.index), { entry }])
  yield before(Number.MAX_SAFE_INTEGER)
}

/**
 * Feeds the whole store to a verification. `take` gets every entry up to the first that does not read, in order and
 * without gaps. A writer beside it asks for a read transaction around.
 */
export async function walkStore(
  db: DatabaseSync,
  walk: Verification,
  take: (entry: Stored) => void,
  pause: () => Promise<void>,
): Promise<void> {
  let next = 0
  let personal = 0
  for (const page of storePages(db)) {
    for (const item of page) {
      if (item.checkpoint !== undefined) {
        verifyCheckpoint(walk, item.checkpoint)
        continue
      }
      if (item.entry.personal !== null) personal += 1
      const entry = verifyEntry(walk, item.entry)
      if (entry?.index !== next) continue
      next += 1
      take(entry)
    }
    await pause()
  }
  checkOrphans(db, walk, personal)
}

/** Personal parts that no entry owns: the join over entries does not see them. */
export function checkOrphans(db: DatabaseSync, walk: Verification, seen: number): void {
  const { rows } = db.prepare('SELECT count(*) AS rows FROM private').get() as { rows: number }
  if (rows === seen) return
  const orphan = db.prepare('SELECT idx FROM private WHERE idx NOT IN (SELECT idx FROM entry) LIMIT 1').get()
  const entry = (orphan as { idx: number } | undefined)?.idx
  // Where the end is cut this only follows from it, so it does not come first.
  const position = entry === undefined || entry >= walk.size ? Number.MAX_SAFE_INTEGER : entry
  addFinding(walk, 'private.extra', entry === undefined ? { store: 'store' } : { entry }, {}, position)
}

export type Writing = {
  insert(entry: EncodedEntry): void
  /** Replaces the one of the same size. */
  insertCheckpoint(checkpoint: SignedCheckpoint): void
  dropCheckpoint(size: number): void
  /** False when there is no personal part. */
  dropPersonal(index: number): boolean
}

/** The statements of a writer, prepared once. The caller keeps the transaction. */
export function prepareWriting(db: DatabaseSync): Writing {
  const entry = db.prepare('INSERT INTO entry (idx, bytes, leaf) VALUES (?, ?, ?)')
  const personal = db.prepare('INSERT INTO private (idx, salt, bytes) VALUES (?, ?, ?)')
  const checkpoint = db.prepare(
    'INSERT OR REPLACE INTO checkpoint (size, root, at, previous, signature) VALUES (?, ?, ?, ?, ?)',
  )
  const noCheckpoint = db.prepare('DELETE FROM checkpoint WHERE size = ?')
  const noPersonal = db.prepare('DELETE FROM private WHERE idx = ?')
  return {
    insert({ bytes, leaf, personal: part, stored }) {
      entry.run(stored.index, bytes, leaf)
      if (part !== null) personal.run(stored.index, part.salt, part.bytes)
    },
    insertCheckpoint({ size, root, at, previous, signature }) {
      checkpoint.run(size, Buffer.from(root, 'hex'), at, previous, Buffer.from(signature, 'base64'))
    },
    dropCheckpoint: size => void noCheckpoint.run(size),
    dropPersonal: index => noPersonal.run(index).changes === 1,
  }
}
