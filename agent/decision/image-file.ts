/**
 * The image that was decided by last, on disk: after a restart questions are answered before register, manifests and
 * systems are read. A file that is torn, of another form or another register is no image. Holds are not in it: they come
 * from the register, which is where a suspension is acknowledged.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import type { CountryTable } from '../model/country.ts'
import type { Exception } from '../model/entity.ts'
import type { Hold } from '../model/incident.ts'
import type { Book } from './book.ts'
import type { SnapshotImage } from './image.ts'

/** Which register the image follows, and how far. */
export type ImageOrigin = { readonly register: string; readonly size: number }

/** Raised with every change of this form, of the book's or of the country table's. */
const magic = 'mailwarden decisions 4\n'
const digestBytes = 32
/** Its digest is made while it is written, and other work goes on between the pieces. */
const pieceBytes = 4 * 1024 * 1024

const sections = ['slots', 'entries', 'rows', 'v4Starts', 'v4Marks', 'v6Starts', 'v6Marks'] as const
type Section = (typeof sections)[number]
const noWords = new Uint32Array()

type Header = {
  readonly origin: ImageOrigin
  readonly image: Omit<SnapshotImage, 'book' | 'country' | 'exceptions' | 'holds'>
  readonly exceptions: readonly (readonly [number, readonly Exception[]])[]
  readonly book: Omit<Book, Section>
  readonly country: Omit<CountryTable, Section> | null
  readonly bytes: Readonly<Record<Section, number>>
}

/** The old one stands until the new one is whole and on the disk. @throws what the file system says. */
export async function writeImage(file: string, image: SnapshotImage, origin: ImageOrigin): Promise<void> {
  const { book, country, exceptions, holds: _, ...rest } = image
  const { slots, entries, rows, ...counts } = book
  const named = country === null ? null : { countries: country.countries, sources: country.sources }
  const parts: Readonly<Record<Section, Uint8Array | Uint32Array>> = {
    ...{ slots, entries, rows },
    v4Starts: country?.v4Starts ?? noWords,
    v4Marks: country?.v4Marks ?? noWords,
    v6Starts: country?.v6Starts ?? noWords,
    v6Marks: country?.v6Marks ?? noWords,
  }
  const bytes = Object.fromEntries(sections.map(name => [name, parts[name].byteLength])) as Header['bytes']
  const header: Header = { origin, image: rest, exceptions: [...exceptions], book: counts, country: named, bytes }
  const head = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  const digest = createHash('sha256')
  const part = `${file}.part`
  const handle = await open(part, 'w', 0o600)
  try {
    const write = async (piece: Uint8Array) => {
      digest.update(piece)
      await handle.writeFile(piece)
    }
    for (const piece of [Buffer.from(magic), length, head]) await write(piece)
    for (const section of sections) {
      const { buffer, byteOffset, byteLength } = parts[section]
      for (let at = 0; at < byteLength; at += pieceBytes)
        await write(Buffer.from(buffer, byteOffset + at, Math.min(pieceBytes, byteLength - at)))
    }
    await handle.writeFile(digest.digest())
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(part, file)
}

/** Undefined for a file that is not there or not whole. */
export async function readImage(file: string): Promise<
  | {
      readonly origin: ImageOrigin
      readonly country: CountryTable | null
      readonly withHolds: (holds: readonly Hold[]) => SnapshotImage
    }
  | undefined
> {
  const read = await open(file, 'r')
    .then(readSections)
    .catch(() => undefined)
  if (read === undefined) return undefined
  const { header, memory } = read
  const shared = (section: Section) => memory[section]
  const book: Book = {
    ...header.book,
    slots: new Uint32Array(shared('slots')),
    entries: new Uint32Array(shared('entries')),
    rows: new Uint32Array(shared('rows')),
  }
  const country =
    header.country === null
      ? null
      : {
          ...header.country,
          v4Starts: new Uint32Array(shared('v4Starts')),
          v4Marks: new Uint32Array(shared('v4Marks')),
          v6Starts: new Uint32Array(shared('v6Starts')),
          v6Marks: new Uint32Array(shared('v6Marks')),
        }
  const exceptions = new Map(header.exceptions)
  return { origin: header.origin, country, withHolds: holds => ({ ...header.image, book, country, exceptions, holds }) }
}

/** Each section goes where it stays: a file of a hundred megabytes is never in memory twice. */
async function readSections(
  handle: FileHandle,
): Promise<{ header: Header; memory: Readonly<Record<Section, SharedArrayBuffer>> } | undefined> {
  await using opened = handle
  const { size } = await opened.stat()
  const digest = createHash('sha256')
  const fill = async (piece: Uint8Array): Promise<boolean> => {
    for (let done = 0; done < piece.length; ) {
      const { bytesRead } = await opened.read(piece, done, Math.min(pieceBytes, piece.length - done))
      if (bytesRead === 0) return false
      digest.update(piece.subarray(done, done + bytesRead))
      done += bytesRead
    }
    return true
  }
  const start = Buffer.alloc(magic.length + 4)
  if (!(await fill(start)) || start.toString('latin1', 0, magic.length) !== magic) return undefined
  const headLength = start.readUInt32BE(magic.length)
  if (start.length + headLength + digestBytes > size) return undefined
  const head = Buffer.alloc(headLength)
  if (!(await fill(head))) return undefined
  const header = JSON.parse(head.toString()) as Header
  // The head is believed about its own lengths before its digest is known; the file's length is what it can't lie about.
  const total = sections.reduce((sum, section) => sum + header.bytes[section], start.length + headLength + digestBytes)
  if (total !== size) return undefined
  const memory = Object.fromEntries(
    sections.map(section => [section, new SharedArrayBuffer(header.bytes[section])]),
  ) as Record<Section, SharedArrayBuffer>
  for (const section of sections) if (!(await fill(new Uint8Array(memory[section])))) return undefined
  const ours = digest.digest()
  const kept = Buffer.alloc(digestBytes)
  return (await opened.read(kept)).bytesRead === digestBytes && ours.equals(kept) ? { header, memory } : undefined
}

/** What can't be trusted any more must not answer after a restart. */
export async function removeImage(file: string): Promise<void> {
  await rm(file, { force: true })
}
