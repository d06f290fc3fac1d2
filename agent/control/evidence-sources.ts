/**
 * Where evidence comes from (P9): each source gives files or one gap with its reason, within its own time. A source that
 * is down or slow takes nothing from the others, and nothing here changes a system. What is copied from a configuration
 * or a directory are named fields: a secret that nobody names is not copied.
 */
import { readFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { type MailHost, ProviderFailure } from '../../providers/provider.ts'
import { type Clock, dayMs, formatInstant, type Instant } from '../core/clock.ts'
import { canonicalJson, type Json, sha256 } from '../core/digest.ts'
import { explain } from '../decision/explain.ts'
import { buildSnapshot } from '../decision/snapshot.ts'
import { entriesName, type Gap } from '../evidence/bundle.ts'
import { readCommit } from '../evidence/commit.ts'
import { sliceLog } from '../evidence/mail-log.ts'
import type { Incident } from '../incident/incident.ts'
import type { Account } from '../model/entity.ts'
import type { World } from '../model/world.ts'
import type { Engine } from '../reconcile/engine.ts'
import { proveEntries } from '../register/offline.ts'
import type { Stored } from '../register/register.ts'
import { scopeTest } from '../standards/hold-scope.ts'
import { incidentView } from './incident-views.ts'

/** P9: what came before an incident is looked for in three days. */
export const windowMs = 3 * dayMs
/** A host that has not answered by then is a gap, and asked again later. */
const sourceMsMax = 30_000
/** Logs of three busy days and a register of years are read, not asked for. */
const logMsMax = 300_000
/** Rows of one listing; beyond it the number of what is left out is told. */
const rowsMax = 20_000
/** A name in the archive has a hundred characters. */
const nameMax = 60
/** Decisions that are explained one by one. */
const explainedMax = 500

export type Found = {
  readonly path: string
  readonly bytes: Uint8Array
  readonly notes?: { readonly [key: string]: Json }
}
type Source = {
  readonly path: string
  readonly source: string
  readonly msMax: number
  readonly read: (signal: AbortSignal) => Promise<readonly Found[]>
}
export type Collecting = {
  readonly engine: Engine
  readonly hosts: readonly MailHost[]
  readonly incident: Incident
  readonly signal: AbortSignal
}

export type Gathered = { readonly files: readonly (Found & { readonly at: Instant })[]; readonly gaps: readonly Gap[] }

export async function gather(collecting: Collecting): Promise<Gathered> {
  const { clock } = collecting.engine.parts
  const done = await Promise.all(sourcesOf(collecting).map(source => ask(source, clock, collecting.signal)))
  const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)
  return {
    files: done.flatMap(({ files }) => files).toSorted(byPath),
    gaps: done.flatMap(({ gap }) => gap ?? []).toSorted(byPath),
  }
}

type Asked = { readonly files: Gathered['files']; readonly gap?: Gap }

async function ask({ path, source, msMax, read }: Source, clock: Clock, signal: AbortSignal): Promise<Asked> {
  const limit = AbortSignal.timeout(msMax)
  // A source that does not heed the signal must not hold up the bundle either.
  const late = new Promise<never>((_, reject) => limit.addEventListener('abort', () => reject(limit.reason)))
  late.catch(() => {})
  try {
    const files = await Promise.race([read(AbortSignal.any([signal, limit])), late])
    return { files: files.map(file => ({ ...file, at: clock.now() })) }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (limit.aborted) return gapOf(`no answer within ${msMax / 1000} s`, true)
    if (error instanceof ProviderFailure) return gapOf(error.message, error.retry === 'later')
    // The disk's own word, without the message: it may quote more than the name of the log.
    if (typeof code === 'string') return gapOf(code, true)
    if (error instanceof Error && error.name === 'RegisterFailure') return gapOf(error.message, true)
    throw error
  }

  function gapOf(reason: string, retry: boolean): Asked {
    return { files: [], gap: { path, source, reason, retry } }
  }
}

function sourcesOf({ engine, hosts, incident }: Collecting): readonly Source[] {
  const { config } = engine.parts
  const { scope } = incident
  const world = engine.world()
  const accounts = accountsOf(world, incident)
  const since = incident.declaredAt - windowMs
  const quick = { msMax: sourceMsMax }
  const aliases = scope.account === null ? [] : accounts.flatMap(account => account.aliases)
  return [
    {
      ...quick,
      path: 'state',
      source: 'register and manifests',
      read: async () => stateFiles(world, incident, accounts),
    },
    { ...quick, path: 'state/directory.jsonl', source: 'directory', read: directory },
    {
      ...quick,
      path: 'manifests.json',
      source: 'manifests',
      read: async () => [await manifestsFile(engine, world, incident)],
    },
    { msMax: logMsMax, path: 'register', source: 'register', read: async () => registerFiles(engine, incident, since) },
    ...hosts.flatMap(host => hostSources(host, incident)),
    ...config.evidence.logs.map((file, index): Source => {
      const path = `logs/${index + 1}-${safeName(basename(file))}`
      const read = async (signal: AbortSignal): Promise<readonly Found[]> => {
        const timeZone = config.operator.timeZone
        const { bytes, ...notes } = await sliceLog(file, {
          scope,
          aliases,
          since,
          timeZone,
          signal,
        })
        return [{ path, bytes, notes }]
      }
      return { path, source: safeName(basename(file)), msMax: logMsMax, read }
    }),
    ...(config.evidence.logs.length > 0
      ? []
      : [{ ...quick, path: 'logs', source: 'spec.evidence.logs', read: noLogs }]),
  ]

  async function directory(signal: AbortSignal): Promise<readonly Found[]> {
    const observed = await engine.parts.providers.get('directory')?.observe({ domains: [scope.domain] }, signal)
    const inScope = scopeTest(scope)
    const rows = (observed ?? []).map(({ resource }) => resource)
    // Named fields only: whatever a directory holds beside them, a password first of all, stays there.
    const own = rows.flatMap((row): Json[] => {
      if (row.kind === 'domain') return [pick(row, ['kind', 'key', 'delivery', 'login', 'collection'])]
      if (row.kind !== 'account' || !inScope(row.address)) return []
      return [pick(row, ['kind', 'address', 'role', 'status', 'allowNets', 'quotaBytes', 'aliases'])]
    })
    return [listing('state/directory.jsonl', own)]
  }
}

async function noLogs(): Promise<never> {
  throw new ProviderFailure('unsupported', 'no mail log is configured', { retry: 'never' })
}

function hostSources(host: MailHost, { scope }: Incident): readonly Source[] {
  const name = safeName(host.name)
  const { messages, sessions } = host
  const quick = { source: host.name, msMax: sourceMsMax }
  const sources: Source[] = []
  if (messages !== undefined)
    sources.push({
      ...quick,
      path: `queue/${name}.jsonl`,
      read: async signal => {
        // Envelope and reasons, never a line of the message.
        const found = await messages.call(host, scope, signal)
        return [
          listing(
            `queue/${name}.jsonl`,
            found.map(message => ({ ...message, arrivedAt: formatInstant(message.arrivedAt) })) as unknown as Json[],
          ),
        ]
      },
    })
  if (sessions !== undefined)
    sources.push({
      ...quick,
      path: `sessions/${name}.json`,
      read: async signal => {
        const live = Object.fromEntries(await sessions.call(host, scope, signal))
        // They were ended at once: who they were is what was seen before.
        const ended = (host.sessionsEnded?.(scope) ?? []).map(one => ({ ...one, at: formatInstant(one.at) }))
        return [document(`sessions/${name}.json`, { live, ended })]
      },
    })
  return sources
}

function accountsOf(world: World, { scope }: Incident): readonly Account[] {
  return [...world.accounts.values()]
    .map(({ account }) => account)
    .filter(({ domain, address }) => (scope.account === null ? domain === scope.domain : address === scope.account))
}

function stateFiles(world: World, incident: Incident, accounts: readonly Account[]): readonly Found[] {
  const { scope } = incident
  const domain = world.domains.get(scope.domain)
  const institution = domain && world.institutions.get(domain.domain.institution)
  const snapshot = buildSnapshot(world)
  const asked = [
    ...accounts.map(({ address }) => address),
    ...(accounts.length === 0 && scope.account ? [scope.account] : []),
  ]
  const decisions = asked.slice(0, explainedMax).map(address => ({
    address,
    sending: explain(snapshot, { login: address, sender: address, recipient: address, at: world.at }),
    receiving: explain(snapshot, { sender: 'probe@probe.invalid', recipient: address, at: world.at }),
  }))
  const left = asked.length - decisions.length
  return [
    document('state/incident.json', incidentView(incident, world.at) as unknown as Json),
    document('state/scope.json', {
      at: formatInstant(world.at),
      holds: world.holds.filter(hold => hold.scope.domain === scope.domain) as unknown as Json,
      domain: (domain ?? null) as unknown as Json,
      institution: (institution ?? null) as unknown as Json,
      modes: world.config.modes as unknown as Json,
      limits: world.config.limits as unknown as Json,
      national: world.config.national as unknown as Json,
    }),
    listing(
      'state/accounts.jsonl',
      accounts.map(account => ({
        state: world.accounts.get(account.address)?.state ?? null,
        account,
      })) as unknown as Json[],
    ),
    listing('state/decisions.jsonl', decisions as unknown as Json[], left),
  ]
}

async function manifestsFile(engine: Engine, world: World, { scope }: Incident): Promise<Found> {
  const folder = engine.parts.config.manifestsFolder
  const domain = world.domains.get(scope.domain)?.domain
  const institution = domain === undefined ? undefined : world.institutions.get(domain.institution)
  const places = [
    domain?.place,
    institution?.place,
    ...[...world.accounts.values()].map(({ account }) => (account.domain === scope.domain ? account.place : undefined)),
  ]
  const names = [
    ...new Set(places.flatMap(place => (place === undefined ? [] : [resolve(folder, place.file)]))),
  ].toSorted()
  const files = await Promise.all(
    names.map(async name => {
      const bytes = await readFile(name).catch(() => null)
      return {
        file: relative(folder, name),
        bytes: bytes?.length ?? null,
        sha256: bytes === null ? null : sha256(bytes),
      }
    }),
  )
  const accepted = engine.history.accepted.get(domain?.institution ?? '')?.digest ?? null
  const commit = (await readCommit(folder)) ?? null
  return document('manifests.json', { commit, accepted, files })
}

async function registerFiles(engine: Engine, { id, scope }: Incident, since: Instant): Promise<readonly Found[]> {
  const indexes = new Set<number>()
  const inScope = scopeTest(scope)
  const refusals: Json[] = []
  for await (const entry of engine.parts.register.read(0)) {
    if (entry.facts['incident'] === id || entry.subject === id) indexes.add(entry.index)
    if (entry.kind === 'policy.rejected' && Date.parse(entry.at) >= since) refusals.push(...refusalsOf(entry, inScope))
  }
  const { storeFile, stateFolder } = engine.parts.config
  const proofs = await proveEntries({ file: storeFile, keysFolder: join(stateFolder, 'keys') }, indexes)
  return [
    { path: entriesName, bytes: Buffer.from(proofs.map(proof => `${canonicalJson(proof)}\n`).join('')) },
    listing('signals/refusals.jsonl', refusals),
  ]
}

function refusalsOf({ index, at, personal }: Stored, inScope: (address: string) => boolean): Json[] {
  const decisions = (personal?.['decisions'] ?? []) as readonly { readonly [key: string]: Json }[]
  return decisions
    .filter(one => ['login', 'sender', 'recipient'].some(key => inScope(String(one[key] ?? ''))))
    .map(one => ({ entry: index, at, ...one }))
}

function document(path: string, value: Json): Found {
  return { path, bytes: Buffer.from(`${canonicalJson(value)}\n`) }
}

function listing(path: string, rows: readonly Json[], left = 0): Found {
  const taken = rows.slice(0, rowsMax)
  const cut = rows.length - taken.length + left
  const bytes = Buffer.from(taken.map(row => `${canonicalJson(row)}\n`).join(''))
  return { path, bytes, notes: { rows: taken.length, cut } }
}

function pick(row: object, keys: readonly string[]): Json {
  return Object.fromEntries(Object.entries(row).filter(([key]) => keys.includes(key))) as Json
}

/** Two names that differ stay two: what an archive does not take is spelled by its number. */
const safeName = (name: string) =>
  name.replaceAll(/[^A-Za-z0-9._-]|^\./gu, character => `_${character.codePointAt(0)?.toString(16)}`).slice(0, nameMax)
