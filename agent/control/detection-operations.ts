/** `detection resume`: after a storm, a person lets signals act again. And what `status` shows of them. */
import { dayMs, formatInstant } from '../core/clock.ts'
import { resumedEntry } from '../detection/entries.ts'
import { stormUntil } from '../detection/respond.ts'
import { givenText } from '../incident/acting.ts'
import type { Engine } from '../reconcile/engine.ts'
import type { Operation, OperationRow } from './operation.ts'
import { refuse } from './views.ts'

const resume: Operation = async (args, { engine, caller, witness }) => {
  const reason = givenText(args['reason'])
  if (reason === undefined) return refuse(65, 'E-REASON', {}, caller.language)
  const at = engine.parts.clock.now()
  const wasStorm = stormUntil(engine.history.detection, at) !== null
  if (wasStorm) {
    await engine.append([resumedEntry(reason, { actor: caller.actor, at })])
    await witness()
  }
  return { exit: 0, json: { version: 1, already: !wasStorm } }
}

export const detectionOperations: readonly (readonly [string, OperationRow])[] = [
  ['detection.resume', { run: resume, changes: () => true }],
]

/** Of the last day: what signals would close, or ask a person to, where no hold stands meanwhile. */
export function detectionView({ history, parts }: Engine) {
  const now = parts.clock.now()
  const { answers, storm } = history.detection
  const until = stormUntil(history.detection, now)
  const isHeld = ({ scope }: (typeof answers)[number]) =>
    [...history.incidents.byId.values()].some(
      incident =>
        !incident.drill &&
        incident.ended === null &&
        incident.scope.domain === scope.domain &&
        (incident.scope.account === null || incident.scope.account === scope.account),
    )
  return {
    restrict: parts.config.detection.restrict,
    storm:
      storm === null || until === null
        ? null
        : {
            since: formatInstant(storm.at),
            until: formatInstant(until),
            domains: storm.domains,
            accounts: storm.accounts,
            signals: storm.signals,
          },
    proposals: answers
      .filter(one => one.how === 'proposed' && now - one.at < dayMs && !isHeld(one))
      .map(({ at, scope, rule, codes }) => ({
        at: formatInstant(at),
        scope: scope.account ?? scope.domain,
        rule,
        codes,
      })),
  }
}
