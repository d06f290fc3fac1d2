/** `init --with …`, followed to the letter: what it wrote and printed makes real servers of Debian into a site that works. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createInitSite, debian, done, follow, type InitSite, seen } from './init-site.ts'
import { whyNoServers } from './mail-servers.ts'
import { whyNoPdns } from './pdns.ts'
import { whyNoSlapd } from './slapd.ts'
import { absentOf, describeServers } from './suite.ts'
import { imapLogin, sendMail, smtpLogin } from './wire.ts'

const modules = ['/usr/lib/postfix/postfix-ldap.so', '/usr/lib/dovecot/modules/auth/libauthdb_ldap.so']
const password = 'una-clave-larga-de-prueba'
const user = 'mlopez@hospital.example'

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
