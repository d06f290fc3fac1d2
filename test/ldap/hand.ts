/** Writes of a third party: LDIF through OpenLDAP's own tools, as an administrator at the prompt would. */
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
