/** What detection puts on record (mission section 8). Pure. Whom it is of stands in the part that can be erased. */
import { formatInstant, type Instant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import type { Language } from '../model/entity.ts'
import type { Actor, NewEntry } from '../register/register.ts'
import type { Rule } from './book.ts'
import type { Due } from './respond.ts'
import type { SignCode } from './signs.ts'

type By = { readonly actor: Actor; readonly at: Instant }
type Close = Exclude<Due, { kind: 'storm' }>

/** What an incident rests on: enough to find the signals by, and nobody's name. */
export function triggerOf({ rule, signals }: Close): { [key: string]: Json } {
  return { rule, codes: codesOf(signals), signals: signals.map(({ index }) => index) }
}

const codesOf = (signals: Close['signals']) => [...new Set(signals.map(({ code }) => code))]

export function proposalEntry(due: Close, mode: string, { actor, at }: By): NewEntry {
  const { scope } = due
  return {
    kind: 'detection.proposed',
    actor,
    at: formatInstant(at),
    subject: scope.domain,
    rule: 'S37',
    facts: {
      domain: scope.domain,
      scope: scope.account === null ? 'domain' : 'account',
      class: due.class,
      mode,
      ...triggerOf(due),
    },
    ...(scope.account === null ? {} : { personal: { account: scope.account } }),
  }
}

/** A sign of misuse, as it goes on record. `since`: what was counted is of then and later. */
export type RaisedSign = {
  readonly code: SignCode
  readonly level: 'record' | 'alert' | 'act'
  readonly count: number
  /** A login, a domain, or an address or network of the machines that mail comes from. */
  readonly subject: string
  /** Whose it is; null for an address of the operator's or of strangers. */
  readonly institution: string | null
  readonly since: Instant
}

/** Whom it is of stands apart, so that it can be erased. @param source who counted. */
export function signalEntry(sign: RaisedSign, source: 'policy' | 'detection', { actor, at }: By): NewEntry {
  const { code, level, count, subject, institution, since } = sign
  return {
    kind: 'signal.raised',
    actor,
    at: formatInstant(at),
    subject: source,
    rule: 'S37',
    facts: { code, level, count, institution, since: formatInstant(since) },
    personal: { subject },
  }
}

export function stormEntry(due: Extract<Due, { kind: 'storm' }>, { actor, at }: By): NewEntry {
  const facts = { domain: due.first, ...due.counts }
  return { kind: 'detection.storm', actor, at: formatInstant(at), subject: 'policy', rule: 'P18', facts }
}

export function resumedEntry(reason: string, { actor, at }: By): NewEntry {
  return {
    kind: 'detection.resumed',
    actor,
    at: formatInstant(at),
    subject: 'policy',
    rule: 'P18',
    facts: {},
    personal: { reason },
  }
}

const why: Readonly<Record<Rule, Readonly<Record<Language, string>>>> = {
  account: { es: 'señales de mal uso de la cuenta', en: 'signals of misuse of the account' },
  administrator: { es: 'la cuenta que administra está comprometida', en: 'its administrator is compromised' },
  'three-accounts': { es: 'tres cuentas restringidas en una hora', en: 'three accounts restricted within an hour' },
  unregistered: {
    es: 'sale correo que no es de ninguna cuenta registrada',
    en: 'mail leaves it that belongs to no registered account',
  },
  'two-families': { es: 'señales de dos clases distintas', en: 'signals of two kinds' },
}

/** The reason of an incident that no person declared, for the people who read it. */
export function reasonOf({ rule, signals }: Close, language: Language): string {
  const counted = codesOf(signals).map(code => {
    const highest = Math.max(...signals.filter(one => one.code === code).map(({ count }) => count))
    return `${code} (${highest})`
  })
  const begin = language === 'es' ? 'Sin persona' : 'Without a person'
  return `${begin}: ${why[rule][language]}${counted.length === 0 ? '' : `: ${counted.join(', ')}`}`
}
