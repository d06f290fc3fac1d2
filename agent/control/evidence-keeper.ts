/**
 * Collects evidence (P9): at once when an incident was declared and its levers were asked, again where a system gave
 * nothing, and whenever somebody asks. Bytes are durable before the register names them, so a cut leaves files that
 * nobody claims and never a claim without its files. It never holds up a lever.
 */
import type { MailHost } from '../../providers/provider.ts'
import { BrokenInvariant } from '../core/assert.ts'
import { formatInstant, type Instant } from '../core/clock.ts'
import { canonicalJson } from '../core/digest.ts'
import { hit } from '../core/failpoint.ts'
import {
  type BundleManifest,
  bundleFormat,
  collectorVersion,
  evidenceKind,
  formatManifest,
} from '../evidence/bundle.ts'
import { evidenceStore } from '../evidence/store.ts'
import type { BundleRecord } from '../incident/evidence.ts'
import type { Incident } from '../incident/incident.ts'
import { openIncidents } from '../incident/lifecycle.ts'
import type { Engine } from '../reconcile/engine.ts'
import { daemonActor } from '../reconcile/findings.ts'
import { proveEntries } from '../register/offline.ts'
import type { Actor } from '../register/register.ts'
import { gather, windowMs } from './evidence-sources.ts'

/** What stays away for an hour stays a gap until somebody asks again. */
const retriesMax = 12
const retryMs = 300_000

export type EvidenceKeeper = {
  /** A new version, whatever stands already. @throws the disk's own error when it cannot be kept. */
  collect(incident: Incident, actor: Actor): Promise<BundleRecord>
  /** Whatever open incidents lack, beside everything else. */
  later(): void
  /** Resolves when nothing is being collected. */
  idle(): Promise<void>
}

export type KeeperParts = {
  readonly engine: Engine
  readonly hosts: readonly MailHost[]
  readonly signal: AbortSignal
}

export function createEvidenceKeeper({ engine, hosts, signal }: KeeperParts): EvidenceKeeper {
  const { clock, log, config } = engine.parts
  const store = evidenceStore(config.stateFolder)
  const tries = new Map<string, { readonly count: number; readonly at: Instant }>()
  let turn: Promise<unknown> = Promise.resolve()
  let waiting = false

  const bundlesOf = (incident: Incident) => engine.history.evidence.bundles.get(incident.id) ?? []

  /** One after the other: a version number is given once. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work, work)
    turn = mine.catch(() => {})
    return mine
  }

  async function make(incident: Incident, actor: Actor, openMax: number): Promise<BundleRecord | null> {
    const { files, gaps } = await gather({ engine, hosts, incident, signal })
    // What is cut short by the daemon's own end is no gap of a system: the next start collects.
    if (signal.aborted) throw Object.assign(new Error('stopped'), { code: 'ECANCELED' })
    const open = gaps.filter(({ retry }) => retry).length
    if (open > openMax) return null
    const named = await Promise.all(
      files.map(async ({ path, bytes, notes, at }) => ({
        path,
        bytes: bytes.length,
        sha256: await store.put(bytes),
        collectedAt: formatInstant(at),
        ...(notes === undefined ? {} : { notes }),
      })),
    )
    const now = clock.now()
    const version = bundlesOf(incident).length + 1
    const manifest: BundleManifest = {
      format: bundleFormat,
      incident: incident.id,
      version,
      collector: { version: collectorVersion, program: 'mailwarden' },
      collectedAt: formatInstant(now),
      scope: incident.scope,
      window: { since: formatInstant(incident.declaredAt - windowMs), until: formatInstant(now) },
      clockOffset: { milliseconds: null, why: 'no source of time was asked' },
      files: named,
      gaps,
    }
    const digest = await store.put(Buffer.from(formatManifest(manifest)))
    hit('evidence.beforeEntry')
    // Numbers only: names, addresses and lines stand in the store.
    const counts = {
      files: named.length,
      bytes: named.reduce((sum, { bytes }) => sum + bytes, 0),
      gaps: gaps.length,
      open,
    }
    const facts = { incident: incident.id, version, manifest: digest, ...counts }
    const entry = { kind: evidenceKind, actor, at: formatInstant(now), subject: incident.id, rule: 'P9', facts }
    await engine.append([entry])
    return bundlesOf(incident).at(-1) as BundleRecord
  }

  /** Without a bundle, or with one that another try may complete. */
  function isDue(incident: Incident): boolean {
    if (incident.drill) return false
    const last = bundlesOf(incident).at(-1)
    if (last === undefined) return true
    const { count, at } = tries.get(incident.id) ?? { count: 0, at: last.at }
    return last.open > 0 && count < retriesMax && clock.now() - at >= retryMs
  }

  async function collectDue(): Promise<void> {
    waiting = false
    for (const incident of openIncidents(engine.history.incidents).filter(isDue)) {
      if (signal.aborted) return
      const last = bundlesOf(incident).at(-1)
      tries.set(incident.id, { count: (tries.get(incident.id)?.count ?? 0) + 1, at: clock.now() })
      try {
        const made = await make(incident, daemonActor, last === undefined ? Number.POSITIVE_INFINITY : last.open - 1)
        if (made !== null)
          log.write('info', 'evidence', { incident: incident.id, version: made.version, gaps: made.gaps })
      } catch (error) {
        if (error instanceof BrokenInvariant) throw error
        log.write('error', 'evidence not collected', { incident: incident.id, error: String(error) })
      }
    }
  }

  return {
    collect: (incident, actor) =>
      inTurn(async () => (await make(incident, actor, Number.POSITIVE_INFINITY)) as BundleRecord),
    later() {
      if (waiting) return
      waiting = true
      inTurn(collectDue).catch((error: unknown) =>
        log.write('error', 'evidence not collected', { error: String(error) }),
      )
    },
    async idle() {
      await turn
    },
  }
}

/** The proof of a bundle's entry, made once and kept: the same bundle is exported as the same bytes each time. */
export async function proofOf(engine: Engine, { manifest, index }: BundleRecord): Promise<string> {
  const { storeFile, stateFolder } = engine.parts.config
  const store = evidenceStore(stateFolder)
  const kept = await store.readProof(manifest)
  if (kept !== undefined) return kept
  const [proof] = await proveEntries({ file: storeFile, keysFolder: `${stateFolder}/keys` }, new Set([index]))
  const text = `${canonicalJson(proof)}\n`
  await store.keepProof(manifest, text)
  return text
}
