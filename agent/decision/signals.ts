/**
 * Signs of misuse in what live decisions see (mission section 8): counted by login in a sliding hour, told once when a
 * threshold is reached, and again only after an hour. What they may do is not decided here (`agent/detection/`). What it
 * cannot see: bounces that our own Postfix makes, and logins that write through no policy service. Pure; time is an
 * argument. Bounded, whatever clients do.
 */
import type { Instant } from '../core/clock.ts'
import type { PolicyName } from '../manifest/schema.ts'
import { formatIp, parseIp } from '../model/ip.ts'
import { defaultSignals, type SignalSettings } from '../model/signal.ts'
import type { PolicyRequest } from '../standards/policy-delegation.ts'
import type { Decision } from './decide.ts'

export const signalCodes = [
  'SIG-UNKNOWN-RECIPIENTS',
  'SIG-BOUNCES',
  'SIG-OFF-LAN',
  'SIG-RATE',
  'SIG-SCOPE',
  'SIG-UNKNOWN-RELAY',
  'SIG-ADDRESSING',
  'SIG-RECIPIENTS',
  'SIG-CLIENTS',
] as const
export type SignalCode = (typeof signalCodes)[number]
export type SignalLevel = 'alert' | 'act'

/** What was counted: of a login; of `SIG-UNKNOWN-RELAY` of a domain; of `SIG-ADDRESSING` of logins that come from one prefix. */
export type Sign = {
  readonly code: Exclude<SignalCode, 'SIG-ADDRESSING' | 'SIG-RECIPIENTS' | 'SIG-CLIENTS'>
  readonly login: string
  readonly client: string
  /** Of a bounce: recipients of the login within the hour. */
  readonly sent?: number
}

export type Signal = {
  readonly code: SignalCode
  readonly level: SignalLevel
  /** A login; of `SIG-UNKNOWN-RELAY` a domain, of `SIG-ADDRESSING` a prefix. */
  readonly subject: string
  /** Within the hour; of `SIG-CLIENTS` within the day. */
  readonly count: number
  readonly at: Instant
}

type Thresholds = { readonly alert: number; readonly act: number }
const never = Number.POSITIVE_INFINITY

function thresholdsOf(code: Sign['code'], settings: SignalSettings, sent: number): Thresholds {
  switch (code) {
    case 'SIG-UNKNOWN-RECIPIENTS':
      return { alert: settings.unknownRecipients.alert || never, act: settings.unknownRecipients.act || never }
    case 'SIG-BOUNCES':
      return bouncesOf(sent, settings.bounces)
    case 'SIG-OFF-LAN':
      return { alert: settings.offNetwork.alert || never, act: never }
    case 'SIG-UNKNOWN-RELAY':
      return { alert: settings.unknownRelay.alert || never, act: never }
    case 'SIG-SCOPE':
      return { alert: settings.scope.alert || never, act: never }
    case 'SIG-RATE':
      return { alert: never, act: 1 }
  }
}

export const windowMs = 3_600_000
const dayMs = 24 * windowMs
/** Beyond, the instants of one login's signs would take more memory than a thousand others'. */
const instantsMax = 1_000
/** More come back only of what the share was long passed for. */
const bouncesMax = 500
/** Some hundred bytes each; beyond, who was seen least recently is forgotten. */
export const subjectsMax = 20_000

export interface Signals {
  /** Counts one; gives what has just reached a threshold. */
  note(sign: Sign, at: Instant, settings?: SignalSettings): readonly Signal[]
  /** What a login wrote to, and from where, as `usage.ts` counts it. */
  noteCounted(counted: CountedLogin, at: Instant, settings?: SignalSettings): readonly Signal[]
  readonly subjects: number
  /** Everything, to be kept elsewhere. */
  save(): SignalsState
  /** Puts back what was saved, under what was counted since. */
  restore(state: SignalsState): void
}

/** Asked for what costs something only where the cheap part is high. */
export type CountedLogin = {
  readonly login: string
  /** Distinct external recipients within the hour. */
  readonly hour: number
  /** Distinct client addresses within the day. */
  readonly clients: number
  /** The most in an hour that is usual for it; undefined where its past is too short to say. */
  readonly usual: () => number | undefined
  /** What it may write to in an hour as a declared sender; 0 for most. */
  readonly allowed: () => number
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

  function count(code: Sign['code'], subject: string, at: Instant, { alert, act }: Thresholds): Signal[] {
    const meter = meterOf(`${code} ${subject}`)
    const { instants } = meter
    // What is ahead of a clock that was set back would count for ever.
    while (instants.length > 0 && instants.at(-1)! > at) instants.pop()
    while (instants.length > 0 && instants[0]! <= at - windowMs) instants.shift()
    instants.push(at)
    const highest = code === 'SIG-BOUNCES' ? bouncesMax : act === never ? alert : act
    if (instants.length > Math.min(highest, instantsMax)) instants.shift()
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

  /** Tells once what is counted elsewhere, and again after `restMs`. */
  function tell(code: SignalCode, subject: string, reached: number, at: Instant, restMs: number): Signal[] {
    const meter = meterOf(`${code} ${subject}`)
    if (!isDue(meter.alerted, at, restMs)) return []
    meter.alerted = at
    return [{ code, level: 'alert', subject, count: reached, at }]
  }

  /** How many were seen in this place within the hour; of more than are an alert no more are kept. */
  function crowd(prefix: string, login: string, at: Instant, max: number): number {
    const seen = places.get(prefix) ?? new Map<string, Instant>()
    places.delete(prefix)
    places.set(prefix, seen)
    if (places.size > limits.subjectsMax) places.delete(places.keys().next().value!)
    for (const [other, last] of seen) if (at - last >= windowMs || last > at) seen.delete(other)
    if (seen.size < max) seen.set(login, at)
    return seen.size
  }

  return {
    note({ code, login, client, sent = 0 }, at, settings = defaultSignals) {
      const levels = thresholdsOf(code, settings, sent)
      if (code !== 'SIG-OFF-LAN') return count(code, login, at, levels)
      const prefix = prefixOf(client)
      const many = settings.addressing.alert || never
      const seen = many === never ? 0 : crowd(prefix, login, at, many)
      return seen < many ? count(code, login, at, levels) : tell('SIG-ADDRESSING', prefix, seen, at, windowMs)
    },
    noteCounted({ login, hour, clients, usual, allowed }, at, { recipients, clients: places } = defaultSignals) {
      const told: Signal[] = []
      if (recipients.alert > 0 && hour >= recipients.least && hour > allowed()) {
        const ownUsual = usual()
        const limit =
          ownUsual === undefined ? recipients.alert : Math.max(recipients.least, recipients.times * ownUsual)
        if (hour >= limit) told.push(...tell('SIG-RECIPIENTS', login, hour, at, windowMs))
      }
      if (places.alert > 0 && clients > places.alert) told.push(...tell('SIG-CLIENTS', login, clients, at, dayMs))
      return told
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
function isDue(told: Instant, at: Instant, restMs = windowMs): boolean {
  return told > at || at - told >= restMs
}

/** By the share of what was sent within the hour, and never of a few. */
function bouncesOf(sent: number, { percent, recipients }: SignalSettings['bounces']): Thresholds {
  const isTold = percent > 0 && sent >= recipients
  return { alert: never, act: isTold ? Math.min(Math.max(1, Math.ceil((sent * percent) / 100)), bouncesMax) : never }
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
    if (kind === 'unknown-relay') return { code: 'SIG-UNKNOWN-RELAY', login: account, client }
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
