/**
 * Which questions to ask after a change of some domains, from what is desired of them (issue S27: live equals reviewed).
 * Every change of a zone is looked at; of the accounts a sample that is another one each time. Pure.
 */
import { sha256 } from '../core/digest.ts'
import type { DesiredSet } from '../desired/desired.ts'
import type { DomainName } from '../model/name.ts'
import type { DirectoryAccount, DirectoryDomain, RRsetResource } from '../model/resource.ts'
import type { DeliveryProbe, LoginDoor, LoginProbe, Probe, VerifyConfig, ZoneProbe } from '../model/verify.ts'
import { addressOutside, addressWithin } from './addresses.ts'

export type ProbeInput = {
  /** What should stand, of the domains asked for and of those that may serve as a control. */
  readonly desired: DesiredSet
  readonly domains: readonly DomainName[]
  readonly config: VerifyConfig
  /** Addresses that have a password: without one a login may be refused for that alone. */
  readonly withPassword: ReadonlySet<string>
  /** Domains that mail may not leave or reach: a hold is on them. */
  readonly closedForMail: ReadonlySet<DomainName>
  /** Another one draws another sample. */
  readonly seed: string
}

type Estate = {
  readonly zones: ReadonlyMap<DomainName, readonly RRsetResource[]>
  readonly domains: ReadonlyMap<DomainName, DirectoryDomain>
  readonly accounts: ReadonlyMap<DomainName, readonly DirectoryAccount[]>
}

export function makeProbes(input: ProbeInput): Probe[] {
  const estate = sortOut(input.desired)
  const { domains, config } = input
  const zones = config.nameServers.length === 0 ? [] : domains.flatMap(domain => zoneProbes(estate, domain))
  if (config.master === null) return zones
  const logins = domains.flatMap(domain => loginProbes(estate, domain, input))
  const deliveries = config.delivery ? domains.flatMap(domain => deliveryProbes(estate, domain, input)) : []
  return [...zones, ...logins, ...controls(estate, logins, input), ...deliveries]
}

function sortOut(desired: DesiredSet): Estate {
  const resources = [...desired.values()].map(({ resource }) => resource)
  const ofKind = <K extends 'rrset' | 'domain' | 'account'>(kind: K) =>
    resources.filter((resource): resource is Extract<typeof resource, { kind: K }> => resource.kind === kind)
  return {
    zones: Map.groupBy(ofKind('rrset'), ({ zone }) => zone),
    domains: new Map(ofKind('domain').map(domain => [domain.domain, domain])),
    accounts: Map.groupBy(ofKind('account'), ({ domain }) => domain),
  }
}

function zoneProbes({ zones }: Estate, domain: DomainName): ZoneProbe[] {
  const rrsets = zones.get(domain)
  return rrsets === undefined ? [] : [{ kind: 'zone', domain, rrsets }]
}

/** The administrator, the collector, and some of the others: as many as the configuration says, drawn by the seed. */
function drawn(accounts: readonly DirectoryAccount[], { config, seed, withPassword }: ProbeInput): DirectoryAccount[] {
  const known = accounts.filter(({ address }) => withPassword.has(address))
  const lots = known
    .filter(({ role }) => role === 'user')
    .map(account => ({ account, lot: sha256(`${seed} ${account.address}`) }))
    .toSorted((a, b) => (a.lot < b.lot ? -1 : 1))
    .slice(0, config.sample)
  return [...known.filter(({ role }) => role !== 'user'), ...lots.map(({ account }) => account)]
}

function loginProbes({ domains, accounts }: Estate, name: DomainName, input: ProbeInput): LoginProbe[] {
  const domain = domains.get(name)
  if (domain === undefined) return []
  return drawn(accounts.get(name) ?? [], input).flatMap(account =>
    input.config.doors.flatMap(door => probesAt(door, domain, account, input.seed)),
  )
}

function probesAt(door: LoginDoor, domain: DirectoryDomain, account: DirectoryAccount, seed: string): LoginProbe[] {
  const common = { kind: 'login', domain: domain.domain, account: account.address, door: door.name } as const
  const within = addressWithin(account.allowNets)
  const outside = addressOutside(account.allowNets, `${seed} ${door.name} ${account.address}`)
  return [
    ...(within === undefined
      ? []
      : [
          {
            ...common,
            from: within,
            wanted: isOpen(door, domain, account) ? ('accepted' as const) : ('refused' as const),
          },
        ]),
    ...(outside === undefined ? [] : [{ ...common, from: outside, wanted: 'refused' as const }]),
  ]
}

/**
 * Users of multipop and relay domains have their mailboxes at the institution and only submit here; a collector fetches
 * and never sends.
 */
function isOpen({ protocol }: LoginDoor, domain: DirectoryDomain, { role, status }: DirectoryAccount): boolean {
  if (status !== 'active' || domain.login !== 'active') return false
  if (role === 'collector') return protocol !== 'submission' && domain.collection === 'active'
  return protocol === 'submission' || role === 'administrator' || domain.delivery === 'mailboxes'
}

/** A door that lets nobody in refuses the right ones too: where nobody is wanted in, one more is tried who is. */
function controls(
  estate: Estate,
  logins: readonly LoginProbe[],
  { config, withPassword, seed }: ProbeInput,
): LoginProbe[] {
  const mute = config.doors.filter(({ name }) => {
    const here = logins.filter(({ door }) => door === name)
    return here.length > 0 && here.every(({ wanted }) => wanted === 'refused')
  })
  return mute.flatMap(door => {
    for (const domain of estate.domains.values())
      for (const account of estate.accounts.get(domain.domain) ?? []) {
        if (!withPassword.has(account.address)) continue
        const open = probesAt(door, domain, account, seed).find(({ wanted }) => wanted === 'accepted')
        if (open !== undefined) return [open]
      }
    return []
  })
}

/** The administrator's mailbox stands at the operator whatever the delivery of the domain is. */
function deliveryProbes({ domains, accounts }: Estate, name: DomainName, input: ProbeInput): DeliveryProbe[] {
  const { config, withPassword, closedForMail } = input
  const domain = domains.get(name)
  const administrator = accounts.get(name)?.find(({ role }) => role === 'administrator')
  if (domain === undefined || administrator === undefined || closedForMail.has(name)) return []
  if (!withPassword.has(administrator.address)) return []
  const doors = [submissionDoor, mailboxDoor].map(choose => choose(config))
  const from = addressWithin(administrator.allowNets)
  if (from === undefined || doors.some(door => door === undefined || !isOpen(door, domain, administrator))) return []
  return [{ kind: 'delivery', domain: name, account: administrator.address, from }]
}

export const submissionDoor = ({ doors }: VerifyConfig) => doors.find(({ protocol }) => protocol === 'submission')
export const mailboxDoor = ({ doors }: VerifyConfig) => doors.find(({ protocol }) => protocol === 'imap')
