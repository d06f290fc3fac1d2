/**
 * Keeps the counters of `rate` and of signals on disk, so that a restart forgives nobody. What a kill costs is what was counted since the
 * last time they were written. Recipients stand there as hashes.
 */
import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import type { KeptCounters } from '../decision/messages.ts'
import type { PolicyService } from '../decision/service.ts'
import type { SignalsState } from '../decision/signals.ts'
import { clientsMax, entriesMax, peakDays, type UsageState } from '../decision/usage.ts'

const keepMs = 30_000

export type UsageKeeper = {
  /** Writes them once more, and no more after that. */
  close(): Promise<void>
}

export const usageFile = (stateFolder: string) => join(stateFolder, 'rates.json')

export async function startUsageKeeper(parts: {
  readonly file: string
  readonly service: Pick<PolicyService, 'saveCounters' | 'restoreCounters'>
  readonly clock: Clock
  readonly log: Log
}): Promise<UsageKeeper> {
  const { file, service, clock, log } = parts
  const stop = new AbortController()
  let last = ''
  const kept = await readUsage(file).catch((error: unknown) => {
    log.write('warn', 'the counters of rates can’t be read: everybody starts anew', { file, error: String(error) })
    return { usage: [], signals: [] }
  })
  service.restoreCounters(kept)

  const write = async (): Promise<void> => {
    try {
      const text = JSON.stringify({ version: 1, ...(await service.saveCounters()) })
      if (text === last) return
      const handle = await open(`${file}.part`, 'w', 0o600)
      try {
        await handle.writeFile(text)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(`${file}.part`, file)
      last = text
    } catch (error) {
      log.write('warn', 'the counters of rates were not kept', { file, error: String(error) })
    }
  }
  const writing = (async () => {
    while (!stop.signal.aborted) {
      await clock.sleep(keepMs, stop.signal)
      await write()
    }
  })()
  return {
    async close() {
      if (stop.signal.aborted) return
      stop.abort()
      await writing
    },
  }
}

/** Nothing where there is no file. @throws on a file of another form. */
async function readUsage(file: string): Promise<KeptCounters> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return { usage: [], signals: [] }
  const { version, usage, signals = [] } = JSON.parse(text) as Partial<Record<'version' | 'usage' | 'signals', unknown>>
  const areWhole = (all: unknown, max = Number.MAX_SAFE_INTEGER): all is number[] =>
    Array.isArray(all) && all.length <= max && all.every(Number.isSafeInteger)
  const isPair = (one: unknown): one is UsageState[number] => {
    if (!Array.isArray(one)) return false
    const [login, pairs, clients = [], day = 0, peaks = []] = one as readonly unknown[]
    if (typeof login !== 'string' || !Number.isSafeInteger(day)) return false
    if (!areWhole(pairs) || !areWhole(clients, 2 * clientsMax) || !areWhole(peaks, peakDays)) return false
    return pairs.length % 2 === 0 && clients.length % 2 === 0
  }
  const isMeter = (one: unknown): one is SignalsState[number] =>
    Array.isArray(one) &&
    typeof one[0] === 'string' &&
    Array.isArray(one[1]) &&
    [...one[1], one[2], one[3]].every(Number.isSafeInteger)
  if (version !== 1 || !Array.isArray(usage) || !usage.every(isPair)) throw new Error('it has another form')
  if (!Array.isArray(signals) || !signals.every(isMeter)) throw new Error('it has another form')
  return { usage: usage.slice(0, entriesMax), signals }
}
