/** Puts a sign of misuse on record that a watch found: once within its time, and anew after the end of an incident. */
import { signalEntry } from '../detection/entries.ts'
import { endedAt } from '../detection/respond.ts'
import type { SignCode } from '../detection/signs.ts'
import type { Engine } from '../reconcile/engine.ts'
import { daemonActor } from '../reconcile/findings.ts'
import { scopesOf } from './scopes-of.ts'

export type FoundSign = {
  readonly code: SignCode
  readonly level: 'record' | 'alert' | 'act'
  readonly count: number
  readonly subject: string
}

/**
 * @param window in milliseconds: what it was counted in.
 * @param quiet in milliseconds: for how long the same is not told again.
 */
export async function raiseSign(
  engine: Engine,
  sign: FoundSign,
  { window, quiet }: { readonly window: number; readonly quiet: number },
): Promise<void> {
  const { clock, log } = engine.parts
  const world = engine.world()
  const at = clock.now()
  const scope = scopesOf(world)(sign.subject)
  const ended = scope === undefined ? Number.NEGATIVE_INFINITY : endedAt(engine.history.incidents, scope)
  const isTold = engine.history.detection.signals.some(
    one =>
      one.code === sign.code &&
      one.level === sign.level &&
      one.subject === sign.subject &&
      at - one.at < quiet &&
      one.at > ended,
  )
  if (isTold) return
  const institution = scope === undefined ? null : (world.domains.get(scope.domain)?.domain.institution ?? null)
  log.write('warn', 'signal', sign)
  const raised = { ...sign, institution, since: Math.max(at - window, ended) }
  await engine.append([signalEntry(raised, 'detection', { actor: daemonActor, at })])
}
