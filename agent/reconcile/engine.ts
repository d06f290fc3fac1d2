/**
 * The engine: holds the one register, the one history and the one view of the manifests, and does the four things that
 * change anything: accept manifests, make keys, apply changes, record acts. The daemon and a single command both run
 * on it. It knows providers by their interface only; `main.ts` names them.
 */

import type { Observed, Provider, Scope } from '../../providers/provider.ts'
import { applyChanges } from '../apply/apply.ts'
import { type Clock, formatInstant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import { hit } from '../core/failpoint.ts'
import type { Log } from '../core/log.ts'
import { withinScope } from '../desired/desired.ts'
import type { CountryReading } from '../manifest/country-data.ts'
import type { Change, Outcome, Plan } from '../model/change.ts'
import type { DomainName } from '../model/name.ts'
import type { ProviderName, Ref, Resource } from '../model/resource.ts'
import type { AgentConfig, CheckedEstate, World } from '../model/world.ts'
import type { Acceptance } from '../plan/guards.ts'
import { keylessDomains, makePlan, type Planned, permitted } from '../plan/plan.ts'
import type { Actor, NewEntry, Register, Stored } from '../register/register.ts'
import { foldEntry, type History } from '../world/history.ts'
import { joinWorld, pendingAcceptance } from '../world/world.ts'
import { contestedEntries, driftEntries } from './findings.ts'
import { observeReached, unreadOf } from './observe.ts'
import type { Lane, WorkQueue } from './queue.ts'

/** A pass that still finds work after this many rounds is not converging: it stops and says so. */
export const roundsMax = 5

/** Entries after which other manifests may be due: what had left is gone, or what had to wait may go on. */
const acceptanceMoves = new Set(['ownership.ended', 'service.restored', 'incident.annulled'])

export type EngineParts = {
  readonly config: AgentConfig
  readonly register: Register
  /** The register's log id: names this installation in marks. */
  readonly installation: string
  /** What plans are for, by configuration: part of their digest. */
  readonly target: string
  readonly providers: ReadonlyMap<ProviderName, Provider>
  readonly clock: Clock
  readonly log: Log
  readonly queue: WorkQueue
  /** What opening the register folded already. */
  readonly history: History
  readonly loadEstate: () => Promise<CheckedEstate>
  /** null where none are configured. */
  readonly loadCountry: () => Promise<CountryReading | null>
  readonly generateDkimKey: () => Promise<{ selector: string; publicKey: string; privateKeyPem: string }>
  /** Writes a private key where only the signer reads it; never into the register or a log. */
  readonly writeDkimKey: (domain: DomainName, selector: string, privateKeyPem: string) => Promise<void>
}

export type ReconcileOptions = {
  readonly lane: Lane
  readonly scope: Scope
  readonly actor: Actor
  readonly acceptance?: Acceptance
  /** Runs only when the plan made at the start passes; tells why not. */
  readonly approve?: (plan: Plan) => 'go' | 'stop'
  readonly progress?: (done: number, total: number) => void
  readonly signal: AbortSignal
}

export type ReconcileReport = {
  /** The plan that the pass began with. */
  readonly plan: Plan
  readonly outcomes: readonly Outcome[]
  readonly keysMade: number
  readonly stopped: boolean
  /** A last plan after applying has nothing more to do but what is refused. */
  readonly converged: boolean
  /** Systems that could not be reached: nothing of them was planned. */
  readonly unreached: readonly { readonly provider: ProviderName; readonly detail: string }[]
}

export class Engine {
  readonly parts: EngineParts
  readonly history: History
  checked: CheckedEstate = { estates: new Map(), waivers: [], blocked: new Map(), unreadable: [], diagnostics: [] }
  country: CountryReading | null = null
  /** Something happened since the last acceptance that could make another one due. */
  #acceptanceDue = true
  #turn: Promise<void> = Promise.resolve()
  /** Called after entries were folded in: projections that must not lag behind the register hang here. */
  readonly onEntries: ((entries: readonly Stored[]) => void)[] = []

  constructor(parts: EngineParts) {
    this.parts = parts
    this.history = parts.history
  }

  /** Reads the manifests and country data anew. A folder that can't be read at all keeps what was last accepted. */
  async reload(): Promise<void> {
    this.checked = await this.parts.loadEstate()
    this.country = await this.parts.loadCountry()
    this.#acceptanceDue = true
  }

  world(): World {
    const { config, clock } = this.parts
    return joinWorld(config, { ...this.checked, country: this.country?.table ?? null }, this.history, clock.now())
  }

  /** Durable first, then folded in, then seen by every projection; only then acknowledged to the caller. */
  async append(entries: readonly NewEntry[]): Promise<readonly Stored[]> {
    if (entries.length === 0) return []
    const stored = await this.parts.register.append(entries)
    for (const entry of stored) {
      foldEntry(this.history, entry)
      // What was removed is no longer leaving: the accepted manifests shrink with it.
      const removed =
        entry.kind === 'apply.completed'
          ? ((entry.personal?.['deleted'] ?? []) as readonly unknown[]).length > 0
          : acceptanceMoves.has(entry.kind)
      if (removed) this.#acceptanceDue = true
    }
    for (const listener of this.onEntries) listener(stored)
    return stored
  }

  /**
   * Judging and recording in one turn: between the two nobody else's act may come in, or two people would be told the
   * same number, or both be the first of two.
   */
  serially<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work)
    this.#turn = turn.then(
      () => {},
      () => {},
    )
    return turn
  }

  /** Domains of which something is gone from the manifests and still stands. */
  leavingDomains(): DomainName[] {
    const { domains, accounts } = this.world()
    const leaving = new Set<DomainName>()
    for (const [name, domain] of domains) if (domain.leaving) leaving.add(name)
    for (const { account, leaving: goes } of accounts.values()) if (goes) leaving.add(account.domain)
    return [...leaving]
  }

  /**
   * Records the valid manifests as accepted.
   * @returns the domains whose desired state may have moved.
   */
  async acceptManifests(actor: Actor): Promise<DomainName[]> {
    if (!this.#acceptanceDue) return []
    this.#acceptanceDue = false
    const at = formatInstant(this.parts.clock.now())
    const { accept, drop } = pendingAcceptance(this.checked, this.history)
    const touched = new Set<DomainName>()
    const touch = (name: string) => {
      for (const domain of this.history.accepted.get(name)?.estate.domains ?? []) touched.add(domain.name)
    }
    const entries: NewEntry[] = []
    for (const [institution, estate, digest] of accept) {
      touch(institution)
      for (const domain of estate.domains) touched.add(domain.name)
      entries.push({
        kind: 'manifests.accepted',
        actor,
        at,
        subject: institution,
        rule: 'S27',
        facts: { institution, digest, domains: estate.domains.length, accounts: estate.accounts.length },
        personal: { estate: estate as unknown as Json },
      })
    }
    for (const institution of drop) {
      touch(institution)
      entries.push({ kind: 'manifests.removed', actor, at, subject: institution, rule: 'S27', facts: { institution } })
    }
    await this.append(entries)
    if (entries.length > 0) hit('run.afterManifestsAccepted')
    return [...touched]
  }

  /**
   * Makes the DKIM keys that live domains lack. The private key is on disk before the public one is known to anybody.
   * @returns the domains that have one now.
   */
  async ensureKeys(actor: Actor, scope: Scope): Promise<DomainName[]> {
    const made: DomainName[] = []
    for (const name of keylessDomains(withinScope(this.world(), scope))) {
      const key = await this.parts.generateDkimKey()
      try {
        await this.parts.writeDkimKey(name, key.selector, key.privateKeyPem)
      } catch (error) {
        // One domain without a signature is a smaller harm than everything waiting for it; the next pass tries again.
        this.parts.log.write('error', 'DKIM key not written', { domain: name, error: String(error) })
        continue
      }
      hit('run.afterKeysWritten')
      await this.append([
        {
          kind: 'dkim.created',
          actor,
          at: formatInstant(this.parts.clock.now()),
          subject: name,
          facts: { domain: name, selector: key.selector, publicKey: key.publicKey },
        },
      ])
      hit('run.afterKeysRecorded')
      made.push(name)
    }
    return made
  }

  async observe(scope: Scope, signal: AbortSignal): Promise<Observed[]> {
    const observed = await Promise.all(
      [...this.parts.providers.values()].map(provider => provider.observe(scope, signal)),
    )
    return observed.flat()
  }

  /** Of the manifests, and of whatever else the register calls ours. */
  private knownDomains(): string[] {
    const owned = [...this.history.owned.values()].filter(({ ref }) => ref.kind === 'zone' || ref.kind === 'domain')
    return [...new Set([...this.world().domains.keys(), ...owned.map(({ ref }) => ref.key)])]
  }

  /**
   * Writes nothing anywhere.
   * @param keysMade domains that got their DKIM key in this pass: a plan with them is the plan that announced them.
   * @param unreached gets the systems that could not be reached; without it such a system is a failure of the whole.
   */
  async plan(
    scope: Scope,
    acceptance: Acceptance,
    signal: AbortSignal,
    keysMade: readonly DomainName[] = [],
    unreached?: Map<ProviderName, string>,
  ): Promise<Planned> {
    const { installation, providers, clock } = this.parts
    const world = this.world()
    const canonical = (resource: Resource): Resource =>
      providers.get(resource.provider)?.canonical(resource) ?? resource
    const reached =
      unreached === undefined
        ? { observed: await this.observe(scope, signal), unreached: [] }
        : await observeReached([...providers.values()], { scope, known: () => this.knownDomains() }, signal)
    for (const { provider, failure } of reached.unreached) unreached?.set(provider, failure.message)
    return makePlan({
      world,
      history: this.history,
      observed: reached.observed,
      unread: new Map(reached.unreached.map(({ provider, failure }) => [provider, unreadOf(failure)])),
      scope,
      installation,
      target: this.parts.target,
      acceptance,
      keysMade,
      now: clock.now(),
      canonical,
      check: resource => providers.get(resource.provider)?.check(resource) ?? [],
    })
  }

  /** A plan that knows every incident: one declared while the providers were read makes it anew. */
  private async planNow(...args: Parameters<Engine['plan']>): Promise<Planned> {
    for (;;) {
      const { incidents } = this.history
      const planned = await this.plan(...args)
      if (this.history.incidents === incidents) return planned
    }
  }

  /** Accept, make keys, plan, apply, until the next plan is empty. Runs inside the caller's turn of the queue. */
  async reconcile(options: ReconcileOptions): Promise<ReconcileReport> {
    const { scope, actor, signal, lane } = options
    const acceptance = options.acceptance ?? {}
    // A person who plans and applies is told of a system that is away; the schedule and an incident go on without it.
    const unreached = lane === 'operator' ? undefined : new Map<ProviderName, string>()
    let planned = await this.planNow(scope, acceptance, signal, [], unreached)
    const { incidents } = this.history
    const first = planned.plan
    const stopped = { plan: first, outcomes: [], keysMade: 0, stopped: true, converged: false, unreached: [] }
    if (options.approve?.(first) === 'stop') return stopped
    const at = formatInstant(this.parts.clock.now())
    await this.append([...driftEntries(first, at), ...contestedEntries(planned, this.history.contested, at)])
    let made: DomainName[] = []
    // Closing and opening doors waits for no key and no paper; the next pass makes up for both.
    if (lane !== 'incident') {
      await this.acceptManifests(actor)
      made = await this.ensureKeys(actor, scope)
    }
    if (made.length > 0 || this.history.incidents !== incidents) {
      planned = await this.planNow(scope, acceptance, signal, made, unreached)
      if (options.approve?.(planned.plan) === 'stop') return { ...stopped, keysMade: made.length }
    }
    const outcomes: Outcome[] = []
    let converged = false
    for (let round = 0; round < roundsMax && !signal.aborted; round += 1) {
      await this.endOwnership(planned.vanished, actor)
      const changes = permitted(planned.plan)
      if (changes.length === 0) {
        converged = true
        break
      }
      const accepted = round === 0 && acceptance.delete !== undefined
      const result = await this.applyPlanned(planned.plan, changes, { ...options, accepted })
      // One by one: a first apply has more outcomes than a call takes arguments.
      for (const outcome of result) outcomes.push(outcome)
      if (lane !== 'incident' && this.parts.queue.isMoreUrgentThan(lane)) break
      // What could not be done now is for the next cycle; a tight loop against a refusing server helps nobody.
      if (result.every(outcome => outcome.result !== 'applied')) break
      planned = await this.planNow(scope, {}, signal, [], unreached)
    }
    await this.acceptManifests(actor)
    const away = [...(unreached ?? [])].map(([provider, detail]) => ({ provider, detail }))
    return { plan: first, outcomes, keysMade: made.length, stopped: false, converged, unreached: away }
  }

  private async applyPlanned(
    plan: Plan,
    changes: readonly Change[],
    options: ReconcileOptions & { readonly accepted: boolean },
  ): Promise<readonly Outcome[]> {
    const { installation, providers, clock, queue } = this.parts
    const { outcomes } = await applyChanges(
      {
        installation,
        providers,
        clock,
        actor: options.actor,
        append: entries => this.append(entries),
        planDigest: plan.digest,
        accepted: options.accepted,
        ...(options.progress ? { progress: options.progress } : {}),
        shouldYield: () => queue.isMoreUrgentThan(options.lane),
      },
      changes,
      options.signal,
    )
    return outcomes
  }

  private async endOwnership(refs: readonly Ref[], actor: Actor): Promise<void> {
    if (refs.length === 0) return
    const at = formatInstant(this.parts.clock.now())
    await this.append([
      {
        kind: 'ownership.ended',
        actor,
        at,
        subject: 'directory',
        facts: { count: refs.length },
        personal: { refs: refs as unknown as Json },
      },
    ])
  }
}
