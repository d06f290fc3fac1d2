/**
 * An incremental reconcile after one file changed against a full one over the same world, in one run: 200 institutions
 * with 50 accounts each, on the embedded parts. `npm run bench`, or this file alone.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { daemonActor } from '../../agent/reconcile/findings.ts'
import { openEngine } from '../support/engine.ts'
import { institutionText } from '../support/estate.ts'

const institutions = 200
const accountsEach = 50
const rounds = 7

function textOf(n: number, variant: number): string {
  const accounts = Array.from(
    { length: accountsEach },
    (_, index) => `{ name: u${index}, send: ${index === variant ? 'international' : 'national'} }`,
  )
  return institutionText(`inst-${n}`, { domain: `d${n}.example`, accounts, network: `10.${n % 250}.0.0/16` })
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

export async function benchReconcile(): Promise<{
  readonly name: string
  readonly ratio: number
  readonly detail: string
}> {
  const folder = mkdtempSync(join(tmpdir(), 'mw-bench-'))
  try {
    mkdirSync(join(folder, 'manifests'))
    for (let n = 0; n < institutions; n += 1) writeFileSync(join(folder, 'manifests', `i${n}.yaml`), textOf(n, -1))
    await using open = await openEngine(folder)
    const { engine } = open
    const signal = new AbortController().signal
    await engine.reconcile({ lane: 'sweep', scope: 'all', actor: daemonActor, signal })
    const incremental: number[] = []
    const full: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      // The change is the same size in both: one account of one institution, which rewrites nothing in the directory
      // but its snapshot; what is compared is reading, checking, joining, observing, planning.
      writeFileSync(join(folder, 'manifests', `i${round}.yaml`), textOf(round, 1))
      let started = performance.now()
      await engine.reload()
      const domains = await engine.acceptManifests(daemonActor)
      await engine.reconcile({ lane: 'manifest', scope: { domains }, actor: daemonActor, signal })
      incremental.push(performance.now() - started)
      writeFileSync(join(folder, 'manifests', `i${round}.yaml`), textOf(round, 2))
      started = performance.now()
      await engine.reload()
      await engine.reconcile({ lane: 'sweep', scope: 'all', actor: daemonActor, signal })
      full.push(performance.now() - started)
    }
    const [one, all] = [median(incremental), median(full)]
    const detail = `${institutions} domains, ${institutions * accountsEach} accounts: incremental ${one.toFixed(0)} ms, full ${all.toFixed(0)} ms, medians of ${rounds}`
    console.log(`reconcile: incremental / full = ${(one / all).toFixed(2)}   ${detail}`)
    return { name: 'reconcile', ratio: one / all, detail }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === import.meta.filename) await benchReconcile()
