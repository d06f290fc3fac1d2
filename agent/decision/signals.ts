/**
 * Signs of misuse in what live decisions refuse (mission section 8): counted by login in a sliding hour, told once when a
 * threshold is reached, and again only after an hour. Nothing acts on them by itself. What it cannot see: bounces that
 * our own Postfix makes, and logins that write through no policy service. Pure; time is an argument. Bounded, whatever
 * clients do.
 */
import type { Instant } from '../core/clock.ts'
import type { PolicyName } from '../manifest/schema.ts'
import { formatIp, parseIp } from '../model/ip.ts'
import type { PolicyRequest } from '../standards/policy-delegation.ts'
import type { Decision } from './decide.ts'

export const signalCodes = [
  'SIG-UNKNOWN-RECIPIENTS',
  'SIG-BOUNCES',
  'SIG-OFF-LAN',
  'SIG-RATE',
  'SIG-SCOPE',
  'SIG-ADDRESSING',
] as const
export type SignalCode = (typeof signalCodes)[number]
export type SignalLevel = 'alert' | 'act'

/** What was counted: of a login, or, for `SIG-ADDRESSING`, of logins that come from one prefix. */
export type Sign = {
  readonly code: Exclude<SignalCode, 'SIG-ADDRESSING'>
  readonly login: string
  readonly client: string
  /** Of a bounce: recipients of the login within the hour. */
  readonly sent?: number
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
  // By the share of what was sent, below.
  'SIG-BOUNCES': { alert: never, act: never },
  'SIG-OFF-LAN': { alert: 1, act: never },
  'SIG-RATE': { alert: never, act: 1 },
  'SIG-SCOPE': { alert: 20, act: never },
  // Many people from one new place have moved, or their provider has: it is told once, for the place.
  'SIG-ADDRESSING': { alert: 5, act: never },
}

export const windowMs = 3_600_000
/** Of what was sent within the hour, and never of a few. */
export const bounceShare = 0.08
export const bounceSentMin = 50
/** More come back only of what the share was long passed for. */
const bouncesMax = 500
/** Some hundred bytes each; beyond, who was seen least recently is forgotten. */
export const subjectsMax = 20_000

export interface Signals {
  /** Counts one; gives what has just reached a threshold. */
  note(sign: Sign, at: Instant): readonly Signal[]
  readonly subjects: number
  /** Everything, to be kept elsewhere. */
  save(): SignalsState
  /** Puts back what was saved, under what was counted since. */
  restore(state: SignalsState): void
}

/** By code and subject: instants, and when each level was last told (0: never). */
export type SignalsState = readonly (readonly [
  key: string,
  instants: readonly number[],
  alerted: number,
  acted: number,
])[]

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

  function count(code: SignalCode, subject: string, at: Instant, sent = 0): Signal[] {
    const { alert, act } = code === 'SIG-BOUNCES' ? bouncesOf(sent) : thresholds[code]
    const meter = meterOf(`${code} ${subject}`)
    const { instants } = meter
    // What is ahead of a clock that was set back would count for ever.
    while (instants.length > 0 && instants.at(-1)! > at) instants.pop()
    while (instants.length > 0 && instants[0]! <= at - windowMs) instants.shift()
    instants.push(at)
    const highest = code === 'SIG-BOUNCES' ? bouncesMax : act === never ? alert : act
    if (instants.length > highest) instants.shift()
    const reached = instants.length
    if (reached >= act && isDue(meter.acted, at)) {
      meter.acted = at
      meter.alerted = at
      return [{ code, level: 'act', subject, count: reached, at }]
    }
    if (reached >= alert && isDue(meter.alerted, at)) {
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
    note({ code, login, client, sent }, at) {
      if (code !== 'SIG-OFF-LAN') return count(code, login, at, sent)
      const prefix = prefixOf(client)
      if (crowd(prefix, login, at) < thresholds['SIG-ADDRESSING'].alert) return count(code, login, at)
      const meter = meterOf(`SIG-ADDRESSING ${prefix}`)
      if (!isDue(meter.alerted, at)) return []
      meter.alerted = at
      return [{ code: 'SIG-ADDRESSING', level: 'alert', subject: prefix, count: crowd(prefix, login, at), at }]
    },
    save: () =>
      [...meters].map(
        ([key, { instants, alerted, acted }]) =>
          [key, [...instants], Math.max(0, alerted), Math.max(0, acted)] as const,
      ),
    restore(state) {
      for (const [key, instants, alerted, acted] of state.slice(-limits.subjectsMax)) {
        if (!meters.has(key))
          meters.set(key, { instants: [...instants], alerted: alerted || -never, acted: acted || -never })
      }
    },
    get subjects() {
      return meters.size + places.size
    },
  }
}

/** After an hour; and at once where the clock was set back to before it was told, or nobody would hear until it caught up. */
function isDue(told: Instant, at: Instant): boolean {
  return told > at || at - told >= windowMs
}

function bouncesOf(sent: number): Thresholds {
  const act = sent < bounceSentMin ? never : Math.min(Math.ceil(sent * bounceShare), bouncesMax)
  return { alert: never, act }
}

/** The neighbourhood of an address, what one provider gives out together: /24 of IPv4, /48 of IPv6. */
function prefixOf(client: string): string {
  const ip = parseIp(client)
  if (ip === undefined) return client
  if (typeof ip === 'number') return `${formatIp(ip - (ip % 2 ** 8))}/24`
  return `${formatIp((ip >> 80n) << 80n)}/48`
}

/** What a decision is a sign of, with whom it is of; undefined for most. */
export function signOf(
  { sign, reason, effect }: Decision,
  { login, clientAddress: client }: PolicyRequest,
  sent: (account: string) => number,
): Sign | undefined {
  if (sign !== undefined) {
    const { kind, account } = sign
    return kind === 'bounce'
      ? { code: 'SIG-BOUNCES', login: account, client, sent: sent(account) }
      : { code: 'SIG-UNKNOWN-RECIPIENTS', login: account, client }
  }
  const code = effect === 'dunno' || reason === 'permitted' ? undefined : codeOf[reason]
  return code === undefined || login === '' ? undefined : { code, login, client }
}

/** Of refusals. */
const codeOf: Readonly<Partial<Record<PolicyName, Sign['code']>>> = {
  'off-network': 'SIG-OFF-LAN',
  rate: 'SIG-RATE',
  'scope-send': 'SIG-SCOPE',
}
