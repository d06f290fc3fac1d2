/**
 * What commands do, one function each: arguments and an actor in, an exit code and JSON out. The daemon runs them for a
 * command that reached it; a command that found no daemon runs them itself. Every change goes through the engine's queue.
 */

import { ProviderFailure, type Scope } from '../../providers/provider.ts'
import { dayMs, dayOf, type Instant } from '../core/clock.ts'
import { explain } from '../decision/explain.ts'
import { buildSnapshot, withModes } from '../decision/snapshot.ts'
import { suggest } from '../manifest/suggest.ts'
import type { Plan } from '../model/change.ts'
import type { Language } from '../model/entity.ts'
import type { DomainName } from '../model/name.ts'
import type { Acceptance } from '../plan/guards.ts'
import { planAgeMaxMs } from '../plan/plan.ts'
import { formatFailure, RegisterFailure } from '../register/failure.ts'
import type { RaisedSignal } from '../world/signals.ts'
import { adoptionOperations } from './adoption-operations.ts'
import { afterPass } from './after-pass.ts'
import { detectionOperations, detectionView } from './detection-operations.ts'
import { drillOperations, lastDrill } from './drill-operations.ts'
import { evidenceOperations } from './evidence-operations.ts'
import { heldMailOperations } from './held-mail-operations.ts'
import { importOperations } from './import-operations.ts'
import { incidentOperations } from './incident-operations.ts'
import { incidentSummaries } from './incident-views.ts'
import { metrics } from './metrics.ts'
import type { Operation, OperationContext, OperationRow } from './operation.ts'
import { peopleOperations } from './people-operations.ts'
import { denialOf } from './permission.ts'
import { exitOf, failed, type OperationResult } from './protocol.ts'
import { parseScope } from './scope.ts'
import { suspendOperations } from './suspend-operation.ts'
import { changedDomains, checkDoors, type VerificationView, verifyDomains } from './verification.ts'
import {
  type ApplyView,
  countOutcomes,
  countryView,
  diagnosticsView,
  domainViews,
  planExit,
  planView,
  refuse,
  refusedResult,
} from './views.ts'

const plan: Operation = async (args, { engine, caller, signal }) => {
  const scope = parseScope(engine, args['scope'], caller.language)
  if (typeof scope === 'object' && 'exit' in scope) return scope
  const { plan } = await engine.plan(scope, parseAcceptance(args['accept']), signal)
  return { exit: planExit(plan), json: { ...planView(plan, caller.language), scope } }
}

type SavedPlan = {
  readonly digest: string
  readonly createdAt: string
  readonly scope: Scope
  readonly changes: Plan['changes']
}

function parseSaved(value: unknown): SavedPlan | undefined {
  const saved = value as Partial<SavedPlan> | null
  if (
    saved === null ||
    typeof saved !== 'object' ||
    typeof saved.digest !== 'string' ||
    typeof saved.createdAt !== 'string'
  )
    return undefined
  const scoped = saved.scope === 'all' || (typeof saved.scope === 'object' && Array.isArray(saved.scope?.domains))
  return scoped ? (saved as SavedPlan) : undefined
}

/** Numbers only: what two people may approve as a whole has no form on this way in. */
function parseAcceptance(value: unknown): Acceptance {
  const given = (value ?? {}) as Readonly<Record<string, unknown>>
  const count = (key: 'delete' | 'update') => (Number.isInteger(given[key]) ? { [key]: given[key] as number } : {})
  return { ...count('delete'), ...count('update') }
}

const apply: Operation = async (args, context) => {
  const { engine, caller, progress, signal } = context
  const { clock, queue } = engine.parts
  const saved = args['plan'] === undefined ? null : parseSaved(args['plan'])
  if (saved === undefined) return refuse(65, 'E-PLAN-FORM', {}, caller.language)
  const scope = saved?.scope ?? parseScope(engine, args['scope'], caller.language)
  if (typeof scope === 'object' && 'exit' in scope) return scope
  let stale = saved !== null && clock.now() - Date.parse(saved.createdAt) > planAgeMaxMs
  const applied = await queue.add('operator', async () => {
    await engine.reload()
    const report = await engine.reconcile({
      lane: 'operator',
      scope,
      actor: caller.actor,
      acceptance: parseAcceptance(args['accept']),
      progress,
      signal,
      approve(plan) {
        const reviewed = typeof args['digest'] === 'string' ? args['digest'] : saved?.digest
        stale ||= reviewed !== undefined && reviewed !== plan.digest
        return stale || plan.refusals.length > 0 ? 'stop' : 'go'
      },
    })
    await afterPass(context, signal)
    context.live?.refresh()
    const view: ApplyView = {
      version: 1,
      digest: report.plan.digest,
      counts: countOutcomes(report.outcomes),
      keysMade: report.keysMade,
      converged: report.converged,
      outcomes: report.outcomes,
      ...refusedView(report.plan, caller.language),
    }
    return { exit: applyExit(report, stale), view: { ...view, stale }, domains: changedDomains(report.outcomes) }
  })
  const verification = await verifyDomains(context, applied.domains, caller.actor, signal)
  const exit = applied.exit === 0 ? verificationExit(verification) : applied.exit
  return { exit, json: { ...applied.view, verification } }
}

/** What people see otherwise than it should be is a failure; what nobody could see is something to look into. */
function verificationExit(view: VerificationView | null): number {
  if (view?.findings.some(({ result }) => result === 'otherwise')) return 1
  return view === null || view.findings.length === 0 ? 0 : 2
}

/** Looks without applying anything, at the domains named or at as many as one look takes. */
const verify: Operation = async (args, context) => {
  const { engine, caller, signal } = context
  const scope = parseScope(engine, args['scope'], caller.language)
  if (typeof scope === 'object' && 'exit' in scope) return scope
  const domains = scope === 'all' ? [...engine.world().domains.keys()] : (scope.domains as readonly DomainName[])
  const verification = await verifyDomains(context, domains, caller.actor, signal)
  return { exit: verificationExit(verification), json: { version: 1, verification } }
}

function refusedView(
  plan: Plan,
  language: Language,
): Pick<ApplyView, 'refusals' | 'held' | 'contested' | 'diagnostics'> {
  const { refusals, held, contested, diagnostics } = planView(plan, language)
  return { refusals, held, contested, diagnostics }
}

function applyExit(
  report: { plan: Plan; converged: boolean; outcomes: readonly { result: string }[] },
  stale: boolean,
): number {
  if (stale) return 4
  if (report.plan.refusals.length > 0) return 3
  if (report.outcomes.some(outcome => outcome.result !== 'applied')) return 1
  if (report.plan.contested.length + report.plan.unsupported > 0) return 2
  return report.converged ? 0 : 1
}

/** A domain that nobody has (RFC 6761): asking for it takes a system a moment, and of an empty list some ask nothing. */
const nobodys = 'mailwarden.invalid' as DomainName

/** Of the last day. */
function signalsOf(signals: readonly RaisedSignal[], now: Instant): readonly RaisedSignal[] {
  return signals.filter(({ at }) => now - Date.parse(at) < dayMs)
}

const status: Operation = async (_, context) => {
  const { engine, caller, signal, daemon, findings, troubles } = context
  const world = engine.world()
  const { config, register, providers } = engine.parts
  const found = findings(caller.language)
  const checks = await Promise.all(
    [...providers.values()].map(async provider => {
      const reached = await provider.observe({ domains: [nobodys] }, signal).then(
        () => null,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      )
      return { name: provider.name, target: provider.target, ok: reached === null, detail: reached }
    }),
  )
  const json = {
    version: 1,
    operator: config.operator.name,
    domains: domainViews(world, engine.checked.blocked),
    incidents: incidentSummaries(engine, false),
    requests: [],
    providers: checks,
    register: { size: register.size, trusted: found.length === 0, findings: found, troubles: troubles() },
    lastRun: engine.history.lastRun,
    lastVerification: engine.history.lastVerification,
    signals: signalsOf(engine.history.signals.newest, engine.parts.clock.now()),
    detection: detectionView(engine),
    lastDrill: lastDrill(engine),
    daemon,
    country: countryView(engine.country, config.national.countryData, {
      today: dayOf(engine.parts.clock.now(), config.operator.timeZone),
      language: caller.language,
    }),
    configuration: { file: config.file, changed: await context.configurationChanged() },
    diagnostics: diagnosticsView(world.diagnostics, caller.language),
  }
  const trusted = json.register.trusted ? 0 : 1
  return { exit: checks.every(check => check.ok) ? trusted : 69, json }
}

const explainOperation: Operation = async (args, { engine, caller }) => {
  const listeners = engine.parts.config.listen.policy
  const on = args['listener']
  const listener = listeners.find(one => one.on === on)
  if (on !== undefined && listener === undefined) {
    const known = listeners.map(one => one.on)
    const values = { listener: String(on), known: known.join(', ') }
    return refuse(65, 'E-LISTENER', values, caller.language, suggest(String(on), known))
  }
  const snapshot = withModes(buildSnapshot(engine.world()), listener?.modes ?? {})
  const at = typeof args['at'] === 'number' ? args['at'] : engine.parts.clock.now()
  const text = (key: string) => (typeof args[key] === 'string' ? { [key]: args[key] } : {})
  const query = {
    ...text('login'),
    ...text('sender'),
    ...text('client'),
    recipient: String(args['recipient'] ?? ''),
    at,
  }
  return { exit: 0, json: explain(snapshot, query) as unknown as Record<string, unknown> }
}

/**
 * For `doctor`: each mail host, whether it answers, and what its configuration lacks; each door, whether it lets anybody in;
 * each system, whether all of it can be read.
 */
const examine: Operation = async (_, context) => {
  const { hosts, signal } = context
  const nowhere = { domain: 'examine.invalid' as DomainName, account: null }
  const examined = await Promise.all(
    hosts.map(async host => {
      try {
        await host.observe(nowhere, signal)
        // A file that is gone closes nobody, and Dovecot does not say so.
        await host.logins?.closed()
        return { host: host.name, target: host.target, trouble: null, findings: (await host.examine?.(signal)) ?? [] }
      } catch (error) {
        if (!(error instanceof ProviderFailure)) throw error
        return { host: host.name, target: host.target, trouble: error.message, findings: [] }
      }
    }),
  )
  const systems = await Promise.all(
    [...context.engine.parts.providers.values()].map(async provider => ({
      name: provider.name,
      // All of it: a server may cut a long answer short, or hide a part from us.
      ...(await provider.observe('all', signal).then(
        ({ length }) => ({ objects: length, trouble: null }),
        (error: unknown) => {
          if (!(error instanceof ProviderFailure)) throw error
          return { objects: null, trouble: error.message }
        },
      )),
    })),
  )
  const doors = await checkDoors(context, signal)
  const isWell =
    examined.every(({ trouble, findings }) => trouble === null && findings.length === 0) &&
    [...doors, ...systems].every(({ trouble }) => trouble === null)
  return { exit: isWell ? 0 : 2, json: { version: 1, hosts: examined, doors, systems } }
}

const reads = () => false
const writes = () => true

export const operations: ReadonlyMap<string, OperationRow> = new Map<string, OperationRow>([
  ['plan', { run: plan, changes: reads }],
  ['apply', { run: apply, changes: writes }],
  ['verify', { run: verify, changes: writes }],
  ['status', { run: status, changes: reads }],
  ['metrics', { run: metrics, changes: reads }],
  ['explain', { run: explainOperation, changes: reads }],
  ['examine', { run: examine, changes: reads }],
  ...adoptionOperations,
  ...importOperations,
  ...incidentOperations,
  ...suspendOperations,
  ...heldMailOperations,
  ...evidenceOperations,
  ...detectionOperations,
  ...drillOperations,
  ...peopleOperations,
])

/** A sentence that goes on in another. */
const unstopped = (sentence: string) => sentence.replace(/\.$/, '')

/** Runs an operation; a provider that is down is exit 69, a register that does not verify is a sentence, neither a crash. */
export async function runOperation(
  name: string,
  args: Readonly<Record<string, unknown>>,
  context: OperationContext,
): Promise<OperationResult> {
  const operation = operations.get(name)
  if (operation === undefined) return refuse(64, 'E-OPERATION', { operation: name }, context.caller.language)
  if (context.caller.refused) return refuse(77, 'E-TOKEN', {}, context.caller.language)
  const denial = denialOf(name, context.caller, context.engine.parts.config.operator.people)
  if (denial !== undefined) return refusedResult(77, [{ severity: 'error', ...denial }], context.caller.language)
  const findings = context.findings(context.caller.language)
  if (findings.length > 0 && operation.changes(args) && name !== 'register.accept')
    return refuse(1, 'E-REGISTER', { findings: findings.map(unstopped).join('; ') }, context.caller.language)
  try {
    const result = await operation.run(args, context)
    // What is read from a register that does not verify is shown, and never shown as if it did.
    return findings.length === 0 || 'register' in result.json
      ? result
      : { ...result, json: { ...result.json, register: { trusted: false, findings } } }
  } catch (error) {
    if (error instanceof ProviderFailure) {
      return refuse(exitOf(error), 'E-PROVIDER', { detail: unstopped(error.message) }, context.caller.language)
    }
    if (error instanceof RegisterFailure) return failed(1, formatFailure(error, context.caller.language))
    throw error
  }
}
