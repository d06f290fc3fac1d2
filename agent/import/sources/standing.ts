/** What our own providers observed, as an estate to import. Pure. */
import type { DirectoryAccount, DirectoryDomain, Resource } from '../../model/resource.ts'
import type { DnsResource } from '../../standards/dns-resource.ts'
import type { ImportedAccount, ImportedDomain, ImportedEstate } from '../estate.ts'

export function readStanding(resources: readonly Resource[]): ImportedEstate {
  const domains = resources.filter(resource => resource.kind === 'domain')
  const accounts = resources.filter(resource => resource.kind === 'account')
  return {
    dns: resources.filter((resource): resource is DnsResource => resource.provider === 'dns'),
    domains: domains.map(toDomain),
    accounts: accounts.map(toAccount),
    standing: [...domains, ...accounts],
    left: [],
  }
}

function toDomain({ domain, institution, delivery, nextHop, login, collection }: DirectoryDomain): ImportedDomain {
  const closed = login === 'active' ? collection : login
  return { name: domain, institution, delivery, nextHop, status: closed, collector: null }
}

function toAccount(account: DirectoryAccount): ImportedAccount {
  const { address, role, status, aliases, quotaBytes, allowNets } = account
  return { address, role, status, aliases, quotaBytes, allowNets, holder: {}, where: `directory:account:${address}` }
}
