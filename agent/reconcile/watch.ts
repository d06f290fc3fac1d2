/**
 * Watches the manifests' folder. A watch event is only a hint that something may have changed; the net below it is a
 * look at every file's size and time each minute, which also finds what events missed.
 */
import { type FSWatcher, watch } from 'node:fs'
import type { Clock } from '../core/clock.ts'

/** Editors write a file in several steps; this long after the last hint the folder is read. */
export const settleMs = 60
export const rescanMs = 60_000

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
      if (!signal.aborted) yield
    }
  } finally {
    watcher?.close()
  }
}
