/**
 * What follows each pass: levers are probed and put on record, and notices go out. A lever is verified by asking the
 * very door that it closes: the live decision decides a request, the directory is read again.
 */

import { setTimeout } from 'node:timers/promises'
import { type MailHost, ProviderFailure } from '../../providers/provider.ts'
import { hit } from '../core/failpoint.ts'
import type { Incident, LeverState } from '../incident/incident.ts'
import { openIncidents } from '../incident/lifecycle.ts'
import { type DoorReport, doorEntries, isOpenOnHosts, reopenedEntries, touches } from '../incident/mail-doors.ts'
import { leverEntries } from '../incident/recovery.ts'
import { dueStageEntries, standingHold } from '../incident/stages.ts'
import type { Lever } from '../model/incident.ts'
import type { DirectoryAccount, DirectoryDomain } from '../model/resource.ts'
import type { World } from '../model/world.ts'
import { isProvisioned } from '../model/world.ts'
import type { Courier } from '../notify/courier.ts'
import type { Engine } from '../reconcile/engine.ts'
import { daemonActor } from '../reconcile/findings.ts'
import { closeDirectoryDoors, type StandingDoors } from './directory-doors.ts'
import type { LivePolicy } from './live.ts'
import { workMailDoors } from './mail-doors.ts'

export type AfterPassParts = {
  readonly engine: Engine
  readonly courier: Courier
  readonly live: LivePolicy | null
  readonly hosts: readonly MailHost[]
}

/** @returns what a mail host could not do, one sentence each; the next pass tries again. */
export async function afterPass(
  { engine, courier, live, hosts }: AfterPassParts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  // Stages of a release whose time has come, before anybody looks at what stands open.
  const by = { actor: daemonActor, at: engine.parts.clock.now() }
  const stages = dueStageEntries(engine.history.incidents, by)
  if (stages.length > 0) hit('stage.beforeOpened')
  await engine.append(stages)
  if (stages.length > 0) hit('stage.afterOpened')
  const { reports, failures } = await workMailDoors(engine, hosts, signal)
  const unread = await recordLevers({ engine, live, reports }, signal)
  await courier.deliver()
  return [...failures, ...unread]
}

/** Nobody is thrown out before the directory would keep them out, unless it is slow. */
const flagMs = 150

/**
 * For a suspension, beside the pass that walks over the accounts: the directory's own flags, sessions, caches and queues are
 * closed at once, and each lever is put on record as soon as all that it closes is proved closed. What is not, the pass
 * ends with another look at all of it.
 */
export async function closeAtOnce(
  { engine, live, hosts }: AfterPassParts,
  incident: Incident,
  signal: AbortSignal,
): Promise<Closed> {
  const world = engine.world()
  const reports: DoorReport[] = []
  const done = new Set<MailHost>()
  // Its caches were flushed before the flag stood: they may know a login that is closed since.
  const early = new Set<MailHost>()
  const directory: { standing: StandingDoors | null } = { standing: null }
  const loginHosts = hosts.filter(({ doors }) => doors.includes('sessions'))
  // A line in each Dovecot keeps a whole domain out too, should one look at nothing but its accounts.
  const isLined = () =>
    directory.standing?.isFollowed !== true ||
    (loginHosts.length > 0 && loginHosts.every(({ logins }) => logins !== undefined))
  const isProvable = (lever: Lever) =>
    hosts.every(host => done.has(host) || !touches(lever, host)) &&
    (directoryDoors[lever] === undefined || (directory.standing !== null && isLined() && early.size === 0))
  const prove = async () => {
    const newest = engine.history.incidents.byId.get(incident.id)
    if (newest === undefined || newest.ended !== null) return
    const found = await probeAll(
      [newest],
      { reports, probed: { world, standing: directory.standing?.resources ?? null, live } },
      isProvable,
    )
    await recordStates(
      engine,
      found.filter(({ state }) => state === 'verified'),
    )
  }

  const flags = closeDirectoryDoors(engine, incident, signal).then(found => {
    directory.standing = found
  })
  const closing = hosts.map(async host => {
    if (host.doors.includes('sessions')) {
      await Promise.race([flags, setTimeout(flagMs)])
      if (directory.standing === null) early.add(host)
    }
    const work = await workMailDoors(engine, [host], signal)
    await recordDoors(engine, work.reports)
    reports.push(...work.reports)
    done.add(host)
    await prove()
  })
  await Promise.all([flags.then(prove), ...closing])
  const newest = engine.history.incidents.byId.get(incident.id)
  const isProved = newest?.levers.every(lever => newest.progress.get(lever) === 'verified') ?? false
  return { isProved, isFollowed: directory.standing?.isFollowed ?? false }
}

/** Every lever stands verified; and something follows that no lever waits for. */
export type Closed = { readonly isProved: boolean; readonly isFollowed: boolean }

async function recordDoors(engine: Engine, reports: readonly DoorReport[]): Promise<void> {
  const by = byDaemon(engine)
  await engine.append([...reopenedEntries(reports, by.at), ...doorEntries(engine.history.incidents, reports, by)])
}

const byDaemon = (engine: Engine) => ({ actor: daemonActor, at: engine.parts.clock.now() })

type Looked = {
  readonly engine: Engine
  readonly live: LivePolicy | null
  readonly reports: readonly DoorReport[]
}

/** @returns why the directory could not be asked, if so: its levers count as failed then, and everything else goes on. */
async function recordLevers({ engine, live, reports }: Looked, signal: AbortSignal): Promise<readonly string[]> {
  await recordDoors(engine, reports)
  const domains = [...new Set(realIncidents(engine).map(incident => incident.scope.domain))]
  if (domains.length === 0) return []
  const world = engine.world()
  const failures: string[] = []
  hit('levers.beforeLooked')
  const observed = await engine.parts.providers
    .get('directory')
    ?.observe({ domains }, signal)
    .catch((error: unknown) => {
      if (!(error instanceof ProviderFailure)) throw error
      failures.push(error.message)
      return null
    })
  const standing = observed
    ? new Map(observed.map(({ resource }) => [`${resource.kind}:${resource.key}`, resource]))
    : null
  const found = await probeAll(realIncidents(engine), { reports, probed: { world, standing, live } }, () => true)
  await recordStates(engine, found)
  return failures
}

const realIncidents = (engine: Engine) => openIncidents(engine.history.incidents).filter(({ drill }) => !drill)

type Found = Parameters<typeof leverEntries>[1]

async function probeAll(
  incidents: readonly Incident[],
  { reports, probed }: { readonly reports: readonly DoorReport[]; readonly probed: Probed },
  isDue: (lever: Lever) => boolean,
): Promise<Found> {
  return Promise.all(
    incidents.flatMap(incident =>
      (standingHold(incident)?.levers ?? []).filter(isDue).map(async lever => {
        const own = reports.filter(report => report.incident === incident.id)
        const state = isOpenOnHosts(lever, own) ? ('failed' as const) : await probe(lever, incident, probed)
        return { incident: incident.id, lever, state }
      }),
    ),
  )
}

/** Compared and recorded in one turn: two looks at the same time tell it once. */
async function recordStates(engine: Engine, found: Found): Promise<void> {
  hit('levers.beforeRecorded')
  await engine.serially(() => engine.append(leverEntries(engine.history.incidents, found, byDaemon(engine))))
  hit('levers.afterRecorded')
}

type Probed = {
  readonly world: World
  /** Null when the directory could not be read. */
  readonly standing: ReadonlyMap<string, unknown> | null
  /** Null when no daemon answers: mail waits meanwhile, but nothing was proved. */
  readonly live: LivePolicy | null
}

/** The door in the directory that a lever closes; the others close live decisions alone. */
const directoryDoors: Readonly<Partial<Record<Lever, 'login' | 'collection' | 'administrator'>>> = {
  login: 'login',
  submission: 'login',
  collection: 'collection',
  administrator: 'administrator',
}

async function probe(lever: Lever, incident: Incident, probed: Probed): Promise<LeverState> {
  // Somebody got in: whatever the directory says of itself, that door is open until a try finds it closed.
  if (incident.tried?.open.includes(lever) === true) return 'failed'
  const door = directoryDoors[lever]
  if (door !== undefined) return probeDirectory(probed, incident, door)
  return probeLive(probed, incident, lever === 'receive' ? 'receive' : 'send')
}

const foreigner = 'probe@probe.invalid'

/** Asks the live decision as Postfix would, in the name of an account of the scope. */
async function probeLive(
  { world, live }: Probed,
  incident: Incident,
  direction: 'send' | 'receive',
): Promise<LeverState> {
  if (live === null) return 'applied'
  const { domain, account } = incident.scope
  const address =
    account ??
    [...world.accounts.values()].find(one => one.account.domain === domain && isProvisioned(one.state))?.account
      .address ??
    world.domains.get(domain)?.domain.administrator
  // Nobody is there who could send or receive: the door leads nowhere.
  if (address === undefined) return 'verified'
  const common = { state: 'RCPT', instance: `probe.${incident.id}`, clientAddress: '127.0.0.1' }
  // The correspondent is a foreigner: near ones pass while a release goes on in stages.
  const request =
    direction === 'send'
      ? { ...common, login: address, sender: address, recipient: foreigner }
      : { ...common, login: '', sender: foreigner, recipient: address }
  const decision = await live.ask(request)
  if (decision === null) return 'applied'
  const wanted = direction === 'send' ? 'suspended' : 'suspended-inbound'
  return decision.verdicts.some(verdict => verdict.policy === wanted) ? 'verified' : 'failed'
}

function probeDirectory(
  { world, standing }: Probed,
  incident: Incident,
  door: 'login' | 'collection' | 'administrator',
): LeverState {
  const { domain, account } = incident.scope
  if (standing === null) return 'failed'
  // What is not there lets nobody in; what is there is looked at, whatever the manifests say of it.
  const entry = world.domains.get(domain)
  if (account !== null) {
    const found = standing.get(`account:${account}`) as DirectoryAccount | undefined
    return found === undefined || found.status !== 'active' ? 'verified' : 'failed'
  }
  if (door === 'administrator') {
    const found = standing.get(`account:${entry?.domain.administrator}`) as DirectoryAccount | undefined
    return found === undefined || found.status !== 'active' ? 'verified' : 'failed'
  }
  const found = standing.get(`domain:${domain}`) as DirectoryDomain | undefined
  return found === undefined || found[door] !== 'active' ? 'verified' : 'failed'
}
