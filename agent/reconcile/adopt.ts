/**
 * Adoption: what already stands and the manifests declare becomes ours, as it is. First the register says so, then our
 * mark goes on the object; cut in between, the next adoption puts the mark on. Its values change by plan and apply only.
 * What carries the mark of another installation is never adopted.
 */
import type { MarkedChange, Observed } from '../../providers/provider.ts'
import { formatInstant } from '../core/clock.ts'
import { digestOf, type Json } from '../core/digest.ts'
import type { Outcome } from '../model/change.ts'
import { formatRef, type Ref, refOf } from '../model/resource.ts'
import { markOf } from '../plan/ownership.ts'
import type { Actor } from '../register/register.ts'
import type { Engine } from './engine.ts'

/** Objects in one entry of the register, and in one call of a provider. */
const batchMax = 500

/** What stands, is declared, and carries nobody's mark. */
export function adoptable(observed: readonly Observed[], wanted: ReadonlySet<string>): Observed[] {
  return observed.filter(({ resource, mark }) => mark === null && wanted.has(formatRef(refOf(resource))))
}

/** Runs inside the caller's turn of the queue. */
export async function adopt(
  engine: Engine,
  objects: readonly Observed[],
  actor: Actor,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const [provider, own] of Map.groupBy(objects, ({ resource }) => resource.provider))
    for (let start = 0; start < own.length && !signal.aborted; start += batchMax) {
      const batch = own.slice(start, start + batchMax).map(({ resource }) => resource)
      const recorded = batch.map(resource => ({ ref: refOf(resource), digest: digestOf(resource) }))
      await engine.append([entry('objects.adopted', { objects: recorded as unknown as Json }, batch.length)])
      const marked = batch.map((resource): MarkedChange => {
        const ref = refOf(resource)
        const change = {
          action: 'update',
          ref,
          before: resource,
          after: resource,
          why: 'manifest',
          source: null,
        } as const
        return { change, mark: markOf(engine.parts.installation, ref), adopt: true }
      })
      const done = (await engine.parts.providers.get(provider)?.apply(marked, signal)) ?? []
      const left: Ref[] = []
      for await (const outcome of done) {
        outcomes.push(outcome)
        // `unknown` may carry our mark: it stays ours, and the next look tells.
        if (outcome.result !== 'applied' && outcome.result !== 'unknown') left.push(outcome.ref)
      }
      if (left.length > 0)
        await engine.append([entry('ownership.ended', { refs: left as unknown as Json }, left.length)])
    }
  return outcomes

  function entry(kind: string, personal: Readonly<Record<string, Json>>, count: number) {
    const at = formatInstant(engine.parts.clock.now())
    return { kind, actor, at, subject: 'providers', rule: 'S57', facts: { count }, personal }
  }
}
