/** The desired states that every DNS provider and every directory walks through: one set for all, so that none is tried on less. */
import type { Address, DomainName } from '../../agent/model/name.ts'
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { rrset, soa, zone } from '../dns/bench.ts'
import type { Sample } from './provider.suite.ts'

const a = 'a.example'
const b = 'b.cu'
const small: DnsResource[] = [zone(a), soa(a), rrset(a, '@', 'NS', ['ns1.operator.example'])]
const full: DnsResource[] = [
  ...small,
  rrset(a, '@', 'MX', ['10 mx1.operator.example', '20 mx2.operator.example']),
  rrset(a, '@', 'TXT', ['v=spf1 mx -all', 'key="quoted" \\ and é']),
  rrset(a, 'www', 'A', ['192.0.2.10', '192.0.2.11']),
  rrset(a, 'www', 'AAAA', ['2001:db8::1']),
  rrset(a, '*.wild', 'CAA', ['0 issue "ca.example"']),
  zone(b),
  soa(b),
  rrset(b, '_submission._tcp', 'SRV', ['0 1 587 mail.operator.example']),
  rrset(b, 'alias', 'CNAME', ['www.a.example']),
]
const changed: DnsResource[] = full
  .filter(resource => resource.key !== `${a}/www.${a}/AAAA`)
  .map(resource => (resource.key === `${a}/${a}/MX` ? rrset(a, '@', 'MX', ['5 mx3.operator.example'], 600) : resource))

export const dnsStates = { small, full, changed }

export const dnsSample: Sample<DnsResource> = {
  states: [small, full, changed, small],
  foreign: [zone('other.example'), soa('other.example'), rrset('other.example', 'host', 'A', ['198.51.100.7'])],
  edit: resource => (resource.kind === 'zone' ? undefined : { ...resource, ttl: resource.ttl + 1 }),
}

export function domain(name: string, over: Partial<DirectoryDomain> = {}): DirectoryDomain {
  return {
    provider: 'directory',
    kind: 'domain',
    key: name,
    domain: name as DomainName,
    institution: 'hospital',
    delivery: 'mailboxes',
    login: 'active',
    collection: 'active',
    nextHop: null,
    ...over,
  }
}

export function account(address: string, over: Partial<DirectoryAccount> = {}): DirectoryAccount {
  return {
    provider: 'directory',
    kind: 'account',
    key: address,
    address: address as Address,
    domain: address.slice(address.indexOf('@') + 1) as DomainName,
    role: 'user',
    status: 'active',
    allowNets: ['10.0.0.0/8'],
    quotaBytes: 0,
    aliases: [],
    ...over,
  }
}

export function names(...localparts: string[]): Address[] {
  return localparts.map(localpart => `${localpart}@hcg.example` as Address)
}

export const directorySample: Sample<DirectoryResource> = {
  states: [
    [
      domain('hcg.example'),
      account('admin@hcg.example', { role: 'administrator', aliases: names('abuse', 'postmaster') }),
    ],
    [
      domain('hcg.example', { login: 'suspended' }),
      domain('pop.example', { delivery: 'multipop', institution: 'school' }),
      account('admin@hcg.example', { role: 'administrator', aliases: names('abuse') }),
      account('jperez@hcg.example', { aliases: names('juan.perez', 'postmaster'), quotaBytes: 1_000_000 }),
      account('multipop@pop.example', { role: 'collector', allowNets: [] }),
      account('ana@pop.example', { allowNets: null }),
    ],
    [
      domain('hcg.example', { delivery: 'relay', nextHop: '[10.20.0.5]', login: 'closed', collection: 'closed' }),
      account('jperez@hcg.example', { status: 'closed', allowNets: ['10.0.0.0/8', '2001:db8::/48'] }),
    ],
  ],
  foreign: [
    domain('foreign.example', { institution: 'someone' }),
    account('x@foreign.example', { aliases: ['y@foreign.example' as Address] }),
  ],
  edit: resource =>
    resource.kind === 'domain'
      ? { ...resource, login: resource.login === 'active' ? 'closed' : 'active' }
      : { ...resource, quotaBytes: resource.quotaBytes + 1 },
}
