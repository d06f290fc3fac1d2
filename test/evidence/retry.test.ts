/** A host that is away leaves a gap; it is asked again after a while, and only what closes a gap makes another version. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEvidenceKeeper } from '../../agent/control/evidence-keeper.ts'
import { formatInstant } from '../../agent/core/clock.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { BundleManifest } from '../../agent/evidence/bundle.ts'
import { evidenceStore } from '../../agent/evidence/store.ts'
import { levers } from '../../agent/model/incident.ts'
import { daemonActor } from '../../agent/reconcile/findings.ts'
import { type MailHost, ProviderFailure } from '../../providers/provider.ts'
import { openEngine } from '../support/engine.ts'

const begun = Date.parse('2026-03-02T03:00:00Z')
const minutes = 60_000

test('gaps are tried again, old versions stay, and a drill is left alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mw-retry-'))
  try {
    let now = begun
    const clock = { ...systemClock, now: () => now }
    await using open = await openEngine(folder, { clock })
    const { engine, config } = open
    let isAway = true
    // A host that lies only in being away: what it says otherwise is an empty queue.
    const host: MailHost = {
      name: 'mx9',
      target: 'twin',
      doors: ['queue'],
      observe: async () => [],
      close: async () => [],
      open: async () => [],
      async messages() {
        if (isAway) throw new ProviderFailure('unreachable', 'mx9 does not answer', { retry: 'later' })
        return []
      },
      async [Symbol.asyncDispose]() {},
    }
    const keeper = createEvidenceKeeper({ engine, hosts: [host], signal: new AbortController().signal })
    const declare = (incident: string, drill: boolean) => ({
      kind: 'incident.declared',
      actor: daemonActor,
      at: formatInstant(now),
      subject: incident,
      facts: { incident, class: 'spam', domain: 'hcg.example', scope: 'domain', levers, drill },
    })
    await engine.append([declare('INC-2026-0001', false), declare('INC-2026-0002', true)])
    const pass = async () => {
      keeper.later()
      await keeper.idle()
      return engine.history.evidence.bundles.get('INC-2026-0001') ?? []
    }
    expect(await pass()).toMatchObject([{ version: 1, open: 1 }])
    expect(await pass()).toHaveLength(1)
    now += 6 * minutes
    expect(await pass()).toHaveLength(1)
    isAway = false
    expect(await pass()).toHaveLength(1)
    now += 6 * minutes
    const bundles = await pass()
    expect(bundles).toMatchObject([
      { version: 1, open: 1 },
      { version: 2, open: 0 },
    ])
    now += 60 * minutes
    expect(await pass()).toHaveLength(2)
    expect(engine.history.evidence.bundles.has('INC-2026-0002')).toBe(false)

    const store = evidenceStore(config.stateFolder)
    const manifests = await Promise.all(
      bundles.map(async one => JSON.parse((await store.get(one.manifest)).toString()) as BundleManifest),
    )
    const gapsOf = (manifest: BundleManifest | undefined) => manifest?.gaps.map(({ path, reason }) => [path, reason])
    expect(gapsOf(manifests[0])).toContainEqual(['queue/mx9.jsonl', 'mx9 does not answer'])
    expect(gapsOf(manifests[1])).toEqual([['logs', 'no mail log is configured']])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
