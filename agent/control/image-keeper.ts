/**
 * Keeps the image that live decisions are made by on disk, and gives it back after a restart together with the holds that
 * the register has by then. Writing waits for a quiet moment; a new image replaces one that waits.
 */
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { SnapshotImage } from '../decision/image.ts'
import { readImage, removeImage, writeImage } from '../decision/image-file.ts'
import { applyEntry, emptyIncidents, openHolds } from '../incident/lifecycle.ts'
import { listEntries } from '../register/offline.ts'

/** Changes come in groups: an edit, its pass, what the pass recorded. */
const quietMs = 2_000

export type ImageKeeper = {
  /** @param image null: what is on disk may not be answered by any more. @param size of the register that it follows. */
  keep(image: SnapshotImage | null, size: number): void
  /** Resolves when what was to be kept is on disk. */
  close(): Promise<void>
}

export const imageFile = (stateFolder: string) => join(stateFolder, 'decisions.image')

export function createImageKeeper(parts: {
  readonly file: string
  /** Name of the register. */
  readonly register: string
  readonly clock: Clock
  readonly log: Log
}): ImageKeeper {
  const { file, register, clock, log } = parts
  const stop = new AbortController()
  let waiting: { readonly image: SnapshotImage | null; readonly size: number } | null = null
  let writing: Promise<void> | null = null

  const work = async (): Promise<void> => {
    for (let quiet = true; waiting !== null; ) {
      if (quiet) await clock.sleep(quietMs, stop.signal)
      const { image, size } = waiting
      waiting = null
      try {
        if (image === null) await removeImage(file)
        else await writeImage(file, image, { register, size })
      } catch (error) {
        // Without it a restart answers a little later, and that is all.
        log.write('warn', 'the image of live decisions was not kept', { file, error: String(error) })
      }
      quiet = !stop.signal.aborted
    }
    writing = null
  }

  return {
    keep(image, size) {
      waiting = { image, size }
      writing ??= work()
    },
    async close() {
      stop.abort()
      await writing
    },
  }
}

/**
 * The image on disk under the holds of the register as it stands, read without verifying it: that comes next, and closes
 * the door again where it fails. Undefined where anything is in doubt; then mail waits until everything is read.
 */
export async function readKeptImage(parts: {
  readonly file: string
  readonly register: string
  readonly storeFile: string
}): Promise<SnapshotImage | undefined> {
  const kept = await readImage(parts.file)
  if (kept === undefined || kept.origin.register !== parts.register) return undefined
  let incidents = emptyIncidents
  let size = 0
  for await (const entry of listEntries(parts.storeFile)) {
    // A service that ended since is not in the image as ended.
    if (entry.kind === 'service.withdrawn' && entry.index >= kept.origin.size) return undefined
    incidents = applyEntry(incidents, entry)
    size += 1
  }
  // Fewer than it follows: another register, or one that lost its end.
  return size < kept.origin.size ? undefined : kept.withHolds(openHolds(incidents))
}
