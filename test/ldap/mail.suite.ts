/**
 * For each profile of attribute names: the directory in slapd through the doors that people use: a real Postfix and a real Dovecot, started from the LDAP
 * snippets, read it with a DN of their own. IMAP, POP and SMTP AUTH are each tried by themselves.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import type { Address } from '../../agent/model/name.ts'
import type { DirectoryAccount, DirectoryDomain } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import { generatePassword, hashPassword } from '../../agent/standards/password.ts'
import type { LdapDirectory } from '../../providers/ldap/directory.ts'
import type { ProfileName } from '../../providers/ldap/profiles.ts'
import { type LdapSnippetValues, renderLdapSnippets } from '../../providers/ldap/snippets.ts'
import { account, domain } from '../conformance/samples.ts'
import { type MailServers, run, startMailServers, waitUntil, whyNoServers } from '../servers/mail-servers.ts'
import { type PolicyStub, startPolicyStub } from '../servers/policy-stub.ts'
import { type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'
import { describeServers } from '../servers/suite.ts'
import { imapLogin, popLogin, popMessages, sendMail, smtpLogin } from '../servers/wire.ts'
import { openOver, pass } from './bench.ts'
import { accountDn, domainDn } from './hand.ts'

const inside = '127.0.0.1'
const outside = '127.0.0.9'
const nets = { allowNets: [`${inside}/32`] }

const administrator = (of: string) =>
  account(`admin@${of}`, {
    ...nets,
    role: 'administrator',
    aliases: [`abuse@${of}`, `postmaster@${of}`] as Address[],
  })
const juan = account('jperez@box.example', {
  ...nets,
  aliases: ['juan.perez@box.example' as Address],
  // Whole kilobytes, since one of the schemas counts in them.
  quotaBytes: 48_829 * 1_024,
})
const maria = account('mlopez@box.example', { allowNets: null })
const collector = account('multipop@pop.example', { ...nets, role: 'collector' })
const estate: readonly DirectoryResource[] = [
  domain('box.example'),
  administrator('box.example'),
  juan,
  maria,
  account('shut@box.example', { allowNets: [] }),
  account('gone@box.example', { ...nets, status: 'closed' }),
  domain('pop.example', { delivery: 'multipop' }),
  administrator('pop.example'),
  collector,
  account('ana@pop.example', nets),
  account('berta@pop.example', nets),
  domain('relay.example', { delivery: 'relay', nextHop: 'mail.inst.example' }),
  administrator('relay.example'),
  account('carla@relay.example', nets),
  domain('hop.example', { delivery: 'relay', nextHop: '[10.20.0.5]' }),
  domain('nohop.example', { delivery: 'relay' }),
]

function changed(key: string, over: Partial<DirectoryDomain> & Partial<DirectoryAccount>): DirectoryResource[] {
  return estate.map(resource => (resource.key === key ? ({ ...resource, ...over } as DirectoryResource) : resource))
}

function whyNot(): string | null {
  const modules = ['/usr/lib/postfix/postfix-ldap.so', '/usr/lib/dovecot/modules/auth/libauthdb_ldap.so']
  const absent = modules.filter(module => !existsSync(module))
  return whyNoSlapd() ?? whyNoServers() ?? (absent.length > 0 ? `not installed: ${absent.join(', ')}` : null)
}

function siteOf(
  slapd: Slapd,
): Pick<LdapSnippetValues, 'url' | 'caFile' | 'base' | 'agentDn' | 'readerDn' | 'readerPassword' | 'profile'> {
  const { url, caFile, base, agentDn, readerDn, password: readerPassword, profile } = slapd
  return { url, caFile, base, agentDn, readerDn, readerPassword, profile }
}

const aliasOf = { own: 'mailLocalAddress', 'postfix-book': 'mailAlias', iredmail: 'shadowAddress' } as const

/** What somebody writes who knows the other schema alone, and the ways in that are left to jperez@box.example. */
const closings: Readonly<Record<ProfileName, readonly (readonly ['account' | 'domain', string, readonly string[]])[]>> =
  {
    own: [],
    'postfix-book': [['account', 'replace: mailEnabled\nmailEnabled: FALSE', []]],
    iredmail: [
      ['account', 'replace: accountStatus\naccountStatus: disabled', []],
      ['account', 'replace: domainStatus\ndomainStatus: disabled', []],
      ['account', 'delete: enabledService\nenabledService: mail', []],
      ['account', 'delete: enabledService\nenabledService: imap', ['pop', 'smtp']],
      ['account', 'delete: enabledService\nenabledService: smtp', ['imap', 'pop']],
      ['domain', 'replace: accountStatus\naccountStatus: disabled', []],
    ],
  }

export function testMail(profile: ProfileName): void {
  describeServers(`Postfix and Dovecot over slapd by the names of ${profile}`, whyNot, () => {
    let slapd: Slapd
    let servers: MailServers
    let policy: PolicyStub
    let directory: LdapDirectory
    const password = generatePassword(randomBytes).reveal()

    beforeAll(async () => {
      slapd = await startSlapd({ sync: 'fast', profile })
      policy = await startPolicyStub()
      directory = openOver(slapd)
      servers = await startMailServers({
        policy: policy.address,
        directory: {
          mapType: 'ldap',
          snippets: ({ directory: _, sql, group: __, ...values }) =>
            renderLdapSnippets({ ...siteOf(slapd), ...values, dovecot: join(sql, '..') }),
        },
      })
      await reach(estate)
      const hash = await hashPassword(new Secret(password))
      for (const resource of estate)
        if (resource.kind === 'account') await directory.setCredential(resource.address, hash, 1_700_000_000_000)
    }, 60_000)
    afterAll(async () => {
      await directory?.[Symbol.asyncDispose]()
      await servers?.stop()
      await policy?.stop()
      await slapd?.close()
    })
    beforeEach(() => reach(estate))

    async function reach(wanted: readonly DirectoryResource[]): Promise<void> {
      const { outcomes } = await pass(directory, wanted)
      expect(outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
    }
    const accountAt = (address: string) => accountDn(address, profile)
    const edit = (dn: string, lines: string) => slapd.ldap('ldapmodify', `dn: ${dn}\nchangetype: modify\n${lines}\n`)

    /** What each of the three says: `ok`, or its refusal. */
    async function replies(user: string, from = inside, secret = password): Promise<readonly [string, string, string]> {
      const { imap, pop, submission } = servers.ports
      const attempt = { user, password: secret }
      const found = await Promise.all([
        imapLogin({ port: imap, from }, attempt),
        popLogin({ port: pop, from }, attempt),
        smtpLogin({ port: submission, from }, attempt),
      ])
      // A refusal is a refusal, never a fault of the server's that would look like one.
      expect(found.join('\n')).not.toMatch(/UNAVAILABLE|\[SYS|TEMP|^454/m)
      return found
    }
    async function doors(user: string, from = inside, secret = password): Promise<string[]> {
      const [imap, pop, smtp] = await replies(user, from, secret)
      return [
        ...(imap.startsWith('OK') ? ['imap'] : []),
        ...(pop.startsWith('+OK') ? ['pop'] : []),
        ...(smtp.startsWith('235') ? ['smtp'] : []),
      ]
    }
    const all = ['imap', 'pop', 'smtp']
    const text = (id: string) =>
      `From: <s@remote.example>\nMessage-ID: <${id}@remote.example>\nSubject: ${id}\n\nHello.`
    const arrived = async (user: string, id: string) =>
      (await popMessages({ port: servers.ports.pop }, { user, password })).filter(message =>
        message.includes(`<${id}@`),
      )
    const send = (recipients: readonly string[], id: string) =>
      sendMail({ port: servers.ports.smtp }, { sender: 's@remote.example', recipients, text: text(id) })

    test('a login is accepted from its networks and from no other', async () => {
      expect(await doors('jperez@box.example')).toEqual(all)
      expect(await doors('JPerez@Box.example')).toEqual(all)
      expect(await doors('jperez@box.example', outside)).toEqual([])
      expect(await doors('mlopez@box.example', outside)).toEqual(all)
      expect(await doors('shut@box.example')).toEqual([])
      expect(await doors('gone@box.example')).toEqual([])
      expect(await doors('jperez@box.example', inside, 'wrong')).toEqual([])
      expect(await doors('juan.perez@box.example')).toEqual([])
      expect(await doors('*@box.example')).toEqual([])
      expect(await doors('x)(mwAddress=*@box.example')).toEqual([])
      expect(await doors('nobody@absent.example')).toEqual([])
    })

    test('the collector only reads, users of multipop and relay domains only submit', async () => {
      expect(await doors('multipop@pop.example')).toEqual(['imap', 'pop'])
      expect(await doors('multipop@pop.example', outside)).toEqual([])
      expect(await doors('ana@pop.example')).toEqual(['smtp'])
      expect(await doors('carla@relay.example')).toEqual(['smtp'])
      await reach(changed('pop.example', { collection: 'suspended' }))
      expect(await doors('multipop@pop.example')).toEqual([])
      expect(await doors('ana@pop.example')).toEqual(['smtp'])
      await reach(changed('pop.example', { login: 'suspended' }))
      expect(await doors('multipop@pop.example')).toEqual([])
    })

    test('a suspended domain has no way in and says why to whoever has the password; its neighbour is open', async () => {
      await reach(changed('box.example', { login: 'suspended' }))
      for (const user of ['jperez', 'mlopez', 'admin']) {
        const [imap, pop, smtp] = await replies(`${user}@box.example`)
        expect(imap).toMatch(/^NO .*This account is suspended/)
        expect(pop).toMatch(/^-ERR .*This account is suspended/)
        expect(smtp).toMatch(/^535 /)
      }
      expect((await replies('jperez@box.example', inside, 'wrong')).join()).not.toContain('suspended')
      expect((await replies('jperez@box.example', outside)).join()).not.toContain('suspended')
      expect(await doors('admin@pop.example')).toEqual(all)
      await reach(changed('box.example', { login: 'closed', collection: 'closed' }))
      expect((await replies('mlopez@box.example')).join()).not.toContain('suspended')
      expect(await doors('mlopez@box.example')).toEqual([])
      await reach(estate)
      expect(await doors('jperez@box.example')).toEqual(all)
    })

    test('the one write of the domain closes it by itself, and so does each flag of the account', async () => {
      // As in the middle of a walk: no account carries it yet.
      edit(domainDn('box.example', profile), 'replace: mwLoginStatus\nmwLoginStatus: suspended')
      expect(await doors('jperez@box.example')).toEqual([])
      expect(await doors('jperez@box.example', inside, 'wrong')).toEqual([])
      expect(await doors('admin@pop.example')).toEqual(all)
      await reach(estate)
      for (const flag of ['mwDomainStatus', 'mwAccountStatus'])
        for (const status of ['suspended', 'Active', 'closed']) {
          edit(accountAt(juan.key), `replace: ${flag}\n${flag}: ${status}`)
          expect([flag, status, await doors('jperez@box.example')]).toEqual([flag, status, []])
          edit(accountAt(juan.key), `replace: ${flag}\n${flag}: active`)
        }
      await reach(changed('admin@box.example', { status: 'suspended' }))
      expect(await doors('admin@box.example')).toEqual([])
      expect(await doors('jperez@box.example')).toEqual(all)
    })

    if (closings[profile].length > 0)
      test('whoever closes by the other schema alone closes, until we see it', async () => {
        for (const [kind, lines, left] of closings[profile]) {
          edit(kind === 'account' ? accountAt(juan.key) : domainDn('box.example', profile), lines)
          expect([lines, await doors('jperez@box.example')]).toEqual([lines, left])
          await reach(estate)
          expect([lines, await doors('jperez@box.example')]).toEqual([lines, all])
        }
      })

    test('a hash of crypt(3) lets in too', async () => {
      const hash = run('/usr/bin/openssl', ['passwd', '-6', '-salt', 'saltsalt', 'other-pass']).stdout.trim()
      const before = await hashPassword(new Secret(password))
      await directory.setCredential(maria.address, `{SHA512-CRYPT}${hash}`, 1)
      expect(await doors('mlopez@box.example', inside, 'other-pass')).toEqual(all)
      expect(await doors('mlopez@box.example')).toEqual([])
      await directory.setCredential(maria.address, before, 2)
      expect(await doors('mlopez@box.example')).toEqual(all)
    })

    test('mail arrives at mailboxes, by alias and detail, for a suspended account too, and at the collector', async () => {
      await reach(changed('jperez@box.example', { status: 'suspended' }))
      const recipients = ['jperez@box.example', 'juan.perez@box.example', 'Juan.Perez+y@BOX.example']
      for (const [index, recipient] of recipients.entries())
        expect((await send([recipient], `direct-${index}`)).end).toMatch(/^250 /)
      expect((await send(['postmaster@box.example'], 'postmaster')).end).toMatch(/^250 /)
      expect((await send(['ana@pop.example', 'berta@pop.example'], 'two')).end).toMatch(/^250 /)
      expect((await send(['admin@pop.example'], 'own')).end).toMatch(/^250 /)
      await reach(estate)
      for (const index of recipients.keys())
        await waitUntil(
          `mail ${index}`,
          async () => (await arrived('jperez@box.example', `direct-${index}`)).length === 1,
        )
      await waitUntil('postmaster', async () => (await arrived('admin@box.example', 'postmaster')).length === 1)
      await waitUntil('the collector', async () => (await arrived('multipop@pop.example', 'two')).length === 2)
      const delivered = (await arrived('multipop@pop.example', 'two')).map(
        message => /^Delivered-To: <?([^>\n]*)>?$/m.exec(message)?.[1],
      )
      expect(delivered.sort()).toEqual(['ana@pop.example', 'berta@pop.example'])
      await waitUntil('the administrator', async () => (await arrived('admin@pop.example', 'own')).length === 1)
      expect(servers.log()).not.toMatch(/fatal:|panic:/)
    })

    test('unknown, closed and foreign recipients are refused', async () => {
      const recipients = [
        'nobody@box.example',
        'nobody@pop.example',
        'nobody@relay.example',
        'gone@box.example',
        'multipop@pop.example',
        'x@remote.example',
      ]
      const sent = await send(recipients, 'unknown')
      expect(sent.recipients.map(reply => reply.slice(0, 9))).toEqual([...Array(5).fill('550 5.1.1'), '554 5.7.1'])
    })

    test('every map answers, and a held domain stays in each', async () => {
      const lmtp = 'lmtp:unix:private/dovecot-lmtp'
      const expected: readonly [string, string, string | null][] = [
        ['virtual-mailbox-domains', 'box.example', 'box.example'],
        ['virtual-mailbox-domains', 'pop.example', 'pop.example'],
        ['virtual-mailbox-domains', 'relay.example', null],
        ['virtual-mailbox-domains', 'absent.example', null],
        ['virtual-mailbox-maps', 'jperez@box.example', 'jperez@box.example'],
        ['virtual-mailbox-maps', 'carla@relay.example', 'carla@relay.example'],
        ['virtual-mailbox-maps', 'gone@box.example', null],
        ['virtual-mailbox-maps', 'multipop@pop.example', null],
        ['virtual-mailbox-maps', '*@box.example', null],
        ['virtual-alias-maps', 'juan.perez@box.example', 'jperez@box.example'],
        ['virtual-alias-maps', 'postmaster@relay.example', 'admin@relay.example'],
        ['virtual-alias-maps', 'jperez@box.example', null],
        ['relay-domains', 'relay.example', 'relay.example'],
        ['relay-domains', 'box.example', null],
        ['transport-host', 'relay.example', 'relay:[mail.inst.example]'],
        ['transport-host', 'hop.example', null],
        ['transport-address', 'hop.example', 'relay:[10.20.0.5]'],
        ['transport-address', 'relay.example', null],
        ['transport-none', 'nohop.example', 'retry:4.4.1 no next hop is declared'],
        ['transport-none', 'relay.example', null],
        ['transport-administrator', 'admin@relay.example', lmtp],
        ['transport-administrator', 'carla@relay.example', null],
      ]
      const answers = () => expected.map(([map, key]) => [map, key, servers.postmap(map, key)])
      expect(answers()).toEqual(expected)
      await reach(
        estate.map(resource =>
          resource.kind === 'domain'
            ? ({ ...resource, login: 'suspended', collection: 'suspended' } as const)
            : resource.status === 'active'
              ? ({ ...resource, status: 'suspended' } as const)
              : resource,
        ),
      )
      expect(answers()).toEqual(expected)
    })

    test('an account goes before an alias of the same name', async () => {
      edit(accountAt(maria.key), `add: ${aliasOf[profile]}\n${aliasOf[profile]}: jperez@box.example`)
      expect((await send([juan.address], 'mine')).end).toMatch(/^250 /)
      await waitUntil('the mail', async () => (await arrived(juan.address, 'mine')).length === 1)
      expect(await arrived(maria.address, 'mine')).toEqual([])
    })

    test('quotas come from the directory, and 0 is no limit', async () => {
      const quota = (user: string) => {
        const args = ['-c', join(servers.folder, 'dv', 'dovecot.conf'), '-o', 'mail_plugins=quota', '-f', 'flow']
        const { stdout, stderr } = run('/usr/bin/doveadm', [...args, 'quota', 'get', '-u', user])
        return stdout + stderr
      }
      expect(quota('jperez@box.example')).toMatch(/Type=STORAGE Value=\d+ Limit=48829 /)
      expect(quota('mlopez@box.example')).toMatch(/Type=STORAGE Value=\d+ Limit=- /)
    })

    test('doveadm verifies a login as the services do', async () => {
      const verify = (user: string, service: string, secret = password) =>
        run('/usr/bin/doveadm', [
          ...['-c', join(servers.folder, 'dv', 'dovecot.conf'), 'auth', 'test'],
          ...['-x', `service=${service}`, '-x', `rip=${inside}`, user, secret],
        ]).stdout
      expect(verify('jperez@box.example', 'imap')).toContain('auth succeeded')
      expect(verify('ana@pop.example', 'smtp')).toContain('auth succeeded')
      expect(verify('ana@pop.example', 'imap')).toContain('auth failed')
      expect(verify('jperez@box.example', 'imap', 'wrong')).toContain('auth failed')
      await reach(changed('jperez@box.example', { status: 'suspended' }))
      // A service that would not look at `nologin` gets no answer of the kind.
      for (const service of ['smtp', 'sieve', 'xmpp'])
        expect([service, verify('jperez@box.example', service)]).toEqual([
          service,
          expect.stringContaining('auth failed'),
        ])
    })
  })
}
