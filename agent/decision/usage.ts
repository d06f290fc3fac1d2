/**
 * Counters for `rate`: distinct recipients per login in the last hour and the last day. In memory alone: after a restart
 * everybody starts anew, which errs on the side of the writer. Time is an argument. Bounded, whatever clients do.
 */

import type { UsageView } from '../../policies/policy.ts'
import type { Instant } from '../core/clock.ts'

export interface Usage extends UsageView {
  /** Counts a permitted recipient. A second time within the window, in whatever message, it is no new one. */
  count(login: string, recipient: string, at: Instant): void
  readonly logins: number
  /** Recipients kept, of both windows. */
  readonly entries: number
}

const hourMs = 3_600_000
const dayMs = 86_400_000
/** About 50 MB. A thousand logins at their daily limit of 500 fill it; beyond, the login that wrote least recently is forgotten. */
export const entriesMax = 1_000_000

/** Recipient hash to the second of its last use, oldest first. Hashes: a few bytes each, and no list of correspondents. */
type Window = Map<number, number>
type Meter = { readonly hour: Window; readonly day: Window; expiredAt: number }

export function createUsage(options: { readonly entriesMax: number } = { entriesMax }): Usage {
  /** In order of last use. */
  const meters = new Map<string, Meter>()
  let entries = 0

  function expire(window: Window, before: number): void {
    for (const [hash, second] of window) {
      if (second > before) return
      window.delete(hash)
      entries -= 1
    }
  }

  function expireBoth(meter: Meter, second: number): void {
    if (meter.expiredAt === second) return
    meter.expiredAt = second
    expire(meter.hour, second - hourMs / 1000)
    expire(meter.day, second - dayMs / 1000)
  }

  function touch(window: Window, hash: number, second: number): void {
    // Taken out and put back, so that the oldest stays first.
    if (!window.delete(hash)) entries += 1
    window.set(hash, second)
  }

  function forget(login: string, meter: Meter): void {
    entries -= meter.hour.size + meter.day.size
    meters.delete(login)
  }

  /** The login that has been silent for longest goes first; the one at hand is last, and goes too if it alone is too much. */
  function makeRoom(): void {
    for (const [login, meter] of meters) {
      if (entries <= options.entriesMax) return
      forget(login, meter)
    }
  }

  return {
    after(login, recipient, at) {
      const meter = meters.get(login)
      if (meter === undefined) return { hour: 1, day: 1 }
      expireBoth(meter, Math.floor(at / 1000))
      const hash = hashOf(recipient)
      const size = (window: Window) => window.size + (window.has(hash) ? 0 : 1)
      return { hour: size(meter.hour), day: size(meter.day) }
    },
    count(login, recipient, at) {
      const second = Math.floor(at / 1000)
      const meter = meters.get(login) ?? { hour: new Map(), day: new Map(), expiredAt: second }
      meters.delete(login)
      meters.set(login, meter)
      expireBoth(meter, second)
      const hash = hashOf(recipient)
      touch(meter.hour, hash, second)
      touch(meter.day, hash, second)
      if (entries > options.entriesMax) makeRoom()
    },
    get logins() {
      return meters.size
    },
    get entries() {
      return entries
    },
  }
}

/** FNV-1a. Of 500 recipients two share a hash once in 30,000 logins: that login may write to one more. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash
}
