/**
 * Every address that is somebody's, with the mailbox behind it, as flat tables of numbers and bytes: a million accounts
 * take some hundred bytes each, a look-up touches two places of memory, another thread reads the tables where they are,
 * and a file keeps them as they are. Canonical addresses are ASCII (`model/name.ts`). Pure.
 */
import { assert } from '../core/assert.ts'
import type { Place } from '../core/diagnostic.ts'
import { type Access, accesses, type Scope, scopes } from '../model/entity.ts'
import type { Address } from '../model/name.ts'

export const roles = ['user', 'administrator', 'collector'] as const
export type Role = (typeof roles)[number]

/** `live`: in service, held or not. `absent`: known, never provisioned (blocked, queued), so nobody's mailbox. */
export const standings = ['live', 'withdrawn', 'absent'] as const
export type Standing = (typeof standings)[number]

/** Settings that a manifest may write on lines of their own. */
export const placedSettings = ['send', 'receive', 'access', 'state'] as const
export type PlacedSetting = (typeof placedSettings)[number]

export type Book = {
  readonly addresses: number
  readonly mailboxes: number
  /**
   * Open addressing, a power of two pairs, at most half full: an address's hash, and its entry and one, or 0. Whoever is
   * nobody here is found out without another look.
   */
  readonly slots: Uint32Array
  /**
   * An address takes some words, its entry is the number of the first: its mailbox, what decisions need of that, so that
   * they look no further (its domain and its flags), the length of its text, and the text itself, four letters a word.
   */
  readonly entries: Uint32Array
  /** A mailbox takes `rowWords`: its domain and flags, the entry of its own address, its file, and its lines. */
  readonly rows: Uint32Array
  readonly files: readonly string[]
}

const textAt = 3
const lettersPerWord = 4
const rowWords = 4 + placedSettings.length
const linesAt = 3
// Domain and flags share a word.
const flagBits = 12
const domainsMax = 2 ** (32 - flagBits)
// A line and a column in a word: files end at a few million lines, and a column beyond the thousandth is shown as that.
const columnBits = 10
const columnMax = 2 ** columnBits - 1
const lineMax = 2 ** (32 - columnBits) - 1
const exceptionsFlag = 1 << 10
/** Of an entry alone: the address is the mailbox's own, no alias. */
const ownFlag = 1 << 11

/** What is told of a mailbox, besides its exceptions. */
export type BookMailbox = {
  readonly address: Address
  readonly role: Role
  /** Its number in the snapshot. */
  readonly domain: number
  readonly standing: Standing
  readonly send: Scope
  readonly receive: Scope
  readonly access: Access
  readonly hasExceptions: boolean
  readonly place: Place
  readonly places: Readonly<Partial<Record<string, Place>>>
}

export interface BookBuilder {
  /** @returns its number. Its own address has to be entered like any other. */
  add(mailbox: BookMailbox): number
  /** Of two that claim a name, the one in service has it; else whoever came first. */
  enter(address: Address, mailbox: number): void
  /** The mailbox of an address; -1 for nobody's. */
  owner(address: Address): number
  standing(mailbox: number): Standing
  finish(): Book
}

/** @param room upper bounds: what is entered, and the lengths of all addresses, each as often as it is entered. */
export function createBookBuilder(room: {
  readonly addresses: number
  readonly mailboxes: number
  readonly letters: number
}): BookBuilder {
  const slotsCount = 2 ** Math.ceil(Math.log2(Math.max(2, room.addresses * 2)))
  const mask = slotsCount - 1
  // A text's last word may be filled by one letter alone.
  const entriesMax = room.addresses * (textAt + 1) + Math.ceil(room.letters / lettersPerWord)
  const slots = words(slotsCount * 2)
  const entries = words(entriesMax)
  const rows = words(room.mailboxes * rowWords)
  const files: string[] = []
  const fileNumbers = new Map<string, number>()
  let addresses = 0
  let mailboxes = 0
  let written = 0

  const fileNumber = (name: string) => {
    const known = fileNumbers.get(name)
    if (known !== undefined) return known
    fileNumbers.set(name, files.length)
    return files.push(name) - 1
  }

  /** The entry of an address, made where there is none; its mailbox is `nobody` then. */
  const entryOf = (address: Address): number => {
    const hash = hashOf(address)
    const known = findEntry({ slots, entries }, address, hash)
    if (known >= 0) return known
    const entry = written
    addresses += 1
    entries[entry] = nobody
    entries[entry + 2] = address.length
    for (let at = 0; at < address.length; at += 1) {
      const word = entry + textAt + (at >>> 2)
      entries[word] = entries[word]! | (address.charCodeAt(at) << ((at & 3) * 8))
    }
    written += wordsOf(address.length)
    let slot = hash & mask
    while (slots[slot * 2 + 1] !== 0) slot = (slot + 1) & mask
    slots[slot * 2] = hash
    slots[slot * 2 + 1] = entry + 1
    return entry
  }

  return {
    add(mailbox) {
      const number = mailboxes
      mailboxes += 1
      assert(mailbox.domain < domainsMax, 'a book has a million domains at most')
      const at = number * rowWords
      rows[at] = mailbox.domain * 2 ** flagBits + flagsOf(mailbox)
      rows[at + 1] = entryOf(mailbox.address)
      rows[at + 2] = fileNumber(mailbox.place.file)
      rows[at + linesAt] = packLine(mailbox.place)
      for (const [index, name] of placedSettings.entries()) {
        const place = mailbox.places[name]
        if (place !== undefined) rows[at + linesAt + 1 + index] = packLine(place)
      }
      return number
    },
    enter(address, mailbox) {
      const entry = entryOf(address)
      const known = entries[entry]!
      const standing = (number: number) => standingIn(rows[number * rowWords]!)
      if (known !== nobody && (standing(known) === 'live' || standing(mailbox) !== 'live')) return
      entries[entry] = mailbox
      const isOwn = rows[mailbox * rowWords + 1] === entry
      entries[entry + 1] = rows[mailbox * rowWords]! + (isOwn ? ownFlag : 0)
    },
    owner: address => findMailbox({ entries }, findEntry({ slots, entries }, address)),
    standing: mailbox => standingIn(rows[mailbox * rowWords]!),
    // Where names were entered more than once there is room left, which is nobody's.
    finish: () => ({ addresses, mailboxes, slots, entries: entries.subarray(0, written), rows, files }),
  }
}

/** What an address of so many letters takes. */
const wordsOf = (letters: number) => textAt + Math.ceil(letters / lettersPerWord)

const nobody = 0xffff_ffff

function words(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(count * Uint32Array.BYTES_PER_ELEMENT))
}

function packLine({ line, column }: Place): number {
  return Math.min(line, lineMax) * 2 ** columnBits + Math.min(column, columnMax)
}

function flagsOf({ role, standing, send, receive, access, hasExceptions }: BookMailbox): number {
  return (
    roles.indexOf(role) |
    (standings.indexOf(standing) << 2) |
    (scopes.indexOf(send) << 4) |
    (scopes.indexOf(receive) << 6) |
    (accesses.indexOf(access) << 8) |
    (hasExceptions ? exceptionsFlag : 0)
  )
}

/** FNV-1a, stirred so that its low bits are as good as its high ones. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}

const addressLettersMax = 254 // RFC 5321 section 4.5.3.1.3, without the angle brackets: nothing longer is in the book

/**
 * The entry of an address in canonical form; -1 when it is in nobody's name.
 * @param hash its `hashOf`, where that is known already.
 */
export function findEntry(
  { slots, entries }: Pick<Book, 'slots' | 'entries'>,
  address: string,
  hash: number = hashOf(address),
): number {
  if (address.length > addressLettersMax) return -1
  const last = slots.length - 2
  for (let at = (hash * 2) & last; ; at = (at + 2) & last) {
    const entry = slots[at + 1]! - 1
    if (entry < 0) return -1
    if (slots[at] === hash && hasText(entries, entry, address)) return entry
  }
}

function hasText(entries: Uint32Array, entry: number, address: string): boolean {
  const { length } = address
  if (entries[entry + 2] !== length) return false
  let word = 0
  for (let at = 0; at < length; at += 1) {
    if ((at & 3) === 0) word = entries[entry + textAt + (at >>> 2)]!
    if ((word & 0xff) !== address.charCodeAt(at)) return false
    word >>>= 8
  }
  return true
}

/** @param entry as of `findEntry`; -1 has no mailbox. */
export function findMailbox({ entries }: Pick<Book, 'entries'>, entry: number): number {
  const mailbox = entry < 0 ? nobody : entries[entry]!
  return mailbox === nobody ? -1 : mailbox
}

/** The entry of a mailbox's own address. */
export function ownEntry({ rows }: Book, mailbox: number): number {
  return rows[mailbox * rowWords + 1]!
}

export function addressAt({ entries }: Book, entry: number): Address {
  const codes = Array.from({ length: entries[entry + 2]! }, (_, at) => {
    return (entries[entry + textAt + (at >>> 2)]! >>> ((at & 3) * 8)) & 0xff
  })
  return String.fromCharCode(...codes) as Address
}

/** Every address, in the order in which they were entered. */
export function* addressesIn(book: Book): Iterable<Address> {
  const { entries } = book
  for (let entry = 0; entry < entries.length; entry += wordsOf(entries[entry + 2]!)) yield addressAt(book, entry)
}

/** Of the mailbox of an entry: its domain and its flags in one word, for the functions below. */
export function traitsAt({ entries }: Book, entry: number): number {
  return entries[entry + 1]!
}

export const domainIn = (traits: number): number => traits >>> flagBits
export const roleIn = (traits: number): Role => roles[traits & 3]!
export const standingIn = (traits: number): Standing => standings[(traits >> 2) & 3]!
export const sendIn = (traits: number): Scope => scopes[(traits >> 4) & 3]!
export const receiveIn = (traits: number): Scope => scopes[(traits >> 6) & 3]!
export const accessIn = (traits: number): Access => accesses[(traits >> 8) & 3]!
export const isOwnAddress = (traits: number): boolean => (traits & ownFlag) !== 0
export const hasExceptions = (traits: number): boolean => (traits & exceptionsFlag) !== 0

/** Where a mailbox is declared, or one of its settings; undefined for a setting without a line of its own. */
export function placeAt({ rows, files }: Book, mailbox: number, setting?: PlacedSetting): Place | undefined {
  const at = mailbox * rowWords
  const packed = rows[at + linesAt + (setting === undefined ? 0 : 1 + placedSettings.indexOf(setting))]!
  if (packed === 0) return undefined
  return { file: files[rows[at + 2]!] ?? '', line: packed >>> columnBits, column: packed & columnMax }
}

export function isSameBook(one: Book, other: Book): boolean {
  if (one.addresses !== other.addresses || one.mailboxes !== other.mailboxes) return false
  if (one.files.length !== other.files.length || one.files.some((file, at) => file !== other.files[at])) return false
  return (['slots', 'entries', 'rows'] as const).every(part => {
    const [a, b] = [one[part], other[part]].map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(buffer, byteOffset, byteLength),
    )
    return a!.equals(b!)
  })
}
