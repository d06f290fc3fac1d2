/**
 * The live decisions as the daemon keeps them: one policy server, one snapshot. A hold flips in the snapshot before the
 * entry that made it is acknowledged; everything else follows with the next rebuild. Refusals are put on record in
 * batches beside the path of the answer, which never waits for the disk.
 */

import { ProviderFailure } from '../../providers/provider.ts'
import type { Clock } from '../core/clock.ts'
import { formatInstant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import type { Log } from '../core/log.ts'
import type { Decision } from '../decision/decide.ts'
import { PolicyServer } from '../decision/server.ts'
import { buildSnapshot, type Snapshot, withHolds } from '../decision/snapshot.ts'
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
  readonly snapshot: () => Snapshot | null
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
}): Promise<LivePolicy> {
  const { engine, log, clock, trusted } = parts
  let waiting: Refusal[] = []
  let uncounted = 0
  let recording: Promise<void> | null = null
  const stop = new AbortController()

  const note = (decision: Decision, request: PolicyRequest) => {
    if (decision.effect === 'dunno') return void log.write('info', 'observed', { verdicts: decision.verdicts })
    const { sender, recipient, login, clientAddress: client } = request
    const refusal = {
      id: decision.id,
      policy: decision.reason,
      effect: decision.effect,
      login,
      sender,
      recipient,
      client,
    }
    log.write('info', 'refused', refusal)
    if (waiting.length < recordedMax) waiting.push(refusal)
    else uncounted += 1
    recording ??= record()
  }
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

  const server = new PolicyServer({
    clock,
    onDecision: note,
    onThrown: error => log.write('error', 'a policy threw; the connection was closed', { error: String(error) }),
  })
  try {
    await server.listen(engine.parts.config.listen.policy)
  } catch (error) {
    await server.close()
    const why = error instanceof Error ? error.message : String(error)
    throw new ProviderFailure('unreachable', `the policy service cannot listen: ${why}`, {
      retry: 'later',
      cause: error,
    })
  }
  let snapshot: Snapshot | null = null
  const swap = (next: Snapshot) => {
    snapshot = next
    server.swap(trusted() ? next : null)
  }
  const policy: LivePolicy = {
    addresses: server.addresses,
    snapshot: () => snapshot,
    refresh: () => swap(buildSnapshot(engine.world())),
    entries(entries: readonly Stored[]) {
      const touchesHolds = entries.some(({ kind }) => kind.startsWith('incident.') || kind.startsWith('service.'))
      if (!touchesHolds) return
      // A withdrawal changes more than holds; it is rare, and the rebuild is still done before it is acknowledged.
      if (snapshot === null || entries.some(({ kind }) => kind === 'service.withdrawn')) policy.refresh()
      else swap(withHolds(snapshot, openHolds(engine.history.incidents)))
    },
    async close() {
      await server.close()
      stop.abort()
      await recording
    },
  }
  if (trusted()) policy.refresh()
  return policy
}
