/**
 * `incident evidence`, `incident hold|unhold` and `incident export` as operations. An export is put on record before
 * anybody gets it: who, what, by its digest. The bytes themselves are read from the store by the command.
 */
import { formatInstant } from '../core/clock.ts'
import { sha256 } from '../core/digest.ts'
import { handover } from '../handover/handover.ts'
import { endLegalHold, setLegalHold } from '../incident/evidence.ts'
import type { Incident } from '../incident/incident.ts'
import { suggest } from '../manifest/suggest.ts'
import { handoverFormats } from '../model/incident.ts'
import type { Engine } from '../reconcile/engine.ts'
import type { Stored } from '../register/register.ts'
import { proofOf } from './evidence-keeper.ts'
import { actContext, carryOut, idOf, word } from './incident-operations.ts'
import type { Operation, OperationContext, OperationRow } from './operation.ts'
import type { OperationResult } from './protocol.ts'
import { refuse } from './views.ts'

function known(
  args: Readonly<Record<string, unknown>>,
  { engine, caller }: OperationContext,
): Incident | OperationResult {
  const id = idOf(args)
  const { byId } = engine.history.incidents
  return byId.get(id) ?? refuse(65, 'E-INCIDENT-UNKNOWN', { incident: id }, caller.language, suggest(id, byId.keys()))
}

const collect: Operation = async (args, context) => {
  const incident = known(args, context)
  if ('exit' in incident) return incident
  try {
    const bundle = await context.evidence.collect(incident, context.caller.actor)
    // What is missing is something to look into, never a failure of what was collected.
    return { exit: bundle.gaps > 0 ? 2 : 0, json: { version: 1, incident: incident.id, bundle: viewOf(bundle) } }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (typeof code !== 'string' || (error as Error).name === 'RegisterFailure') throw error
    return refuse(1, 'E-EVIDENCE-STORE', { incident: incident.id, why: code }, context.caller.language)
  }
}

function viewOf<T extends { readonly at: number }>(bundle: T) {
  return { ...bundle, at: formatInstant(bundle.at) }
}

const exportBundle: Operation = async (args, context) => {
  const { engine, caller } = context
  const incident = known(args, context)
  if ('exit' in incident) return incident
  const bundles = engine.history.evidence.bundles.get(incident.id) ?? []
  const wanted = args['bundle']
  const bundle = typeof wanted === 'number' ? bundles.find(({ version }) => version === wanted) : bundles.at(-1)
  if (bundle === undefined) return refuse(65, 'E-EVIDENCE-NONE', { incident: incident.id }, caller.language)
  const proof = await proofOf(engine, bundle)
  const at = formatInstant(engine.parts.clock.now())
  const facts = { incident: incident.id, version: bundle.version, manifest: bundle.manifest }
  const entry = {
    kind: 'incident.evidence-exported',
    actor: caller.actor,
    at,
    subject: incident.id,
    rule: 'K35',
    facts,
  }
  await engine.append([entry])
  return { exit: 0, json: { version: 1, incident: incident.id, bundle: viewOf(bundle), proof } }
}

const exportCase: Operation = async (args, context) => {
  const { engine, caller } = context
  const incident = known(args, context)
  if ('exit' in incident) return incident
  const format = handoverFormats.find(name => name === args['format'])
  if (format === undefined) {
    const values = { word: word(args['format']), known: handoverFormats.join(', ') }
    return refuse(65, 'E-HANDOVER-FORMAT', values, caller.language, suggest(values.word, handoverFormats))
  }
  const entries = await entriesOf(engine, incident.id)
  const world = engine.world()
  const domain = world.domains.get(incident.scope.domain)?.domain
  const institution = domain === undefined ? undefined : world.institutions.get(domain.institution)
  const text = handover(format, {
    incident,
    entries,
    operator: engine.parts.config.operator,
    institution: institution?.title ?? null,
    bundles: engine.history.evidence.bundles.get(incident.id) ?? [],
    language: caller.language,
  })
  const at = formatInstant(engine.parts.clock.now())
  const facts = { incident: incident.id, format, digest: sha256(text) }
  const entry = { kind: 'incident.exported', actor: caller.actor, at, subject: incident.id, rule: 'P20', facts }
  await engine.append([entry])
  return { exit: 0, json: { version: 1, incident: incident.id, format, text } }
}

/** All that the register tells of an incident, in its order. */
export async function entriesOf({ parts }: Engine, incident: string): Promise<readonly Stored[]> {
  const entries: Stored[] = []
  for await (const entry of parts.register.read(0))
    if (entry.facts['incident'] === incident || entry.subject === incident) entries.push(entry)
  return entries
}

const hold: Operation = (args, context) => {
  const { engine } = context
  const request = {
    incident: idOf(args),
    owner: word(args['owner']),
    reason: word(args['reason']),
    review: word(args['review']),
  }
  return carryOut(() => setLegalHold(engine.history, request, actContext(context)), context, 'stay')
}

const unhold: Operation = (args, context) =>
  carryOut(() => endLegalHold(context.engine.history, { incident: idOf(args) }, actContext(context)), context, 'stay')

const writes = () => true

export const evidenceOperations: readonly (readonly [string, OperationRow])[] = [
  ['incident.evidence', { run: collect, changes: writes }],
  ['incident.evidence.export', { run: exportBundle, changes: writes }],
  ['incident.export', { run: exportCase, changes: writes }],
  ['incident.hold', { run: hold, changes: writes }],
  ['incident.unhold', { run: unhold, changes: writes }],
]
