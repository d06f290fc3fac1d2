/**
 * The daemon's loop: manifests watched, sweeps scheduled, foreign writes noticed, each as work in its lane of the one
 * queue. It knows the engine and the policy server by what they do, and no provider by name.
 */

import { type Provider, ProviderFailure, type Scope } from '../../providers/provider.ts'
import { BrokenInvariant } from '../core/assert.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import { digestOf } from '../core/digest.ts'
import type { Outcome } from '../model/change.ts'
import type { Stored } from '../register/register.ts'
import type { Engine, ReconcileReport } from './engine.ts'
import { daemonActor } from './findings.ts'
import type { Lane } from './queue.ts'
import { every } from './schedule.ts'
import { watchFolder } from './watch.ts'

/** After a failed pass the daemon tries again by itself, at first soon, then more rarely. */
const retryFirstMs = 2_000
const retryLastMs = 300_000

/** How late a stage of a release may open. */
const dueMs = 1_000

/** What the loop tells the live decisions. */
export type Projection = {
  /** The world changed. */
  refresh(): void
  /** Entries were recorded; holds must be in force when this returns. */
  entries(entries: readonly Stored[]): void
}

export type LoopParts = {
  readonly engine: Engine
  readonly projection: Projection
  /** After each pass: mail doors, levers verified, notices sent. Gives what has to be tried again. */
  readonly afterPass: (signal: AbortSignal) => Promise<readonly string[]>
  /** Whether something waits for nothing but its time, and that has come. */
  readonly isDue: () => boolean
  /** Told what became of every pass; waits for nothing. */
  readonly passed: (outcomes: readonly Outcome[]) => void
  readonly signal: AbortSignal
  readonly fail: (error: unknown) => void
}

export type Loop = {
  /** A pass over everything, in its turn. */
  sweep(lane: Lane): Promise<void>
  /** Asks for a sweep soon, as after a failure. */
  retry(): void
  /** Resolves when watching and waiting have ended, after the signal. */
  readonly ended: Promise<void>
}

export function startLoop(parts: LoopParts): Loop {
  const { engine, projection, signal } = parts
  const { log, queue, clock, config } = engine.parts
  let lastDiagnostics = ''
  let lastCountry: unknown = null
  let retryMs = retryFirstMs

  const reportDiagnostics = () => {
    const { diagnostics } = engine.checked
    const digest = digestOf(diagnostics)
    if (digest === lastDiagnostics) return
    lastDiagnostics = digest
    for (const diagnostic of diagnostics.slice(0, 50))
      log.write(diagnostic.severity === 'error' ? 'error' : 'warn', 'manifest', shown(diagnostic))
    if (diagnostics.every(diagnostic => diagnostic.severity !== 'error'))
      log.write('info', 'manifests are valid', { warnings: diagnostics.length })
  }

  const reportCountry = () => {
    const reading = engine.country
    if (reading === null || reading === lastCountry) return
    lastCountry = reading
    const { table, state, diagnostics } = reading
    for (const diagnostic of diagnostics)
      log.write(diagnostic.severity === 'error' ? 'error' : 'warn', 'country data', shown(diagnostic))
    log.write(state === 'current' ? 'info' : 'error', 'country data in force', { state, sources: table.sources })
  }

  let retrying = false
  /** One retry waits at a time: each failed pass of an outage must not begin a chain of its own. */
  const retryLater = async (): Promise<void> => {
    if (retrying) return
    retrying = true
    await clock.sleep(retryMs, signal)
    retrying = false
    retryMs = Math.min(retryMs * 2, retryLastMs)
    if (!signal.aborted) await sweep('sweep')
  }

  const pass = (lane: Lane, scopeOf: () => Promise<Scope | null>): Promise<void> =>
    queue.add(lane, async () => {
      if (signal.aborted) return
      try {
        const scope = await scopeOf()
        if (scope === null) return
        const report = await engine.reconcile({ lane, scope, actor: daemonActor, signal })
        projection.refresh()
        reportPass(engine, lane, report)
        const failures = await parts.afterPass(signal)
        parts.passed(report.outcomes)
        // What a provider did not do, and what an incident cut short, is taken up again soon.
        if (
          failures.length + report.unreached.length > 0 ||
          !report.converged ||
          report.outcomes.some(({ result }) => result !== 'applied')
        )
          void retryLater()
        else retryMs = retryFirstMs
      } catch (error) {
        if (error instanceof BrokenInvariant) return parts.fail(error)
        const known = error instanceof ProviderFailure
        log.write('error', 'pass failed', {
          lane,
          error: error instanceof Error ? error.message : String(error),
          cause: known ? String(error.cause) : undefined,
        })
        void retryLater()
      }
    })

  const reread = async (): Promise<void> => {
    await engine.reload()
    reportDiagnostics()
    reportCountry()
    projection.refresh()
  }

  const sweep = (lane: Lane): Promise<void> =>
    pass(lane, async () => {
      await reread()
      return 'all'
    })

  /** After a save: only the domains whose accepted manifests moved are planned. */
  const follow = (): Promise<void> =>
    pass('manifest', async () => {
      const started = clock.now()
      await reread()
      const accepted = await engine.acceptManifests(daemonActor)
      // What was only taken away changes nothing that is accepted until its removal is applied.
      const domains = [...new Set([...accepted, ...engine.leavingDomains()])]
      if (domains.length === 0) return null
      log.write('info', 'manifests changed', { domains: domains.slice(0, 20), readMs: clock.now() - started })
      return { domains }
    })

  const watching = (async () => {
    for await (const _ of watchFolder(config.manifestsFolder, clock, signal)) await follow()
  })()
  const noticing = [...engine.parts.providers.values()].map(provider => noticeForeignWrites(provider))

  async function noticeForeignWrites(provider: Provider): Promise<void> {
    if (provider.foreignWrites === undefined) return
    for await (const _ of provider.foreignWrites(signal)) {
      log.write('debug', 'somebody wrote', { provider: provider.name })
      await pass('sweep', async () => 'all')
    }
  }

  /** Asks the clock again and again: a sleep until the instant itself would miss a clock that was set. */
  const waiting = (async () => {
    while (!signal.aborted) {
      await clock.sleep(dueMs, signal)
      if (!signal.aborted && parts.isDue()) await sweep('incident')
    }
  })()

  engine.onEntries.push(entries => projection.entries(entries))
  every(config.schedule.reconcile, config.operator.timeZone, () => sweep('sweep'), signal)
  const ended = Promise.all([watching, waiting, ...noticing]).then(() => queue.idle())
  return { sweep, retry: () => void retryLater(), ended }
}

function shown(diagnostic: Diagnostic): Record<string, unknown> {
  const { code, place, pointer, values, subject } = diagnostic
  return { code, place: place && `${place.file}:${place.line}:${place.column}`, pointer, subject, values }
}

function reportPass(engine: Engine, lane: Lane, report: ReconcileReport): void {
  const { log } = engine.parts
  const counts: Record<string, number> = {}
  for (const outcome of report.outcomes) counts[outcome.result] = (counts[outcome.result] ?? 0) + 1
  const { refusals, contested, changes } = report.plan
  if (report.outcomes.length > 0 || report.keysMade > 0)
    log.write('info', 'applied', { lane, ...counts, keysMade: report.keysMade })
  for (const refusal of refusals)
    log.write('warn', 'held back by a guard', { guard: refusal.guard, ...refusal.values, accept: refusal.accept })
  for (const away of report.unreached) log.write('error', 'a system is away; the others go on', away)
  for (const object of contested) log.write('warn', 'contested', object)
  for (const outcome of report.outcomes)
    if (outcome.result !== 'applied') log.write('error', 'change not applied', outcome)
  const drift = changes.filter(change => change.why === 'drift')
  if (drift.length > 0)
    log.write('warn', 'put back what somebody else changed', { refs: drift.slice(0, 20).map(change => change.ref) })
}
