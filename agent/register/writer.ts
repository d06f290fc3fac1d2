/**
 * The one writer of a store. An append is durable before it is acknowledged, all of it or nothing, and every transaction
 * ends in a signed checkpoint over all entries (G1, R1). It never goes on over a store that does not verify, nor over
 * one that changed under it. Made by `sqlite.ts`.
 */
import { statSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { assert } from '../core/assert.ts'
import { type Clock, formatInstant } from '../core/clock.ts'
import { formatNote, parseNote, type SignedCheckpoint, signCheckpoint } from './checkpoint.ts'
import {
  type EncodedEntry,
  encodeEntry,
  erasedKind,
  type PreparedEntry,
  parsePublic,
  prepareEntry,
  saltBytes,
  toStored,
} from './entry.ts'
import { RegisterFailure, toFailure } from './failure.ts'
import { type Finding, formatFinding } from './finding.ts'
import type { KeyPair } from './keys.ts'
import type { Actor, NewEntry, Register, Stored } from './register.ts'
import { fillReserve, giveUpReserve, reserveFileOf } from './reserve.ts'
import { entryPages, prepareHead, prepareWriting, readHead, type Writing } from './rows.ts'
import { busyTimeoutMs } from './store.ts'
import { type Frontier, rootOf, withLeaf } from './tree.ts'
import type { Verdict, Witness } from './verify.ts'
import { keepWitnesses, type WitnessKeeper } from './witness.ts'

export type SqliteOptions = {
  readonly file: string
  /** Holds `register.key` and `register.pub`; apart from the store. */
  readonly keysFolder: string
  /** The first one is `<state>/register.witness`, others as configured; none only where nothing is at stake. */
  readonly witnessFiles: readonly string[]
  readonly clock: Clock
  readonly random: (bytes: number) => Uint8Array
  /** Gets every entry while the store is verified, in order, so that a start reads it once. */
  readonly onEntry?: (entry: Stored) => void
  /** Which entries may take the reserve when the disk is full (R17). Without it no reserve is kept. */
  readonly usesReserve?: (entry: NewEntry) => boolean
  /** The connection before its first use: how tests bring about a full disk. */
  readonly tune?: (db: DatabaseSync) => void
}

export type Trust = { readonly ok: true } | { readonly ok: false; readonly findings: readonly Finding[] }

export type Opening = { readonly verdict: Verdict; readonly frontier: Frontier; readonly witnesses: readonly Witness[] }

/** Group commit: beyond a hundred entries a transaction gains little more and the first caller waits longer. */
const groupEntriesMax = 100
/** One call, one transaction; a plan of this many changes is split by its maker. */
export const appendEntriesMax = 10_000
/** Beyond this the disk is slower than the callers for good; they are told instead of the memory growing. */
const queuedEntriesMax = 50_000
/** An erasing entry lists its indexes in the public part, which is bounded. */
export const eraseIndexesMax = 10_000
/**
 * A checkpoint is signed with each transaction, and one is kept for good in each stretch of this many entries: a start
 * checks their signatures (0.1 ms each), and damage is narrowed down to a stretch.
 */
const stretchEntries = 256
/** Random bytes are drawn for this many salts at a time: a draw costs as much as writing the row. */
const saltsDrawn = 64

type Call = {
  readonly entries: readonly PreparedEntry[]
  readonly erase: readonly number[]
  readonly resolve: (stored: readonly Stored[]) => void
  readonly reject: (error: Error) => void
}

type Ready = { readonly call: Call; readonly encoded: readonly EncodedEntry[] }

type Parts = {
  readonly options: SqliteOptions
  readonly lock: Disposable
  readonly db: DatabaseSync
  readonly keys: KeyPair
  readonly origin: string
  readonly opening: Opening
  readonly inode: number
}

/** Owns the store's file for as long as it is open. */
export class SqliteRegister implements Register {
  readonly origin: string
  /** What opening found; also set when a later append finds the store changed under it. */
  trust: Trust
  readonly #parts: Parts
  readonly #writing: Writing
  readonly #headRow: StatementSync
  readonly #witness: WitnessKeeper
  readonly #queue: Call[] = []
  #frontier: Frontier
  #head: SignedCheckpoint | null
  #salts: Uint8Array = new Uint8Array()
  #troubles: readonly string[] = []
  #queued = 0
  #pumping: Promise<void> | null = null
  #logHoldsErased = false
  #reserveIsGone = false
  #closed = false

  constructor(parts: Parts) {
    const { db, opening, options, origin } = parts
    this.#parts = parts
    this.origin = origin
    this.trust = opening.verdict.ok ? { ok: true } : { ok: false, findings: opening.verdict.findings }
    this.#frontier = opening.frontier
    this.#head = opening.verdict.head
    this.#writing = prepareWriting(db)
    this.#headRow = prepareHead(db)
    this.#witness = keepWitnesses(options.witnessFiles)
  }

  /** Of a distrusted register: the entries before the first gap. */
  get size(): number {
    return this.#frontier.size
  }

  /** PEM; for whoever verifies elsewhere. */
  get publicKey(): string {
    return this.#parts.keys.publicKey.pem
  }

  /** Alarms that stop nothing: a witness that lags behind, no reserve. One sentence each. */
  get troubles(): readonly string[] {
    return [...this.#troubles, ...this.#witness.troubles]
  }

  noteTrouble(trouble: string | undefined): void {
    if (trouble !== undefined && !this.#troubles.includes(trouble)) this.#troubles = [...this.#troubles, trouble]
  }

  async append(entries: readonly NewEntry[]): Promise<readonly Stored[]> {
    return entries.length === 0 ? [] : this.#enqueue(entries, [])
  }

  /**
   * Takes personal parts away and records that, in one transaction. Proofs and verification stay valid.
   * The reason may name people, so it is personal itself.
   */
  async erasePersonal(indexes: readonly number[], actor: Actor, reason: string): Promise<Stored> {
    const sorted = [...new Set(indexes)].sort((a, b) => a - b)
    assert(sorted.length > 0, 'something is to be erased')
    if (sorted.length > eraseIndexesMax)
      throw new RegisterFailure('too-large', `At most ${eraseIndexesMax} personal parts are erased at a time.`)
    return this.#appendOne(
      {
        kind: erasedKind,
        actor,
        at: this.#now(),
        subject: 'register',
        rule: 'K35',
        facts: { indexes: sorted },
        personal: { reason },
      },
      sorted,
    )
  }

  async *read(from: number): AsyncIterable<Stored> {
    let next = from
    const unreadable = () =>
      new RegisterFailure('unreadable', `Entry ${next} of the register cannot be read; run register verify.`)
    for (const page of entryPages(this.#parts.db, from)) {
      for (const raw of page) {
        const entry = raw.bytes === null ? undefined : parsePublic(raw.bytes)
        if (entry === undefined || entry.index !== next || raw.index !== next) throw unreadable()
        next += 1
        yield toStored(entry, raw.personal)
      }
      await nextTurn()
      if (this.#closed) throw new RegisterFailure('closed', 'The register was closed while it was read.')
    }
    // Rows that SQLite does not find any more: the end of the reading is not the end of the register.
    if (next < this.size) throw unreadable()
  }

  async checkpoint(): Promise<SignedCheckpoint> {
    if (this.#head === null) throw new RegisterFailure('distrusted', 'The register has no checkpoint.')
    return this.#head
  }

  /** The newest checkpoint as a signed note, for mail, syslog, git or a peer. */
  async note(): Promise<string> {
    return formatNote({ origin: this.origin, checkpoint: await this.checkpoint() })
  }

  /** Signs the head again with the present time: an idle register that falls silent is an alarm elsewhere. */
  async signAgain(): Promise<SignedCheckpoint> {
    await this.#enqueue([], [])
    await this.#refillReserve()
    return this.checkpoint()
  }

  /**
   * An operator says that this store is to go on although a witness knows more, as after a restore. Only where the
   * store verifies in itself. What was witnessed is kept in an entry, and the witnesses follow from then on. The caller
   * has checked who may say so.
   */
  async acceptHead(actor: Actor, reason: string): Promise<Stored> {
    const refused = this.trust
    if (refused.ok) throw new RegisterFailure('rejected', 'The register is trusted; there is nothing to accept.')
    const inside = refused.findings.find(({ code }) => !code.startsWith('witness.'))
    if (inside !== undefined)
      throw new RegisterFailure('distrusted', `The store itself does not verify: ${formatFinding(inside)}`)
    const witnessed = this.#parts.opening.witnesses.map(({ text }) => {
      const note = parseNote(text)
      if (note === undefined) return null
      const { size, root, at } = note.checkpoint
      return { origin: note.origin, size, root, at }
    })
    const facts = { findings: refused.findings.map(({ code }) => code), size: this.size, witnessed }
    const entry = {
      kind: 'register.accepted',
      actor,
      at: this.#now(),
      subject: 'register',
      facts,
      personal: { reason },
    }
    this.trust = { ok: true }
    try {
      return await this.#appendOne(entry, [])
    } catch (error) {
      this.trust = refused
      throw error
    }
  }

  /** Resolves when the witnesses stand at the present head, or their troubles are known. */
  async witness(): Promise<void> {
    this.#witness.follow(await this.note())
    await this.#witness.settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    while (this.#pumping !== null) await this.#pumping
    await this.#witness.settled()
    this.#parts.db.close()
    this.#parts.lock[Symbol.dispose]()
  }

  #now(): string {
    return formatInstant(this.#parts.options.clock.now())
  }

  #demandTrust(): void {
    if (!this.trust.ok) throw distrust(this.trust.findings)
  }

  async #appendOne(entry: NewEntry, erase: readonly number[]): Promise<Stored> {
    const [stored] = await this.#enqueue([entry], erase)
    assert(stored !== undefined, 'an append answers with its entries')
    return stored
  }

  async #enqueue(entries: readonly NewEntry[], erase: readonly number[]): Promise<readonly Stored[]> {
    if (this.#closed) throw new RegisterFailure('closed', 'The register is closed.')
    this.#demandTrust()
    if (entries.length > appendEntriesMax)
      throw new RegisterFailure('too-large', `At most ${appendEntriesMax} entries are recorded at once.`)
    if (this.#queued + entries.length > queuedEntriesMax)
      throw new RegisterFailure('rejected', `${this.#queued} entries wait for the disk; no more are taken.`)
    const prepared = entries.map(entry => prepareEntry(entry, () => this.#drawSalt()))
    return new Promise((resolve, reject) => {
      this.#queue.push({ entries: prepared, erase, resolve, reject })
      this.#queued += entries.length
      this.#pumping ??= this.#pump()
    })
  }

  #drawSalt(): Uint8Array {
    if (this.#salts.length === 0) this.#salts = this.#parts.options.random(saltBytes * saltsDrawn)
    const salt = this.#salts.subarray(0, saltBytes)
    this.#salts = this.#salts.subarray(saltBytes)
    return salt
  }

  /** One transaction a turn of the event loop: calls of the same turn share it, and live decisions come in between. */
  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      await nextTurn()
      this.#commit(this.#takeGroup())
    }
    this.#pumping = null
  }

  /** Calls up to the size of a group; one that erases goes alone, so that it fails alone. */
  #takeGroup(): Call[] {
    const calls: Call[] = []
    let entries = 0
    for (;;) {
      const next = this.#queue[0]
      if (next === undefined) break
      const alone = next.erase.length > 0
      if (calls.length > 0 && (alone || entries + next.entries.length > groupEntriesMax)) break
      this.#queue.shift()
      this.#queued -= next.entries.length
      entries += next.entries.length
      calls.push(next)
      if (alone) break
    }
    return calls
  }

  #commit(calls: readonly Call[]): void {
    try {
      this.#record(calls)
    } catch (error) {
      const failure = toFailure(error, 'record this')
      const urgent = isFull(failure) ? calls.filter(call => this.#mayUseReserve(call)) : []
      for (const call of calls) if (!urgent.includes(call)) call.reject(failure)
      if (urgent.length > 0) this.#recordWithReserve(urgent, failure)
    }
  }

  #mayUseReserve({ entries }: Call): boolean {
    const { usesReserve } = this.#parts.options
    return usesReserve !== undefined && entries.length > 0 && entries.every(({ entry }) => usesReserve(entry))
  }

  #recordWithReserve(calls: readonly Call[], failure: Error): void {
    try {
      if (!giveUpReserve(reserveFileOf(this.#parts.options.file))) throw failure
      this.#reserveIsGone = true
      this.noteTrouble('The disk is full: only entries that may use the reserve are recorded.')
      this.#record(calls)
    } catch (error) {
      const final = toFailure(error, 'record this')
      for (const call of calls) call.reject(final)
    }
  }

  /** Encodes, writes, and only then changes memory. Throws where nothing was written. */
  #record(calls: readonly Call[]): void {
    let frontier = this.#frontier
    const ready: Ready[] = []
    for (const call of calls)
      try {
        // What is left of the reserve is not for everyone.
        if (this.#reserveIsGone && call.entries.length > 0 && !this.#mayUseReserve(call))
          throw new RegisterFailure('full', 'The disk is full; only what may use the reserve is recorded.')
        const encoded = call.entries.map((prepared, place) => encodeEntry(frontier.size + place, prepared))
        for (const { leaf } of encoded) frontier = withLeaf(frontier, leaf)
        ready.push({ call, encoded })
      } catch (error) {
        call.reject(error as Error)
      }
    if (ready.length === 0) return
    const head = this.#write(ready, frontier)
    this.#frontier = frontier
    this.#head = head
    for (const { call, encoded } of ready) call.resolve(encoded.map(({ stored }) => stored))
    this.#clearLog(ready.some(({ call }) => call.erase.length > 0))
    this.#witness.follow(formatNote({ origin: this.origin, checkpoint: head }))
  }

  /** The transaction. */
  #write(ready: readonly Ready[], frontier: Frontier): SignedCheckpoint {
    const { db, keys } = this.#parts
    this.#demandTrust()
    this.#demandSameFile()
    db.exec('BEGIN IMMEDIATE')
    try {
      this.#demandSameHead()
      for (const { call, encoded } of ready) {
        for (const entry of encoded) this.#writing.insert(entry)
        for (const index of call.erase)
          if (!this.#writing.dropPersonal(index))
            throw new RegisterFailure('not-found', `Entry ${index} has no personal part; nothing was erased.`)
      }
      const root = Buffer.from(rootOf(frontier)).toString('hex')
      const unsigned = { size: frontier.size, root, at: this.#now(), previous: this.#supersede(frontier.size) }
      const checkpoint = signCheckpoint(this.origin, unsigned, keys.privateKey, keys.publicKey)
      this.#writing.insertCheckpoint(checkpoint)
      db.exec('COMMIT')
      return checkpoint
    } catch (error) {
      // SQLite has rolled back by itself after some errors, a full disk among them.
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  /** Drops the head that the next one replaces, unless it is the last of its stretch. @returns the one kept before. */
  #supersede(size: number): number | null {
    const head = this.#head
    if (head === null || head.size === size) return head?.previous ?? null
    if (Math.floor(head.size / stretchEntries) < Math.floor(size / stretchEntries)) return head.size
    this.#writing.dropCheckpoint(head.size)
    return head.previous
  }

  /**
   * What was erased is still in the write-ahead log until that is emptied. A long reader delays it to a later commit;
   * nobody waits for it, and the commit before it stands whatever comes of it.
   */
  #clearLog(erased: boolean): void {
    this.#logHoldsErased ||= erased
    if (!this.#logHoldsErased) return
    const { db } = this.#parts
    try {
      db.exec('PRAGMA busy_timeout = 0')
      const { busy } = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
      this.#logHoldsErased = busy !== 0
    } catch (error) {
      this.noteTrouble(`Erased personal data are still in the write-ahead log: ${(error as Error).message}.`)
    } finally {
      db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
    }
  }

  async #refillReserve(): Promise<void> {
    const { file, usesReserve } = this.#parts.options
    if (usesReserve === undefined) return
    const trouble = await fillReserve(reserveFileOf(file))
    this.#reserveIsGone &&= trouble !== undefined
    if (trouble === undefined) this.#troubles = []
    else this.noteTrouble(trouble)
  }

  /** SQLite goes on writing to a file that was removed or replaced, and every acknowledgement would be a lie. */
  #demandSameFile(): void {
    const { file } = this.#parts.options
    if (statSync(file, { throwIfNoEntry: false })?.ino === this.#parts.inode) return
    throw this.#lost('its file was removed or replaced while mailwarden had it open')
  }

  #demandSameHead(): void {
    const { size, rows, root } = readHead(this.#headRow)
    if (size === this.#head?.size && root === this.#head.root && rows === size) return
    throw this.#lost(`another process wrote to it: ${rows} entries, checkpoint ${size}`)
  }

  #lost(detail: string): RegisterFailure {
    const findings = [{ code: 'store.unreadable', place: { store: 'store' }, values: { detail } }] as const
    this.trust = { ok: false, findings }
    return distrust(findings)
  }
}

function isFull(failure: Error): boolean {
  return failure instanceof RegisterFailure && failure.kind === 'full'
}

function distrust([first]: readonly Finding[]): RegisterFailure {
  const why = first === undefined ? 'see register verify.' : formatFinding(first)
  return new RegisterFailure('distrusted', `The register is not written to because it does not verify: ${why}`)
}
