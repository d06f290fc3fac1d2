/** What happens between containment and release: secrets rotated, levers probed (S37, S41, P14). Pure. */
import { formatInstant, type Instant } from '../core/clock.ts'
import type { Lever } from '../model/incident.ts'
import type { Actor, NewEntry } from '../register/register.ts'
import {
  type ActContext,
  type ActResult,
  done,
  entryOf,
  finding,
  forbidden,
  isRefused,
  openIncident,
  refused,
} from './acting.ts'
import type { Incidents, LeverState } from './incident.ts'

/** What the caller did: of the secrets in the scope, how many the directory says are new. */
export type RotationProof = { readonly expected: number; readonly rotated: number }

/**
 * Records a rotation that was done. Without `proof` it only tells whether it may be done, and records nothing.
 * A drill touches no secret: its proof is 0 of 0.
 */
export function rotate(
  incidents: Incidents,
  args: { readonly incident: string; readonly proof?: RotationProof },
  context: ActContext,
): ActResult {
  const no = forbidden('rotate', context)
  if (no !== undefined) return no
  const incident = openIncident(incidents, args.incident, context)
  if (isRefused(incident)) return incident
  const { proof } = args
  if (proof === undefined) return done(incident.id, [], { code: 'M-ROTATE-ALLOWED', values: { incident: incident.id } })
  const values = { incident: incident.id, rotated: String(proof.rotated), expected: String(proof.expected) }
  if (proof.rotated < proof.expected)
    return refused(3, [finding('E-NOT-ROTATED', { ...values, reason: 'rotated-part' })])
  const facts = { incident: incident.id, secrets: proof.rotated }
  return done(incident.id, [entryOf(context, 'secrets.rotated', incident.id, { rule: 'S41', facts })], {
    code: 'M-ROTATED',
    values,
  })
}

/** Entries for the levers whose state is another than the register has; a probe that found nothing new says nothing. */
export function leverEntries(
  incidents: Incidents,
  found: readonly { readonly incident: string; readonly lever: Lever; readonly state: LeverState }[],
  by: { readonly actor: Actor; readonly at: Instant },
): readonly NewEntry[] {
  return found.flatMap(({ incident: id, lever, state }) => {
    const incident = incidents.byId.get(id)
    if (incident === undefined || incident.ended !== null || incident.drill || !incident.levers.includes(lever))
      return []
    if ((incident.progress.get(lever) ?? 'pending') === state) return []
    const facts = { incident: id, lever, state }
    return [{ kind: 'suspension.lever', actor: by.actor, at: formatInstant(by.at), subject: id, rule: 'S37', facts }]
  })
}
