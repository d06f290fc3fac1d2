/** Reads an abuse report in a thread of its own, within two seconds and 64 MB (R27). Never throws for what is in it. */
import { Worker } from 'node:worker_threads'
import { type AbuseReport, type NoReport, reportBytesMax } from '../standards/arf.ts'

const readMs = 2_000
const heapMb = 64

/** `too-much`: the time or the memory was over before it was read. */
export type ReadReport = AbuseReport | NoReport | 'too-much'

export async function readReport(bytes: Uint8Array): Promise<ReadReport> {
  // A copy of what is read at most: a message of 50 MB does not go to the thread.
  const workerData = Uint8Array.from(bytes.subarray(0, reportBytesMax))
  const worker = new Worker(new URL('./arf-thread.ts', import.meta.url), {
    workerData,
    name: 'report',
    resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: heapMb / 4 },
  })
  const late = AbortSignal.timeout(readMs)
  try {
    return await new Promise<ReadReport>(resolve => {
      const giveUp = () => resolve('too-much')
      worker.once('message', (report: AbuseReport | NoReport) => resolve(report))
      worker.once('error', giveUp)
      worker.once('exit', giveUp)
      late.addEventListener('abort', giveUp, { once: true })
    })
  } finally {
    await worker.terminate()
  }
}
