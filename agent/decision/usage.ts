/**
 * Counters for `rate` and for signs of misuse: distinct recipients per login in the last hour and the last day, its busiest
 * hours of four weeks, and from how many places it wrote. They can be taken out and put in
 * again, so that they outlive a restart. Time is an argument. Bounded, whatever clients do.
 */

import type { UsageView } from '../../policies/policy.ts'
import { assert } from '../core/assert.ts'
import type { Instant } from '../core/clock.ts'
import { parseIp } from '../model/ip.ts'

export interface Usage extends UsageView {
  /**
   * Counts a permitted recipient. A second time within the window, in whatever message, it is no new one.
   * @returns what to look at now; read it before the next call.
   */
  count(login: string, recipient: string, at: Instant, client?: string): Counted
  /**
   * The most external recipients in an hour that are usual for a login: the 95th percentile of its busiest hours of the
   * last 28 days, today left out; undefined until it wrote on a week of them.
   */
  usual(login: string, at: Instant): number | undefined
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

/** Of a login: distinct recipients within the hour, distinct client addresses within the day. */
export type Counted = { hour: number; clients: number }

/**
 * By login: pairs of a recipient's hash and the second of its last use; such pairs of client addresses; and the day of the
 * newest of its busiest hours, which follow, by day modulo 28.
 */
export type UsageState = readonly (readonly [
  login: string,
  pairs: readonly number[],
  clients?: readonly number[],
  day?: number,
  peaks?: readonly number[],
])[]

const hourSeconds = 3_600
const daySeconds = 86_400
/** About 30 MB. Two thousand logins at their daily limit of 500 fill it; beyond, who wrote least recently is forgotten. */
export const entriesMax = 1_000_000
/** Forgetting sorts the logins; once for many is cheap. */
const forgottenShare = 0.1

/** More addresses in a day are as bad a sign as these. */
export const clientsMax = 32
export const peakDays = 28
/** A week of days with mail says what is usual. */
const peaksMin = 7
const usualShare = 0.95
/** A day's busiest hour is kept in a byte: who writes to more is held by `rate`, or declared. */
const peakMax = 255
/** Logins whose past is kept: some 10 MB. */
const pastsMax = 100_000

/**
 * Pairs of a recipient's hash and the second of its last use, in no order: a login has a few, at most its daily limit.
 * Hashes: a few bytes each, and no list of correspondents.
 */
type Meter = {
  readonly login: string
  readonly pairs: number[]
  lastSecond: number
  /** Pairs of a client's hash and the second when it was last seen, the newest first. */
  readonly clients: number[]
  /** The busiest hour of each day, and the newest of those days; undefined for those beyond `pastsMax`. */
  peaks: Uint8Array | undefined
  day: number
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
  const counted: Counted = { hour: 0, clients: 0 }
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
    const peaks = logins < pastsMax ? new Uint8Array(peakDays) : undefined
    const meter: Meter = { login, pairs, lastSecond, clients: [], peaks, day: 0, next: meters.get(hash) }
    meters.set(hash, meter)
    logins += 1
    return meter
  }

  function noteClient({ clients }: Meter, client: string, second: number): void {
    const hash = hashOf(clientOf(client))
    if (clients[0] === hash) {
      clients[1] = second
      return
    }
    let at = 2
    while (at < clients.length && clients[at] !== hash) at += 2
    if (at < clients.length) clients.splice(at, 2)
    clients.unshift(hash, second)
    // The oldest are last.
    while (clients.length > 2 * clientsMax || second - clients.at(-1)! >= daySeconds) clients.length -= 2
  }

  /** A clock that was set back goes on where it is. */
  function notePeak(meter: Meter, hour: number, second: number): void {
    const { peaks } = meter
    if (peaks === undefined) return
    const day = Math.floor(second / daySeconds)
    for (let skipped = Math.max(meter.day, day - peakDays) + 1; skipped <= day; skipped += 1)
      peaks[skipped % peakDays] = 0
    meter.day = day
    const of = day % peakDays
    if (hour > peaks[of]!) peaks[of] = Math.min(hour, peakMax)
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
    count(login, recipient, at, client) {
      const second = Math.floor(at / 1000)
      const judged = last !== undefined && last.login === login && last.recipient === recipient ? last : undefined
      last = undefined
      const hash = judged === undefined ? hashOf(recipient) : judged.hash
      const known = judged === undefined ? meterOf(login) : judged.meter
      const meter = known ?? addMeter(ownCopy(login), [], second)
      meter.lastSecond = second
      if (judged === undefined || known === undefined) walk(meter, hash, second)
      const isKnown = found.at >= 0
      const isInHour = isKnown && second - meter.pairs[found.at + 1]! < hourSeconds
      counted.hour = found.hour + (isInHour ? 0 : 1)
      if (isKnown) meter.pairs[found.at + 1] = second
      else {
        meter.pairs.push(hash, second)
        entries += 1
      }
      notePeak(meter, counted.hour, second)
      if (client !== undefined) noteClient(meter, client, second)
      counted.clients = meter.clients.length / 2
      if (entries > options.entriesMax) makeRoom()
      return counted
    },
    usual(login, at) {
      const meter = meterOf(login)
      if (meter?.peaks === undefined) return undefined
      const today = Math.floor(at / 1000 / daySeconds)
      const past: number[] = []
      for (
        let day = Math.max(today - peakDays + 1, meter.day - peakDays + 1);
        day < today && day <= meter.day;
        day += 1
      ) {
        const peak = meter.peaks[((day % peakDays) + peakDays) % peakDays]!
        if (peak > 0) past.push(peak)
      }
      if (past.length < peaksMin) return undefined
      return past.toSorted((a, b) => a - b)[Math.ceil(past.length * usualShare) - 1]
    },
    recent(login, at) {
      const meter = meterOf(login)
      if (meter === undefined) return 0
      last = undefined
      walk(meter, -1, Math.floor(at / 1000))
      return found.hour
    },
    save: () =>
      [...all()].map(({ login, pairs, clients, day, peaks }) =>
        peaks === undefined
          ? ([login, [...pairs], [...clients]] as const)
          : ([login, [...pairs], [...clients], day, [...peaks]] as const),
      ),
    restore(state) {
      for (const [login, pairs, clients = [], day = 0, peaks = []] of state) {
        assert(typeof login === 'string' && pairs.length % 2 === 0, 'counters are by login, in pairs')
        assert(pairs.every(Number.isSafeInteger), 'counters are whole numbers')
        if (meterOf(login) !== undefined) continue
        assert(clients.length % 2 === 0 && clients.length <= 2 * clientsMax, 'clients are in pairs')
        assert(peaks.length <= peakDays && [...clients, day, ...peaks].every(Number.isSafeInteger), 'whole numbers')
        const meter = addMeter(login, [...pairs], Math.max(0, ...pairs.filter((_, at) => at % 2 === 1)))
        meter.clients.push(...clients)
        meter.day = day
        meter.peaks?.set(peaks)
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

/** Of IPv6 the network: whoever has one has all of its addresses. */
function clientOf(text: string): string {
  const ip = text.includes(':') ? parseIp(text) : undefined
  return typeof ip === 'bigint' ? String(ip >> 64n) : text
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
