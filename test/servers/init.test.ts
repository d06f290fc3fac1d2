/** `init --with …`, followed to the letter: what it wrote and printed makes real servers of Debian into a site that works. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { whyNoBind } from './bind.ts'
import { createInitSite, type InitSite } from './init-site.ts'
import { whyNoKnot } from './knot.ts'
import { run, whyNoServers } from './mail-servers.ts'
import { whyNoPdns } from './pdns.ts'
import { whyNoSlapd } from './slapd.ts'
import { absentOf, describeServers } from './suite.ts'
import { imapLogin, sendMail, smtpLogin } from './wire.ts'

const debian = ['/usr/share/slapd/slapd.init.ldif', '/usr/share/dovecot/dovecot.conf', '/etc/bind/named.conf.options']
const modules = ['/usr/lib/postfix/postfix-ldap.so', '/usr/lib/dovecot/modules/auth/libauthdb_ldap.so']
const password = 'una-clave-larga-de-prueba'
const user = 'mlopez@hospital.example'

/** Every step but the last, in its order, each on a server as Debian installs it. */
async function follow(site: InitSite): Promise<void> {
  for (const part of new Set(site.steps.map(step => step.part).filter(part => part !== 'run'))) {
    await site.prepare(part)
    await site.follow(part)
  }
}

/** What a command printed, when it failed. */
async function done(site: InitSite, args: readonly string[], input = ''): Promise<void> {
  const { exit, out, err } = await site.cli(args, { input })
  expect({ exit, said: exit === 0 ? '' : out + err }).toEqual({ exit: 0, said: '' })
}

async function seen(site: InitSite): Promise<Map<string, string[]>> {
  const { json } = await site.json(['doctor'])
  const found = new Map<string, string[]>()
  for (const { code, result, detail } of json.checks)
    found.set(code, [...(found.get(code) ?? []), `${result} ${detail}`])
  return found
}

describeServers(
  'init --with postfix,dovecot,ldap,powerdns',
  () => whyNoSlapd() ?? whyNoPdns('gsqlite3') ?? whyNoServers() ?? absentOf([...debian, ...modules]),
  () => {
    let site: InitSite
    beforeAll(async () => {
      site = await createInitSite('postfix,dovecot,ldap,powerdns')
      await follow(site)
      for (const who of [user, 'admin@hospital.example']) await done(site, ['password', who, '--stdin'], password)
      const daemon = await site.startAgent()
      await daemon.until(line => line['event'] === 'ready', 'ready')
    }, 120_000)
    afterAll(() => site?.[Symbol.asyncDispose]())

    test('the plan is empty', async () => {
      expect(await site.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [], contested: [] } })
    })

    test('doctor finds nothing that fails, and what the steps name is ok', async () => {
      const found = await seen(site)
      expect([...found].filter(([, results]) => results.some(result => result.startsWith('fail')))).toEqual([])
      for (const { code } of site.steps.flatMap(({ checks }) => checks))
        expect([code, found.get(code)?.filter(result => !result.startsWith('ok'))]).toEqual([code, []])
    })

    test('an account logs in by IMAP and at submission, from its network alone', async () => {
      const { imap, submission } = site.ports
      expect(await imapLogin({ port: imap }, { user, password })).toMatch(/^OK /)
      expect(await smtpLogin({ port: submission }, { user, password })).toMatch(/^235 /)
      expect(await imapLogin({ port: imap, from: '127.0.0.9' }, { user, password })).toMatch(/^NO /)
    })

    test('a recipient is judged by mailwarden, and mail comes in', async () => {
      const text = 'Subject: prueba\n\nprueba\n'
      const sent = (recipient: string) =>
        sendMail({ port: site.ports.submission }, { sender: user, recipients: [recipient], text }, { user, password })
      expect((await sent('x@mail.example.com')).recipients).toEqual([
        expect.stringMatching(/^550 5\.7\.1 .*scope-send/),
      ])
      expect((await sent('admin@hospital.example')).end).toMatch(/^250 /)
    })
  },
)

/** What stands in slapd, as root on its own host sees it. */
const inSlapd = (site: InitSite, from: string, ...asked: string[]) =>
  run('/usr/bin/ldapsearch', [
    '-Q',
    '-Y',
    'EXTERNAL',
    '-H',
    site.slapdSocket,
    '-LLL',
    '-o',
    'ldif-wrap=no',
    '-b',
    from,
    ...asked,
  ]).stdout

describe.each([
  ['bind', 'ldap', whyNoBind],
  ['bind', 'ldap:iredmail', whyNoBind],
  ['knot', 'ldap:postfix-book', whyNoKnot],
] as const)('%s, %s', (server, directory, whyNot) => {
  describeServers(
    `init --with ${server},${directory}`,
    () => whyNoSlapd() ?? whyNot() ?? absentOf(debian),
    () => {
      let site: InitSite
      beforeAll(async () => {
        site = await createInitSite(`${server},${directory}`)
        await follow(site)
      }, 60_000)
      afterAll(() => site?.[Symbol.asyncDispose]())

      test('what is applied is served, and the plan is empty then', async () => {
        expect(await site.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [], contested: [] } })
        const asked = ['+short', '@127.0.0.1', '-p', String(site.ports.dns), 'hospital.example', 'MX']
        expect(run('/usr/bin/dig', asked).stdout).toBe('10 mx1.operator.example.\n')
        const found = await seen(site)
        for (const code of ['provider-dns', 'read-dns', 'provider-directory', 'read-directory'])
          expect([code, found.get(code)?.filter(result => !result.startsWith('ok'))]).toEqual([code, []])
      })

      test('slapd has every index, and the limits and rights before its own', async () => {
        const database = inSlapd(site, 'cn=config', '(olcSuffix=*)', 'olcDbIndex', 'olcLimits', 'olcAccess')
        const conf = readFileSync(join(site.site, 'slapd/mailwarden.conf'), 'utf8')
        const indexed = [...database.matchAll(/^olcDbIndex: (\S+) eq/gm)].flatMap(([, names = '']) => names.split(','))
        expect(indexed).toEqual(expect.arrayContaining(/^index (\S+) eq$/m.exec(conf)?.[1]?.split(',') ?? ['none']))
        expect(database.match(/^olcLimits: \{\d\}dn\.exact="cn=mailwarden(-reader)?,/gm)).toHaveLength(2)
        const rights = [...database.matchAll(/^olcAccess: \{(\d)\}to (.*?) by/gm)].map(([, , what = '']) => what)
        const ours = [...conf.matchAll(/^access to (.*)$/gm)].map(([, what = '']) => what)
        expect(ours.length).toBeGreaterThan(3)
        expect(rights.slice(0, ours.length)).toEqual(ours)
        expect(rights.length).toBeGreaterThan(ours.length)
      })

      test('nobody without a name sees the hash of a key or a password, or an account', () => {
        const seen = run('/usr/bin/ldapsearch', [
          '-x',
          '-LLL',
          '-H',
          site.slapdUrl,
          '-b',
          'dc=operator,dc=example',
          '(objectClass=*)',
        ])
        expect(seen.stdout).toContain('cn: mailwarden-reader')
        expect(seen.stdout).not.toContain('userPassword')
        expect(seen.stdout).not.toContain('hospital.example')
      })
    },
  )
})

describeServers(
  'init --with postfix,dovecot,smtp',
  () => whyNoServers() ?? absentOf(debian),
  () => {
    let site: InitSite
    beforeAll(async () => {
      site = await createInitSite('postfix,dovecot,smtp')
      await follow(site)
      await done(site, ['apply', '--yes'])
      await done(site, ['password', user, '--stdin'], password)
      const daemon = await site.startAgent()
      await daemon.until(line => line['event'] === 'ready', 'ready')
    }, 60_000)
    afterAll(() => site?.[Symbol.asyncDispose]())

    test('over the embedded directory an account logs in, and a recipient is judged', async () => {
      expect(await imapLogin({ port: site.ports.imap }, { user, password })).toMatch(/^OK /)
      const text = 'Subject: prueba\n\nprueba\n'
      const message = { sender: user, recipients: ['x@mail.example.com'], text }
      const { recipients } = await sendMail({ port: site.ports.submission }, message, { user, password })
      expect(recipients).toEqual([expect.stringMatching(/^550 5\.7\.1 .*scope-send/)])
      const found = await seen(site)
      expect([...found].filter(([, results]) => results.some(result => result.startsWith('fail')))).toEqual([])
    })

    test('notices go out through their own service, and port 25 relays for nobody', async () => {
      const recipients = ['directora@otro-dominio.example']
      const message = { sender: 'security@operator.example', recipients, text: 'Subject: aviso\n\naviso\n' }
      expect((await sendMail({ port: site.ports.notices }, message)).end).toMatch(/^250 /)
      expect((await sendMail({ port: site.ports.smtp }, message)).recipients).toEqual([
        expect.stringMatching(/^554 5\.7\.1 /),
      ])
    })
  },
)
