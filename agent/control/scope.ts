/** The scope of an operation, from the words of a command. */
import type { Scope } from '../../providers/provider.ts'
import { parseDomainName } from '../model/name.ts'
import type { Engine } from '../reconcile/engine.ts'
import { failed, type OperationResult } from './protocol.ts'

function words(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

/** Domains, or institutions standing for all of theirs. */
export function parseScope(engine: Engine, given: unknown): Scope | OperationResult {
  const names = words(given)
  if (names.length === 0) return 'all'
  const world = engine.world()
  const domains = new Set<string>()
  for (const name of names) {
    const domain = parseDomainName(name)
    const known =
      domain !== undefined &&
      (world.domains.has(domain) || [...engine.history.owned.values()].some(({ ref }) => ref.key.startsWith(domain)))
    if (known) domains.add(domain)
    else if (world.institutions.has(name))
      for (const [key, { domain: own }] of world.domains) own.institution === name && domains.add(key)
    else return failed(65, `unknown domain or institution: ${name}`)
  }
  return { domains: [...domains] }
}
