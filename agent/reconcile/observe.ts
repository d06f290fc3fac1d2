/**
 * What the systems show, when a person isn't there to be told of one that is away: it is left out, so that it never delays
 * the others, and so are single domains that alone could not be read. What was not read is never taken for absent.
 */
import { type Observed, type Provider, ProviderFailure, type Scope } from '../../providers/provider.ts'
import type { ProviderName } from '../model/resource.ts'

export type Unreached = { readonly provider: ProviderName; readonly failure: ProviderFailure }

export const unreadOf = ({ domains }: ProviderFailure) => (domains === null ? 'all' : new Set(domains))

type Asked = {
  readonly scope: Scope /** Every domain that there may be something of. */
  readonly known: () => readonly string[]
}

/** @throws ProviderFailure when no system at all could be read. */
export async function observeReached(
  providers: readonly Provider[],
  asked: Asked,
  signal: AbortSignal,
): Promise<{ readonly observed: Observed[]; readonly unreached: Unreached[] }> {
  const unreached: Unreached[] = []
  const observed = await Promise.all(
    providers.map(async provider => {
      try {
        return await provider.observe(asked.scope, signal)
      } catch (error) {
        if (!(error instanceof ProviderFailure)) throw error
        const rest = await observeRest(provider, { ...asked, failure: error }, signal)
        unreached.push({ provider: provider.name, failure: rest.failure })
        return rest.observed
      }
    }),
  )
  const whole = unreached.filter(({ failure }) => failure.domains === null)
  // With nobody left there is nothing to plan, and the failure is the answer.
  if (whole[0] !== undefined && whole.length === providers.length) throw whole[0].failure
  return { observed: observed.flat(), unreached }
}

type Rest = { readonly observed: readonly Observed[]; readonly failure: ProviderFailure }

/** What a system still shows without the domains that alone it could not; nothing when it fails again. */
async function observeRest(
  provider: Provider,
  { scope, known, failure }: Asked & { readonly failure: ProviderFailure },
  signal: AbortSignal,
): Promise<Rest> {
  if (failure.domains === null) return { observed: [], failure }
  const broken = new Set(failure.domains)
  const domains = (scope === 'all' ? known() : scope.domains).filter(name => !broken.has(name))
  try {
    return { observed: await provider.observe({ domains }, signal), failure }
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    const { kind, message, retry, cause } = error
    return { observed: [], failure: new ProviderFailure(kind, message, { retry, cause }) }
  }
}
