/**
 * Asks the questions: some at once, what is not yet as wanted again while patience lasts. Then judges the refusals: one
 * proves something only of a door that lets somebody in. It changes nothing and never throws.
 */
import type { Prober } from '../../providers/provider.ts'
import type { Clock } from '../core/clock.ts'
import type { Finding, LoginProbe, Probe, Seen } from '../model/verify.ts'

const atOnceMax = 8 // logins on their way; more looks like an attack to the server
const pauseFirstMs = 250
const pauseLastMs = 4_000

export type RunParts = {
  readonly prober: Prober
  readonly clock: Clock
  readonly patienceMs: number
  readonly signal: AbortSignal
}

export async function runProbes(probes: readonly Probe[], parts: RunParts): Promise<Finding[]> {
  const { clock, patienceMs, signal } = parts
  const findings = new Map<Probe, Seen>()
  const until = clock.now() + patienceMs
  let open = probes
  for (let pauseMs = pauseFirstMs; ; pauseMs = Math.min(pauseMs * 2, pauseLastMs)) {
    await askAll(open, findings, parts)
    // A message is not sent again and again.
    open = probes.filter(probe => probe.kind !== 'delivery' && findings.get(probe)?.result !== 'as-wanted')
    if (open.length === 0 || signal.aborted || clock.now() + pauseMs > until) break
    await clock.sleep(pauseMs, signal)
  }
  const talking = new Set(
    probes.filter((probe): probe is LoginProbe => letIn(probe, findings.get(probe))).map(({ door }) => door),
  )
  return probes.map(probe => {
    const seen = findings.get(probe) ?? { result: 'unproved', detail: 'broken off before it was asked' }
    const proves = probe.kind !== 'login' || probe.wanted === 'accepted' || talking.has(probe.door)
    return proves || seen.result !== 'as-wanted'
      ? { probe, seen }
      : { probe, seen: { result: 'unproved', detail: `this door let nobody in: ${seen.detail}` } }
  })
}

const letIn = (probe: Probe, seen: Seen | undefined) =>
  probe.kind === 'login' &&
  (probe.wanted === 'accepted') === (seen?.result === 'as-wanted') &&
  seen?.result !== 'unproved'

async function askAll(probes: readonly Probe[], findings: Map<Probe, Seen>, parts: RunParts): Promise<void> {
  const waiting = [...probes]
  const work = async () => {
    for (let probe = waiting.shift(); probe !== undefined && !parts.signal.aborted; probe = waiting.shift())
      findings.set(probe, await ask(probe, parts))
  }
  await Promise.all(Array.from({ length: Math.min(atOnceMax, probes.length) }, work))
}

async function ask(probe: Probe, { prober, signal }: RunParts): Promise<Seen> {
  switch (probe.kind) {
    case 'zone':
      return prober.zone(probe.domain, probe.rrsets, signal)
    case 'delivery':
      return prober.delivery(probe.account, probe.from, signal)
    case 'login': {
      const { result, detail } = await prober.login(probe.door, probe.account, probe.from, signal)
      if (result === 'unreachable') return { result: 'unproved', detail }
      return { result: result === probe.wanted ? 'as-wanted' : 'otherwise', detail }
    }
  }
}
