/**
 * What is new while an incident is open. A hold names a domain or an account; renaming either in the manifests must not
 * be a way out of it (S39), and no edit of YAML lifts a hold. So a domain that is new in an institution with a held
 * domain waits, and so does a new account of somebody whose account is held. Both go on by themselves when the incident
 * ends. Pure.
 */
import type { Diagnostic } from '../core/diagnostic.ts'
import { openHolds } from '../incident/lifecycle.ts'
import type { Account, InstitutionEstate } from '../model/entity.ts'
import type { Hold } from '../model/incident.ts'
import type { CheckedEstate } from '../model/world.ts'
import type { History } from './history.ts'

/** The manifests with what must wait marked as blocked; the same object when nothing must. */
export function withHeldBack(checked: CheckedEstate, history: History): CheckedEstate {
  const holds = openHolds(history.incidents)
  if (holds.length === 0) return checked
  const found: Diagnostic[] = []
  for (const [name, estate] of checked.estates) {
    const accepted = history.accepted.get(name)?.estate
    for (const diagnostic of [...newDomains(estate, accepted, holds), ...newAccounts(estate, accepted, holds)])
      found.push(diagnostic)
  }
  if (found.length === 0) return checked
  const blocked = new Map(checked.blocked)
  for (const diagnostic of found) {
    const subject = diagnostic.subject ?? ''
    blocked.set(subject, [...(blocked.get(subject) ?? []), diagnostic])
  }
  return { ...checked, blocked, diagnostics: [...checked.diagnostics, ...found] }
}

function newDomains(
  estate: InstitutionEstate,
  accepted: InstitutionEstate | undefined,
  holds: readonly Hold[],
): Diagnostic[] {
  const known = new Set([...(accepted?.domains ?? [])].map(({ name }) => name))
  const own = new Set([...known, ...estate.domains.map(({ name }) => name)])
  const hold = holds.find(({ scope }) => scope.account === null && own.has(scope.domain))
  if (hold === undefined) return []
  const held = new Set(holds.map(({ scope }) => scope.domain))
  return estate.domains
    .filter(({ name }) => !known.has(name) && !held.has(name))
    .map(({ name, place }) => ({
      severity: 'error',
      code: 'E-HELD-DOMAIN',
      values: { domain: name, held: hold.scope.domain, incident: hold.incident },
      place,
      subject: `domain:${name}`,
    }))
}

function newAccounts(
  estate: InstitutionEstate,
  accepted: InstitutionEstate | undefined,
  holds: readonly Hold[],
): Diagnostic[] {
  const covering = (account: Account) =>
    holds.find(({ scope }) =>
      scope.account === null ? scope.domain === account.domain : scope.account === account.address,
    )
  const heldOf = new Map<string, { address: string; incident: string }>()
  for (const account of [...(accepted?.accounts ?? []), ...estate.accounts]) {
    const hold = covering(account)
    if (hold !== undefined) heldOf.set(account.holder.id, { address: account.address, incident: hold.incident })
  }
  if (heldOf.size === 0) return []
  const known = new Set([...(accepted?.accounts ?? [])].map(({ address }) => address))
  return estate.accounts.flatMap((account): Diagnostic[] => {
    const held = heldOf.get(account.holder.id)
    if (held === undefined || known.has(account.address) || covering(account) !== undefined) return []
    return [
      {
        severity: 'error',
        code: 'E-HELD-HOLDER',
        values: { address: account.address, held: held.address, incident: held.incident },
        place: account.place,
        subject: `account:${account.address}`,
      },
    ]
  })
}
