/**
 * The image that was decided by last, on disk: after a restart questions are answered before register, manifests and
 * systems are read. A file that is torn, of another form or another register is no image. Holds are not in it: they come
 * from the register, which is where a suspension is acknowledged.
 */
import { createHash } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
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
  const bytes = await readFile(file).catch(() => undefined)
  const headAt = magic.length + 4
  if (bytes === undefined || bytes.length < headAt + digestBytes) return undefined
  const body = bytes.subarray(0, bytes.length - digestBytes)
  const digest = createHash('sha256').update(body).digest()
  if (!digest.equals(bytes.subarray(bytes.length - digestBytes))) return undefined
  if (body.toString('latin1', 0, magic.length) !== magic) return undefined
  const sectionsAt = headAt + body.readUInt32BE(magic.length)
  const header = JSON.parse(body.toString('utf8', headAt, sectionsAt)) as Header
  let at = sectionsAt
  const shared = (section: Section): ArrayBufferLike => {
    const length = header.bytes[section]
    const memory = new SharedArrayBuffer(length)
    new Uint8Array(memory).set(body.subarray(at, at + length))
    at += length
    return memory
  }
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

/** What can't be trusted any more must not answer after a restart. */
export async function removeImage(file: string): Promise<void> {
  await rm(file, { force: true })
}
