/**
 * `suspend` as an operation (P1, P3): of an account, of a domain, or of an institution with all of its domains. Of an
 * institution each domain is an incident of its own: all are closed at the same time, and each has its own way back.
 */
import { suspend } from '../incident/suspend.ts'
import { type DomainName, parseDomainName } from '../model/name.ts'
import type { World } from '../model/world.ts'
import { blastRadius } from './blast-radius.ts'
import { actContext, carryOut, life, unknownScope, word } from './incident-operations.ts'
import type { Operation, OperationContext, OperationRow } from './operation.ts'
import type { OperationResult } from './protocol.ts'
import { scopesOf } from './scopes-of.ts'
import { refusedResult } from './views.ts'

type Request = Parameters<typeof suspend>[1]

const suspendOperation: Operation = async (args, context) => {
  const only = Array.isArray(args['only']) ? { only: args['only'].map(String) } : {}
  const drill = args['drill'] === true
  const scope = word(args['scope'])
  const request: Request = { scope, reason: word(args['reason']), class: word(args['class']), drill, ...only }
  const isDry = args['dryRun'] === true
  const domains = domainsOf(context.engine.world(), scope.trim())
  if (domains.length === 0) return isDry ? dryRun(request, context) : close(request, context)
  const one = (domain: DomainName) => ({ ...request, scope: domain })
  const results = await Promise.all(
    domains.map(domain => (isDry ? dryRun(one(domain), context) : close(one(domain), context))),
  )
  // Refused is refused for each of them: by what was typed, or who typed it.
  const [first] = results
  if (first !== undefined && typeof first.json['error'] === 'string') return first
  const exit = results.find(result => result.exit !== 0)?.exit ?? 0
  return { exit, json: { version: 1, institution: scope.trim(), drill, dryRun: isDry, suspended: results.map(toJson) } }
}

const toJson = ({ json: { version: _, ...rest } }: OperationResult) => rest

/** Of an institution that is no domain's name too; none for any other text. */
function domainsOf(world: World, text: string): readonly DomainName[] {
  const known = parseDomainName(text)
  if ((known !== undefined && world.domains.has(known)) || !world.institutions.has(text)) return []
  return [...world.domains].filter(([, { domain }]) => domain.institution === text).map(([name]) => name)
}

async function close(request: Request, context: OperationContext): Promise<OperationResult> {
  const judge = () => suspend(life(context), request, actContext(context))
  const done = await carryOut(judge, context, 'move')
  if (typeof done.json['error'] === 'string') return done
  const states = Object.values((done.json['levers'] ?? {}) as Record<string, string>)
  const exit = states.includes('failed') ? 1 : done.exit
  return { exit, json: { ...done.json, scope: request.scope, drill: request.drill, dryRun: false } }
}

/** What is typed is judged as if it were meant; nothing is recorded. */
async function dryRun(request: Request, context: OperationContext): Promise<OperationResult> {
  const result = suspend(life(context), request, actContext(context))
  if (!result.ok) return refusedResult(result.exit, result.refusals, context.caller.language)
  const world = context.engine.world()
  const text = request.scope.trim()
  const scope = scopesOf(world)(text) ?? unknownScope(context, text)
  const touched = await blastRadius(scope, world, context.hosts, context.signal)
  return { exit: 0, json: { version: 1, dryRun: true, scope: text, ...touched } }
}

export const suspendOperations: readonly (readonly [string, OperationRow])[] = [
  ['suspend', { run: suspendOperation, changes: args => args['dryRun'] !== true }],
]
