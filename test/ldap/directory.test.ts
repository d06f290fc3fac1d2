/** The directory in OpenLDAP beyond the conformance suite: whose attribute is whose, the two flags, limits, names, passwords. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'
import type { LdapDirectory } from '../../providers/ldap/directory.ts'
import { ProviderFailure } from '../../providers/provider.ts'
import { account, domain, names } from '../conformance/samples.ts'
import { run } from '../servers/mail-servers.ts'
import { makeCertificate, type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'
import { describeServers } from '../servers/suite.ts'
import { assertionOid, startTwin } from '../twins/ldap.ts'
import { apply, create, find, never, openOver, pass, remove, results, update } from './bench.ts'
import { accountDn, byHand, domainDn } from './hand.ts'

const hcg = domain('hcg.example')
const juan = account('jperez@hcg.example', { aliases: names('juan'), quotaBytes: 1_000 })
const admin = account('admin@hcg.example', { role: 'administrator' })
const collector = account('multipop@hcg.example', { role: 'collector' })

describeServers('the directory in slapd', whyNoSlapd, () => {
  let slapd: Slapd
  let directory: LdapDirectory
  const edit = (dn: string, lines: string) => slapd.ldap('ldapmodify', `dn: ${dn}\nchangetype: modify\n${lines}\n`)
  const valuesOf = (dn: string, ...attributes: string[]) =>
    slapd
      .search(dn, 'base', '(objectClass=*)', ...attributes)
      .filter(line => !line.startsWith('dn:'))
      .sort()
  /** What slapd wrote down of each write, in order: whose name, which attributes. */
  const audited = () =>
    readFileSync(join(slapd.folder, 'audit'), 'utf8')
      .split('\n\n')
      .filter(record => record.includes('changetype:'))

  beforeEach(async () => {
    slapd = await startSlapd({ sync: 'fast', lines: ['overlay auditlog', 'auditlog FOLDER/audit'] })
    directory = openOver(slapd)
  })
  afterEach(async () => {
    await directory[Symbol.asyncDispose]()
    await slapd.close()
  })

  test('attributes of others survive every change, and a change names only what differs', async () => {
    await apply(directory, [create(hcg), create(juan)])
    edit(
      accountDn(juan.key),
      'add: objectClass\nobjectClass: labeledURIObject\n-\nadd: telephoneNumber\ntelephoneNumber: 7 555\n-\n' +
        'add: description\ndescription: seen by hand\n-\nreplace: cn\ncn: Juan Pérez\n-\nadd: userPassword\nuserPassword: {CRYPT}x',
    )
    edit(domainDn(hcg.key), 'add: description\ndescription: of the domain')
    const others = ['objectClass', 'telephoneNumber', 'description', 'cn', 'userPassword', 'mail']
    const before = valuesOf(accountDn(juan.key), ...others)
    const after = { aliases: names('jp', 'juan'), quotaBytes: 5, allowNets: null, status: 'suspended' } as const
    // What others wrote since we looked is theirs, and no conflict.
    expect(results(await apply(directory, [update(juan, after), update(hcg, { institution: 'other' })]))).toEqual([
      'applied',
      'applied',
    ])
    expect(valuesOf(accountDn(juan.key), ...others)).toEqual(before)
    expect(valuesOf(domainDn(hcg.key), 'description')).toEqual(['description: of the domain'])
    expect((await find(directory, juan.key))?.resource).toEqual({ ...juan, ...after })
    const named = audited()
      .filter(record => record.includes(`dn: ${accountDn(juan.key)}`) && record.includes('cn=agent'))
      .at(-1)
      ?.match(/^(?:add|replace|delete): \w+/gm)
    expect(named?.filter(line => !/entryCSN|modif/.test(line)).sort()).toEqual([
      'replace: mailLocalAddress',
      'replace: mwAccountStatus',
      'replace: mwAllowNets',
      'replace: mwQuotaBytes',
    ])
  })

  test("somebody's edit between our look and our write is a conflict, whichever of the two it comes before", async () => {
    await apply(directory, [create(hcg), create(juan)])
    edit(accountDn(juan.key), 'replace: mwQuotaBytes\nmwQuotaBytes: 2')
    expect(results(await apply(directory, [update(juan, { quotaBytes: 3 })]))).toEqual(['conflict'])
    const twin = await startTwin(slapd.url)
    await using between = openOver(slapd, { url: twin.url })
    let edits = 0
    const editBefore = (lines: () => string | undefined) => {
      twin.script = {
        toServer: message => {
          const text = message.octets.includes(assertionOid) ? lines() : undefined
          if (text !== undefined) edit(accountDn(juan.key), text)
          return [message.octets]
        },
      }
    }
    editBefore(() => {
      edits += 1
      return `replace: mwQuotaBytes\nmwQuotaBytes: ${100 + edits}`
    })
    const seen = { ...juan, quotaBytes: 2 }
    expect(results(await apply(between, [update(seen, { quotaBytes: 3 })]))).toEqual(['conflict'])
    expect(edits).toBe(1)
    expect(results(await apply(between, [remove({ ...juan, quotaBytes: 101 })]))).toEqual(['conflict'])
    expect(valuesOf(accountDn(juan.key), 'mwQuotaBytes')).toEqual(['mwQuotaBytes: 102'])
    // An edit of what is not ours in the same place is no conflict: we look again, and write.
    editBefore(() => (edits++ < 3 ? 'replace: description\ndescription: x' : undefined))
    expect(results(await apply(between, [update({ ...juan, quotaBytes: 102 }, { quotaBytes: 4 })]))).toEqual([
      'applied',
    ])
    expect((await find(directory, juan.key))?.resource).toMatchObject({ quotaBytes: 4 })
    await twin.close()
  })

  const flags = () =>
    [juan, admin, collector].map(({ key }) => valuesOf(accountDn(key), 'mwAccountStatus', 'mwDomainStatus').join(' '))
  const flagsOf = (own: string, ofDomain: string) => `mwAccountStatus: ${own} mwDomainStatus: ${ofDomain}`

  test('a domain is flipped by one write, then its accounts carry it, and their own status is as it was', async () => {
    await apply(directory, [create(hcg), ...[juan, admin, collector].map(create)])
    await apply(directory, [update(juan, { status: 'suspended' })])
    const count = audited().length
    expect(results(await apply(directory, [update(hcg, { login: 'suspended' })]))).toEqual(['applied'])
    const writes = audited().slice(count)
    expect(writes.length).toBe(4)
    expect(writes[0]).toContain(`dn: ${domainDn(hcg.key)}`)
    expect(writes[0]).toContain('mwLoginStatus: suspended')
    expect(flags()).toEqual([
      flagsOf('suspended', 'suspended'),
      flagsOf('active', 'suspended'),
      flagsOf('active', 'suspended'),
    ])
    const held: DirectoryDomain = { ...hcg, login: 'suspended' }
    expect((await find(directory, hcg.key))?.resource).toEqual(held)
    await apply(directory, [update(held, { login: 'active', collection: 'suspended' })])
    expect(flags()).toEqual([
      flagsOf('suspended', 'active'),
      flagsOf('active', 'active'),
      flagsOf('active', 'suspended'),
    ])
    await apply(directory, [update({ ...hcg, collection: 'suspended' } as DirectoryDomain, { collection: 'closed' })])
    expect(flags().at(2)).toBe(flagsOf('active', 'closed'))
    // Doing it again writes nothing.
    const again = audited().length
    expect(results(await apply(directory, [update(hcg, { collection: 'closed' })]))).toEqual(['applied'])
    expect(audited().length).toBe(again)
  })

  test('an account that is born during a hold, or changes its role, carries what its domain says', async () => {
    await apply(directory, [create(domain('hcg.example', { login: 'suspended', delivery: 'relay' })), create(juan)])
    const carried = () => valuesOf(accountDn(juan.key), 'mwDomainStatus', 'mwMay')
    expect(carried()).toEqual(['mwDomainStatus: suspended', 'mwMay: submit'])
    await apply(directory, [update(juan, { role: 'administrator' })])
    expect(carried()).toEqual(['mwDomainStatus: suspended', 'mwMay: read', 'mwMay: submit'])
  })

  test("a flag that somebody reopened by hand is seen on its domain and put back; foreign accounts' are their own", async () => {
    const held = domain('hcg.example', { login: 'suspended' })
    const wanted = [held, juan, admin, collector]
    await pass(directory, wanted)
    byHand(slapd, account('x@hcg.example'), account('x@hcg.example'))
    expect((await pass(directory, wanted)).changes).toEqual([])
    edit(accountDn(juan.key), 'replace: mwDomainStatus\nmwDomainStatus: active')
    edit(accountDn(admin.key), 'delete: mwMay')
    edit(accountDn(collector.key), 'replace: mwDomainStatus\nmwDomainStatus: closed')
    expect((await find(directory, held.key))?.resource).toMatchObject({
      login: 'suspended, active',
      collection: 'active, closed',
      delivery: 'mailboxes, nothing',
    })
    const { changes, outcomes } = await pass(directory, wanted)
    expect([changes.map(({ ref }) => ref.key), results(outcomes)]).toEqual([['hcg.example'], ['applied']])
    expect(flags()).toEqual(Array(3).fill(flagsOf('active', 'suspended')))
    expect(valuesOf(accountDn(admin.key), 'mwMay')).toEqual(['mwMay: read', 'mwMay: submit'])
    expect(valuesOf(accountDn('x@hcg.example'), 'mwDomainStatus')).toEqual(['mwDomainStatus: active'])
    expect((await pass(directory, wanted)).changes).toEqual([])
  })

  test('a domain that was flipped while its walk was cut is never taken for what either side says', async () => {
    await pass(directory, [hcg, juan, admin])
    // As a cut leaves it: the domain closed, an account not yet.
    edit(domainDn(hcg.key), 'replace: mwLoginStatus\nmwLoginStatus: suspended')
    expect((await find(directory, hcg.key))?.resource).toMatchObject({ login: 'suspended, active' })
    expect(results((await pass(directory, [hcg, juan, admin])).outcomes)).toEqual(['applied'])
    expect((await find(directory, hcg.key))?.resource).toEqual(hcg)
  })

  test('odd values are reported as they are and put right', async () => {
    await pass(directory, [hcg, juan])
    edit(
      accountDn(juan.key),
      'replace: mwAccountStatus\nmwAccountStatus: Active\n-\nreplace: mwAddress\nmwAddress: boss@hcg.example\n-\n' +
        'replace: mwAllowNets\nmwAllowNets: 192.0.2.0/24,10.0.0.0/8\n-\nadd: mailLocalAddress\nmailLocalAddress: Evil@hcg.example\n-\n' +
        'replace: mwQuotaBytes\nmwQuotaBytes: 4611686018427387904',
    )
    edit(domainDn(hcg.key), 'replace: mwDelivery\nmwDelivery: none')
    const found = (await find(directory, juan.key))?.resource as DirectoryAccount
    expect(found).toMatchObject({
      address: 'boss@hcg.example',
      status: 'Active',
      allowNets: ['192.0.2.0/24', '10.0.0.0/8'],
      quotaBytes: 2 ** 62,
    })
    expect(found.aliases).toContain('Evil@hcg.example')
    expect(results((await pass(directory, [hcg, juan])).outcomes)).toEqual(['applied', 'applied'])
    expect((await pass(directory, [hcg, juan])).changes).toEqual([])
  })

  test('1,500 accounts are read page by page; cut short by the size limit it is a failure, never fewer', async () => {
    const accounts = Array.from({ length: 1_500 }, (_, index) => account(`u${index}@hcg.example`))
    expect(new Set(results(await apply(directory, [hcg, ...accounts].map(create))))).toEqual(new Set(['applied']))
    expect((await directory.observe('all', never)).length).toBe(1_501)
    expect((await directory.observe({ domains: ['hcg.example'] }, never)).length).toBe(1_501)
    await using limited = openOver(slapd, { bindDn: slapd.limitedDn })
    for (const scope of ['all', { domains: ['hcg.example'] }] as const) {
      const failure = await limited.observe(scope, never).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(ProviderFailure)
      expect(String(failure)).toContain(`limits dn.exact="${slapd.limitedDn}" size=unlimited size.prtotal=unlimited`)
    }
    // It cannot see all accounts, so it does not claim to have closed them.
    expect(results(await apply(limited, [update(hcg, { login: 'suspended' })]))).toEqual(['failed'])
    expect(results(await apply(directory, [update(hcg, { login: 'suspended' })]))).toEqual(['applied'])
    expect(slapd.search(slapd.base, 'sub', '(mwDomainStatus=active)', '1.1')).toEqual([])
  })

  test('nothing is taken for absent that cannot be seen', async () => {
    const failureOf = (over: Parameters<typeof openOver>[1]) =>
      openOver(slapd, over)
        .observe('all', never)
        .catch((error: unknown) => error)
    expect(await failureOf({ base: 'dc=elsewhere' })).toMatchObject({ kind: 'rejected' })
    expect(await failureOf({ base: 'ou=hidden,dc=example' })).toMatchObject({ kind: 'rejected' })
    const wrong = await failureOf({ password: new Secret('canary-wrong') })
    expect(wrong).toMatchObject({ name: 'ProviderFailure', kind: 'unauthorized' })
    expect(JSON.stringify(wrong) + String(wrong) + String((wrong as Error).cause)).not.toContain('canary')
    await expect(directory.observe('all', AbortSignal.abort())).rejects.toMatchObject({ kind: 'timeout' })
  })

  test('a certificate of another authority is refused, and so is the password in the clear', async () => {
    makeCertificate(slapd.folder, 'other')
    const other = join(slapd.folder, 'other.pem')
    for (const way of [{ url: slapd.secureUrl }, { encryption: 'starttls' as const }])
      for (const ca of [{ caFile: other }, {}])
        await expect(openOver(slapd, { ...way, ...ca }).observe('all', never)).rejects.toMatchObject({
          kind: 'unauthorized',
        })
    // The certificate is for 127.0.0.1, not for the name.
    const named = { url: slapd.url.replace('127.0.0.1', 'localhost'), caFile: slapd.caFile }
    await expect(openOver(slapd, { ...named, encryption: 'starttls' }).observe('all', never)).rejects.toMatchObject({
      kind: 'unauthorized',
    })
    for (const url of ['ldap://ldap.example', 'http://127.0.0.1', 'ldap://a:b@127.0.0.1', 'ldap:///'])
      expect(() => openOver(slapd, { url })).toThrow(ProviderFailure)
    expect(() => openOver(slapd, { base: 'example' })).toThrow(ProviderFailure)
  })

  test('a domain with entries of others is not deleted, its neighbour is', async () => {
    const other = domain('other.example')
    await apply(directory, [create(hcg), create(other)])
    slapd.ldap(
      'ldapadd',
      `dn: cn=printer,${domainDn(hcg.key)}\nobjectClass: device\ncn: printer\n\n` +
        `dn: uid=ana,${domainDn(hcg.key)}\nobjectClass: inetOrgPerson\nuid: ana\ncn: ana\nsn: ana\nmail: Ana@hcg.example\n`,
    )
    expect(results(await apply(directory, [remove(hcg), remove(other)]))).toEqual(['conflict', 'applied'])
    expect((await directory.observe('all', never)).map(({ resource, mark }) => [resource.key, mark === null])).toEqual([
      ['hcg.example', false],
      ['ana@hcg.example', true],
    ])
    // The address of somebody's own entry is taken, in whatever form it stands.
    expect(results(await apply(directory, [create(account('ana@hcg.example'))]))).toEqual(['conflict'])
  })

  test('no account is put into a domain that is absent or of others', async () => {
    byHand(slapd, domain('foreign.example'), domain('foreign.example'))
    const outcomes = await apply(directory, [create(account('a@foreign.example')), create(account('a@absent.example'))])
    expect(outcomes.map(({ ref, detail }) => [ref.key, detail]).sort()).toEqual([
      ['a@absent.example', 'its domain does not stand'],
      ['a@foreign.example', 'its domain is not ours'],
    ])
  })

  test('a name that a foreign account goes by is not taken from it; one of ours moves in either order', async () => {
    await apply(directory, [create(hcg)])
    byHand(slapd, account('x@hcg.example'), account('x@hcg.example', { aliases: names('y') }))
    const [a, b] = [account('a@hcg.example', { aliases: names('z') }), account('b@hcg.example')]
    const outcomes = await apply(directory, [
      create(account('c@hcg.example', { aliases: names('x') })),
      create(account('d@hcg.example', { aliases: names('y') })),
      create(account('y@hcg.example')),
      create(a),
      create(b),
    ])
    expect(
      outcomes
        .filter(({ result }) => result === 'applied')
        .map(({ ref }) => ref.key)
        .sort(),
    ).toEqual([a.key, b.key])
    expect(results(await apply(directory, [update(b, { aliases: names('y') })]))).toEqual(['conflict'])
    const moved = await apply(directory, [update(b, { aliases: names('z') }), update(a, { aliases: [] })])
    expect(results(moved)).toEqual(['applied', 'applied'])
  })

  test('an entry that goes by the address of ours keeps nobody from suspending it', async () => {
    await apply(directory, [create(hcg), create(juan)])
    const stranger = `dn: cn=otro,${domainDn(hcg.key)}\nobjectClass: inetOrgPerson\ncn: otro\nsn: otro\nmail: ${juan.key}\n`
    slapd.ldap('ldapadd', stranger)
    expect(results(await apply(directory, [update(juan, { status: 'suspended' })]))).toEqual(['applied'])
    expect(valuesOf(accountDn(juan.key), 'mwAccountStatus')).toEqual(['mwAccountStatus: suspended'])
  })

  test('an account that somebody renamed is not made a second time: two of one address would let nobody in', async () => {
    await apply(directory, [create(hcg), create(juan), create(admin)])
    const rename = (dn: string, ...lines: string[]) =>
      slapd.ldap('ldapmodify', `dn: ${dn}\nchangetype: modrdn\n${lines.join('\n')}\n`)
    rename(accountDn(juan.key), 'newrdn: mail=nueva@hcg.example', 'deleteoldrdn: 1')
    const [outcome] = await apply(directory, [create(juan)])
    expect(outcome).toMatchObject({ result: 'conflict', detail: expect.stringContaining('nueva@hcg.example') })
    rename(accountDn('nueva@hcg.example'), `newrdn: mail=${juan.key}`, 'deleteoldrdn: 1')
    expect(results(await apply(directory, [update(juan, { quotaBytes: 7 })]))).toEqual(['applied'])
    // Its domain too: below another name its accounts still go by their addresses.
    rename(domainDn(hcg.key), 'newrdn: dc=otro.example', 'deleteoldrdn: 1')
    expect(results(await apply(directory, [create(hcg), create(juan)]))).toEqual(['applied', 'conflict'])
  })

  test('a password survives every change of its account but its removal, and is never observed', async () => {
    await apply(directory, [create(hcg), create(juan)])
    await directory.setCredential(juan.address, '{ARGON2ID}$argon2id$canary', 1_700_000_000_123)
    await apply(directory, [update(juan, { quotaBytes: 5 })])
    expect(await directory.credentialChanges('hcg.example')).toEqual(new Map([[juan.address, 1_700_000_000_123]]))
    expect(await directory.credentialChanges('absent.example')).toEqual(new Map())
    expect(JSON.stringify(await directory.observe('all', never))).not.toContain('canary')
    await apply(directory, [remove({ ...juan, quotaBytes: 5 })])
    await apply(directory, [create(juan)])
    expect(await directory.credentialChanges('hcg.example')).toEqual(new Map())
    byHand(slapd, account('x@hcg.example'), account('x@hcg.example'))
    for (const address of ['nobody@hcg.example', 'x@hcg.example'])
      await expect(directory.setCredential(address, '{PLAIN}x', 1)).rejects.toMatchObject({ kind: 'rejected' })
  })

  test("hashes of crypt(3) open slapd's own bind too; Dovecot's other schemes do not, and open nothing", async () => {
    await apply(directory, [create(hcg), create(juan)])
    const bind = (secret: string) =>
      run('/usr/bin/ldapwhoami', ['-x', '-H', slapd.url, '-D', accountDn(juan.key), '-w', secret]).status
    const hash = run('/usr/bin/openssl', ['passwd', '-6', '-salt', 'saltsalt', 'niño']).stdout.trim()
    await directory.setCredential(juan.address, `{SHA512-CRYPT}${hash}`, 1)
    expect([bind('niño'), bind('wrong')]).toEqual([0, 49])
    await directory.setCredential(juan.address, '{ARGON2ID}$argon2id$v=19$x', 2)
    expect([bind('niño'), bind('{ARGON2ID}$argon2id$v=19$x')]).toEqual([49, 49])
  })

  test('hostile names stay data', async () => {
    const hostile = [
      `'; drop--@hcg.example`,
      '*@hcg.example',
      ')(mail=*@hcg.example',
      'a,dc=b+c=d@hcg.example',
      '-x;id\\2c"<>#@hcg.example',
    ]
    const resources = hostile.map(address => account(address, { aliases: names(`alias-${hostile.indexOf(address)}`) }))
    const wanted = [hcg, ...resources]
    expect(new Set(results((await pass(directory, wanted)).outcomes))).toEqual(new Set(['applied']))
    expect((await pass(directory, wanted)).changes).toEqual([])
    expect(results(await apply(directory, resources.map(remove)))).toEqual(hostile.map(() => 'applied'))
    expect((await directory.observe('all', never)).map(({ resource }) => resource)).toEqual([hcg])
  })

  test('one entry that slapd refuses fails alone, with its reason', async () => {
    await apply(directory, [create(hcg)])
    const bad = account('bad@hcg.example', { quotaBytes: 0.5 })
    const outcomes = await apply(directory, [
      create(account('a@hcg.example')),
      create(bad),
      create(account('b@hcg.example')),
    ])
    expect(outcomes.filter(({ result }) => result === 'applied').length).toBe(2)
    expect(outcomes.find(({ ref }) => ref.key === bad.key)).toMatchObject({
      result: 'failed',
      detail: expect.stringContaining('mwQuotaBytes'),
    })
  })
})
