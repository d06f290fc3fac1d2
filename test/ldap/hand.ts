/** The hand and the eye of a third party: LDIF through OpenLDAP's own tools, as an administrator at the prompt would. */
import type { Address } from '../../agent/model/name.ts'
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { ProfileName } from '../../providers/ldap/profiles.ts'
import type { Slapd } from '../servers/slapd.ts'

export const domainDn = (name: string, profile: ProfileName = 'own') => hands[profile].domainDn(name)
export const accountDn = (address: string, profile: ProfileName = 'own') => {
  const domain = domainDn(address.slice(address.indexOf('@') + 1), profile)
  return `mail=${address},${profile === 'iredmail' ? 'ou=Users,' : ''}${domain}`
}

type Lines = readonly (readonly [string, string])[]

/** How an administrator who knows the schema writes: said here once more, apart from the provider. */
type Hand = {
  readonly domainDn: (name: string) => string
  readonly root: string
  readonly domainBirth: (name: string) => Lines
  readonly domain: (domain: DirectoryDomain) => Lines
  readonly accountBirth: (address: string) => Lines
  readonly account: (account: DirectoryAccount) => Lines
}

const classes = (...names: string[]): Lines => names.map(name => ['objectClass', name] as const)
const localpart = (address: string) => address.slice(0, address.indexOf('@'))
const nets = (name: string, allowNets: readonly string[] | null): Lines =>
  allowNets === null ? [] : [[name, allowNets.join(',') || 'none']]
const person: Lines = [
  ['cn', 'somebody'],
  ['sn', 'somebody'],
  ['mwDomainStatus', 'active'],
]

function ourDomain({ institution, delivery, login, collection, nextHop }: DirectoryDomain): Lines {
  return [
    ['mwInstitution', institution],
    ['mwDelivery', delivery],
    ['mwLoginStatus', login],
    ['mwCollectionStatus', collection],
    ...(nextHop === null ? [] : ([['mwNextHop', nextHop]] as const)),
  ]
}

const own: Hand = {
  domainDn: name => `dc=${name},ou=domains,dc=example`,
  root: 'dn: ou=domains,dc=example\nobjectClass: organizationalUnit\nou: domains\n',
  domainBirth: name => [...classes('domain', 'mwDomain'), ['dc', name]],
  domain: ourDomain,
  accountBirth: address => [
    ...classes('inetOrgPerson', 'inetLocalMailRecipient', 'mwAccount'),
    ['mail', address],
    ...person,
  ],
  account: ({ address, role, status, allowNets, quotaBytes, aliases }) => [
    ['mwAddress', address],
    ['mwRole', role],
    ['mwAccountStatus', status],
    ['mwQuotaBytes', String(quotaBytes)],
    ...nets('mwAllowNets', allowNets),
    ...aliases.map(alias => ['mailLocalAddress', alias] as const),
  ],
}

const hands: Readonly<Record<ProfileName, Hand>> = {
  own,
  'postfix-book': {
    ...own,
    accountBirth: address => [
      ...classes('inetOrgPerson', 'PostfixBookMailAccount', 'mwLogin'),
      ['mail', address],
      ['mailEnabled', 'TRUE'],
      ...person,
    ],
    account: ({ role, status, allowNets, quotaBytes, aliases }) => [
      ['mwRole', role],
      ['mwAccountStatus', status],
      ['mailQuota', String(quotaBytes / 1024)],
      ...nets('mwAllowNets', allowNets),
      ...aliases.map(alias => ['mailAlias', alias] as const),
    ],
  },
  iredmail: {
    domainDn: name => `domainName=${name},o=domains,dc=example`,
    root: 'dn: o=domains,dc=example\nobjectClass: organization\no: domains\n',
    domainBirth: name => [...classes('mailDomain', 'mwDomain'), ['domainName', name]],
    domain: domain => [
      ...ourDomain(domain),
      ['accountStatus', domain.login === 'closed' ? 'disabled' : 'active'],
      ['enabledService', 'mail'],
      ['domainBackupMX', domain.delivery === 'relay' ? 'yes' : 'no'],
      ...(domain.nextHop === null ? [] : ([['mtaTransport', `relay:${domain.nextHop}`]] as const)),
    ],
    accountBirth: address => [
      ...classes('inetOrgPerson', 'mailUser', 'mwLogin'),
      ['mail', address],
      ['uid', localpart(address)],
      ['accountStatus', 'active'],
      ['domainStatus', 'active'],
      ...['mail', 'deliver', 'lda', 'lmtp', 'shadowaddress', 'forward'].map(name => ['enabledService', name] as const),
      ...person,
    ],
    account: ({ role, status, allowNets, quotaBytes, aliases }) => [
      ['mwRole', role],
      ['mwAccountStatus', status],
      ['mailQuota', String(quotaBytes)],
      ...nets('allowNets', allowNets),
      ...aliases.map(alias => ['shadowAddress', alias] as const),
    ],
  },
}

const fullDomain = {
  institution: 'x',
  delivery: 'relay',
  login: 'active',
  collection: 'active',
  nextHop: '[x]',
} as const
const fullAccount = { allowNets: [], aliases: ['x'] } as unknown as DirectoryAccount

/** Adds or edits without a mark; null removes. */
export function byHand(slapd: Slapd, resource: DirectoryResource, value: DirectoryResource | null): void {
  const hand = hands[slapd.profile]
  const dn = resource.kind === 'domain' ? hand.domainDn(resource.key) : accountDn(resource.key, slapd.profile)
  if (value === null) {
    slapd.ldap('ldapdelete', `${dn}\n`)
    return
  }
  const stands = (name: string) => slapd.search(name, 'base', '(objectClass=*)', '1.1').length > 0
  const lines = value.kind === 'domain' ? hand.domain(value) : hand.account(value)
  if (stands(dn)) {
    const names = value.kind === 'domain' ? hand.domain({ ...value, ...fullDomain }) : hand.account(fullAccount)
    const edits = [...new Set(names.map(([name]) => name))].map(name => {
      const values = lines.filter(([type]) => type === name).map(([type, text]) => `${type}: ${text}\n`)
      return `replace: ${name}\n${values.join('')}-\n`
    })
    slapd.ldap('ldapmodify', `dn: ${dn}\nchangetype: modify\n${edits.join('')}`)
    return
  }
  if (!stands(hand.root.slice(4, hand.root.indexOf('\n')))) slapd.ldap('ldapadd', hand.root)
  const people = dn.slice(dn.indexOf(',') + 1)
  if (people.startsWith('ou=Users,') && !stands(people))
    slapd.ldap('ldapadd', `dn: ${people}\nobjectClass: organizationalUnit\nou: Users\n`)
  const birth = value.kind === 'domain' ? hand.domainBirth(value.key) : hand.accountBirth(value.key)
  slapd.ldap('ldapadd', `dn: ${dn}\n${[...birth, ...lines].map(([type, text]) => `${type}: ${text}`).join('\n')}\n`)
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
