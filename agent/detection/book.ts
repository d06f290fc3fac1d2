/**
 * What the register tells of signals, and of what was done about them: a fold, kept bounded. Pure. A signal whose subject
 * was erased is of nobody and does nothing.
 */
import { type Instant, parseInstant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import type { HoldScope } from '../model/incident.ts'
import { domainOf, parseAddress, parseDomainName } from '../model/name.ts'
import type { Stored } from '../register/register.ts'
import type { Complaint } from './complaints.ts'

export type SeenSignal = {
  readonly index: number
  readonly at: Instant
  readonly code: string
  readonly level: string
  readonly count: number
  readonly subject: string
}

/** Why something was closed, or would have been. */
export const rules = ['account', 'administrator', 'three-accounts', 'unregistered', 'two-families'] as const
export type Rule = (typeof rules)[number]

/** What was made of signals. `proposed`: nothing was closed; a person decides. */
export type Answer = {
  readonly index: number
  readonly at: Instant
  readonly how: 'closed' | 'proposed'
  readonly scope: HoldScope
  readonly rule: Rule
  readonly codes: readonly string[]
}

export type Storm = {
  readonly at: Instant
  readonly index: number
  readonly domains: number
  readonly accounts: number
  readonly signals: number
}

export type DetectionBook = {
  /** Oldest first. */
  readonly signals: SeenSignal[]
  readonly answers: Answer[]
  /** Abuse reports that counted. */
  readonly complaints: Complaint[]
  /** The newest. */
  storm: Storm | null
  /** Since when a person lets signals act again; null: nobody said so since the storm. */
  resumedAt: Instant | null
}

export function emptyDetection(): DetectionBook {
  return { signals: [], answers: [], complaints: [], storm: null, resumedAt: null }
}

/** A bad day of a thousand domains; older ones have been answered or have lost their hour. */
const signalsMax = 5_000
const answersMax = 2_000

/** Folds one entry in. */
export function applyDetectionEntry(book: DetectionBook, entry: Stored): void {
  switch (entry.kind) {
    case 'signal.raised':
      addSignal(book, entry)
      return
    case 'incident.declared':
    case 'incident.joined':
    case 'detection.proposed':
      addAnswer(book, entry)
      return
    case 'detection.storm': {
      const count = (key: string) => Number(entry.facts[key] ?? 0)
      const [domains, accounts, signals] = [count('domains'), count('accounts'), count('signals')]
      book.storm = { at: instantOf(entry), index: entry.index, domains, accounts, signals }
      book.resumedAt = null
      return
    }
    case 'abuse.report': {
      const account = entry.personal?.['account']
      if (typeof account !== 'string') return
      book.complaints.push({ at: instantOf(entry), account, about: String(entry.facts['about']) })
      if (book.complaints.length > answersMax) book.complaints.shift()
      return
    }
    case 'detection.resumed':
      book.resumedAt = instantOf(entry)
      return
  }
}

const instantOf = (entry: Stored): Instant => parseInstant(entry.at) ?? 0

function addSignal(book: DetectionBook, entry: Stored): void {
  const subject = entry.personal?.['subject']
  if (typeof subject !== 'string') return
  book.signals.push({
    index: entry.index,
    at: instantOf(entry),
    code: String(entry.facts['code']),
    level: String(entry.facts['level']),
    count: Number(entry.facts['count']),
    subject,
  })
  if (book.signals.length > signalsMax) book.signals.shift()
}

/** An incident that people declared has no trigger, and is none of ours. */
function addAnswer(book: DetectionBook, entry: Stored): void {
  const trigger = entry.kind === 'detection.proposed' ? entry.facts : objectOf(entry.facts['trigger'])
  const rule = rules.find(known => known === trigger?.['rule'])
  const domain = parseDomainName(String(entry.facts['domain'] ?? ''))
  if (trigger === null || rule === undefined || domain === undefined) return
  const account = parseAddress(String(entry.personal?.['account'] ?? ''))
  const codes = Array.isArray(trigger['codes']) ? trigger['codes'].map(String) : []
  book.answers.push({
    index: entry.index,
    at: instantOf(entry),
    how: entry.kind === 'detection.proposed' ? 'proposed' : 'closed',
    scope: { domain, account: account !== undefined && domainOf(account) === domain ? account : null },
    rule,
    codes,
  })
  if (book.answers.length > answersMax) book.answers.shift()
}

function objectOf(value: Json | undefined): Readonly<Record<string, Json>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Json>>)
    : null
}
