/**
 * Log files as lines: plain or gzip, told apart by their first bytes; standard input too. Reads in pieces, so that
 * memory does not grow with the log; of a line that is too long the rest is passed over. Writes nothing. The only file
 * here that touches the disk.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { Instant } from '../core/clock.ts'

/** Postfix cuts what it logs at 2,000 characters a value; a policy reply, two addresses and a HELO fit several times. */
const lineLengthMax = 16_384
const headBytes = 64 * 1024
const newline = 10

/** Whole lines without their end, as Latin-1; `cut`: it was longer than a line may be. */
export type TakeLine = (line: string, cut: boolean) => void

/** What a file begins with: enough to see whether it is gzip, and when it begins. */
export type Head = {
  readonly isGzip: boolean
  /** When the file was last written; of gzip, what its header says of the file within. */
  readonly writtenAt: Instant
}

/** RFC 1952 section 2.3.1: two magic bytes, then method and flags, then the time of the file within. */
export function readGzipHeader(bytes: Uint8Array): { readonly writtenAt: Instant | null } | null {
  if (bytes.length < 8 || bytes[0] !== 0x1f || bytes[1] !== 0x8b) return null
  const seconds = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true)
  return { writtenAt: seconds === 0 ? null : seconds * 1000 }
}

export async function readHead(file: string): Promise<Head> {
  await using handle = await open(file, 'r')
  const { mtimeMs } = await handle.stat()
  const header = readGzipHeader(await firstBytes(handle))
  return { isGzip: header !== null, writtenAt: header?.writtenAt ?? mtimeMs }
}

async function firstBytes(handle: FileHandle): Promise<Uint8Array> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(10), 0, 10, 0)
  return buffer.subarray(0, bytesRead)
}

/** The lines of the beginning, for the order of files. */
export async function readFirstLines(file: string): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const bytes of await openLog(file)) {
    lines.push(...bytes.subarray(0, headBytes).toString('latin1').split('\n'))
    break
  }
  return lines
}

/** @throws the disk's own error, or zlib's for a gzip that is broken or cut. */
export async function openLog(file: string): Promise<AsyncIterable<Buffer>> {
  const handle = await open(file, 'r')
  const isGzip = readGzipHeader(await firstBytes(handle)) !== null
  const stream = handle.createReadStream({ start: 0, highWaterMark: 256 * 1024 })
  return isGzip ? gunzip(stream) : stream
}

function gunzip(stream: Readable): AsyncIterable<Buffer> {
  const whole = createGunzip({ chunkSize: 256 * 1024 })
  // Whichever ends first, in whatever way, ends the other; the reader of `whole` hears of errors.
  pipeline(stream, whole, () => {})
  return whole
}

/** As `openLog`, for a stream whose first bytes are read once and not again. */
export async function* unpacked(stream: Readable): AsyncIterable<Buffer> {
  const parts = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let first = Buffer.alloc(0)
  while (first.length < 8) {
    const part = await parts.next()
    if (part.done === true) break
    first = Buffer.concat([first, part.value])
  }
  async function* all(): AsyncIterable<Buffer> {
    yield first
    for (let part = await parts.next(); part.done !== true; part = await parts.next()) yield part.value
  }
  if (readGzipHeader(first) === null) yield* all()
  else yield* gunzip(Readable.from(all()))
}

/** Cuts pieces into lines. A last line without its end is a line: a log that is written to ends in the middle. */
export async function eachLine(pieces: AsyncIterable<Buffer>, take: TakeLine): Promise<void> {
  let rest = ''
  let isCut = false
  const emit = (line: string) => {
    const whole = line.endsWith('\r') ? line.slice(0, -1) : line
    const tooLong = isCut || whole.length > lineLengthMax
    isCut = false
    take(tooLong ? whole.slice(0, lineLengthMax) : whole, tooLong)
  }
  for await (const bytes of pieces) {
    let from = 0
    for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, from)) {
      // Each line is a text of its own: a part of the piece's would keep the whole piece for as long as a message waits.
      emit(rest + bytes.toString('latin1', from, at))
      rest = ''
      from = at + 1
    }
    // Of a line without an end only the beginning is kept, however many pieces it has.
    const room = lineLengthMax + 1 - rest.length
    rest += bytes.toString('latin1', from, Math.min(bytes.length, from + room))
    if (rest.length > lineLengthMax) isCut = true
  }
  if (rest !== '') emit(rest)
}
