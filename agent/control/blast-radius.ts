/**
 * What a suspension would touch, before it does (P1): from the world, and from the mail hosts as they are at this moment.
 * Changes nothing and waits for nobody: a host that does not answer in time is named, and the rest is told.
 */
import { type MailHost, ProviderFailure, type QueuedMessage } from '../../providers/provider.ts'
import { desiredMembers } from '../desired/lists.ts'
import type { MailDomain } from '../model/entity.ts'
import type { HoldScope } from '../model/incident.ts'
import { domainOf, parseAddress } from '../model/name.ts'
import { isProvisioned, type World } from '../model/world.ts'
import { scopeTest } from '../standards/hold-scope.ts'

/** P1 asks for five seconds; starting and printing take some of them. */
const lookMsMax = 3_500

/** By direction; a message of several recipients can go both ways. */
export type QueuedCounts = {
  readonly outgoing: number
  readonly incoming: number
  readonly inside: number
  /** On hold already, whoever did it. */
  readonly held: number
}

export type BlastRadius = {
  readonly accounts: number
  readonly aliases: number
  readonly inbound: string
  /** Null where no host was asked, or one did not answer. */
  readonly sessions: number | null
  readonly people: number | null
  readonly queued: QueuedCounts | null
  /** Mailboxes that care depends on, as the domain's manifest names them. */
  readonly critical: readonly string[]
  /** Of the operator's lists, whose notices to somebody in the scope will wait. */
  readonly lists: readonly string[]
  readonly told: readonly string[]
  /** Hosts that did not answer, and why. */
  readonly unanswered: readonly string[]
}

export async function blastRadius(
  scope: HoldScope | undefined,
  world: World,
  hosts: readonly MailHost[],
  signal: AbortSignal,
): Promise<BlastRadius> {
  const domain = scope === undefined ? undefined : world.domains.get(scope.domain)
  const institution = domain === undefined ? undefined : world.institutions.get(domain.domain.institution)
  const accounts = [...world.accounts.values()].filter(({ account, state }) => {
    const covered = scope?.account === null ? account.domain === scope.domain : account.address === scope?.account
    return covered && isProvisioned(state)
  })
  const people = [institution?.director, institution?.representative, { email: world.config.operator.security }]
  const live =
    scope === undefined
      ? nothingAsked
      : await look(scope, hosts, AbortSignal.any([signal, AbortSignal.timeout(lookMsMax)]))
  return {
    accounts: accounts.length,
    aliases: accounts.reduce((sum, { account }) => sum + account.aliases.length, 0),
    inbound: domain?.domain.inboundWhenSuspended ?? 'defer',
    ...live,
    critical: criticalIn(scope, domain?.domain),
    lists: scope === undefined ? [] : listsOf(scope, world),
    told: people.flatMap(person => person?.email ?? []),
  }
}

/** Of one account only when it is that one. */
export function criticalIn(scope: HoldScope | undefined, domain: MailDomain | undefined): readonly string[] {
  const { critical = [] } = domain ?? {}
  return scope?.account == null ? critical : critical.filter(address => address === scope.account)
}

type Live = Pick<BlastRadius, 'sessions' | 'people' | 'queued' | 'unanswered'>
const nothingAsked: Live = { sessions: null, people: null, queued: null, unanswered: [] }

async function look(scope: HoldScope, hosts: readonly MailHost[], signal: AbortSignal): Promise<Live> {
  const unanswered: string[] = []
  const ask = async <T>(
    host: MailHost,
    question: ((scope: HoldScope, signal: AbortSignal) => Promise<T>) | undefined,
  ) => {
    try {
      return await question?.call(host, scope, signal)
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      unanswered.push(`${host.name}: ${error.message}`)
      return null
    }
  }
  const [sessions, messages] = await Promise.all([
    Promise.all(hosts.map(host => ask(host, host.sessions))),
    Promise.all(hosts.map(host => ask(host, host.messages))),
  ])
  const counted = sessions.filter(found => found !== undefined)
  const queues = messages.filter(found => found !== undefined)
  const isCounted = counted.length > 0 && !counted.includes(null)
  const counts = counted.flatMap(found => [...(found ?? [])])
  return {
    sessions: isCounted ? counts.reduce((sum, [, count]) => sum + count, 0) : null,
    people: isCounted ? new Set(counts.map(([user]) => user)).size : null,
    queued:
      queues.length === 0 || queues.includes(null)
        ? null
        : countQueued(
            scope,
            queues.flatMap(found => found ?? []),
          ),
    unanswered,
  }
}

function countQueued(scope: HoldScope, messages: readonly QueuedMessage[]): QueuedCounts {
  const inScope = scopeTest(scope)
  const counts = { outgoing: 0, incoming: 0, inside: 0, held: 0 }
  for (const { queue, sender, recipients } of messages) {
    if (queue === 'hold') counts.held += 1
    const within = recipients.filter(({ address }) => inScope(address)).length
    if (!inScope(sender)) counts.incoming += 1
    else if (within < recipients.length) counts.outgoing += 1
    else counts.inside += 1
  }
  return counts
}

function listsOf({ domain, account }: HoldScope, world: World): string[] {
  const isTouched = (address: string) => {
    const parsed = parseAddress(address)
    return parsed !== undefined && (account === null ? domainOf(parsed) === domain : parsed === account)
  }
  const lists = desiredMembers(world).filter(({ resource }) => isTouched(resource.address))
  return [...new Set(lists.map(({ resource }) => resource.list))].toSorted()
}
