/**
 * Has notices delivered one run at a time, beside whatever asked for it: a mail server that does not answer holds back
 * notices, and never the answer to somebody who suspends a domain.
 */
import type { Clock } from '../core/clock.ts'

export interface Courier {
  /** Delivers what is due. Resolves when it is done, or soon, whichever comes first; what is slow goes on. */
  deliver(): Promise<void>
  /** Resolves when nothing is being delivered. @throws what a delivery threw. */
  idle(): Promise<void>
}

/** Files are written in a few milliseconds; longer only a server takes. */
const waitMsMax = 1_000

export function createCourier(run: () => Promise<void>, clock: Clock): Courier {
  let running: Promise<void> | null = null
  let isDueAgain = false
  let failure: unknown = null

  async function work(): Promise<void> {
    do {
      isDueAgain = false
      await run()
    } while (isDueAgain)
  }
  function begin(): Promise<void> {
    if (running !== null) {
      isDueAgain = true
      return running
    }
    running = work()
      .catch((error: unknown) => {
        failure = error
      })
      .finally(() => {
        running = null
      })
    return running
  }
  function throwFailure(): void {
    if (failure === null) return
    const thrown = failure
    failure = null
    throw thrown
  }
  return {
    async deliver() {
      const enough = new AbortController()
      await Promise.race([begin(), clock.sleep(waitMsMax, enough.signal)])
      enough.abort()
      throwFailure()
    },
    async idle() {
      while (running !== null) await running
      throwFailure()
    },
  }
}
