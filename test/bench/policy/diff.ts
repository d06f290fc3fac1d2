/**
 * `policy diff` of two fleets of 200,000 accounts, one in a hundred changed (fewer as `node test/bench/policy/diff.ts
 * 20000`). The reference is loading the manifests of one of them: what a comparison costs beside reading what it compares.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareFleets } from '../../../agent/analysis/compare.ts'
import { isWitnessed } from '../../../agent/analysis/fleet.ts'
import { buildSnapshot } from '../../../agent/decision/snapshot.ts'
import { loadEstate } from '../../../agent/manifest/load.ts'
import type { AgentConfig } from '../../../agent/model/world.ts'
import { toWorld } from '../../../agent/policy-test/world.ts'
import { emptyHistory } from '../../../agent/world/history.ts'
import { joinWorld } from '../../../agent/world/world.ts'
import { institutionText } from '../../support/estate.ts'

const accountsEach = 20
const changedEvery = 100
const rounds = 3
const at = Date.parse('2026-05-01T12:00:00Z')
const timeZone = 'America/Havana'

function accountText(number: number, isChanged: boolean): string {
  const name = `u${number % accountsEach}`
  if (!isChanged) return `{ name: ${name}, send: ${number % 2 === 0 ? 'national' : 'local'} }`
  switch ((number / changedEvery) % 4) {
    case 0:
      return `{ name: ${name}, send: international }`
    case 1:
      return `{ name: ${name}, receive: local }`
    case 2:
      return `{ name: ${name}, except: [{ send: d${number}.revista.example, until: 2030-12-31, request: SC-1 }] }`
    default:
      return `{ name: ${name}, state: withdrawn }`
  }
}

function writeManifests(folder: string, accounts: number, every: number): void {
  mkdirSync(folder)
  for (let n = 0; n < accounts / accountsEach; n += 1) {
    const lines = Array.from({ length: accountsEach }, (_, index) => {
      const number = n * accountsEach + index
      return accountText(number, number % every === 0)
    })
    const network = `10.${n >> 8}.${n & 255}.0/24`
    const options = { domain: `d${n}.sld.cu`, accounts: lines, network }
    writeFileSync(join(folder, `i${n}.yaml`), institutionText(`inst-${n}`, options))
  }
}

async function readFleet(folder: string, config: AgentConfig) {
  const estate = await loadEstate(folder, { today: '2026-05-01', timeZone })
  const mistake = estate.diagnostics.find(({ severity }) => severity === 'error')
  if (mistake !== undefined) throw new Error(`the generated estate has errors: ${JSON.stringify(mistake)}`)
  return { snapshot: buildSnapshot(joinWorld(config, { ...estate, country: null }, emptyHistory(), at)), at }
}

export async function benchDiff(accounts = 200_000): Promise<{ readonly ratio: number; readonly detail: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'mw-diff-'))
  try {
    writeManifests(join(folder, 'a'), accounts, Number.POSITIVE_INFINITY)
    writeManifests(join(folder, 'b'), accounts, changedEvery)
    const { config } = toWorld({ institutions: {}, domains: {}, accounts: {} })
    let started = performance.now()
    const before = await readFleet(join(folder, 'a'), config)
    const loadingMs = performance.now() - started
    const after = await readFleet(join(folder, 'b'), config)
    const times: number[] = []
    let lines = 0
    for (let round = 0; round < rounds; round += 1) {
      started = performance.now()
      const difference = compareFleets(before, after)
      times.push(performance.now() - started)
      lines = difference.lines.length
      if (lines === 0 || !difference.lines.every(line => isWitnessed(line, before, after)))
        throw new Error('the comparison tells nothing, or without proof')
    }
    const ms = Math.min(...times)
    const detail = `${accounts} accounts, 1 in ${changedEvery} changed: ${lines} lines, load ${(loadingMs / 1000).toFixed(2)} s, compare ${(ms / 1000).toFixed(2)} s (best of ${rounds})`
    console.log(`policy diff: ${(ms / loadingMs).toFixed(2)} of loading one of the two fleets   ${detail}`)
    return { ratio: ms / loadingMs, detail }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === import.meta.filename) await benchDiff(Number(process.argv[2] ?? 200_000))
