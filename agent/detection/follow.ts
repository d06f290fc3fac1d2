/**
 * Follows a log file: whole lines that were added since it was last read. A file that was put in its place, or cut, is read
 * from its beginning; what stood in the old one since the last look is not. The first look begins some way before the end.
 */
import { open } from 'node:fs/promises'

/** Of one look: a minute of a flood. What is beyond comes with the next. */
const readBytesMax = 8 * 1024 * 1024
/** Of the first look: about an hour of a busy server. */
const lookBackBytes = 2 * 1024 * 1024
const newline = 10

export type Follower = {
  /** @throws the disk's own error when it is not there or may not be read. */
  read(): Promise<readonly string[]>
}

export function followFile(file: string): Follower {
  let place: { readonly inode: number; readonly offset: number } | null = null
  return {
    async read() {
      await using handle = await open(file, 'r')
      const { ino, size } = await handle.stat()
      const first = place === null
      const start =
        place === null
          ? Math.max(0, size - lookBackBytes)
          : place.inode === ino && place.offset <= size
            ? place.offset
            : 0
      const { buffer, bytesRead } = await handle.read(
        Buffer.alloc(Math.min(readBytesMax, size - start)),
        0,
        Math.min(readBytesMax, size - start),
        start,
      )
      const bytes = buffer.subarray(0, bytesRead)
      const last = bytes.lastIndexOf(newline)
      // A line as long as all that is read is no line: it is passed over.
      const end = last < 0 ? (bytesRead === readBytesMax ? bytesRead : 0) : last + 1
      place = { inode: ino, offset: start + end }
      const lines = last < 0 ? [] : bytes.toString('latin1', 0, last).split('\n')
      // The first look may begin in the middle of a line.
      return first && start > 0 ? lines.slice(1) : lines
    },
  }
}
