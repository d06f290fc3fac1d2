/**
 * `drill start|report` (P19, C-INC-06). A drill goes the way of every incident, by the same acts and the same two people:
 * on paper it touches nothing, live it moves the levers of a domain that is marked for it. Its times are the register's.
 */
import { formatInstant } from '../core/clock.ts'
import { drillTimes, isWholeDrill } from '../incident/drill.ts'
import type { Incident } from '../incident/incident.ts'
import { suspend } from '../incident/suspend.ts'
import { suggest } from '../manifest/suggest.ts'
import type { Engine } from '../reconcile/engine.ts'
import { entriesOf } from './evidence-operations.ts'
import { actContext, carryOut, idOf, life, word } from './incident-operations.ts'
import type { Operation, OperationRow } from './operation.ts'
import { refuse } from './views.ts'

const start: Operation = async (args, context) => {
  const isLive = args['live'] === true
  const request = {
    scope: word(args['scope']),
    reason: word(args['reason']),
    class: word(args['class']) || 'test',
    drill: !isLive,
    liveDrill: isLive,
  }
  const judge = () => suspend(life(context), request, actContext(context))
  const done = await carryOut(judge, context, 'move')
  return { exit: done.exit, json: { ...done.json, scope: request.scope } }
}

/** 2: it is not over, was not whole, or was late. */
const report: Operation = async (args, context) => {
  const { engine, caller } = context
  const { byId } = engine.history.incidents
  const id = idOf(args)
  const incident = id === '' ? drillsOf(engine).at(-1) : byId.get(id)
  if (incident === undefined || !(incident.drill || incident.liveDrill)) {
    const known = drillsOf(engine).map(drill => drill.id)
    return refuse(65, 'E-DRILL-NONE', { incident: id || '–' }, caller.language, suggest(id, known))
  }
  const steps = drillTimes(incident, await entriesOf(engine, incident.id), engine.parts.clock.now())
  const isWhole = isWholeDrill(incident)
  const late = steps.filter(({ result }) => result === 'late').map(({ step }) => step)
  return {
    exit: isWhole && late.length === 0 ? 0 : 2,
    json: { version: 1, ...drillSummary(incident), steps },
  }
}

function drillsOf({ history }: Engine): readonly Incident[] {
  return [...history.incidents.byId.values()].filter(({ drill, liveDrill }) => drill || liveDrill)
}

function drillSummary(incident: Incident): Record<string, unknown> {
  return {
    incident: incident.id,
    live: incident.liveDrill,
    scope: incident.scope.account ?? incident.scope.domain,
    declaredAt: formatInstant(incident.declaredAt),
    endedAt: incident.ended === null ? null : formatInstant(incident.ended.at),
    whole: isWholeDrill(incident),
  }
}

/** The newest that went from the suspension to the release; null where none did. */
export function lastDrill(engine: Engine): Record<string, unknown> | null {
  const newest = drillsOf(engine).findLast(isWholeDrill)
  return newest === undefined ? null : drillSummary(newest)
}

export const drillOperations: readonly (readonly [string, OperationRow])[] = [
  ['drill.start', { run: start, changes: () => true }],
  ['drill.report', { run: report, changes: () => false }],
]
