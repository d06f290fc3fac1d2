/**
 * Signs of misuse in what live decisions refuse (mission section 8): counted by login in a sliding hour, told once when a
 * threshold is reached, and again only after an hour. Nothing acts on them by itself. What it cannot see: bounces that
 * our own Postfix makes, and logins that write through no policy service. Pure; time is an argument. Bounded, whatever
 * clients do.
 */
import type { Instant } from '../core/clock.ts'

export const signalCodes = ['SIG-UNKNOWN-RECIPIENTS', 'SIG-OFF-LAN', 'SIG-RATE', 'SIG-SCOPE', 'SIG-ADDRESSING'] as const
export type SignalCode = (typeof signalCodes)[number]
export type SignalLevel = 'alert' | 'act'

/** What was counted: of a login, or, for `SIG-ADDRESSING`, of logins that come from one prefix. */
export type Sign = {
  readonly code: Exclude<SignalCode, 'SIG-ADDRESSING'>
  readonly login: string
  readonly client: string
}

export type Signal = {
  readonly code: SignalCode
  readonly level: SignalLevel
  /** A login; of `SIG-ADDRESSING` a prefix. */
  readonly subject: string
  /** Within the hour. */
  readonly count: number
  readonly at: Instant
}

type Thresholds = { readonly alert: number; readonly act: number }
const never = Number.POSITIVE_INFINITY

/** By the hour. One login from outside is an alert at once; a few mistyped addresses are nothing. */
export const thresholds: Readonly<Record<SignalCode, Thresholds>> = {
  'SIG-UNKNOWN-RECIPIENTS': { alert: 25, act: 50 },
  'SIG-OFF-LAN': { alert: 1, act: never },
  'SIG-RATE': { alert: never, act: 1 },
  'SIG-SCOPE': { alert: 20, act: never },
  // Many people from one new place have moved, or their provider has: it is told once, for the place.
  'SIG-ADDRESSING': { alert: 5, act: never },
}

export const windowMs = 3_600_000
/** Some hundred bytes each; beyond, who was seen least recently is forgotten. */
export const subjectsMax = 20_000

export interface Signals {
  /** Counts one; gives what has just reached a threshold. */
  note(sign: Sign, at: Instant): readonly Signal[]
  readonly subjects: number
}

/** Instants in order, no more than a threshold needs; when each level was last told. */
type Meter = { readonly instants: Instant[]; alerted: Instant; acted: Instant }

export function createSignals(limits: { readonly subjectsMax: number } = { subjectsMax }): Signals {
  const meters = new Map<string, Meter>()
  /** Of a prefix: who was seen there, and when last. */
  const places = new Map<string, Map<string, Instant>>()

  function meterOf(key: string): Meter {
    const known = meters.get(key)
    // Who is seen again is the last to be forgotten: a Map keeps the order in which keys were put.
    if (known !== undefined) meters.delete(key)
    const meter = known ?? { instants: [], alerted: -never, acted: -never }
    meters.set(key, meter)
    if (meters.size > limits.subjectsMax) meters.delete(meters.keys().next().value!)
    return meter
  }

  function count(code: SignalCode, subject: string, at: Instant): Signal[] {
    const { alert, act } = thresholds[code]
    const meter = meterOf(`${code} ${subject}`)
    const { instants } = meter
    // A clock that was set back would keep what is ahead of it for ever.
    while (instants.length > 0 && (instants[0]! <= at - windowMs || instants[0]! > at)) instants.shift()
    instants.push(at)
    const highest = act === never ? alert : act
    if (instants.length > highest) instants.shift()
    const reached = instants.length
    if (reached >= act && at - meter.acted >= windowMs) {
      meter.acted = at
      meter.alerted = at
      return [{ code, level: 'act', subject, count: reached, at }]
    }
    if (reached >= alert && at - meter.alerted >= windowMs) {
      meter.alerted = at
      return [{ code, level: 'alert', subject, count: reached, at }]
    }
    return []
  }

  /** How many were seen in this place within the hour. */
  function crowd(prefix: string, login: string, at: Instant): number {
    const seen = places.get(prefix) ?? new Map<string, Instant>()
    places.delete(prefix)
    places.set(prefix, seen)
    if (places.size > limits.subjectsMax) places.delete(places.keys().next().value!)
    for (const [other, last] of seen) if (at - last >= windowMs || last > at) seen.delete(other)
    if (seen.size < thresholds['SIG-ADDRESSING'].alert) seen.set(login, at)
    return seen.size
  }

  return {
    note({ code, login, client }, at) {
      if (code !== 'SIG-OFF-LAN') return count(code, login, at)
      const prefix = prefixOf(client)
      if (crowd(prefix, login, at) < thresholds['SIG-ADDRESSING'].alert) return count(code, login, at)
      const meter = meterOf(`SIG-ADDRESSING ${prefix}`)
      if (at - meter.alerted < windowMs) return []
      meter.alerted = at
      return [{ code: 'SIG-ADDRESSING', level: 'alert', subject: prefix, count: crowd(prefix, login, at), at }]
    },
    get subjects() {
      return meters.size + places.size
    },
  }
}

/** The neighbourhood of an address: what one provider gives out together. */
function prefixOf(client: string): string {
  const v4 = /^(\d+\.\d+\.\d+)\.\d+$/.exec(client)
  if (v4 !== null) return `${v4[1]}.0/24`
  return client.includes(':') ? `${client.split(':').slice(0, 3).join(':')}::/48` : client
}
