/**
 * The power is cut (kill -9) at every failpoint, each time it is passed, while worlds are built, changed and suspended.
 * The next pass must converge to what an uncut pass gives: nothing made twice, nothing lost, the hold in force (R4, R8).
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import { failpoints } from '../../agent/core/failpoint.ts'
import { openHolds } from '../../agent/incident/lifecycle.ts'
import { daemonActor } from '../../agent/reconcile/findings.ts'
import { verifyStore } from '../../agent/register/offline.ts'
import { openEngine } from '../support/engine.ts'
import { institutionText } from '../support/estate.ts'

const child = fileURLToPath(new URL('child.ts', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'mw-crash-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Passes of one failpoint that are cut; a world of this size passes the busiest a hundred times. */
const cutsPerPointMax = 60
const killsMin = 200
const signal = new AbortController().signal
let kills = 0

const hospital = (accounts: string[]) => institutionText('hospital', { domain: 'hcg.sld.cu', accounts })
const clinic = institutionText('clinica', { domain: 'clinica.sld.cu', network: '10.30.0.0/16' })
const before = hospital(['{ name: jperez, aliases: [juan.perez] }', '{ name: mlopez }', '{ name: sale }'])
const after = hospital([
  '{ name: jperez, send: international }',
  '{ name: mlopez, access: anywhere }',
  '{ name: entra }',
])

const others = {
  'multipop.yaml': institutionText('multipop', {
    domain: 'pop.example',
    network: '10.40.0.0/16',
    delivery: 'multipop',
  }),
  'relay.yaml': institutionText('relevo', { domain: 'relevo.example', network: '10.50.0.0/16', delivery: 'relay' }),
}

type Files = Readonly<Record<string, string>>
type Scenario = {
  readonly name: string
  /** Manifests that stand applied when it begins, and the ones that it carries out. */
  readonly from: Files | null
  readonly to: Files
  /** What the child does: a pass over everything, or `suspend` of this scope. */
  readonly act: 'reconcile' | 'hcg.sld.cu' | 'jperez@hcg.sld.cu'
}

const one = { 'hospital.yaml': before }
const two = { 'hospital.yaml': before, 'clinica.yaml': clinic }
const scenarios: readonly Scenario[] = [
  { name: 'create', from: null, to: two, act: 'reconcile' },
  { name: 'create-others', from: null, to: others, act: 'reconcile' },
  { name: 'join', from: one, to: two, act: 'reconcile' },
  { name: 'change', from: one, to: { 'hospital.yaml': after }, act: 'reconcile' },
  { name: 'suspend', from: one, to: one, act: 'hcg.sld.cu' },
  { name: 'suspend-account', from: one, to: one, act: 'jperez@hcg.sld.cu' },
]

/** A folder in the state from which the scenario sets out. */
async function prepare({ name, from, to }: Scenario): Promise<string> {
  const start = join(root, `start-${name}`)
  const manifests = join(start, 'manifests')
  const write = (files: Files) => {
    mkdirSync(manifests, { recursive: true })
    for (const [file, text] of Object.entries(files)) writeFileSync(join(manifests, file), text)
  }
  if (from !== null) {
    write(from)
    await using open = await openEngine(start)
    await open.engine.reconcile({ lane: 'sweep', scope: 'all', actor: daemonActor, signal })
  }
  write(to)
  return start
}

type Ended = { readonly exit: number | null; readonly signal: string | null; readonly err: string }

function run(folder: string, scenario: Scenario, failpoint?: string): Promise<Ended> {
  const env = { ...process.env, ...(failpoint === undefined ? {} : { MAILWARDEN_FAILPOINT: failpoint }) }
  const running = spawn(process.execPath, [child, folder, scenario.act], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let err = ''
  running.stderr.setEncoding('utf8').on('data', chunk => {
    err += chunk
  })
  return new Promise(resolve => running.on('close', (exit, killed) => resolve({ exit, signal: killed, err })))
}

type Standing = {
  readonly standing: string[]
  readonly pending: number
  readonly holds: number
  readonly contested: number
}

/** What stands after one more pass, without what differs from run to run: keys made anew have another name. */
async function worldOf(folder: string): Promise<Standing> {
  await using open = await openEngine(folder)
  await open.engine.reconcile({ lane: 'sweep', scope: 'all', actor: daemonActor, signal })
  const { plan } = await open.engine.plan('all', {}, signal)
  const observed = await open.engine.observe('all', signal)
  const standing = observed
    .map(({ resource, mark }) => canonicalJson({ ...resource, marked: mark !== null }))
    .filter(text => !text.includes('_domainkey'))
    .toSorted()
  const holds = openHolds(open.engine.history.incidents).length
  return { standing, pending: plan.changes.length, holds, contested: plan.contested.length }
}

type Cut = { readonly scenario: Scenario; readonly start: string; readonly expected: readonly string[] }

async function cut({ scenario, start, expected }: Cut, failpoint: string, count: number): Promise<'killed' | 'passed'> {
  const at = `${scenario.name} ${failpoint}:${count}`
  const folder = join(root, `${scenario.name}-${failpoint}-${count}`)
  const suspends = scenario.act !== 'reconcile'
  cpSync(start, folder, { recursive: true })
  try {
    const result = await run(folder, scenario, `${failpoint}:${count}`)
    if (result.signal !== 'SIGKILL') {
      expect(result, at).toMatchObject({ exit: 0 })
      return 'passed'
    }
    kills += 1
    // Nothing was acknowledged and nothing was recorded: there is no hold to keep.
    if (suspends && failpoint === 'act.beforeRecorded') return 'killed'
    const world = await worldOf(folder)
    expect(world, at).toMatchObject({ pending: 0, contested: 0, holds: suspends ? 1 : 0 })
    expect(world.standing, at).toEqual(expected)
    const state = join(folder, 'var')
    const witnessFiles = [join(state, 'register.witness')]
    const verdict = await verifyStore({
      file: join(state, 'mailwarden.db'),
      keysFolder: join(state, 'keys'),
      witnessFiles,
    })
    expect(verdict.findings, at).toEqual([])
    return 'killed'
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('the power is cut', () => {
  test.each(scenarios)('at every failpoint: $name', { timeout: 900_000 }, async scenario => {
    const start = await prepare(scenario)
    const whole = join(root, `whole-${scenario.name}`)
    cpSync(start, whole, { recursive: true })
    expect(await run(whole, scenario)).toMatchObject({ exit: 0 })
    const uncut = { scenario, start, expected: (await worldOf(whole)).standing }
    // Two at a time: one for each core of a small machine.
    const waiting = [...failpoints]
    const worker = async () => {
      for (let failpoint = waiting.shift(); failpoint !== undefined; failpoint = waiting.shift())
        for (let count = 1; count <= cutsPerPointMax; count += 1)
          if ((await cut(uncut, failpoint, count)) === 'passed') break
    }
    await Promise.all([worker(), worker()])
  })

  test(`${killsMin} times at least`, () => {
    console.log(`kills: ${kills}`)
    expect(kills).toBeGreaterThanOrEqual(killsMin)
  })
})
