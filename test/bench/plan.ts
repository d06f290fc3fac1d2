/**
 * A plan without a change over a whole estate: 10,000 domains with 20 accounts each (as `node test/bench/plan.ts 10000`;
 * 1,000 by default), on the embedded parts. The reference is reading the same objects from the two SQLite files and no
 * more: what is above 1 is joining, desiring, comparing and digesting.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { daemonActor } from '../../agent/reconcile/findings.ts'
import { openEngine } from '../support/engine.ts'
import { institutionText } from '../support/estate.ts'

const accountsEach = 20
const rounds = 3

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

export async function benchPlan(domains = 1_000): Promise<{ readonly ratio: number; readonly detail: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'mw-bench-'))
  try {
    mkdirSync(join(folder, 'manifests'))
    const accounts = Array.from({ length: accountsEach }, (_, index) => `{ name: u${index} }`)
    for (let n = 0; n < domains; n += 1) {
      const text = institutionText(`inst-${n}`, { domain: `d${n}.example`, accounts, network: `10.${n % 250}.0.0/16` })
      writeFileSync(join(folder, 'manifests', `i${n}.yaml`), text)
    }
    await using open = await openEngine(folder)
    const { engine } = open
    const signal = new AbortController().signal
    await engine.reload()
    await engine.reconcile({ lane: 'sweep', scope: 'all', actor: daemonActor, signal })
    const reading: number[] = []
    const planning: number[] = []
    let objects = 0
    for (let round = 0; round < rounds; round += 1) {
      let started = performance.now()
      objects = (await engine.observe('all', signal)).length
      reading.push(performance.now() - started)
      started = performance.now()
      const { plan } = await engine.plan('all', {}, signal)
      planning.push(performance.now() - started)
      if (plan.changes.length > 0) throw new Error(`${plan.changes.length} changes in a plan that should have none`)
    }
    const ratio = median(planning) / median(reading)
    const memory = Math.round(process.memoryUsage().rss / 1024 / 1024)
    const detail = `${domains} domains, ${domains * accountsEach} accounts, ${objects} objects: read ${median(reading).toFixed(0)} ms, plan ${median(planning).toFixed(0)} ms, RSS ${memory} MiB`
    console.log(`plan without a change: ${ratio.toFixed(2)} of reading alone   ${detail}`)
    return { ratio, detail }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === import.meta.filename) await benchPlan(Number(process.argv[2] ?? 1_000))
