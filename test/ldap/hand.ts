/** The hand and the eye of a third party: LDIF through OpenLDAP's own tools, as an administrator at the prompt would. */
import type { Address } from '../../agent/model/name.ts'
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { Slapd } from '../servers/slapd.ts'

export const domainDn = (name: string) => `dc=${name},ou=domains,dc=example`
export const accountDn = (address: string) => `mail=${address},${domainDn(address.slice(address.indexOf('@') + 1))}`

type Lines = readonly (readonly [string, string])[]

function domainLines({ institution, delivery, login, collection, nextHop }: DirectoryDomain): Lines {
  return [
    ['mwInstitution', institution],
    ['mwDelivery', delivery],
    ['mwLoginStatus', login],
    ['mwCollectionStatus', collection],
    ...(nextHop === null ? [] : ([['mwNextHop', nextHop]] as const)),
  ]
}

function accountLines({ address, role, status, allowNets, quotaBytes, aliases }: DirectoryAccount): Lines {
  return [
    ['mwAddress', address],
    ['mwRole', role],
    ['mwAccountStatus', status],
    ['mwQuotaBytes', String(quotaBytes)],
    ...(allowNets === null ? [] : ([['mwAllowNets', allowNets.join(',') || 'none']] as const)),
    ...aliases.map(alias => ['mailLocalAddress', alias] as const),
  ]
}

const own = {
  domain: ['mwInstitution', 'mwDelivery', 'mwLoginStatus', 'mwCollectionStatus', 'mwNextHop'],
  account: ['mwAddress', 'mwRole', 'mwAccountStatus', 'mwQuotaBytes', 'mwAllowNets', 'mailLocalAddress'],
}

/** Adds or edits without a mark; null removes. */
export function byHand(slapd: Slapd, resource: DirectoryResource, value: DirectoryResource | null): void {
  const dn = resource.kind === 'domain' ? domainDn(resource.key) : accountDn(resource.key)
  if (value === null) {
    slapd.ldap('ldapdelete', `${dn}\n`)
    return
  }
  const lines = value.kind === 'domain' ? domainLines(value) : accountLines(value)
  if (slapd.search(dn, 'base', '(objectClass=*)', '1.1').length > 0) {
    const edits = own[value.kind].map(name => {
      const values = lines.filter(([type]) => type === name).map(([type, text]) => `${type}: ${text}\n`)
      return `replace: ${name}\n${values.join('')}-\n`
    })
    slapd.ldap('ldapmodify', `dn: ${dn}\nchangetype: modify\n${edits.join('')}`)
    return
  }
  if (slapd.search('ou=domains,dc=example', 'base', '(objectClass=*)', '1.1').length === 0)
    slapd.ldap('ldapadd', 'dn: ou=domains,dc=example\nobjectClass: organizationalUnit\nou: domains\n')
  const birth =
    value.kind === 'domain'
      ? ['objectClass: domain', 'objectClass: mwDomain', `dc: ${value.key}`]
      : [
          ...['inetOrgPerson', 'inetLocalMailRecipient', 'mwAccount'].map(name => `objectClass: ${name}`),
          `mail: ${value.key}`,
          'cn: somebody',
          'sn: somebody',
          'mwDomainStatus: active',
        ]
  slapd.ldap('ldapadd', `dn: ${dn}\n${[...birth, ...lines.map(([type, text]) => `${type}: ${text}`)].join('\n')}\n`)
}

/** What stands, read by `ldapsearch` and decoded here once more: mark, resource, and what an account carries of its domain. */
export type Truth = ReadonlyMap<
  string,
  { readonly resource: DirectoryResource; readonly mark: string | null; readonly carried: string }
>

export function truthOf(slapd: Slapd): Truth {
  const truth = new Map<string, Truth extends ReadonlyMap<string, infer V> ? V : never>()
  let values = new Map<string, string[]>()
  const keep = () => {
    const one = (name: string) => values.get(name)?.[0] ?? ''
    const mark = values.get('mwMark')?.[0] ?? null
    const carried = [one('mwDomainStatus'), ...(values.get('mwMay') ?? []).sort()].join(' ')
    const classes = values.get('objectClass') ?? []
    if (classes.includes('mwDomain')) truth.set(one('dc'), { mark, carried, resource: toDomain(one, values) })
    if (classes.includes('mwAccount')) truth.set(one('mail'), { mark, carried, resource: toAccount(one, values) })
  }
  for (const line of slapd.search('ou=domains,dc=example', 'sub', '(objectClass=*)')) {
    const [, name = '', text = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? []
    if (name === 'dn') {
      keep()
      values = new Map()
    }
    values.set(name, [...(values.get(name) ?? []), text])
  }
  keep()
  return truth
}

function toDomain(one: (name: string) => string, values: ReadonlyMap<string, readonly string[]>): DirectoryDomain {
  return {
    provider: 'directory',
    kind: 'domain',
    key: one('dc'),
    domain: one('dc') as DirectoryDomain['domain'],
    institution: one('mwInstitution'),
    delivery: one('mwDelivery') as DirectoryDomain['delivery'],
    login: one('mwLoginStatus') as DirectoryDomain['login'],
    collection: one('mwCollectionStatus') as DirectoryDomain['collection'],
    nextHop: values.get('mwNextHop')?.[0] ?? null,
  }
}

function toAccount(one: (name: string) => string, values: ReadonlyMap<string, readonly string[]>): DirectoryAccount {
  const nets = values.get('mwAllowNets')?.[0]
  const address = one('mail')
  return {
    provider: 'directory',
    kind: 'account',
    key: address,
    address: one('mwAddress') as DirectoryAccount['address'],
    domain: address.slice(address.indexOf('@') + 1) as DirectoryAccount['domain'],
    role: one('mwRole') as DirectoryAccount['role'],
    status: one('mwAccountStatus') as DirectoryAccount['status'],
    allowNets: nets === undefined ? null : nets === 'none' ? [] : nets.split(','),
    quotaBytes: Number(one('mwQuotaBytes')),
    aliases: ([...(values.get('mailLocalAddress') ?? [])] as Address[]).sort(),
  }
}
