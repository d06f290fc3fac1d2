/**
 * The power is cut (kill -9) at every failpoint, each time it is passed, while a world is built, changed and suspended.
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
import { daemonActor } from '../../agent/reconcile/engine.ts'
import { verifyStore } from '../../agent/register/offline.ts'
import { openEngine } from '../support/engine.ts'
import { institutionText } from '../support/estate.ts'

const child = fileURLToPath(new URL('child.ts', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'mw-crash-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Passes of one failpoint that are cut; a world of this size passes some of them sixty times. */
const cutsPerPointMax = 40
const signal = new AbortController().signal
let kills = 0

const before = institutionText('hospital', {
  domain: 'hcg.sld.cu',
  accounts: ['{ name: jperez, aliases: [juan.perez] }', '{ name: mlopez }', '{ name: sale }'],
})
const after = institutionText('hospital', {
  domain: 'hcg.sld.cu',
  accounts: ['{ name: jperez, send: international }', '{ name: mlopez, access: anywhere }', '{ name: entra }'],
})

type Scenario = { readonly name: string; readonly start: string; readonly act: 'reconcile' | 'suspend' }

/** A folder in the state from which the scenario sets out. */
async function prepare(name: string): Promise<Scenario> {
  const start = join(root, `start-${name}`)
  mkdirSync(join(start, 'manifests'), { recursive: true })
  writeFileSync(join(start, 'manifests', 'hospital.yaml'), before)
  if (name !== 'create') {
    await using open = await openEngine(start)
    await open.engine.reconcile({ lane: 'sweep', scope: 'all', actor: daemonActor, signal })
  }
  if (name === 'change') writeFileSync(join(start, 'manifests', 'hospital.yaml'), after)
  return { name, start, act: name === 'suspend' ? 'suspend' : 'reconcile' }
}

function run(
  folder: string,
  scenario: Scenario,
  failpoint?: string,
): Promise<{ exit: number | null; signal: string | null; err: string }> {
  const env = { ...process.env, ...(failpoint === undefined ? {} : { MAILWARDEN_FAILPOINT: failpoint }) }
  const running = spawn(process.execPath, [child, folder, scenario.act], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let err = ''
  running.stderr.setEncoding('utf8').on('data', chunk => {
    err += chunk
  })
  return new Promise(resolve => running.on('close', (exit, killed) => resolve({ exit, signal: killed, err })))
}

/** What stands, without what differs from run to run: keys made anew have another name. */
async function worldOf(
  folder: string,
): Promise<{ standing: string[]; pending: number; holds: number; contested: number }> {
  await using open = await openEngine(folder)
  await open.engine.reconcile({ lane: 'sweep', scope: 'all', actor: daemonActor, signal })
  const { plan } = await open.engine.plan('all', {}, signal)
  const observed = await open.engine.observe('all', signal)
  const standing = observed
    .map(({ resource, mark }) => canonicalJson({ ...resource, marked: mark !== null }))
    .filter(text => !text.includes('_domainkey'))
    .toSorted()
  return {
    standing,
    pending: plan.changes.length,
    holds: openHolds(open.engine.history.incidents).length,
    contested: plan.contested.length,
  }
}

async function cut(
  scenario: Scenario,
  failpoint: string,
  count: number,
  expected: readonly string[],
): Promise<'killed' | 'passed'> {
  const folder = join(root, `${scenario.name}-${failpoint}-${count}`)
  cpSync(scenario.start, folder, { recursive: true })
  try {
    const result = await run(folder, scenario, `${failpoint}:${count}`)
    if (result.signal !== 'SIGKILL') {
      expect(result, `${failpoint}:${count}`).toMatchObject({ exit: 0 })
      return 'passed'
    }
    kills += 1
    if (scenario.act === 'suspend' && failpoint === 'suspend.beforeDeclared') return 'killed'
    const world = await worldOf(folder)
    expect(world, `${failpoint}:${count}`).toMatchObject({
      pending: 0,
      contested: 0,
      holds: scenario.act === 'suspend' ? 1 : 0,
    })
    expect(world.standing, `${failpoint}:${count}`).toEqual(expected)
    const verdict = await verifyStore({
      file: join(folder, 'var', 'mailwarden.db'),
      keysFolder: join(folder, 'var', 'keys'),
      witnessFiles: [join(folder, 'var', 'register.witness')],
    })
    expect(verdict.findings, `${failpoint}:${count}`).toEqual([])
    return 'killed'
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('the power is cut', () => {
  test.each(['create', 'change', 'suspend'])(
    'at every failpoint while worlds are built: %s',
    async name => {
      const scenario = await prepare(name)
      const whole = join(root, `whole-${name}`)
      cpSync(scenario.start, whole, { recursive: true })
      expect(await run(whole, scenario)).toMatchObject({ exit: 0 })
      const expected = (await worldOf(whole)).standing
      // Two at a time: one for each core of a small machine.
      const waiting = [...failpoints]
      const worker = async () => {
        for (let failpoint = waiting.shift(); failpoint !== undefined; failpoint = waiting.shift())
          for (let count = 1; count <= cutsPerPointMax; count += 1)
            if ((await cut(scenario, failpoint, count, expected)) === 'passed') break
      }
      await Promise.all([worker(), worker()])
    },
    600_000,
  )

  test('at least 200 times in all', () => {
    expect(kills).toBeGreaterThanOrEqual(200)
  })
})
