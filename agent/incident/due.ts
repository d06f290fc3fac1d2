/**
 * Which notices are due, as part of the fold: an entry makes them due, an entry that says "sent" or "printed" takes
 * them away. So the cursor of notification is the register itself, and nothing is told that was not recorded (S38, P15).
 */
import { type Instant, parseInstant } from '../core/clock.ts'
import { type DomainName, parseDomainName } from '../model/name.ts'
import type { Stored } from '../register/register.ts'
import type { Audience, DueNotice, Incident, Incidents, NoticeTopic } from './incident.ts'

const everybody: readonly Audience[] = ['director', 'representative', 'operator']

/** What an entry is told as, and to whom; undefined when nobody is told of it. */
function topicOf(entry: Stored): { readonly topic: NoticeTopic; readonly audiences: readonly Audience[] } | undefined {
  switch (entry.kind) {
    case 'incident.declared':
      return { topic: 'suspended', audiences: everybody }
    case 'incident.joined':
      return entry.facts['widened'] === true ? { topic: 'widened', audiences: everybody } : undefined
    case 'report.returned':
      return { topic: 'report-returned', audiences: ['director', 'representative'] }
    case 'service.restored':
      return { topic: 'restored', audiences: everybody }
    case 'incident.annulled':
      return { topic: 'annulled', audiences: everybody }
    case 'service.withdrawn':
      return { topic: 'withdrawn', audiences: everybody }
    case 'detection.storm':
      return { topic: 'storm', audiences: ['on-call'] }
    case 'detection.proposed':
      // Of one account `status` tells; a domain is somebody's to decide on.
      return entry.facts['scope'] === 'domain' ? { topic: 'proposed', audiences: ['on-call'] } : undefined
    default:
      return undefined
  }
}

function incidentOf(incidents: Incidents, entry: Stored): Incident | undefined {
  const written = typeof entry.facts['incident'] === 'string' ? entry.facts['incident'] : ''
  return incidents.byId.get(`${written}#${entry.index}`) ?? incidents.byId.get(written)
}

/** Adds what the entry makes due; the entry itself is folded in already. */
export function withDueNotices(incidents: Incidents, entry: Stored): Incidents {
  const found = topicOf(entry)
  if (found === undefined) return incidents
  const incident = incidentOf(incidents, entry)
  const domain = incident?.scope.domain ?? parseDomainName(String(entry.facts['domain'] ?? ''))
  if (domain === undefined) return incidents
  // A drill reaches nobody outside: only the operator's own contact hears of it.
  const isDrill = incident !== undefined && (incident.drill || incident.liveDrill)
  const audiences = isDrill ? (['operator'] as const) : found.audiences
  return { ...incidents, due: [...incidents.due, ...audiences.map(audience => dueNotice(audience))] }

  function dueNotice(audience: Audience): DueNotice {
    return {
      id: `n${entry.index}-${audience}`,
      topic: found?.topic ?? 'suspended',
      audience,
      incident: incident?.id ?? null,
      domain: domain as DomainName,
      drill: isDrill,
      at: instantOf(entry),
      report: typeof entry.facts['report'] === 'number' ? entry.facts['report'] : null,
      ...wordsOf(entry),
    }
  }
}

function wordsOf({ kind, facts }: Stored): Pick<DueNotice, 'words'> {
  if (kind === 'detection.storm') {
    const { signals, domains, accounts } = facts
    const es = `${signals} señales, ${domains} dominios, ${accounts} cuentas`
    return { words: { es, en: `${signals} signals, ${domains} domains, ${accounts} accounts` } }
  }
  if (kind !== 'detection.proposed') return {}
  // Codes of signals and of the rule are the same in every language, as `status` has them.
  const codes = Array.isArray(facts['codes']) ? facts['codes'].join(', ') : ''
  const text = `${facts['rule']}: ${codes}`
  return { words: { es: text, en: text } }
}

function instantOf(entry: Stored): Instant {
  return parseInstant(entry.at) ?? 0
}

/** Folds `notice.sent` and `notice.printed`. */
export function takeNotice(incidents: Incidents, entry: Stored): Incidents {
  const id = String(entry.facts['notice'] ?? '')
  const due = incidents.due.filter(notice => notice.id !== id)
  const isTimer = entry.facts['timer'] === true
  if (due.length === incidents.due.length && !isTimer) return incidents
  const incident = incidents.byId.get(String(entry.facts['incident'] ?? ''))
  // Put on record that nobody could be told: no longer due, and nobody was told. What time made due is kept, or it would
  // be due again.
  if (incident === undefined || (entry.facts['nobody'] === true && !isTimer)) return { ...incidents, due }
  const taken = {
    id,
    topic: String(entry.facts['topic'] ?? ''),
    audience: String(entry.facts['audience'] ?? ''),
    at: instantOf(entry),
    how: entry.kind === 'notice.sent' ? ('sent' as const) : ('printed' as const),
  }
  const notices = [...incident.notices, taken]
  return { ...incidents, due, byId: new Map(incidents.byId).set(incident.id, { ...incident, notices }) }
}
