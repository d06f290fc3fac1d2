/** Edits of a directory by hand, with OpenLDAP's own tools. */
import type { Slapd } from '../slapd.ts'
import { crowdName, type Edit } from './fleet.ts'

export const foreignPeople = 1_000

/** People and machines of others: below our domains, and beside our tree. Gives the filter that finds them. */
export function addForeigners(slapd: Slapd, domains: readonly string[]): () => readonly string[] {
  const tree = `ou=domains,${slapd.base}`
  const entries = [`dn: ou=ajenos,${slapd.base}\nobjectClass: organizationalUnit\nou: ajenos\n`]
  for (let index = 1; index < foreignPeople; index += 1) {
    const domain = domains[index % domains.length]
    const parent = index % 3 === 0 ? `ou=ajenos,${slapd.base}` : `dc=${domain},${tree}`
    const mail = index % 3 === 1 ? `mail: ${crowdName}${index}@${domain}\n` : ''
    entries.push(
      `dn: cn=${crowdName}${index},${parent}\nobjectClass: inetOrgPerson\ncn: ${crowdName}${index}\nsn: ajeno\n${mail}description: de otro\n`,
    )
  }
  slapd.ldap('ldapadd', entries.join('\n'))
  // By their names: the order of an answer is the server's affair, and moves with its entries.
  return () =>
    slapd
      .search(slapd.base, 'sub', '(|(cn=ajeno*)(ou=ajenos))', '*', '+')
      .map(line => `${line}\n`)
      .join('')
      .split(/^(?=dn: )/m)
      .toSorted()
}

/** Each in a domain of its own; nothing is asked of the server before they are carried out. */
export function directoryEdits(server: () => Slapd, incidentOn: (domain: string) => string): readonly Edit[] {
  const tree = () => `ou=domains,${server().base}`
  const account = (name: string, domain: string) => `mail=${name}@${domain},dc=${domain},${tree()}`
  const modify = (dn: string, ...lines: string[]) =>
    server().ldap('ldapmodify', `dn: ${dn}\nchangetype: modify\n${lines.join('\n')}\n`)
  const replace = (dn: string, attribute: string, value: string) =>
    modify(dn, `replace: ${attribute}`, `${attribute}: ${value}`)
  const values = (dn: string, attribute: string) => server().search(dn, 'base', '(objectClass=*)', attribute).slice(1)
  const expectValues = (dn: string, attribute: string, ...wanted: string[]) => {
    const found = values(dn, attribute)
    const text = wanted.map(value => `${attribute}: ${value}`)
    if (found.join() !== text.join()) throw new Error(`${dn} has ${found.join(' | ') || 'nothing'}, not ${text}`)
  }
  const ldapEdit = (domain: string, name: string, edit: Omit<Edit, 'domain' | 'name' | 'by'>): Edit => ({
    domain: `${domain}.cu`,
    name,
    by: () => server().adminDn,
    ...edit,
  })
  const ofDomain = (domain: string) => [
    `domain ${domain}`,
    ...['admin', 'jperez', 'mlopez'].map(name => `account ${name}@${domain}`),
  ]
  const created = (domain: string) => ofDomain(domain).map(word => `create ${word}`)

  return [
    ldapEdit('cuota', 'the quota of an account', {
      act: () => replace(account('mlopez', 'cuota.cu'), 'mwQuotaBytes', '1'),
      drift: () => ['update account mlopez@cuota.cu'],
      check: () => expectValues(account('mlopez', 'cuota.cu'), 'mwQuotaBytes', '0'),
    }),
    ldapEdit('rol', 'somebody is made an administrator', {
      act: () => replace(account('mlopez', 'rol.cu'), 'mwRole', 'administrator'),
      drift: () => ['update account mlopez@rol.cu'],
      check: () => expectValues(account('mlopez', 'rol.cu'), 'mwRole', 'user'),
    }),
    ldapEdit('redes', 'the networks of an account are taken away, so that it is open to all', {
      act: () => modify(account('mlopez', 'redes.cu'), 'delete: mwAllowNets'),
      drift: () => ['update account mlopez@redes.cu'],
      check: () => expectValues(account('mlopez', 'redes.cu'), 'mwAllowNets', '10.20.0.0/16'),
    }),
    ldapEdit('alias', 'one more alias', {
      act: () => modify(account('mlopez', 'alias.cu'), 'add: mailLocalAddress', 'mailLocalAddress: jefe@alias.cu'),
      drift: () => ['update account mlopez@alias.cu'],
      check: () => expectValues(account('mlopez', 'alias.cu'), 'mailLocalAddress'),
    }),
    ldapEdit('borrada', 'an account is deleted', {
      act: () => server().ldap('ldapdelete', `${account('mlopez', 'borrada.cu')}\n`),
      drift: () => ['create account mlopez@borrada.cu'],
      check: () => expectValues(account('mlopez', 'borrada.cu'), 'mwAccountStatus', 'active'),
    }),
    ldapEdit('atributo', 'attributes and a class of others are added', {
      act: () =>
        modify(
          account('mlopez', 'atributo.cu'),
          'add: description',
          'description: turno de noche',
          '-',
          'add: objectClass',
          'objectClass: pkiUser',
        ),
      check: () => {
        expectValues(account('mlopez', 'atributo.cu'), 'description', 'turno de noche')
        if (!values(account('mlopez', 'atributo.cu'), 'objectClass').includes('objectClass: pkiUser'))
          throw new Error('their class is gone')
      },
    }),
    ldapEdit('clave', 'a password is changed', {
      act: () =>
        replace(account('mlopez', 'clave.cu'), 'userPassword', '{SSHA}b3RyYS1jbGF2ZS1xdWUtbm8tZXMtbnVlc3RyYQ=='),
      check: () => {
        if (values(account('mlopez', 'clave.cu'), 'userPassword').length !== 1) throw new Error('the password is gone')
      },
    }),
    ldapEdit('marca', 'our mark is altered, and the quota with it', {
      act: () =>
        modify(
          account('mlopez', 'marca.cu'),
          'replace: mwMark',
          'mwMark: mw1:00000000000000000000000000000000',
          '-',
          'replace: mwQuotaBytes',
          'mwQuotaBytes: 7',
        ),
      contested: () => ['account mlopez@marca.cu'],
      check: () => expectValues(account('mlopez', 'marca.cu'), 'mwQuotaBytes', '7'),
    }),
    ldapEdit('sinmarca', 'our mark is taken from a domain', {
      act: () => modify(`dc=sinmarca.cu,${tree()}`, 'delete: mwMark'),
      contested: () => ['domain sinmarca.cu'],
    }),
    ldapEdit('copia', 'an entry of ours is copied, its mark included', {
      act: () => {
        const dn = account('mlopez', 'copia.cu')
        const lines = server()
          .search(dn, 'base', '(objectClass=*)', '*')
          .filter(line => !/^(dn|mail): /.test(line))
        const copy = [`dn: ${account('copia', 'copia.cu')}`, 'mail: copia@copia.cu', ...lines]
        server().ldap('ldapadd', `${copy.join('\n').replace('mwAddress: mlopez@', 'mwAddress: copia@')}\n`)
      },
      foreign: () => ['account copia@copia.cu'],
    }),
    ldapEdit('vecina', 'an account of somebody else below our domain', {
      act: () => {
        const lines = ['objectClass: inetOrgPerson', 'cn: vecina', 'sn: vecina', 'mail: vecina@vecina.cu']
        server().ldap('ldapadd', `dn: cn=vecina,dc=vecina.cu,${tree()}\n${lines.join('\n')}\n`)
      },
      foreign: () => ['account vecina@vecina.cu'],
    }),
    ldapEdit('renombrada', 'an account is renamed', {
      act: () => {
        const lines = ['changetype: modrdn', 'newrdn: mail=nueva@renombrada.cu', 'deleteoldrdn: 1']
        server().ldap('ldapmodify', `dn: ${account('mlopez', 'renombrada.cu')}\n${lines.join('\n')}\n`)
      },
      drift: () => ['create account mlopez@renombrada.cu'],
      kept: () => ['create account mlopez@renombrada.cu'],
      foreign: () => ['account nueva@renombrada.cu'],
      // Who logs in and gets mail as mlopez still does, with the password that was.
      check: () => {
        const found = server().search(tree(), 'sub', '(mwAddress=mlopez@renombrada.cu)', '1.1')
        if (found.length !== 1) throw new Error(`the address stands ${found.length} times`)
      },
    }),
    ldapEdit('mudada', 'a domain is moved out of the tree with all that is below it', {
      act: () => {
        const lines = ['changetype: modrdn', 'newrdn: dc=mudada.cu', 'deleteoldrdn: 1', `newsuperior: ${server().base}`]
        server().ldap('ldapmodify', `dn: dc=mudada.cu,${tree()}\n${lines.join('\n')}\n`)
      },
      drift: () => created('mudada.cu'),
      check: () => expectValues(`dc=mudada.cu,${server().base}`, 'mwLoginStatus', 'active'),
    }),
    ldapEdit('retenida', 'the flag of a suspended domain, and that of one account in it, are set to active', {
      act: () => {
        replace(`dc=retenida.cu,${tree()}`, 'mwLoginStatus', 'active')
        replace(account('mlopez', 'retenida.cu'), 'mwDomainStatus', 'active')
      },
      drift: () => ['update domain retenida.cu'],
      incident: () => incidentOn('retenida.cu'),
      check: () => {
        expectValues(`dc=retenida.cu,${tree()}`, 'mwLoginStatus', 'suspended')
        expectValues(account('mlopez', 'retenida.cu'), 'mwDomainStatus', 'suspended')
      },
    }),
    ldapEdit('ocultada', 'a suspended account is opened, and our mark altered so that we leave it alone', {
      act: () =>
        modify(
          account('mlopez', 'ocultada.cu'),
          'replace: mwMark',
          'mwMark: mw1:11111111111111111111111111111111',
          '-',
          'replace: mwAccountStatus',
          'mwAccountStatus: active',
        ),
      contested: () => ['account mlopez@ocultada.cu'],
      check: () => expectValues(account('mlopez', 'ocultada.cu'), 'mwAccountStatus', 'active'),
    }),
    ldapEdit('castigada', 'a suspended account is opened', {
      act: () => replace(account('mlopez', 'castigada.cu'), 'mwAccountStatus', 'active'),
      drift: () => ['update account mlopez@castigada.cu'],
      incident: () => incidentOn('castigada.cu'),
      check: () => expectValues(account('mlopez', 'castigada.cu'), 'mwAccountStatus', 'suspended'),
    }),
  ]
}
