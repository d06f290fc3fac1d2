/**
 * `mailwarden metrics`: numbers for a monitor in the text format of Prometheus (exposition format 0.0.4), base units, no
 * label that names an account. Counters are of the running daemon since its start; without one they are absent, not zero.
 */
import { isProvisioned } from '../model/world.ts'
import { incidentSummaries } from './incident-views.ts'
import type { Operation, OperationContext } from './operation.ts'

type Sample = { readonly labels?: Readonly<Record<string, string>>; readonly value: number }
type Metric = {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly samples: readonly Sample[]
}

export const metrics: Operation = async (_, context) => {
  const all = [...worldMetrics(context), ...(await policyMetrics(context))]
  return { exit: 0, json: { version: 1, metrics: all, text: all.map(formatMetric).join('') } }
}

function worldMetrics({ engine, daemon, findings, caller }: OperationContext): Metric[] {
  const world = engine.world()
  const { history, parts } = engine
  const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => {
    return { name: `mailwarden_${name}`, type: 'gauge', help, samples }
  }
  const seconds = (at: string | undefined) => (at === undefined ? [] : [{ value: Date.parse(at) / 1_000 }])
  const byState = (states: Iterable<{ readonly state: string }>): Sample[] => {
    const counts = new Map<string, number>()
    for (const { state } of states) counts.set(state, (counts.get(state) ?? 0) + 1)
    return [...counts].map(([state, value]) => ({ labels: { state }, value }))
  }
  const open = incidentSummaries(engine, false)
  return [
    gauge('daemon_up', 'Whether the daemon answers.', [{ value: daemon === null ? 0 : 1 }]),
    gauge('domains', 'Domains by state.', byState(world.domains.values())),
    gauge('accounts', 'Accounts by state.', byState(world.accounts.values())),
    gauge('accounts_provisioned', 'Accounts that stand in the directory.', [
      { value: [...world.accounts.values()].filter(({ state }) => isProvisioned(state)).length },
    ]),
    gauge('incidents_open', 'Open incidents by state, drills included.', byState(open as { state: string }[])),
    gauge('holds', 'Holds in force.', [{ value: world.holds.length }]),
    gauge(
      'signals_recent',
      'Signs of misuse among the newest that were told, by code and level.',
      signalSamples(history.signals.newest),
    ),
    gauge('register_entries', 'Entries of the register.', [{ value: parts.register.size }]),
    gauge('register_trusted', 'Whether the register verifies.', [
      { value: findings(caller.language).length === 0 ? 1 : 0 },
    ]),
    gauge('contested_objects', 'Objects that the next plan leaves to somebody else.', [
      { value: history.contested.size },
    ]),
    gauge('last_apply_timestamp_seconds', 'When something was last applied.', seconds(history.lastRun?.at)),
    gauge(
      'last_verification_timestamp_seconds',
      'When what people see was last looked at.',
      seconds(history.lastVerification?.at),
    ),
    gauge(
      'last_verification_probes',
      'What that look found.',
      history.lastVerification === null
        ? []
        : (['asWanted', 'otherwise', 'unproved'] as const).map(result => ({
            labels: { result: result === 'asWanted' ? 'as-wanted' : result },
            value: history.lastVerification?.[result] ?? 0,
          })),
    ),
  ]
}

async function policyMetrics({ live }: OperationContext): Promise<Metric[]> {
  if (live === null) return []
  const { accepted, requests, dunno, deferred, rejected, turnedAway, ...closed } = await live.counters()
  const counter = (name: string, help: string, samples: readonly Sample[]): Metric => {
    return { name: `mailwarden_policy_${name}_total`, type: 'counter', help, samples }
  }
  const { listenerThrew, ...reasons } = closed
  return [
    counter('connections', 'Connections taken.', [{ value: accepted }]),
    counter('requests', 'Questions read.', [{ value: requests }]),
    counter('decisions', 'Answers by effect.', [
      { labels: { effect: 'dunno' }, value: dunno },
      { labels: { effect: 'defer' }, value: deferred },
      { labels: { effect: 'reject' }, value: rejected },
    ]),
    counter('closed', 'Connections that were ended without an answer, by reason.', [
      { labels: { reason: 'turned-away' }, value: turnedAway },
      ...Object.entries(reasons).map(([reason, value]) => ({ labels: { reason }, value })),
    ]),
    counter('telling_failures', 'Decisions that could not be told to the daemon.', [{ value: listenerThrew }]),
  ]
}

function formatMetric({ name, type, help, samples }: Metric): string {
  if (samples.length === 0) return ''
  const lines = samples.map(({ labels, value }) => {
    const shown = Object.entries(labels ?? {}).map(([key, text]) => `${key}="${text}"`)
    return `${name}${shown.length === 0 ? '' : `{${shown.join(',')}}`} ${value}`
  })
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`
}

function signalSamples(signals: readonly { readonly code: string; readonly level: string }[]): Sample[] {
  const byKind = Map.groupBy(signals, ({ code, level }) => `${code} ${level}`)
  return [...byKind].map(([kind, { length: value }]) => {
    const [code = '', level = ''] = kind.split(' ')
    return { labels: { code, level }, value }
  })
}
