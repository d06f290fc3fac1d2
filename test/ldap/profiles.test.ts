/** The profiles of other mail schemas: the conformance suite on a slapd that has their schema, and what their own readers see. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Address } from '../../agent/model/name.ts'
import type { DirectoryAccount } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { LdapDirectory } from '../../providers/ldap/directory.ts'
import { testDoors } from '../conformance/doors.suite.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { account, directorySample, domain, names } from '../conformance/samples.ts'
import { type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'
import { describeServers } from '../servers/suite.ts'
import { apply, create, find, openOver, pass, remove, results, update } from './bench.ts'
import { accountDn, byHand, domainDn } from './hand.ts'

const hcg = domain('hcg.example')
const juan = account('jperez@hcg.example', { aliases: names('juan'), quotaBytes: 1_048_576 })
const ana = account('ana@hcg.example', { role: 'collector', allowNets: [] })

for (const profile of ['postfix-book', 'iredmail'] as const)
  describeServers(`slapd with the schema of ${profile}`, whyNoSlapd, () => {
    let latest: Slapd | undefined
    testDoors(`the directory by the names of ${profile}`, async () => {
      const slapd = await startSlapd({ sync: 'fast', profile })
      return {
        provider: openOver(slapd),
        writeBehind: async (resource, value) => byHand(slapd, resource, value),
        close: slapd.close,
      }
    })
    testProvider<DirectoryResource>({
      name: `the directory by the names of ${profile}`,
      skip: [],
      async open() {
        const slapd = await startSlapd({ sync: 'fast', profile })
        latest = slapd
        return {
          provider: openOver(slapd),
          writeBehind: async (resource, value) => byHand(slapd, resource, value),
          close: slapd.close,
        }
      },
      sample: directorySample,
      reopen: async () => openOver(latest as Slapd),
    })
  })

/** What stands in an entry of some attributes, sorted. */
function valuesOf(slapd: Slapd, dn: string, ...attributes: string[]): string[] {
  return slapd
    .search(dn, 'base', '(objectClass=*)', ...attributes)
    .filter(line => !line.startsWith('dn:'))
    .sort()
}
const edit = (slapd: Slapd, dn: string, lines: string) =>
  slapd.ldap('ldapmodify', `dn: ${dn}\nchangetype: modify\n${lines}\n`)

describeServers('the names of postfix-book', whyNoSlapd, () => {
  let slapd: Slapd
  let directory: LdapDirectory
  beforeEach(async () => {
    slapd = await startSlapd({ sync: 'fast', profile: 'postfix-book' })
    directory = openOver(slapd)
  })
  afterEach(async () => {
    await directory[Symbol.asyncDispose]()
    await slapd.close()
  })
  const dn = accountDn(juan.key)

  test('an account is what a reader of the schema expects, with a quota in whole kilobytes', async () => {
    await pass(directory, [hcg, juan])
    const seen = ['mail', 'mailAlias', 'mailEnabled', 'mailQuota', 'objectClass']
    expect(valuesOf(slapd, dn, ...seen)).toEqual([
      'mail: jperez@hcg.example',
      'mailAlias: juan@hcg.example',
      'mailEnabled: TRUE',
      'mailQuota: 1024',
      'objectClass: PostfixBookMailAccount',
      'objectClass: inetOrgPerson',
      'objectClass: mwLogin',
    ])
    expect(directory.canonical({ ...juan, quotaBytes: 1 })).toEqual({ ...juan, quotaBytes: 1024 })
    expect(directory.canonical({ ...juan, quotaBytes: 0 })).toEqual({ ...juan, quotaBytes: 0 })
    expect(results(await apply(directory, [update(juan, { quotaBytes: 1_048_577 })]))).toEqual(['applied'])
    expect(valuesOf(slapd, dn, 'mailQuota')).toEqual(['mailQuota: 1025'])
  })

  test('its one flag closes with either of ours, and opens when both are', async () => {
    await pass(directory, [hcg, juan])
    const flag = () => valuesOf(slapd, dn, 'mailEnabled').join()
    const steps: readonly (readonly [DirectoryAccount['status'], DirectoryAccount['status'], string])[] = [
      ['active', 'suspended', 'mailEnabled: FALSE'],
      ['suspended', 'suspended', 'mailEnabled: FALSE'],
      ['suspended', 'active', 'mailEnabled: FALSE'],
      ['active', 'active', 'mailEnabled: TRUE'],
      ['closed', 'active', 'mailEnabled: FALSE'],
    ]
    for (const [status, login, expected] of steps) {
      const wanted = [
        { ...hcg, login },
        { ...juan, status },
      ]
      expect(results((await pass(directory, wanted)).outcomes)).not.toContain('conflict')
      expect([status, login, flag()]).toEqual([status, login, expected])
      expect((await pass(directory, wanted)).changes).toEqual([])
    }
  })

  test('a flag that somebody turned on by hand is seen and turned off', async () => {
    const held = [hcg, { ...juan, status: 'suspended' as const }]
    await pass(directory, held)
    edit(slapd, dn, 'replace: mailEnabled\nmailEnabled: TRUE')
    expect((await find(directory, juan.key))?.resource).toMatchObject({ status: 'suspended, mailEnabled TRUE' })
    const { changes, outcomes } = await pass(directory, held)
    expect([changes.map(({ ref }) => ref.key), results(outcomes)]).toEqual([[juan.key], ['applied']])
    expect(valuesOf(slapd, dn, 'mailEnabled')).toEqual(['mailEnabled: FALSE'])
  })

  test('a second address in the entry is seen and taken out', async () => {
    await pass(directory, [hcg, juan])
    edit(slapd, dn, 'add: mail\nmail: boss@hcg.example')
    expect((await find(directory, juan.key))?.resource).toMatchObject({
      address: 'boss@hcg.example, jperez@hcg.example',
    })
    expect(results((await pass(directory, [hcg, juan])).outcomes)).toEqual(['applied'])
    expect(valuesOf(slapd, dn, 'mail')).toEqual(['mail: jperez@hcg.example'])
  })
})

describeServers('the names of iRedMail', whyNoSlapd, () => {
  let slapd: Slapd
  let directory: LdapDirectory
  beforeEach(async () => {
    slapd = await startSlapd({ sync: 'fast', profile: 'iredmail' })
    directory = openOver(slapd)
  })
  afterEach(async () => {
    await directory[Symbol.asyncDispose]()
    await slapd.close()
  })
  const dn = accountDn(juan.key, 'iredmail')
  const domainAt = domainDn(hcg.key, 'iredmail')
  const services = (at = dn) => valuesOf(slapd, at, 'enabledService').map(line => line.slice('enabledService: '.length))

  test('the tree, the domain and the account are what a reader of the schema expects', async () => {
    const relay = domain('relay.example', { delivery: 'relay', nextHop: 'mail.inst.example' })
    await pass(directory, [hcg, relay, juan])
    expect(slapd.search('o=domains,dc=example', 'sub', '(objectClass=*)', '1.1').sort()).toEqual([
      'dn: domainName=hcg.example,o=domains,dc=example',
      'dn: domainName=relay.example,o=domains,dc=example',
      `dn: ${dn}`,
      'dn: o=domains,dc=example',
      'dn: ou=Users,domainName=hcg.example,o=domains,dc=example',
    ])
    const domainSeen = ['accountStatus', 'domainBackupMX', 'enabledService', 'mtaTransport']
    expect(valuesOf(slapd, domainAt, ...domainSeen)).toEqual([
      'accountStatus: active',
      'domainBackupMX: no',
      'enabledService: mail',
    ])
    expect(valuesOf(slapd, domainDn('relay.example', 'iredmail'), ...domainSeen)).toEqual([
      'accountStatus: active',
      'domainBackupMX: yes',
      'enabledService: mail',
      'mtaTransport: relay:[mail.inst.example]',
    ])
    const seen = ['accountStatus', 'domainStatus', 'shadowAddress', 'mailQuota', 'allowNets', 'uid']
    expect(valuesOf(slapd, dn, ...seen)).toEqual([
      'accountStatus: active',
      'allowNets: 10.0.0.0/8',
      'domainStatus: active',
      'mailQuota: 1048576',
      'shadowAddress: juan@hcg.example',
      'uid: jperez',
    ])
    // The filter that its own Dovecot asks with.
    const asked = (service: string) =>
      slapd.search(
        'o=domains,dc=example',
        'sub',
        `(&(objectClass=mailUser)(accountStatus=active)(!(domainStatus=disabled))(enabledService=mail)(enabledService=${service})(mail=${juan.key}))`,
        '1.1',
      )
    expect(['imap', 'imapsecured', 'pop3', 'smtp', 'deliver'].map(service => asked(service).length)).toEqual([
      1, 1, 1, 1, 1,
    ])
  })

  test('a suspension takes services away and leaves mail and what others enabled', async () => {
    await pass(directory, [hcg, juan, ana])
    edit(slapd, dn, 'add: enabledService\nenabledService: forward\nenabledService: senderbcc')
    const full = services()
    await pass(directory, [{ ...hcg, login: 'suspended' }, juan, ana])
    const mail = ['deliver', 'forward', 'lda', 'lmtp', 'mail', 'senderbcc', 'shadowaddress']
    expect(services()).toEqual(mail)
    expect(valuesOf(slapd, dn, 'accountStatus', 'domainStatus')).toEqual([
      'accountStatus: active',
      'domainStatus: active',
    ])
    await pass(directory, [hcg, { ...juan, status: 'suspended' }, ana])
    expect(services()).toEqual(mail)
    await pass(directory, [hcg, juan, ana])
    expect(services()).toEqual(full)
    expect(services(accountDn(ana.key, 'iredmail'))).not.toContain('smtp')
    await pass(directory, [{ ...hcg, login: 'closed' }, { ...juan, status: 'closed' }, ana])
    expect(valuesOf(slapd, dn, 'accountStatus', 'domainStatus')).toEqual([
      'accountStatus: disabled',
      'domainStatus: disabled',
    ])
    expect(valuesOf(slapd, domainAt, 'accountStatus')).toEqual(['accountStatus: disabled'])
  })

  test('a service or a status that its own console changed is seen and put back', async () => {
    const wanted = [{ ...hcg, login: 'suspended' as const }, juan]
    await pass(directory, wanted)
    edit(slapd, dn, 'add: enabledService\nenabledService: imap')
    edit(slapd, domainAt, 'replace: accountStatus\naccountStatus: disabled')
    expect((await find(directory, juan.key))?.resource).toMatchObject({ status: expect.stringContaining('imap') })
    expect((await find(directory, hcg.key))?.resource).toMatchObject({ login: 'suspended, accountStatus disabled' })
    await apply(directory, [create(ana)])
    expect(valuesOf(slapd, accountDn(ana.key, 'iredmail'), 'mwDomainStatus')).toEqual(['mwDomainStatus: suspended'])
    expect(results((await pass(directory, wanted)).outcomes)).toEqual(['applied', 'applied'])
    expect(services()).not.toContain('imap')
    expect((await pass(directory, wanted)).changes).toEqual([])
  })

  test('a domain goes with its empty container, and stays with what others put below it', async () => {
    const other = domain('other.example')
    const there = account('a@other.example', { aliases: [] as Address[] })
    await pass(directory, [hcg, juan, other, there])
    const group = `ou=Groups,${domainDn('other.example', 'iredmail')}`
    slapd.ldap('ldapadd', `dn: ${group}\nobjectClass: organizationalUnit\nou: Groups\n`)
    expect(results(await apply(directory, [remove(juan), remove(there)]))).toEqual(['applied', 'applied'])
    expect(results(await apply(directory, [remove(hcg), remove(other)]))).toEqual(['applied', 'conflict'])
    expect(slapd.search('o=domains,dc=example', 'sub', '(mwMark=*)', '1.1')).toEqual([
      `dn: ${domainDn('other.example', 'iredmail')}`,
    ])
    // Its container went, and is made again when somebody moves in.
    expect(results(await apply(directory, [create(there)]))).toEqual(['applied'])
  })

  test('what its console keeps beside users is in nobody’s way and keeps its names', async () => {
    await pass(directory, [hcg])
    const groups = `ou=Groups,${domainAt}`
    slapd.ldap(
      'ldapadd',
      `dn: ${groups}\nobjectClass: organizationalUnit\nou: Groups\n\n` +
        `dn: cn=all,${groups}\nobjectClass: inetOrgPerson\nobjectClass: mailUser\ncn: all\nsn: all\nuid: all\nmail: all@hcg.example\n`,
    )
    expect((await find(directory, 'all@hcg.example'))?.mark).toBeNull()
    expect(results(await apply(directory, [create({ ...juan, aliases: names('all') })]))).toEqual(['conflict'])
    expect(results(await apply(directory, [create(juan)]))).toEqual(['applied'])
  })
})
