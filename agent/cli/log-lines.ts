/** A log as lines, from a file or from standard input, packed by gzip or not (told by its content), never whole in memory. */
import { createReadStream, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** A longer line is none of Postfix's, which cuts its own at 2 KB. */
const lineLengthMax = 65_536

async function* unpacked(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]()
  const first = await chunks.next()
  if (first.done === true) return
  const all = (async function* () {
    yield first.value
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value
  })()
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) yield* all
  else yield* Readable.from(all).pipe(createGunzip())
}

/** @throws what the file system says, or zlib of a file that is cut. */
export async function* logLines(name: string, onTooLong: () => void): AsyncGenerator<string> {
  const source: AsyncIterable<Buffer> = name === '-' ? process.stdin : createReadStream(name)
  const decoder = new TextDecoder()
  let rest = ''
  let skipping = false
  for await (const chunk of unpacked(source)) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) {
      if (skipping) skipping = false
      else if (line.length > lineLengthMax) onTooLong()
      else yield line.endsWith('\r') ? line.slice(0, -1) : line
    }
    if (rest.length > lineLengthMax) {
      if (!skipping) onTooLong()
      skipping = true
      rest = ''
    }
  }
  if (rest !== '' && !skipping) yield rest
}

/** The instant that nothing in a log is later than. */
export function endOf(name: string, now: number): number {
  return name === '-' ? now : statSync(name).mtimeMs
}
