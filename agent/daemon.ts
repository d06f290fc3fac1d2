/**
 * The daemon: opens the doors in the right order and closes them in the reverse one. Holds are loaded and verified
 * before the policy listener opens; a register that does not verify leaves it open but silent, so that mail waits.
 */
import type { Io } from './cli/io.ts'
import { afterPass } from './control/after-pass.ts'
import { authenticateCaller } from './control/caller.ts'
import { createEvidenceKeeper } from './control/evidence-keeper.ts'
import type { ImageKeeper } from './control/image-keeper.ts'
import { createLivePolicy, type Decisions, type LivePolicy } from './control/live.ts'
import { operations, runOperation } from './control/operations.ts'
import { controlSocketPath, type OperationResult } from './control/protocol.ts'
import { createResponder } from './control/responder.ts'
import { listenControl } from './control/server.ts'
import { changedDomains, createVerifier } from './control/verification.ts'
import { startWatches } from './control/watches.ts'
import { BrokenInvariant } from './core/assert.ts'
import { type Clock, formatInstant } from './core/clock.ts'
import type { Log } from './core/log.ts'
import { dueStageEntries } from './incident/stages.ts'
import { dueTimers } from './incident/timers.ts'
import { stillOpen } from './incident/tried.ts'
import type { Open } from './main.ts'
import { watchConfiguration } from './manifest/config.ts'
import type { AgentConfig } from './model/world.ts'
import { daemonActor } from './reconcile/findings.ts'
import { startLoop } from './reconcile/loop.ts'
import { every } from './reconcile/schedule.ts'

export type DaemonParts = {
  readonly open: Open
  readonly decisions: Decisions
  readonly keeper: ImageKeeper
  /** Aborted with a reason when something that everything rests on has failed. */
  readonly failed: AbortSignal
  readonly config: AgentConfig
  readonly log: Log
  readonly io: Io
  readonly clock: Clock
  readonly random: (bytes: number) => Uint8Array
  readonly version: string
  readonly user: string
}

/** Runs until a signal or a bug; gives the exit code. */
export async function runDaemon(parts: DaemonParts): Promise<number> {
  const { open, config, log, clock, io } = parts
  const { engine } = open
  const stop = new AbortController()
  const startedAt = formatInstant(clock.now())
  const configurationChanged = await watchConfiguration(config.file)
  let exit = 0
  let retry: () => void = () => {}
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  log.write('info', 'starting', { version: parts.version, config: config.file, pid: process.pid })

  const findings = open.findings(config.operator.language)
  const trusted = findings.length === 0
  // The listener opens when holds and manifests are loaded: an empty snapshot would know nobody, and refuse nobody.
  if (trusted) await engine.reload()
  if (parts.failed.aborted) fail(parts.failed.reason)
  parts.failed.addEventListener('abort', () => fail(parts.failed.reason))
  const live = await createLivePolicy({
    engine,
    decisions: parts.decisions,
    keeper: parts.keeper,
    trusted: () => open.findings(config.operator.language).length === 0,
    // People hear of it now, not with the next pass.
    onRaised() {
      open.courier.deliver().catch((error: unknown) => log.write('error', 'notices not sent', { error: String(error) }))
    },
  })
  const evidence = createEvidenceKeeper({ ...open, signal: stop.signal })
  const verifier = createVerifier({ ...open, daemon: { pid: process.pid } }, daemonActor, stop.signal)
  const control = await listenControl(controlSocketPath(config.stateFolder), dispatch, log)
  log.write('info', 'listening', {
    policy: live.addresses(),
    dns: dnsTarget(config),
    control: controlSocketPath(config.stateFolder),
  })

  if (trusted) await reconcileUntilStopped()
  else {
    for (const finding of findings) log.write('error', 'register does not verify', { finding })
    log.write('error', 'no decision is answered and nothing is applied until the register is put right', {
      see: 'mailwarden register verify',
    })
    if (!stop.signal.aborted) await new Promise<void>(resolve => stop.signal.addEventListener('abort', () => resolve()))
  }
  log.write('info', 'stopping')
  await new Promise(resolve => control.close(resolve))
  await live.close()
  log.write('info', 'stopped')
  return exit

  function fail(error: unknown): void {
    exit = error instanceof BrokenInvariant ? 70 : 1
    log.write('error', 'this is a bug in mailwarden', { error: error instanceof Error ? error.stack : String(error) })
    stop.abort()
  }

  async function reconcileUntilStopped(): Promise<void> {
    await engine.append([
      {
        kind: 'daemon.started',
        actor: { person: 'daemon', role: 'daemon' },
        at: startedAt,
        subject: 'daemon',
        facts: { version: parts.version, pid: process.pid },
      },
    ])
    const context = operationContext(live)
    const byDaemon = { actor: daemonActor, token: null, refused: false, language: config.operator.language }
    const responder = createResponder({ ...context, caller: byDaemon, progress: () => {} })
    engine.onEntries.push(entries => responder.entries(entries))
    // Another pass closes what somebody opened, as far as it can, and looks at the levers anew.
    engine.onEntries.push(entries => {
      if (entries.some(({ kind }) => kind === 'suspension.tried')) retry()
    })
    let told = false
    let timersTried: ReadonlySet<string> = new Set()
    every('7 * * * *', config.operator.timeZone, () => open.signAgain().then(() => {}), stop.signal)
    const loop = startLoop({
      engine,
      projection: live,
      signal: stop.signal,
      async afterPass(signal) {
        const changed = await configurationChanged()
        if (changed && !told)
          log.write('warn', 'the configuration has changed: start again to use it', { config: config.file })
        told = changed
        const failures = await afterPass(context, signal)
        // A door that let somebody in is tried again each cycle.
        verifier.later(stillOpen(engine.history.incidents))
        evidence.later()
        return failures
      },
      isDue: () => {
        const { incidents } = engine.history
        const at = clock.now()
        if (dueStageEntries(incidents, { actor: daemonActor, at }).length > 0) return true
        // One that can't be told now is tried again by the next pass, not every second.
        const timers = dueTimers(incidents, at, config.operator.onCall?.length ?? 0).map(({ id }) => id)
        const isNew = timers.some(id => !timersTried.has(id))
        timersTried = new Set(timers)
        return isNew
      },
      passed: outcomes => verifier.later(changedDomains(outcomes)),
      fail,
    })
    retry = loop.retry
    await loop.sweep('manifest')
    log.write('info', 'ready', { register: engine.history.size })
    greet()
    // What was raised and not yet answered when the daemon ended.
    responder.later()
    const watches = startWatches({ ...open, signal: stop.signal })
    await loop.ended
    await watches.idle()
    await responder.idle()
    await verifier.idle()
    await evidence.idle()
  }

  /** For whoever started it in a terminal: where it listens, and what to try next. The log goes to standard error. */
  function greet(): void {
    const { domains, accounts } = engine.world()
    const { say } = io
    io.out([
      say('greeting', { version: parts.version, domains: domains.size, accounts: accounts.size }),
      `  policy  ${live.addresses().join(' ')}`,
      `  dns     ${dnsTarget(config)}`,
      say('greetingNext'),
    ])
  }

  function operationContext(policy: LivePolicy) {
    return {
      ...open,
      random: parts.random,
      live: policy,
      evidence,
      daemon: { pid: process.pid, startedAt },
      configurationChanged,
      signal: stop.signal,
      retry: () => retry(),
      verifyLater: verifier.later,
      stop: () => stop.abort(),
    }
  }

  async function dispatch(
    request: Parameters<typeof authenticateCaller>[1] & { operation: string },
    progress: (done: number, total: number) => void,
  ): Promise<OperationResult> {
    const caller = authenticateCaller(engine, request)
    if (operations.get(request.operation)?.changes(request.args))
      log.write('info', 'operation', { operation: request.operation, person: caller.actor.person })
    return runOperation(request.operation, request.args, { ...operationContext(live), caller, progress })
  }
}

function dnsTarget({ providers: { dns } }: AgentConfig): string {
  switch (dns.kind) {
    case 'embedded':
      return dns.listen
    case 'powerdns':
      return dns.url
    case 'rfc2136':
      return `${dns.host}:${dns.port}`
  }
}
