/**
 * The composition root: the only file that names concrete providers, the real clock and the real register. It is loaded
 * by a command that does its work itself, not by one that asks the daemon.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { reportMailbox } from '../providers/imap/reports.ts'
import { blocklists } from '../providers/probe-dns/blocklist.ts'
import type { Blocklists, CredentialStore, MailHost, Prober, ReportMailbox } from '../providers/provider.ts'
import { CommandFailure, exits, type Io } from './cli/io.ts'
import type { Worlds } from './cli/worlds.ts'
import { authenticateCaller } from './control/caller.ts'
import { createEvidenceKeeper } from './control/evidence-keeper.ts'
import { heldMailStore } from './control/held-mail.ts'
import { createImageKeeper, imageFile, readKeptImage } from './control/image-keeper.ts'
import { type Decisions, startDecisions } from './control/live.ts'
import { operations, runOperation } from './control/operations.ts'
import type { OperationResult } from './control/protocol.ts'
import { BrokenInvariant } from './core/assert.ts'
import { dayOf } from './core/clock.ts'
import { createLog, type Log, silentLog } from './core/log.ts'
import { systemClock } from './core/system-clock.ts'
import { runDaemon } from './daemon.ts'
import { readImage } from './decision/image-file.ts'
import { dueTimers } from './incident/timers.ts'
import { type CountryReading, createCountryReader } from './manifest/country-data.ts'
import { createEstateReader, loadEstate } from './manifest/load.ts'
import type { Language } from './model/entity.ts'
import type { DomainName } from './model/name.ts'
import type { AgentConfig } from './model/world.ts'
import { type Courier, createCourier } from './notify/courier.ts'
import { deliverNotices, makeNotices, makeSignalNotices } from './notify/follow.ts'
import { createProber } from './prober.ts'
import { Engine } from './reconcile/engine.ts'
import { type Lock, takeLock } from './reconcile/lock.ts'
import { createQueue } from './reconcile/queue.ts'
import { originOf } from './register/checkpoint.ts'
import { RegisterFailure } from './register/failure.ts'
import { formatFinding } from './register/finding.ts'
import { listEntries, verifyStore } from './register/offline.ts'
import type { Register, Stored } from './register/register.ts'
import { openSqliteRegister } from './register/sqlite.ts'
import { openForReading as openStoreForReading, readLogId } from './register/store.ts'
import { readSecret } from './secrets.ts'
import { generateDkimKey } from './standards/dkim.ts'
import { openMailHosts, openNotifier, openSystems, targetOf } from './systems.ts'
import { emptyHistory, foldEntry, type History } from './world/history.ts'
import { dueSignals } from './world/signals.ts'
import { joinWorld } from './world/world.ts'

const day = (timeZone: string) => ({ today: dayOf(systemClock.now(), timeZone), timeZone })

/** Collected again and again: not what the last of a full disk is kept for. */
const isEvidence = (kind: string) => kind.startsWith('incident.evidence') || kind === 'incident.exported'

const random = (bytes: number): Uint8Array => randomBytes(bytes)

/** Everything an operation or the daemon stands on, and how to let go of it. */
export type Open = AsyncDisposable & {
  readonly engine: Engine
  readonly credentials: CredentialStore
  readonly courier: Courier
  readonly hosts: readonly MailHost[]
  readonly prober: Prober
  /** Null where none is configured. */
  readonly reports: ReportMailbox | null
  readonly blocklists: Blocklists | null
  /** Sentences about a register that does not verify; empty when it does. */
  readonly findings: (language: Language) => readonly string[]
  /** Resolves when the newest head stands in every witness. */
  readonly witness: () => Promise<void>
  /** Signs the head again: an idle register that falls silent is an alarm elsewhere. */
  readonly signAgain: () => Promise<unknown>
  /** Alarms of the register that stop nothing. */
  readonly troubles: () => readonly string[]
  readonly acceptHead: (actor: { person: string; role: string }, reason: string) => Promise<Stored>
}

/** A register that is not there yet: empty, and nothing can be written to it. */
const noRegister: Register = {
  size: 0,
  append: () => Promise.reject(new BrokenInvariant('a command that only reads recorded something')),
  async *read() {},
  checkpoint: () => Promise.reject(new BrokenInvariant('no register, no checkpoint')),
  async [Symbol.asyncDispose]() {},
}

async function writeDkimKey(config: AgentConfig, domain: DomainName, selector: string, pem: string): Promise<void> {
  const folder = join(config.stateFolder, 'dkim', domain)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, `${selector}.key`)
  const handle = await open(`${file}.part`, 'w', 0o600)
  try {
    await handle.writeFile(pem)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.part`, file)
}

/** For commands that change things, and for the daemon. The caller holds the lock. */
async function openForWriting(config: AgentConfig, log: Log, mode: 'write' | 'serve'): Promise<Open> {
  mkdirSync(config.stateFolder, { recursive: true, mode: 0o700 })
  const history = emptyHistory()
  const register = await openSqliteRegister({
    file: config.storeFile,
    keysFolder: join(config.stateFolder, 'keys'),
    witnessFiles: config.witnessFiles,
    clock: systemClock,
    random,
    onEntry: entry => foldEntry(history, entry),
    // A full disk must not keep a suspension from being recorded (R17).
    usesReserve: ({ kind }) => kind.startsWith('incident.') && !isEvidence(kind),
  })
  const opened = await openSystems(config.providers, mode, systemClock)
  const reader = createEstateReader(config.manifestsFolder)
  const engine = new Engine({
    config,
    register,
    installation: register.origin,
    target: targetOf(config.providers),
    providers: opened.providers,
    clock: systemClock,
    log,
    queue: createQueue(),
    history,
    loadEstate: () => reader.load(day(config.operator.timeZone)),
    loadCountry: countryLoader(config),
    generateDkimKey,
    writeDkimKey: (domain, selector, pem) => writeDkimKey(config, domain, selector, pem),
  })
  const hosts = openMailHosts(config.providers.mail, systemClock, host => heldMailStore(engine, host))
  const notifier = await openNotifier(config.providers.notify, systemClock)
  const timersNow = () => dueTimers(history.incidents, systemClock.now(), config.operator.onCall?.length ?? 0)
  const courier = createCourier(() => {
    const world = engine.world()
    const made = [
      ...makeNotices(history.incidents, world, timersNow()),
      ...makeSignalNotices(dueSignals(history.signals, systemClock.now()), world),
    ]
    return deliverNotices(made, { notifier, append: entries => engine.append(entries), clock: systemClock, log })
  }, systemClock)
  return {
    engine,
    credentials: opened.credentials,
    courier,
    hosts,
    prober: createProber(config.verify, systemClock),
    reports: reportsOf(config),
    blocklists: config.detection.blocklists === null ? null : blocklists(config.detection.blocklists.resolver),
    findings: language =>
      register.trust.ok ? [] : register.trust.findings.map(finding => formatFinding(finding, language)),
    witness: () => register.witness(),
    signAgain: () => register.signAgain(),
    troubles: () => register.troubles,
    acceptHead: (actor, reason) => register.acceptHead(actor, reason),
    async [Symbol.asyncDispose]() {
      await courier.idle()
      for (const host of hosts) await host[Symbol.asyncDispose]()
      await opened[Symbol.asyncDispose]()
      await register[Symbol.asyncDispose]()
    },
  }
}

function reportsOf({ detection }: AgentConfig): ReportMailbox | null {
  if (detection.reports === null) return null
  const { user, password, ...target } = detection.reports.mailbox
  return reportMailbox(target, () => ({ user, password: readSecret(password) }))
}

/** Country data as configured; what is in force outlives a restart in the image of live decisions. */
function countryLoader({ national, file, stateFolder }: AgentConfig): () => Promise<CountryReading | null> {
  const setting = national.countryData
  if (setting === null) return async () => null
  const kept = async () => (await readImage(imageFile(stateFolder)))?.country ?? null
  const reader = createCountryReader({ setting, folder: dirname(file), kept })
  return () => reader.read()
}

/** The log id that marks are made of; a register that is not there yet has none. */
function installationOf(config: AgentConfig, exists: boolean): string {
  if (!exists) return ''
  using store = openStoreForReading(config.storeFile)
  return originOf(readLogId(store))
}

/** Folds the register as far as it can be read, and says what speaks against it: content, keys and witnesses. */
async function readRegister(
  config: AgentConfig,
  history: History,
): Promise<{ findings: readonly string[]; troubles: readonly string[] }> {
  const place = { file: config.storeFile, keysFolder: join(config.stateFolder, 'keys') }
  try {
    const { findings, troubles } = await verifyStore({ ...place, witnessFiles: config.witnessFiles })
    for await (const entry of listEntries(config.storeFile)) foldEntry(history, entry)
    return { findings: findings.map(finding => formatFinding(finding, config.operator.language)), troubles }
  } catch (error) {
    if (error instanceof RegisterFailure) return { findings: [error.message], troubles: [] }
    throw error
  }
}

/** For commands that only read: nothing is made, not even a folder. */
async function openForReading(config: AgentConfig): Promise<Open> {
  const history = emptyHistory()
  const exists = existsSync(config.storeFile)
  const verdict = exists ? await readRegister(config, history) : { findings: [], troubles: [] }
  const opened = await openSystems(config.providers, 'read', systemClock)
  const engine = new Engine({
    config,
    register: { ...noRegister, size: history.size },
    installation: installationOf(config, exists),
    target: targetOf(config.providers),
    providers: opened.providers,
    clock: systemClock,
    log: silentLog,
    queue: createQueue(),
    history,
    loadEstate: () => loadEstate(config.manifestsFolder, day(config.operator.timeZone)),
    loadCountry: countryLoader(config),
    generateDkimKey: () => Promise.reject(new BrokenInvariant('a command that only reads made a key')),
    writeDkimKey: () => Promise.reject(new BrokenInvariant('a command that only reads wrote a key')),
  })
  const readOnly = () => Promise.reject(new BrokenInvariant('a command that only reads wrote'))
  return {
    engine,
    credentials: opened.credentials,
    courier: { deliver: readOnly, idle: async () => {} },
    hosts: openMailHosts(config.providers.mail, systemClock, host => heldMailStore(engine, host)),
    prober: createProber(config.verify, systemClock),
    reports: null,
    blocklists: null,
    findings: () => verdict.findings,
    witness: async () => {},
    signAgain: readOnly,
    troubles: () => verdict.troubles,
    acceptHead: readOnly,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]()
    },
  }
}

/**
 * Today's world, and the one that other manifests or another configuration would make of the same register and holds, once
 * applied: what is in it no more has gone. Reads the store beside a daemon that runs, asks no system, writes nothing.
 * Errors of the other manifests are diagnostics, and then there is no other world.
 */
export async function readWorlds(config: AgentConfig, other: AgentConfig | null): Promise<Worlds> {
  const history = emptyHistory()
  const { findings } = existsSync(config.storeFile) ? await readRegister(config, history) : { findings: [] }
  const at = systemClock.now()
  const estateOf = async (config: AgentConfig) => {
    const { manifestsFolder, operator } = config
    const { timeZone } = operator
    const estate = await loadEstate(manifestsFolder, { today: dayOf(at, timeZone), timeZone })
    return { ...estate, country: (await countryLoader(config)())?.table ?? null }
  }
  const today = joinWorld(config, await estateOf(config), history, at)
  if (other === null) return { today, other: null, diagnostics: [], findings }
  const estate = await estateOf(other)
  const { diagnostics } = estate
  if (diagnostics.some(({ severity }) => severity === 'error')) return { today, other: null, diagnostics, findings }
  return { today, other: joinWorld(other, estate, { ...history, owned: new Map() }, at), diagnostics, findings }
}

/** @throws CommandFailure (69) naming who holds the lock. */
function lockOrFail(config: AgentConfig, what: string, io: Io): Lock {
  mkdirSync(config.stateFolder, { recursive: true, mode: 0o700 })
  const since = new Date(systemClock.now()).toISOString()
  const lock = takeLock(join(config.stateFolder, 'lock.db'), { pid: process.pid, what, since })
  if ('release' in lock) return lock
  throw new CommandFailure(exits.unavailable, io.say('daemonRunning', lock))
}

/** Runs an operation without a daemon: with the lock when it changes anything, without a trace when it does not. */
export async function runLocally(
  config: AgentConfig,
  request: { operation: string; args: Readonly<Record<string, unknown>>; user: string; token?: string },
  io: Io,
): Promise<OperationResult> {
  const changes = operations.get(request.operation)?.changes(request.args) ?? false
  const lock = changes ? lockOrFail(config, request.operation, io) : null
  try {
    await using open = changes ? await openForWriting(config, silentLog, 'write') : await openForReading(config)
    await open.engine.reload()
    const caller = authenticateCaller(open.engine, request)
    const { signal } = new AbortController()
    return await runOperation(request.operation, request.args, {
      ...open,
      evidence: createEvidenceKeeper({ ...open, signal }),
      caller,
      progress: () => {},
      signal,
      daemon: null,
      configurationChanged: async () => false,
      random,
      live: null,
      retry: () => {},
      verifyLater: () => {},
      stop: () => {},
    })
  } finally {
    lock?.release()
  }
}

/** The daemon, under the lock, until a signal ends it. */
export async function runHere(config: AgentConfig, io: Io, version: string): Promise<number> {
  const log = createLog({ level: 'info', now: systemClock.now })
  const lock = lockOrFail(config, 'run', io)
  const failed = new AbortController()
  const decisions = startDecisions({ config, log, clock: systemClock, fail: error => failed.abort(error) })
  try {
    await decisions.keepUsage()
    await answerAsBefore(config, decisions, log)
    await using open = await openForWriting(config, log, 'serve')
    const register = open.engine.parts.installation
    const keeper = createImageKeeper({ file: imageFile(config.stateFolder), register, clock: systemClock, log })
    const parts = { open, decisions, keeper, failed: failed.signal, config, log, io, clock: systemClock }
    return await runDaemon({ ...parts, random, version, user: userInfo().username })
  } finally {
    await decisions.close()
    lock.release()
    await log.close()
  }
}

/** Postfix gets its answers while register, manifests and systems are still being read. */
async function answerAsBefore(config: AgentConfig, decisions: Decisions, log: Log): Promise<void> {
  const exists = existsSync(config.storeFile)
  if (!exists) return
  const register = installationOf(config, exists)
  const place = { file: imageFile(config.stateFolder), register, storeFile: config.storeFile }
  const image = await readKeptImage(place).catch((error: unknown) => {
    log.write('warn', 'the image of live decisions can’t be used', { error: String(error) })
    return undefined
  })
  if (image === undefined) return
  decisions.service.show(image)
  await decisions.listen()
  log.write('info', 'answering as before the restart', { policy: decisions.addresses(), holds: image.holds.length })
}
