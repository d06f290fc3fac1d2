/**
 * From due notices to words and out (S38, S45, P15). What is due is part of the fold over the register, so nothing is
 * told that was not recorded; a notice goes out at least once, and its id makes a repeat the same message. A failed
 * notice never undoes a containment; it is due again at the next pass.
 */

import { type Notifier, type OutgoingNotice, ProviderFailure } from '../../providers/provider.ts'
import { type Clock, formatInstant, formatLocal } from '../core/clock.ts'
import { hit } from '../core/failpoint.ts'
import type { Log } from '../core/log.ts'
import type { Audience, DueNotice, Incidents, NoticeTopic } from '../incident/incident.ts'
import type { Language, Person } from '../model/entity.ts'
import type { Address } from '../model/name.ts'
import type { World } from '../model/world.ts'
import type { NewEntry, Stored } from '../register/register.ts'
import type { DueSignals } from '../world/signals.ts'
import { reachable } from './addressee.ts'
import { renderNotice } from './notice.ts'
import { makeSignalNotice } from './signals.ts'

/**
 * `notice` null: there is nobody to tell, and nothing to carry. It is put on record as such, so that it is not due for
 * ever. `failure`: it could not be written (a template, say); the others go out and this one is due again.
 */
export type MadeNotice = {
  readonly due: Pick<DueNotice, 'id' | 'audience' | 'incident' | 'at' | 'timer'> & {
    readonly topic: NoticeTopic | 'signals'
    /** What it is of, where that is no incident. */
    readonly domain: string
    /** How many signals it tells. */
    readonly of?: number
  }
  readonly notice: OutgoingNotice | null
  readonly failure?: string
}

const templates = {
  suspended: 'declared-director',
  widened: 'declared-director',
  'report-returned': 'returned-director',
  restored: 'restored-director',
  annulled: 'annulled-director',
  withdrawn: 'withdrawn-director',
  'report-owed': 'reminder-director',
  // Never told to an institution.
  'levers-open': 'event-operator',
  'not-taken-up': 'event-operator',
  proposed: 'event-operator',
  storm: 'event-operator',
} as const

/** Of what people on call read; an older topic is its own word. */
const events: Partial<Record<NoticeTopic, Record<Language, string>>> = {
  'report-owed': { es: 'falta el informe', en: 'the report is owed' },
  'levers-open': { es: 'puertas sin cerrar', en: 'doors not closed' },
  'not-taken-up': { es: 'nadie lo atiende', en: 'nobody has taken it up' },
  proposed: { es: 'las señales proponen suspenderlo', en: 'signals propose to suspend it' },
  storm: {
    es: 'tormenta de señales, nada más se cierra sin una persona (detection resume); el primero,',
    en: 'a storm of signals, nothing more is closed without a person (detection resume); the first,',
  },
}

const inboundWords = {
  es: {
    keep: 'El correo entrante se sigue recibiendo.',
    defer: 'El correo entrante espera en los servidores de origen.',
    reject: 'El correo entrante se rechaza.',
  },
  en: {
    keep: 'Inbound mail is still received.',
    defer: 'Inbound mail waits at the sending servers.',
    reject: 'Inbound mail is refused.',
  },
} as const

/** @param timers what time made due (`incident/timers.ts`). */
export function makeNotices(incidents: Incidents, world: World, timers: readonly DueNotice[] = []): MadeNotice[] {
  const held = new Set<string>(world.holds.map(hold => hold.scope.domain))
  // The notice's own domain counts as held also after a release: its mail may still be on the way.
  return [...incidents.due, ...timers].map(due => {
    try {
      return { due, notice: makeNotice(due, incidents, world, new Set([...held, due.domain])) }
    } catch (error) {
      return { due, notice: null, failure: error instanceof Error ? error.message : String(error) }
    }
  })
}

/** @param due those that may leave now (`dueSignals`). */
export function makeSignalNotices(due: readonly DueSignals[], world: World): MadeNotice[] {
  return due.map(one => {
    const { id, audience, institution, at, signals, more } = one
    const of = signals.length + more
    const head = { id, audience, at, incident: null, topic: 'signals', domain: institution ?? 'policy', of } as const
    try {
      return { due: head, notice: makeSignalNotice(one, world) }
    } catch (error) {
      return { due: head, notice: null, failure: error instanceof Error ? error.message : String(error) }
    }
  })
}

function personFor(due: DueNotice, world: World): Person | null {
  const { operator, mail } = world.config
  const domain = world.domains.get(due.domain)?.domain
  const institution = domain === undefined ? undefined : world.institutions.get(domain.institution)
  switch (due.audience) {
    case 'operator':
      return { name: operator.name, email: operator.security ?? mail.hostmaster, phone: null }
    case 'on-call': {
      const email = operator.onCall?.[due.onCall ?? 0] ?? operator.security ?? mail.hostmaster
      return { name: operator.name, email, phone: null }
    }
    case 'director':
      // With the institution unknown (its manifests are broken) the letter is still owed; somebody writes the name on it.
      return institution?.director ?? { name: '–', email: null, phone: null }
    case 'representative':
      return institution?.representative ?? null
  }
}

function makeNotice(
  due: DueNotice,
  incidents: Incidents,
  world: World,
  held: ReadonlySet<string>,
): OutgoingNotice | null {
  const { operator, mail } = world.config
  const person = personFor(due, world)
  if (person === null) return null
  const to = reachable(person.email, held)
  // Only the director is owed a letter; nobody else is visited.
  if (to === null && due.audience !== 'director') return null
  const incident = due.incident === null ? undefined : incidents.byId.get(due.incident)
  const withdrawal = incidents.withdrawals.get(due.domain)
  const domain = world.domains.get(due.domain)?.domain
  const institution = domain === undefined ? undefined : world.institutions.get(domain.institution)
  const language: Language = isOurs(due.audience) ? operator.language : (institution?.language ?? operator.language)
  const template = isOurs(due.audience) ? 'event-operator' : templates[due.topic]
  const reasons = incident?.reasons.map(({ text }) => text ?? '').filter(Boolean) ?? [
    due.words?.[language] ?? withdrawal?.reason ?? '',
  ]
  const { subject, text } = renderNotice(template, language, {
    incident: due.incident ?? '–',
    domain: due.domain,
    scope: incident?.scope.account ?? due.domain,
    class: incident?.class ?? withdrawal?.grounds ?? '–',
    reason: reasons.join('; '),
    director: person.name,
    institution: institution?.title ?? '–',
    atLocal: formatLocal(due.at, operator.timeZone),
    atUtc: formatInstant(due.at).slice(0, 16).replace('T', ' '),
    timeZone: operator.timeZone,
    operator: operator.name,
    security: operator.security ?? mail.hostmaster,
    inbound: [
      inboundWords[language][domain?.inboundWhenSuspended ?? 'defer'],
      ...holderWords(incident?.scope.account, world, language),
    ].join(' '),
    event: events[due.topic]?.[language] ?? due.topic,
    by: incident?.declaredBy ?? withdrawal?.by.join(', ') ?? '–',
    points: incident?.reports[(due.report ?? 0) - 1]?.points ?? '',
    drill: due.drill ? (language === 'es' ? 'SIMULACRO ' : 'DRILL ') : '',
  })
  return { id: due.id, to, toName: person.name, from: mail.hostmaster, subject, text, at: due.at }
}

/** Whose account it is can't read it there: the institution tells the person (P15). */
function holderWords(account: Address | null | undefined, world: World, language: Language): string[] {
  const holder = account == null ? undefined : world.accounts.get(account)?.account.holder.name
  if (holder === undefined || holder === '') return []
  return language === 'es'
    ? [`La cuenta es de ${holder}: avísele por otra vía, su buzón está cerrado.`]
    : [`The account is of ${holder}: please tell them in another way, its mailbox is closed.`]
}

function isOurs(audience: Audience): boolean {
  return audience === 'operator' || audience === 'on-call'
}

export type DeliverParts = {
  readonly notifier: Notifier
  readonly append: (entries: readonly NewEntry[]) => Promise<readonly Stored[]>
  readonly clock: Clock
  readonly log: Log
}

/** Sends what is due, one by one; each is recorded after it left. */
export async function deliverNotices(made: readonly MadeNotice[], parts: DeliverParts): Promise<void> {
  for (const { due, notice, failure } of made) {
    let left: Left
    try {
      if (failure !== undefined) throw new Error(failure)
      left = await leave(notice, due, parts)
    } catch (error) {
      parts.log.write('error', 'notice not sent', {
        notice: due.id,
        error: error instanceof Error ? error.message : String(error),
      })
      continue
    }
    hit('notify.afterSpool')
    await parts.append([
      {
        kind: left.to === null ? 'notice.printed' : 'notice.sent',
        actor: { person: 'daemon', role: 'daemon' },
        at: formatInstant(parts.clock.now()),
        subject: due.incident ?? due.domain,
        rule: 'S38',
        facts: {
          incident: due.incident,
          notice: due.id,
          topic: due.topic,
          ...(due.of === undefined ? {} : { of: due.of }),
          audience: due.audience,
          ...(due.timer === true ? { timer: true } : {}),
          nobody: notice === null || (left.refused !== null && due.audience !== 'director'),
          ...(left.refused === null ? {} : { refused: left.refused }),
        },
        personal: { to: left.to, name: notice?.toName ?? null },
      },
    ])
  }
}

/** A notice to the director that could not be sent for as long is printed. */
const letterMs = 3_600_000

/** How it left: to nobody when it was printed, or could be told to nobody. */
type Left = { readonly to: string | null; readonly refused: string | null }

/** What a server refuses for good (RFC 5321 section 4.2.1) is not tried for ever: the director is owed a letter instead. */
async function leave(
  notice: OutgoingNotice | null,
  due: MadeNotice['due'],
  { notifier, log, clock }: DeliverParts,
): Promise<Left> {
  if (notice === null) {
    log.write('warn', 'nobody to tell', { audience: due.audience, domain: due.domain, incident: due.incident })
    return { to: null, refused: null }
  }
  try {
    await notifier.send(notice)
    return { to: notice.to, refused: null }
  } catch (error) {
    const isFinal = error instanceof ProviderFailure && error.kind === 'rejected' && error.retry === 'never'
    // Who is owed a letter is not left waiting for a server that does not answer.
    const isLate = error instanceof ProviderFailure && due.audience === 'director' && clock.now() - due.at > letterMs
    if (!(isFinal || isLate) || notice.to === null) throw error
    log.write('error', 'notice refused for good', { notice: due.id, audience: due.audience, error: error.message })
    if (due.audience === 'director') await notifier.send({ ...notice, to: null })
    return { to: null, refused: error.message }
  }
}
