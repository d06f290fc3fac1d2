/**
 * Counters for `rate`: distinct recipients per login in the last hour and the last day. They can be taken out and put in
 * again, so that they outlive a restart. Time is an argument. Bounded, whatever clients do.
 */

import type { UsageView } from '../../policies/policy.ts'
import { assert } from '../core/assert.ts'
import type { Instant } from '../core/clock.ts'

export interface Usage extends UsageView {
  /** Counts a permitted recipient. A second time within the window, in whatever message, it is no new one. */
  count(login: string, recipient: string, at: Instant): void
  /** Distinct recipients of a login within the hour. */
  recent(login: string, at: Instant): number
  readonly logins: number
  /** Recipients kept. */
  readonly entries: number
  /** Everything, to be kept elsewhere. */
  save(): UsageState
  /** Puts back what was saved; what is over by now counts no more. @throws on anything that `save` did not make. */
  restore(state: UsageState): void
}

/** By login: pairs of a recipient's hash and the second of its last use. */
export type UsageState = readonly (readonly [login: string, pairs: readonly number[]])[]

const hourSeconds = 3_600
const daySeconds = 86_400
/** About 30 MB. Two thousand logins at their daily limit of 500 fill it; beyond, who wrote least recently is forgotten. */
export const entriesMax = 1_000_000
/** Forgetting sorts the logins; once for many is cheap. */
const forgottenShare = 0.1

/**
 * Pairs of a recipient's hash and the second of its last use, in no order: a login has a few, at most its daily limit.
 * Hashes: a few bytes each, and no list of correspondents.
 */
type Meter = {
  readonly login: string
  readonly pairs: number[]
  lastSecond: number
  /** Of another login with the same hash. */
  next: Meter | undefined
}

export function createUsage(options: { readonly entriesMax: number } = { entriesMax }): Usage {
  /** By the hash of the login: a number is found in a third of the time that a text takes that was just cut out. */
  const meters = new Map<number, Meter>()
  let logins = 0
  let entries = 0
  /** What the last walk found: counts, and where the recipient stands. */
  const found = { hour: 0, day: 0, at: -1 }
  /** Whom it was about, until something changes: what was judged a moment ago is counted without another look. */
  let last:
    | { readonly login: string; readonly recipient: string; readonly hash: number; readonly meter: Meter | undefined }
    | undefined

  function meterOf(login: string): Meter | undefined {
    let meter = meters.get(hashOf(login))
    while (meter !== undefined && meter.login !== login) meter = meter.next
    return meter
  }

  function addMeter(login: string, pairs: number[], lastSecond: number): Meter {
    const hash = hashOf(login)
    const meter: Meter = { login, pairs, lastSecond, next: meters.get(hash) }
    meters.set(hash, meter)
    logins += 1
    return meter
  }

  function* all(): Iterable<Meter> {
    for (const first of meters.values())
      for (let meter: Meter | undefined = first; meter !== undefined; meter = meter.next) yield meter
  }

  /** Walks over a login's pairs once: drops what is over, counts the rest, finds the recipient (-1: a new one). */
  function walk({ pairs }: Meter, hash: number, second: number, since = 0): void {
    found.hour = 0
    found.day = 0
    found.at = -1
    let inHour = 0
    let before = 0
    let at = 0
    while (at < pairs.length) {
      const age = second - pairs[at + 1]!
      if (age >= daySeconds) {
        const lastSecond = pairs.pop()!
        const lastHash = pairs.pop()!
        if (at < pairs.length) {
          pairs[at] = lastHash
          pairs[at + 1] = lastSecond
        }
        entries -= 1
        continue
      }
      if (pairs[at + 1]! < since) before += 1
      else {
        if (pairs[at] === hash) found.at = at
        if (age < hourSeconds) inHour += 1
      }
      at += 2
    }
    found.hour = inHour
    found.day = pairs.length / 2 - before
  }

  return {
    after(login, recipient, at, since = 0) {
      const meter = meterOf(login)
      const hash = hashOf(recipient)
      // With `since`, the walk takes what is older for somebody else's.
      last = since === 0 ? { login, recipient, hash, meter } : undefined
      if (meter === undefined) return firstOfAll
      const second = Math.floor(at / 1000)
      walk(meter, hash, second, Math.ceil(since / 1000))
      if (found.at < 0) return { hour: found.hour + 1, day: found.day + 1 }
      const isInHour = second - meter.pairs[found.at + 1]! < hourSeconds
      return { hour: found.hour + (isInHour ? 0 : 1), day: found.day }
    },
    count(login, recipient, at) {
      const second = Math.floor(at / 1000)
      const judged = last !== undefined && last.login === login && last.recipient === recipient ? last : undefined
      last = undefined
      const hash = judged === undefined ? hashOf(recipient) : judged.hash
      const known = judged === undefined ? meterOf(login) : judged.meter
      const meter = known ?? addMeter(ownCopy(login), [], second)
      meter.lastSecond = second
      if (judged === undefined || known === undefined) walk(meter, hash, second)
      if (found.at >= 0) meter.pairs[found.at + 1] = second
      else {
        meter.pairs.push(hash, second)
        entries += 1
        if (entries > options.entriesMax) makeRoom()
      }
    },
    recent(login, at) {
      const meter = meterOf(login)
      if (meter === undefined) return 0
      last = undefined
      walk(meter, -1, Math.floor(at / 1000))
      return found.hour
    },
    save: () => [...all()].map(({ login, pairs }) => [login, [...pairs]] as const),
    restore(state) {
      for (const [login, pairs] of state) {
        assert(typeof login === 'string' && pairs.length % 2 === 0, 'counters are by login, in pairs')
        assert(pairs.every(Number.isSafeInteger), 'counters are whole numbers')
        if (meterOf(login) !== undefined) continue
        addMeter(login, [...pairs], Math.max(0, ...pairs.filter((_, at) => at % 2 === 1)))
        entries += pairs.length / 2
      }
      last = undefined
      if (entries > options.entriesMax) makeRoom()
    },
    get logins() {
      return logins
    },
    get entries() {
      return entries
    },
  }

  /** Who has been silent for longest goes first; who writes now is last, and goes too when that alone is too much. */
  function makeRoom(): void {
    const target = options.entriesMax * (1 - forgottenShare)
    const silent = [...all()].sort((a, b) => a.lastSecond - b.lastSecond)
    for (const meter of silent) {
      if (entries <= target) return
      entries -= meter.pairs.length / 2
      forget(meter)
    }
  }

  function forget(meter: Meter): void {
    const hash = hashOf(meter.login)
    const first = meters.get(hash)
    logins -= 1
    if (first === meter) {
      if (meter.next === undefined) meters.delete(hash)
      else meters.set(hash, meter.next)
      return
    }
    let before = first
    while (before !== undefined && before.next !== meter) before = before.next
    assert(before !== undefined, 'a meter stands under its hash')
    before.next = meter.next
  }
}

const firstOfAll = { hour: 1, day: 1 } as const

/** A slice of a request would keep the whole request in memory. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString()
}

/** FNV-1a in 31 bits. Of 500 recipients two share a hash once in 15,000 logins: that login may write to one more. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash & 0x7fff_ffff
}
