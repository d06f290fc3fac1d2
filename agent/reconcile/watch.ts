/**
 * Watches the manifests' folder. A watch event is only a hint that something may have changed; the net below it is a
 * look at every file every few seconds, which also finds what events missed.
 */
import { type FSWatcher, watch } from 'node:fs'
import type { Clock } from '../core/clock.ts'

/** Editors write a file in several steps; this long after the last hint the folder is read. */
export const settleMs = 60
/** The net: short enough that an edit which no event told of is not waited for. Unchanged files are read, not parsed. */
export const rescanMs = 10_000

/** Yields when the folder should be read again. Ends with the signal. */
export async function* watchFolder(folder: string, clock: Clock, signal: AbortSignal): AsyncIterable<void> {
  let wake: (() => void) | undefined
  let hinted = false
  const hint = () => {
    hinted = true
    wake?.()
  }
  let watcher: FSWatcher | undefined
  const start = () => {
    try {
      watcher = watch(folder, { recursive: true, persistent: false }, hint)
      watcher.on('error', () => {
        watcher?.close()
        watcher = undefined
      })
    } catch {
      // The folder is not there (yet): the rescan goes on looking.
      watcher = undefined
    }
  }
  start()
  signal.addEventListener('abort', hint)
  try {
    while (!signal.aborted) {
      if (!hinted) {
        const pause = new AbortController()
        const woken = new Promise<void>(resolve => {
          wake = resolve
        })
        await Promise.race([woken, clock.sleep(rescanMs, pause.signal)])
        pause.abort()
        wake = undefined
      }
      if (signal.aborted) return
      if (!hinted) {
        if (watcher === undefined) start()
        yield
        continue
      }
      while (hinted) {
        hinted = false
        await clock.sleep(settleMs, signal)
      }
      // A save by rename (sed -i, git, most editors) leaves the recursive watch on the old file, and deaf for the new one.
      // It is opened anew before the folder is read, so that what comes after the reading is heard.
      watcher?.close()
      start()
      if (!signal.aborted) yield
    }
  } finally {
    watcher?.close()
  }
}
