/**
 * The live decisions as the daemon keeps them: one thread that answers, and what it decides by. A hold is in force there
 * before the entry that made it is acknowledged; everything else follows with the next rebuild. Refusals are logged, and
 * put on record in batches beside the path of the answer, which never waits for the disk.
 */

import { ProviderFailure } from '../../providers/provider.ts'
import { type Clock, formatInstant, type Instant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import type { Log } from '../core/log.ts'
import type { PolicyCounters } from '../decision/counters.ts'
import type { Decision } from '../decision/decide.ts'
import { buildImage, isSameImage, type SnapshotImage } from '../decision/image.ts'
import type { Raised, Told } from '../decision/messages.ts'
import { type PolicyService, startPolicyService } from '../decision/service.ts'
import { windowMs } from '../decision/signals.ts'
import { signalEntry } from '../detection/entries.ts'
import { openHolds } from '../incident/lifecycle.ts'
import type { AgentConfig } from '../model/world.ts'
import type { Engine } from '../reconcile/engine.ts'
import { daemonActor } from '../reconcile/findings.ts'
import type { Projection } from '../reconcile/loop.ts'
import type { Stored } from '../register/register.ts'
import type { PolicyRequest } from '../standards/policy-delegation.ts'
import type { ImageKeeper } from './image-keeper.ts'
import { startUsageKeeper, type UsageKeeper, usageFile } from './usage-keeper.ts'

/** Refusals wait this long to be recorded together. */
const recordMs = 5_000
/** A flood of refusals is counted, not listed: the register is no place for an attacker to write in. */
const recordedMax = 100
/** Of signals, in one of those batches. */
const raisedMax = 50

export type LivePolicy = Projection & {
  readonly addresses: () => readonly string[]
  /** What Postfix would be told now, by whoever answers it; null when it is left without an answer. */
  ask(request: PolicyRequest): Promise<Decision | null>
  /** Since the daemon began. */
  counters(): Promise<PolicyCounters>
  close(): Promise<void>
}

type Refusal = {
  readonly id: string
  readonly policy: string
  readonly effect: string
  readonly login: string
  readonly sender: string
  readonly recipient: string
  readonly client: string
}

/** Before there is an engine: nobody is answered yet, or they are by what was decided by last. */
export type Decisions = {
  readonly service: PolicyService
  readonly recorder: Recorder
  readonly addresses: () => readonly string[]
  readonly listen: () => Promise<void>
  /** Goes on with the counters of rates as they were, and keeps them from now on. */
  readonly keepUsage: () => Promise<void>
  close(): Promise<void>
}

export function startDecisions(parts: {
  config: AgentConfig
  log: Log
  clock: Clock
  /** Nobody answers any more, and that is a bug. */
  fail: (error: unknown) => void
}): Decisions {
  const { config, log } = parts
  const recorder = createRecorder(parts)
  let addresses: readonly string[] = []
  let usage: UsageKeeper | null = null
  const service = startPolicyService({
    onTold(told, more, signals) {
      for (const one of told) note(one)
      for (const signal of signals) {
        log.write('warn', 'signal', signal)
        recorder.raise(signal)
      }
      if (more > 0) {
        log.write('warn', 'more refusals than are listed', { more })
        recorder.count(more)
      }
    },
    onThrown: error => log.write('error', 'a policy threw; the connection was closed', { error }),
    onEnded: parts.fail,
  })
  const note = ({ decision, request }: Told) => {
    if (decision.effect === 'dunno') return log.write('info', 'observed', { verdicts: decision.verdicts })
    const { id, effect, reason: policy } = decision
    const { sender, recipient, login, clientAddress: client } = request
    const refusal = { id, policy, effect, login, sender, recipient, client }
    log.write('info', 'refused', refusal)
    recorder.add(refusal)
  }
  return {
    service,
    recorder,
    addresses: () => addresses,
    async listen() {
      if (addresses.length === 0) addresses = await listenOn(service, config.listen.policy)
    },
    async keepUsage() {
      usage = await startUsageKeeper({ file: usageFile(config.stateFolder), service, clock: parts.clock, log })
    },
    async close() {
      await usage?.close()
      await service.close()
      await recorder.close()
    },
  }
}

const rebuilding: ReadonlySet<string> = new Set(['service.withdrawn', 'service.restored'])

/** Answers by the world as the engine has it, from now on. */
export async function createLivePolicy(parts: {
  engine: Engine
  decisions: Decisions
  keeper: ImageKeeper
  trusted: () => boolean
  /** Signs of misuse were put on record. */
  onRaised: () => void
}): Promise<LivePolicy> {
  const { engine, keeper, trusted } = parts
  const { service, recorder, addresses, listen } = parts.decisions
  /** What the thread decides by; undefined before it was shown anything. */
  let shown: SnapshotImage | null | undefined
  const policy = {
    addresses,
    refresh() {
      const image = trusted() ? buildImage(engine.world()) : null
      if (image !== null && shown != null && isSameImage(shown, image)) return
      shown = image
      service.show(image)
      keeper.keep(image, engine.history.size)
    },
    entries(entries: readonly Stored[]) {
      const touchesHolds = entries.some(({ kind }) => /^(?:incident|service|release)\./.test(kind))
      if (!touchesHolds) return
      // A withdrawal and a probation change more than holds; they are rare, and the rebuild is done before the answer.
      if (!trusted() || entries.some(({ kind }) => rebuilding.has(kind))) policy.refresh()
      else {
        const holds = openHolds(engine.history.incidents)
        service.hold(holds)
        if (shown != null) shown = { ...shown, holds }
      }
    },
    ask: (request: PolicyRequest) => service.ask(request),
    counters: () => service.counters(),
    async close() {
      await parts.decisions.close()
      await keeper.close()
    },
  }
  policy.refresh()
  recorder.attach(engine, parts.onRaised)
  await listen()
  return policy
}

async function listenOn(
  service: PolicyService,
  listeners: AgentConfig['listen']['policy'],
): Promise<readonly string[]> {
  try {
    return await service.listen(listeners)
  } catch (error) {
    await service.close()
    const why = error instanceof Error ? error.message : String(error)
    throw new ProviderFailure('unreachable', `the policy service cannot listen: ${why}`, {
      retry: 'later',
      cause: error,
    })
  }
}

export type Recorder = {
  add(refusal: Refusal): void
  raise(signal: Raised): void
  count(more: number): void
  /** What waited until there was a register to write to is written, too. */
  attach(register: Pick<Engine, 'append'>, onRaised: () => void): void
  close(): Promise<void>
}

function signalEntries(signals: readonly Raised[], at: Instant) {
  return signals.map(({ at: counted, ...sign }) =>
    signalEntry({ ...sign, since: counted - windowMs }, 'policy', { actor: daemonActor, at }),
  )
}

/** Puts refusals on record, some seconds' worth in one entry. */
function createRecorder({ log, clock }: { log: Log; clock: Clock }): Recorder {
  let engine: Pick<Engine, 'append'> | null = null
  let told = () => {}
  let waiting: Refusal[] = []
  let raised: Raised[] = []
  let uncounted = 0
  let unraised = 0
  let recording: Promise<void> | null = null
  const stop = new AbortController()

  const record = async (): Promise<void> => {
    await clock.sleep(recordMs, stop.signal)
    if (engine === null) return
    const refusals = waiting
    const more = uncounted
    const signals = raised
    const moreSignals = unraised
    waiting = []
    raised = []
    uncounted = 0
    unraised = 0
    recording = null
    const facts = {
      decisions: refusals.map(({ id, policy, effect }) => ({ id, policy, effect })),
      more,
      ...(moreSignals > 0 && { moreSignals }),
    }
    const entry = {
      kind: 'policy.rejected',
      actor: daemonActor,
      at: formatInstant(clock.now()),
      subject: 'policy',
      rule: 'S21',
      facts,
      personal: { decisions: refusals as unknown as Json },
    }
    const refused = refusals.length + more + moreSignals > 0 ? [entry] : []
    await engine
      .append([...refused, ...signalEntries(signals, clock.now())])
      .then(() => (signals.length > 0 ? told() : undefined))
      .catch((error: unknown) =>
        log.write('error', 'refusals not recorded', { count: refusals.length + more, error: String(error) }),
      )
  }

  const later = () => {
    if (engine !== null) recording ??= record()
  }

  return {
    add(refusal) {
      if (waiting.length < recordedMax) waiting.push(refusal)
      else uncounted += 1
      later()
    },
    count(more) {
      uncounted += more
      later()
    },
    raise(signal) {
      // Of a storm the register has the number, and the log every one.
      if (raised.length < raisedMax) raised.push(signal)
      else unraised += 1
      later()
    },
    attach(register, onRaised) {
      engine = register
      told = onRaised
      if (waiting.length + raised.length + uncounted + unraised > 0) later()
    },
    async close(): Promise<void> {
      stop.abort()
      await recording
    },
  }
}
