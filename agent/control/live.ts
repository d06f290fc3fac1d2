/**
 * The live decisions as the daemon keeps them: one thread that answers, and what it decides by. A hold is in force there
 * before the entry that made it is acknowledged; everything else follows with the next rebuild. Refusals are logged, and
 * put on record in batches beside the path of the answer, which never waits for the disk.
 */

import { ProviderFailure } from '../../providers/provider.ts'
import { type Clock, formatInstant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import type { Log } from '../core/log.ts'
import type { Decision } from '../decision/decide.ts'
import { buildImage } from '../decision/image.ts'
import type { Told } from '../decision/messages.ts'
import { type PolicyService, startPolicyService } from '../decision/service.ts'
import { openHolds } from '../incident/lifecycle.ts'
import type { Engine } from '../reconcile/engine.ts'
import { daemonActor } from '../reconcile/findings.ts'
import type { Projection } from '../reconcile/loop.ts'
import type { Stored } from '../register/register.ts'
import type { PolicyRequest } from '../standards/policy-delegation.ts'

/** Refusals wait this long to be recorded together. */
const recordMs = 5_000
/** A flood of refusals is counted, not listed: the register is no place for an attacker to write in. */
const recordedMax = 100

export type LivePolicy = Projection & {
  readonly addresses: readonly string[]
  /** What Postfix would be told now, by whoever answers it; null when it is left without an answer. */
  ask(request: PolicyRequest): Promise<Decision | null>
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

export async function createLivePolicy(parts: {
  engine: Engine
  log: Log
  clock: Clock
  trusted: () => boolean
  /** Nobody answers any more, and that is a bug. */
  fail: (error: unknown) => void
}): Promise<LivePolicy> {
  const { engine, log, trusted } = parts
  const recorder = createRecorder(parts)
  const service = startPolicyService({
    onTold(told, more) {
      for (const one of told) note(one)
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
  const policy = {
    addresses: [] as readonly string[],
    refresh: () => service.show(trusted() ? buildImage(engine.world()) : null),
    entries(entries: readonly Stored[]) {
      const touchesHolds = entries.some(({ kind }) => kind.startsWith('incident.') || kind.startsWith('service.'))
      if (!touchesHolds) return
      // A withdrawal changes more than holds; it is rare, and the rebuild is still done before it is acknowledged.
      if (!trusted() || entries.some(({ kind }) => kind === 'service.withdrawn')) policy.refresh()
      else service.hold(openHolds(engine.history.incidents))
    },
    ask: (request: PolicyRequest) => service.ask(request),
    async close() {
      await service.close()
      await recorder.close()
    },
  }
  if (trusted()) policy.refresh()
  policy.addresses = await listen(service, engine.parts.config.listen.policy)
  return policy
}

async function listen(service: PolicyService, addresses: readonly string[]): Promise<readonly string[]> {
  try {
    return await service.listen(addresses)
  } catch (error) {
    await service.close()
    const why = error instanceof Error ? error.message : String(error)
    throw new ProviderFailure('unreachable', `the policy service cannot listen: ${why}`, {
      retry: 'later',
      cause: error,
    })
  }
}

/** Puts refusals on record, some seconds' worth in one entry. */
function createRecorder({ engine, log, clock }: { engine: Engine; log: Log; clock: Clock }) {
  let waiting: Refusal[] = []
  let uncounted = 0
  let recording: Promise<void> | null = null
  const stop = new AbortController()

  const record = async (): Promise<void> => {
    await clock.sleep(recordMs, stop.signal)
    const refusals = waiting
    const more = uncounted
    waiting = []
    uncounted = 0
    recording = null
    const facts = { decisions: refusals.map(({ id, policy, effect }) => ({ id, policy, effect })), more }
    const entry = {
      kind: 'policy.rejected',
      actor: daemonActor,
      at: formatInstant(clock.now()),
      subject: 'policy',
      rule: 'S21',
      facts,
      personal: { decisions: refusals as unknown as Json },
    }
    await engine
      .append([entry])
      .catch((error: unknown) =>
        log.write('error', 'refusals not recorded', { count: refusals.length + more, error: String(error) }),
      )
  }

  return {
    add(refusal: Refusal): void {
      if (waiting.length < recordedMax) waiting.push(refusal)
      else uncounted += 1
      recording ??= record()
    },
    count(more: number): void {
      uncounted += more
      recording ??= record()
    },
    async close(): Promise<void> {
      stop.abort()
      await recording
    },
  }
}
