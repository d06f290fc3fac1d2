/** `init --with …`, followed to the letter: what it wrote and printed makes real servers of Debian into a site that works. */
import { existsSync } from 'node:fs'
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

/** Steps of the servers, each on a server as Debian installs it. */
async function follow(site: InitSite): Promise<void> {
  for (const part of new Set(site.steps.map(step => step.part).filter(part => part !== 'apply'))) {
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
      await done(site, ['validate'])
      await done(site, ['apply', '--yes'])
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

describe.each([
  ['bind', whyNoBind],
  ['knot', whyNoKnot],
])('name servers', (server, whyNot) => {
  describeServers(
    `init --with ${server},ldap`,
    () => whyNoSlapd() ?? whyNot() ?? absentOf(debian),
    () => {
      let site: InitSite
      beforeAll(async () => {
        site = await createInitSite(`${server},ldap`)
        await follow(site)
      }, 60_000)
      afterAll(() => site?.[Symbol.asyncDispose]())

      test('what is applied is served, and the plan is empty then', async () => {
        await done(site, ['apply', '--yes'])
        expect(await site.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [], contested: [] } })
        const asked = ['+short', '@127.0.0.1', '-p', String(site.ports.dns), 'hospital.example', 'MX']
        expect(run('/usr/bin/dig', asked).stdout).toBe('10 mx1.operator.example.\n')
        const found = await seen(site)
        for (const code of ['provider-dns', 'read-dns', 'provider-directory', 'read-directory'])
          expect([code, found.get(code)?.filter(result => !result.startsWith('ok'))]).toEqual([code, []])
        expect(existsSync(join(site.site, 'STEPS.txt'))).toBe(true)
      })
    },
  )
})
