/**
 * After a change, and when somebody asks: has what people see of some domains looked at, and put on record (C-CHG-01). It
 * runs beside the queue, never in it: a server that is slow to answer holds up nobody's suspension.
 */
import type { CredentialStore, Prober } from '../../providers/provider.ts'
import { ProviderFailure } from '../../providers/provider.ts'
import { formatInstant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import { desired } from '../desired/desired.ts'
import { type LoginTry, triedEntries } from '../incident/tried.ts'
import type { Outcome } from '../model/change.ts'
import { type DomainName, domainOf } from '../model/name.ts'
import type { Ref } from '../model/resource.ts'
import type { Finding, Probe } from '../model/verify.ts'
import type { World } from '../model/world.ts'
import type { Engine } from '../reconcile/engine.ts'
import type { Actor } from '../register/register.ts'
import { makeProbes } from '../verify/probes.ts'
import { runProbes } from '../verify/run.ts'

/** Domains looked at in one go; after a first apply of thousands a sample is enough, and the view says how many were left. */
const domainsMax = 20
/** Domains that may lend an account to show that a door lets anybody in. */
const controlsMax = 5

export type VerificationParts = {
  readonly engine: Engine
  readonly credentials: CredentialStore
  readonly prober: Prober
  /** Null when a command works by itself: then the embedded name server answers nobody. */
  readonly daemon: { readonly pid: number } | null
}

/** `unproved`: nobody answered, or the answer says nothing either way. */
export type VerificationView = {
  readonly domains: readonly string[]
  /** Domains that changed too, and were not looked at. */
  readonly left: number
  readonly probes: number
  readonly asWanted: number
  /** What is otherwise, and what is unproved. */
  readonly findings: readonly FindingView[]
}

export type FindingView = {
  readonly kind: Probe['kind']
  readonly domain: string
  readonly account: string | null
  readonly door: string | null
  readonly from: string | null
  readonly wanted: 'accepted' | 'refused' | null
  readonly result: 'otherwise' | 'unproved'
  readonly detail: string
}

/** Domains with an outcome that did something, in the order of the outcomes. */
export function changedDomains(outcomes: readonly Outcome[]): DomainName[] {
  const changed = outcomes.filter(({ result }) => result === 'applied' || result === 'unknown')
  return [...new Set(changed.flatMap(({ ref }) => domainOfRef(ref) ?? []))]
}

function domainOfRef({ kind, key }: Ref): DomainName | null {
  switch (kind) {
    case 'zone':
    case 'domain':
      return key as DomainName
    case 'rrset':
      return key.slice(0, key.indexOf('/')) as DomainName
    case 'account':
      return domainOf(key as never)
    case 'member':
      return null
  }
}

/** Null when nothing is configured to be looked at. */
export async function verifyDomains(
  { engine, credentials, prober, daemon }: VerificationParts,
  changed: readonly DomainName[],
  actor: Actor,
  signal: AbortSignal,
): Promise<VerificationView | null> {
  const { clock, config } = engine.parts
  const { nameServersFrom } = config.verify
  const isSilent = nameServersFrom === 'embedded' && daemon === null
  const verify = isSilent ? { ...config.verify, nameServers: [] } : config.verify
  if (verify.nameServers.length === 0 && verify.master === null) return null
  const world = engine.world()
  const domains = changed.filter(name => world.domains.has(name)).slice(0, domainsMax)
  if (domains.length === 0) return null
  const others = [...world.domains.keys()].filter(name => !domains.includes(name)).slice(0, controlsMax)
  const scope = { domains: [...domains, ...others] }
  const known = verify.master === null ? nobody : await withPassword(credentials, scope.domains)
  // Whose logins there are is not known: that none was tried is a finding, or nothing would look like all is well.
  const untried = domains.flatMap(domain => {
    const detail = known.troubles.get(domain)
    return detail === undefined ? [] : [untriedView(domain, detail)]
  })
  const probes = makeProbes({
    desired: desired(world, scope),
    domains,
    config: verify,
    withPassword: known.addresses,
    closedForMail: new Set(domains.filter(name => isClosedForMail(world, name))),
    seed: String(engine.history.size),
  })
  if (probes.length + untried.length === 0) return null
  const findings = await runProbes(probes, { prober, clock, patienceMs: verify.patienceMs, signal })
  const view: VerificationView = {
    domains,
    left: changed.length - domains.length,
    probes: probes.length + untried.length,
    asWanted: findings.filter(({ seen }) => seen.result === 'as-wanted').length,
    findings: [...untried, ...findings.flatMap(toView)],
  }
  const { findings: found, ...counts } = view
  const by = { actor, at: clock.now() }
  const tries = findings.flatMap(({ probe, seen }): LoginTry[] => {
    if (probe.kind !== 'login') return []
    const protocol = config.verify.doors.find(({ name }) => name === probe.door)?.protocol
    return protocol === undefined ? [] : [{ ...probe, protocol, seen: seen.result }]
  })
  const special = (domain: DomainName) => world.domains.get(domain)?.domain
  const otherwise = found.filter(({ result }) => result === 'otherwise').length
  const done = {
    kind: 'verification.done',
    actor,
    at: formatInstant(by.at),
    subject: domains.length === 1 ? (domains[0] ?? '') : 'providers',
    rule: 'C-CHG-01',
    facts: { ...counts, otherwise, unproved: found.length - otherwise },
    personal: { findings: found as unknown as Json },
  }
  // Compared and recorded in one turn: two looks at the same time tell it once.
  await engine.serially(() => engine.append([done, ...triedEntries(engine.history.incidents, tries, special, by)]))
  return view
}

type Known = {
  /** Addresses that have a password. */
  readonly addresses: ReadonlySet<string>
  /** Domains of which the directory did not say, and its words. */
  readonly troubles: ReadonlyMap<DomainName, string>
}
const nobody: Known = { addresses: new Set(), troubles: new Map() }

/** A directory that is away has no passwords to offer, so no login is tried. */
async function withPassword(credentials: CredentialStore, domains: readonly DomainName[]): Promise<Known> {
  const [addresses, troubles] = [new Set<string>(), new Map<DomainName, string>()]
  await Promise.all(
    domains.map(async domain => {
      try {
        for (const address of (await credentials.credentialChanges(domain)).keys()) addresses.add(address)
      } catch (error) {
        if (!(error instanceof ProviderFailure)) throw error
        troubles.set(domain, error.message)
      }
    }),
  )
  return { addresses, troubles }
}

function untriedView(domain: DomainName, trouble: string): FindingView {
  const detail = `no login was tried: ${trouble}`
  const about = { kind: 'login', domain, account: null, door: null, from: null, wanted: null } as const
  return { ...about, result: 'unproved', detail }
}

function isClosedForMail({ domains, holds }: World, name: DomainName): boolean {
  const state = domains.get(name)?.state
  return state === 'withdrawn' || holds.some(({ scope }) => scope.domain === name)
}

function toView({ probe, seen }: Finding): FindingView[] {
  if (seen.result === 'as-wanted') return []
  return [
    {
      kind: probe.kind,
      domain: probe.domain,
      account: probe.kind === 'zone' ? null : probe.account,
      door: probe.kind === 'login' ? probe.door : null,
      from: probe.kind === 'zone' ? null : probe.from,
      wanted: probe.kind === 'login' ? probe.wanted : null,
      result: seen.result,
      detail: seen.detail,
    },
  ]
}

/**
 * For `doctor`: whether each door lets in somebody who may get in. Puts nothing on record.
 */
export async function checkDoors(
  { engine, credentials, prober }: VerificationParts,
  signal: AbortSignal,
): Promise<readonly { readonly door: string; readonly trouble: string | null }[]> {
  const { clock, config } = engine.parts
  const world = engine.world()
  const domains = [...world.domains.keys()].slice(0, domainsMax)
  const known = config.verify.master === null ? nobody : await withPassword(credentials, domains)
  const probes = makeProbes({
    desired: desired(world, { domains }),
    domains,
    config: { ...config.verify, nameServers: [], delivery: false },
    withPassword: known.addresses,
    closedForMail: new Set(),
    seed: '',
  })
  const tried = config.verify.doors.map(({ name }) => ({
    door: name,
    probe: probes.find(probe => probe.kind === 'login' && probe.door === name && probe.wanted === 'accepted'),
  }))
  const findings = await runProbes(
    tried.flatMap(({ probe }) => probe ?? []),
    { prober, clock, patienceMs: 0, signal },
  )
  return tried.map(({ door, probe }) => {
    const seen = findings.find(finding => finding.probe === probe)?.seen
    if (seen === undefined) {
      const [trouble = 'no account that may get in now has a password'] = known.troubles.values()
      return { door, trouble }
    }
    return { door, trouble: seen.result === 'as-wanted' ? null : seen.detail }
  })
}

export type Verifier = {
  /** Has these domains looked at, soon, and beside everything else. */
  later(domains: readonly DomainName[]): void
  /** Resolves when nothing is being looked at. */
  idle(): Promise<void>
}

/** Of the daemon: one look at a time; what changes meanwhile is looked at next. */
export function createVerifier(parts: VerificationParts, actor: Actor, signal: AbortSignal): Verifier {
  const { log } = parts.engine.parts
  const waiting = new Set<DomainName>()
  let running: Promise<void> | null = null

  async function work(): Promise<void> {
    while (waiting.size > 0 && !signal.aborted) {
      const domains = [...waiting]
      waiting.clear()
      const view = await verifyDomains(parts, domains, actor, signal)
      if (view === null) continue
      const { findings, ...counts } = view
      log.write('info', 'verified', counts)
      for (const finding of findings)
        log.write(finding.result === 'otherwise' ? 'error' : 'warn', 'not seen as it should be', finding)
    }
  }
  function begin(): void {
    if (waiting.size === 0 || signal.aborted) return
    running ??= work()
      .catch((error: unknown) => {
        log.write('error', 'verification failed', { error: error instanceof Error ? error.stack : String(error) })
      })
      .finally(() => {
        running = null
        // What came in at the last moment.
        begin()
      })
  }
  return {
    later(domains) {
      for (const domain of domains) waiting.add(domain)
      begin()
    },
    idle: async () => {
      while (running !== null) await running
    },
  }
}
