/**
 * Accounts that stand, as entries of a list: names, aliases, quota, access; who holds them only a person knows. What a
 * hold or a rule of names keeps out of a list is reported. An account that is closed for a time is never written as an
 * open one. Pure.
 */
import { parseNetwork } from '../manifest/network.ts'
import type { Access, Institution } from '../model/entity.ts'
import { type Address, localpartOf, parseLocalpart } from '../model/name.ts'
import type { AgentConfig } from '../model/world.ts'
import { compareText, type ImportedAccount, type ImportedHolder, type Left, type LeftReason } from './estate.ts'
import { relativeLocalpart } from './localpart.ts'

export type AccountDraft = {
  readonly address: Address
  readonly localpart: string
  readonly aliases: readonly string[]
  readonly quotaBytes: number
  readonly access: Access
  readonly withdrawn: boolean
  readonly holder: ImportedHolder
}

/** Answered by the administrator of every domain (RFC 2142, RFC 5321 section 4.5.1). */
const administratorNames = ['postmaster', 'abuse']
/** What people call the account that runs a domain, the likeliest first. */
const usualAdministrators = ['admin', 'administrador', 'administrator', 'postmaster']

/** The account that runs the domain: the one that says so, one with a usual name, else the name that always works. */
export function administratorOf(accounts: readonly ImportedAccount[]): string {
  const declared = accounts.find(({ role }) => role === 'administrator')
  if (declared !== undefined && parseLocalpart(localpartOf(declared.address)) !== undefined)
    return localpartOf(declared.address)
  const names = new Set(accounts.filter(({ role }) => role === 'user').map(({ address }) => localpartOf(address)))
  return usualAdministrators.find(name => names.has(name)) ?? 'postmaster'
}

export type Draftable = {
  readonly accounts: readonly ImportedAccount[]
  readonly administrator: string
  readonly collector: string | null
  /** Addresses that manifests give to somebody already. */
  readonly taken: ReadonlySet<string>
  readonly institution: Institution
  readonly config: AgentConfig
  readonly holders: ReadonlyMap<string, ImportedHolder>
}

export function draftAccounts(draftable: Draftable): {
  readonly accounts: readonly AccountDraft[]
  readonly left: readonly Left[]
} {
  const { administrator, collector, taken, holders } = draftable
  const left: Left[] = []
  const leave = (account: ImportedAccount, what: string, reason: LeftReason) =>
    left.push({ where: account.where, what, reason })
  const special = new Set([administrator, collector])
  const candidates = draftable.accounts
    .filter(({ role, address }) => role === 'user' && !special.has(localpartOf(address)))
    .filter(account => !taken.has(account.address))
    .toSorted((a, b) => compareText(a.address, b.address))
    .filter(account => {
      const reason = reasonAgainst(account)
      if (reason !== undefined) leave(account, account.address, reason)
      return reason === undefined
    })
  const claimed = new Set<string>([...taken, ...draftable.accounts.map(({ address }) => address as string)])
  const seen = new Set<string>()
  const accounts: AccountDraft[] = []
  for (const account of candidates) {
    if (seen.has(account.address)) {
      leave(account, account.address, 'taken')
      continue
    }
    seen.add(account.address)
    const aliases: string[] = []
    for (const alias of [...new Set(account.aliases)].toSorted(compareText)) {
      const localpart = relativeLocalpart(alias, account.address)
      const address = `${localpart}@${account.address.split('@')[1]}`
      if (localpart === undefined) leave(account, alias, 'name')
      else if (administratorNames.includes(localpart) || special.has(localpart)) leave(account, alias, 'reserved')
      else if (claimed.has(address)) leave(account, alias, 'taken')
      else {
        claimed.add(address)
        aliases.push(localpart)
      }
    }
    const access = accessOf(account.allowNets, draftable)
    if (access === undefined) leave(account, `${account.address} ${(account.allowNets ?? []).join(', ')}`, 'network')
    accounts.push({
      address: account.address,
      localpart: localpartOf(account.address),
      aliases,
      quotaBytes: account.quotaBytes ?? 0,
      // Networks that no access means are never widened by an import.
      access: access ?? 'institution',
      withdrawn: account.status === 'closed',
      holder: { ...account.holder, ...holders.get(account.address) },
    })
  }
  return { accounts, left }
}

function reasonAgainst({ address, status }: ImportedAccount): LeftReason | undefined {
  if (parseLocalpart(localpartOf(address)) === undefined) return 'name'
  if (administratorNames.includes(localpartOf(address))) return 'reserved'
  return status === 'suspended' ? 'suspended' : undefined
}

/** The access that means exactly these networks; undefined when none does. */
export function accessOf(
  allowNets: readonly string[] | null | undefined,
  { institution, config }: Pick<Draftable, 'institution' | 'config'>,
): Access | undefined {
  if (allowNets === undefined) return 'institution'
  if (allowNets === null) return 'anywhere'
  const found = canonicalNetworks(allowNets)
  if (found === canonicalNetworks(institution.networks)) return 'institution'
  return found === canonicalNetworks([...config.national.networks, ...institution.networks]) ? 'national' : undefined
}

function canonicalNetworks(networks: readonly string[]): string {
  const canonical = networks.map(text => {
    const parsed = parseNetwork(text)
    return 'network' in parsed ? parsed.network : text
  })
  return [...new Set(canonical)].toSorted(compareText).join(',')
}
