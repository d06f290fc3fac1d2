/**
 * Tells whether what a socket delivers now has waited too long (R12). Nobody knows when bytes reached the kernel; but the
 * event loop knows when it last turned, and what arrives in the first turn after a stall may be as old as the stall.
 */

/** Postfix waits 5 s and then tries again; beyond this we hang up instead, so that it asks another time at once. */
export const lateMs = 800
const beatMs = 100

export interface Pace {
  /** True when a request read now may be older than `lateMs`. */
  isLate(now: number): boolean
  stop(): void
}

/** @param monotonic milliseconds of a clock that is never set. */
export function createPace(monotonic: () => number): Pace {
  let aliveAt = monotonic()
  let stalled = false
  const timer = setInterval(() => {
    const now = monotonic()
    if (now - aliveAt > lateMs) {
      // Timers come before sockets in a turn of the loop, `setImmediate` after them: what is read between is suspect.
      stalled = true
      setImmediate(() => {
        stalled = false
        aliveAt = monotonic()
      })
    }
    aliveAt = now
  }, beatMs)
  timer.unref()
  return {
    isLate: now => stalled || now - aliveAt > lateMs,
    stop: () => clearInterval(timer),
  }
}
