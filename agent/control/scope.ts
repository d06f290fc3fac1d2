/** The scope of an operation, from the words of a command. */
import type { Scope } from '../../providers/provider.ts'
import { suggest } from '../manifest/suggest.ts'
import type { Language } from '../model/entity.ts'
import { parseDomainName } from '../model/name.ts'
import type { Engine } from '../reconcile/engine.ts'
import type { OperationResult } from './protocol.ts'
import { refuse } from './views.ts'

function words(value: unknown): string[] {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

/** Domains, or institutions standing for all of theirs. */
export function parseScope(engine: Engine, given: unknown, language: Language): Scope | OperationResult {
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
    else {
      const meant = suggest(name, [...world.domains.keys(), ...world.institutions.keys()])
      return refuse(65, 'E-PLAN-SCOPE', { scope: name }, language, meant)
    }
  }
  return { domains: [...domains] }
}
