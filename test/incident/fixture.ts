/** A small operator and its register in memory: people, contexts, and a fold that plays what acts give back. */
import type { Instant } from '../../agent/core/clock.ts'
import { sha256 } from '../../agent/core/digest.ts'
import type { ActContext, ActResult } from '../../agent/incident/acting.ts'
import type { StaffMember } from '../../agent/incident/gate.ts'
import type { Incident, Incidents } from '../../agent/incident/incident.ts'
import { applyEntry, emptyIncidents } from '../../agent/incident/lifecycle.ts'
import type { HoldScope } from '../../agent/model/incident.ts'
import { type Address, type DomainName, domainOf, parseAddress, parseDomainName } from '../../agent/model/name.ts'
import type { NewEntry, Stored } from '../../agent/register/register.ts'

export const staff: readonly StaffMember[] = [
  { name: 'ana', role: 'responder' },
  { name: 'rosa', role: 'responder' },
  { name: 'berta', role: 'security-lead' },
  { name: 'carla', role: 'security-lead' },
  { name: 'saul', role: 'sysadmin' },
  { name: 'gema', role: 'gau-agent' },
  { name: 'aida', role: 'auditor' },
]

export const start: Instant = Date.parse('2026-07-01T15:00:00Z')
export const hcg = 'hcg.example' as DomainName
export const jperez = 'jperez@hcg.example' as Address
const accounts: readonly string[] = [jperez, 'mlopez@hcg.example']
const domains: readonly string[] = [hcg, 'otra.example']

function resolveScope(text: string): HoldScope | undefined {
  const domain = parseDomainName(text)
  if (domain !== undefined) return domains.includes(domain) ? { domain, account: null } : undefined
  const account = parseAddress(text)
  return account !== undefined && accounts.includes(account) ? { domain: domainOf(account), account } : undefined
}

/** Who acts: a name of `staff` with its token, or `local:<user>` without one. */
export function contextOf(person: string, changes: Partial<ActContext> = {}): ActContext {
  const token = !person.startsWith('local:')
  const people = changes.people ?? staff
  const role = token ? (people.find(({ name }) => name === person)?.role ?? 'responder') : 'local'
  return {
    actor: { person, role },
    token,
    people,
    at: start,
    timeZone: 'America/Havana',
    resolveScope,
    unknownScope: () => undefined,
    // The nearest by first letters is enough to see that a suggestion is passed on.
    suggest: (word, known) => [...known].find(name => word !== '' && name.slice(0, 3) === word.slice(0, 3)),
    scopeNames: () => [...domains, ...accounts],
    heldMailOf: () => 'none',
    ...changes,
  }
}

export function store(entry: NewEntry, index: number): Stored {
  const { personal, ...rest } = entry
  return { index, ...rest, personal: personal ?? null, commitment: personal === undefined ? null : sha256(`${index}`) }
}

/** The register as a list, and what was folded of it. */
export class Case {
  readonly entries: Stored[] = []
  incidents: Incidents = emptyIncidents

  append(entries: readonly NewEntry[]): void {
    for (const entry of entries) {
      const stored = store(entry, this.entries.length)
      this.entries.push(stored)
      this.incidents = applyEntry(this.incidents, stored)
    }
  }

  do(result: ActResult): ActResult {
    if (result.ok) this.append(result.entries)
    return result
  }

  get(id: string): Incident {
    const incident = this.incidents.byId.get(id)
    if (incident === undefined) throw new Error(`no ${id}`)
    return incident
  }
}

export const digestA = sha256('a')
export const digestB = sha256('b')

/** A complete analysis report, all of it invented. */
export function reportFields(incident: string, author = 'Luis Mora'): Record<string, unknown> {
  return {
    incident,
    author,
    commission: ['Luis Mora', 'Marta Gil'],
    days: ['2026-07-02', '2026-07-03'],
    whatHappened: 'Una contraseña se escribió en una página falsa.',
    start: '2026-06-30T22:10:00Z',
    detection: '2026-07-01',
    end: '2026-07-01T15:00:00Z',
    accounts: ['jperez'],
    computers: [],
    cause: 'phishing',
    dataTouched: 'ninguno',
    impact: 'Mensajes no deseados a 300 destinatarios.',
    evidence: [{ what: 'traza del servidor', digest: digestA }],
    actions: [{ what: 'limpieza del equipo', who: 'Marta Gil', day: '2026-07-02', proof: 'acta 7' }],
    prevention: [{ what: 'curso', day: '2026-08-01' }],
    signed: true,
    stamped: true,
  }
}
