/** `adopt` and `unmanaged`: what stands in the systems and is not ours (issue of an existing estate). */
import type { Observed, Scope } from '../../providers/provider.ts'
import { desired } from '../desired/desired.ts'
import { formatRef, type Ref, refOf } from '../model/resource.ts'
import { markOf } from '../plan/ownership.ts'
import { adopt, adoptable } from '../reconcile/adopt.ts'
import type { Engine } from '../reconcile/engine.ts'
import type { Operation, OperationRow } from './operation.ts'
import type { OperationResult } from './protocol.ts'
import { parseScope } from './scope.ts'
import { countOutcomes } from './views.ts'

type Object = { readonly ref: Ref; readonly differs: boolean }

/** What would be adopted; `differs` when the manifests want another value, which a plan will then show as an update. */
async function candidates(engine: Engine, scope: Scope, signal: AbortSignal) {
  const wanted = desired(engine.world(), scope)
  const observed = adoptable(await engine.observe(scope, signal), new Set(wanted.keys()))
  const objects = observed.map(({ resource }): Object => {
    const ref = refOf(resource)
    const provider = engine.parts.providers.get(resource.provider)
    const declared = wanted.get(formatRef(ref))?.resource
    const canonical = declared === undefined ? undefined : provider?.canonical(declared)
    return { ref, differs: JSON.stringify(canonical) !== JSON.stringify(resource) }
  })
  return { observed, objects }
}

const adoptOperation: Operation = async (args, { engine, caller, signal, live }) => {
  const scope = parseScope(engine, args['scope'], caller.language)
  if (typeof scope === 'object' && 'exit' in scope) return scope
  if (args['apply'] !== true) {
    const { objects } = await candidates(engine, scope, signal)
    return { exit: objects.length > 0 ? 2 : 0, json: { version: 1, applied: false, objects } }
  }
  return engine.parts.queue.add('operator', async (): Promise<OperationResult> => {
    await engine.reload()
    const { observed, objects } = await candidates(engine, scope, signal)
    // The count that was looked at is the count that is adopted.
    if (typeof args['count'] === 'number' && args['count'] !== objects.length)
      return { exit: 4, json: { version: 1, applied: false, stale: true, objects } }
    await engine.acceptManifests(caller.actor)
    const outcomes = await adopt(engine, observed, caller.actor, signal)
    live?.refresh()
    const failed = outcomes.filter(({ result }) => result !== 'applied')
    const json = { version: 1, applied: true, objects, counts: countOutcomes(outcomes), outcomes: failed }
    return { exit: failed.length > 0 ? 1 : 0, json }
  })
}

const unmanaged: Operation = async (args, { engine, caller, signal }) => {
  const scope = parseScope(engine, args['scope'], caller.language)
  if (typeof scope === 'object' && 'exit' in scope) return scope
  const { installation } = engine.parts
  const foreign = ({ resource, mark }: Observed) => mark !== markOf(installation, refOf(resource))
  const wanted = desired(engine.world(), scope)
  const objects = (await engine.observe(scope, signal)).filter(foreign).map(({ resource, mark }) => {
    const ref = refOf(resource)
    return { ref, mark: mark === null ? 'none' : 'other', declared: wanted.has(formatRef(ref)) }
  })
  return { exit: objects.length > 0 ? 2 : 0, json: { version: 1, objects } }
}

export const adoptionOperations: readonly (readonly [string, OperationRow])[] = [
  ['adopt', { run: adoptOperation, changes: args => args['apply'] === true }],
  ['unmanaged', { run: unmanaged, changes: () => false }],
]
