/**
 * An incident in the terms of IODEF version 2 (RFC 7970): what both spellings, XML and JSON, are made of. Class names
 * and values are the RFC's. It says nothing that the register does not. Pure.
 */
import type { IncidentClass } from '../model/incident.ts'
import type { Case } from './case.ts'
import { happeningOf } from './words.ts'

/** RFC 7970 section 3: the classes that are used here, in the order of the schema. */
export type Iodef = {
  readonly lang: string
  readonly purpose: 'reporting' | 'mitigation'
  readonly status: 'in-progress' | 'resolved'
  readonly id: string
  /** Who gave the number (section 3.4). */
  readonly name: string
  readonly startTime: string
  readonly endTime: string | null
  readonly generationTime: string
  readonly description: readonly string[]
  readonly category: string
  readonly impact: string
  readonly contact: { readonly name: string; readonly email: string | null }
  readonly victim: string | null
  readonly system: { readonly domain: string; readonly account: string | null }
  readonly history: readonly { readonly action: string; readonly at: string; readonly description: string }[]
}

/** Section 3.12.1: `type` of SystemImpact. What is not known of the class is said to be unknown. */
const impacts: Readonly<Partial<Record<IncidentClass, string>>> = {
  'privileged-account-compromise': 'takeover-account',
  'unprivileged-account-compromise': 'takeover-account',
  'infected-system': 'takeover-system',
  dos: 'availability-service',
}

export function iodefDocument({ incident, entries, operator, institution, language }: Case): Iodef {
  const at = (entry: { at: string } | undefined) => entry?.at
  const declared = entries.find(({ kind }) => kind === 'incident.declared')
  const ended = entries.findLast(({ kind }) => kind === 'service.restored' || kind === 'incident.annulled')
  const isOver = incident.ended !== null
  return {
    lang: language,
    purpose: 'reporting',
    status: isOver ? 'resolved' : 'in-progress',
    id: incident.id,
    name: operator.name,
    startTime: at(declared) ?? at(entries[0]) ?? new Date(incident.declaredAt).toISOString(),
    endTime: isOver ? (at(ended) ?? null) : null,
    // Of the newest thing told, not of the copy: the same register gives the same document.
    generationTime: at(entries.at(-1)) ?? new Date(incident.declaredAt).toISOString(),
    description: incident.reasons.flatMap(({ text }) => text ?? []),
    category: incident.class,
    impact: impacts[incident.class] ?? 'unknown',
    contact: { name: operator.name, email: operator.security ?? operator.support },
    victim: institution,
    system: incident.scope,
    history: entries.map(entry => ({
      action: entry.kind === 'incident.declared' ? 'remediate-other' : 'status-new-info',
      at: entry.at,
      description: `${happeningOf(entry, language)} (${entry.actor.person}, #${entry.index})`,
    })),
  }
}
