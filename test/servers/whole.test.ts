/**
 * Everything at once and nothing faked: manifests to slapd and PowerDNS, people to Postfix and Dovecot, mail from one
 * institution to another and out, and a whole domain collected by fetchmail.
 */

import { randomBytes } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { renderLdapSnippets } from '../../providers/ldap/snippets.ts'
import { type Bench, type Sink, startSink } from '../mail-hosts/bench.ts'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import { type MailServers, run, startMailServers, whyNoServers } from './mail-servers.ts'
import { type Pdns, startPdns, whyNoPdns } from './pdns.ts'
import { type Slapd, startSlapd, whyNoSlapd } from './slapd.ts'
import { absentOf, describeServers } from './suite.ts'
import { imapLogin, popLogin, popMessages, sendMail, smtpLogin } from './wire.ts'

const home = '127.0.0.1'
const outside = '127.0.0.9'
const password = 'una-clave-larga-de-prueba'
const text = (word: string) => `Subject: ${word}\nTo: a quien corresponda <ana@pop.sld.cu>\n\n${word}\n`
const accounts = ['{ name: jperez, send: international, receive: international }', '{ name: mlopez }']
const hospital = institutionText('hospital', { domain: 'hcg.sld.cu', network: `${home}/32`, accounts })
const clinic = institutionText('clinica', { domain: 'clinica.sld.cu', network: `${home}/32` })
const school = institutionText('escuela', {
  domain: 'pop.sld.cu',
  network: `${home}/32`,
  delivery: 'multipop',
  accounts: ['{ name: ana }', '{ name: berta }', '{ name: carla }'],
}).replace(
  '  networks:',
  `  servers: [{ host: mail.escuela.example, addresses: [${home}], role: [collect] }]\n  networks:`,
)

function whyNot(): string | null {
  const modules = ['/usr/lib/postfix/postfix-ldap.so', '/usr/lib/dovecot/modules/auth/libauthdb_ldap.so']
  return (
    whyNoSlapd() ??
    whyNoPdns('gsqlite3') ??
    whyNoServers() ??
    absentOf(['/usr/bin/fetchmail', '/usr/sbin/smtp-sink', ...modules])
  )
}

describeServers('the whole, on OpenLDAP, PowerDNS, Postfix and Dovecot', whyNot, () => {
  const master = randomBytes(16).toString('hex')
  let slapd: Slapd
  let pdns: Pdns
  let servers: MailServers
  let estate: Estate
  let daemon: Daemon
  let sink: Sink
  let bench: Bench

  const submission = (from = home) => ({ port: servers.ports.submission, from })
  const submit = async (user: string, recipients: readonly string[], word = 'prueba') =>
    (await sendMail(submission(), { sender: user, recipients: [...recipients], text: text(word) }, { user, password }))
      .recipients
  const receive = async (sender: string, recipients: readonly string[], word: string) =>
    (
      await sendMail(
        { port: servers.ports.smtp, from: '127.0.0.77' },
        { sender, recipients: [...recipients], text: text(word) },
      )
    ).recipients

  beforeAll(async () => {
    slapd = await startSlapd()
    pdns = await startPdns({ backend: 'gsqlite3' })
    const [policyPort, sinkPort] = [await freePort(), await freePort()]
    const { url, caFile, base, agentDn, readerDn, password: secret } = slapd
    servers = await startMailServers({
      policy: `${home}:${policyPort}`,
      mainCf: [`default_transport = smtp:[${home}]:${sinkPort}`, `smtpd_authorized_xclient_hosts = ${home}`],
      verify: master,
      directory: {
        mapType: 'ldap',
        snippets: ({ directory: _, sql, group: __, ...values }) =>
          renderLdapSnippets({
            url,
            caFile,
            base,
            agentDn,
            readerDn,
            readerPassword: secret,
            ...values,
            dovecot: join(sql, '..'),
          }),
      },
    })
    bench = { servers, password, sinkPort }
    sink = await startSink(bench)
    const secretFile = (name: string, value: string) => {
      const file = join(servers.folder, name)
      writeFileSync(file, `${value}\n`, { mode: 0o600 })
      return `{ file: ${file} }`
    }
    estate = await createEstate(
      { 'hospital.yaml': hospital, 'clinica.yaml': clinic, 'escuela.yaml': school },
      {
        policyPort,
        config: `  verify:
    nameServers: ["${home}:${pdns.dnsPort}"]
    doors:
      - { protocol: imap, server: "${home}:${servers.ports.imap}", tls: none }
      - { protocol: pop3, server: "${home}:${servers.ports.pop}", tls: none }
      - { protocol: submission, server: "${home}:${servers.ports.submission}", tls: starttls, ca: ${servers.folder}/cert.pem, serverName: mx.test.example }
    master: { user: mailwarden-verify, password: ${secretFile('verify-password', master)} }
    delivery: true
`,
        providers: {
          directory: `directory: { kind: ldap, url: "${url}", base: "${base}", bindDn: "${agentDn}", password: ${secretFile('ldap-password', secret.reveal())}, startTls: true, ca: ${caFile} }`,
          dns: `dns: { kind: powerdns, url: "${pdns.url}", apiKey: ${secretFile('pdns-key', pdns.key.reveal())} }`,
        },
      },
    )
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    for (const user of [
      'admin@hcg.sld.cu',
      'jperez@hcg.sld.cu',
      'mlopez@hcg.sld.cu',
      'jperez@clinica.sld.cu',
      'multipop@pop.sld.cu',
    ])
      expect((await estate.cli(['password', user, '--stdin'], { input: password })).exit).toBe(0)
  }, 180_000)
  afterAll(async () => {
    await sink?.stop()
    await estate?.[Symbol.asyncDispose]()
    await servers?.stop()
    await pdns?.stop()
    await slapd?.close()
  })

  test('the plan after the first pass is empty, and the name server answers', async () => {
    expect(await estate.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [], contested: [] } })
    const resolver = new Resolver()
    resolver.setServers([`${home}:${pdns.dnsPort}`])
    expect(await resolver.resolveMx('hcg.sld.cu')).toMatchObject([{ exchange: 'mx1.operator.example', priority: 10 }])
    expect((await resolver.resolveTxt('hcg.sld.cu')).flat().join('')).toContain('v=spf1')
    const status = await estate.json(['status'])
    const target = (name: string) => status.json.providers.find((one: any) => one.name === name).target
    expect([target('directory'), target('dns')]).toEqual([
      expect.stringMatching(/^ldap:/),
      expect.stringMatching(/^powerdns:/),
    ])
    expect(JSON.stringify(status.json)).not.toContain(pdns.key.reveal())
  })

  test('what people see is as it should be: the name server, every kind of login, a message', async () => {
    const { exit, json } = await estate.json(['verify'])
    expect({ exit, findings: json.verification.findings }).toEqual({ exit: 0, findings: [] })
    // Three zones, a message of the administrator with a password, and five people at three doors from two addresses.
    expect(json.verification.probes).toBe(3 + 1 + 5 * 3 * 2)
  })

  test('mail of one institution reaches the mailbox of another', async () => {
    expect(await submit('jperez@hcg.sld.cu', ['jperez@clinica.sld.cu'], 'de-casa-a-casa')).toEqual([
      expect.stringMatching(/^250 /),
    ])
    await eventually(async () => {
      const messages = await popMessages(
        { port: servers.ports.pop, from: home },
        { user: 'jperez@clinica.sld.cu', password },
      )
      return messages.some(message => message.includes('de-casa-a-casa'))
    }, 'the message in the mailbox')
    const login = { user: 'jperez@clinica.sld.cu', password }
    expect(await imapLogin({ port: servers.ports.imap, from: home }, login)).toMatch(/^OK /)
  })

  test('a national account: abroad is refused at RCPT, look-alikes too, and the national copy goes out', async () => {
    const answers = await submit(
      'mlopez@hcg.sld.cu',
      ['x@mail.example.com', 'x@foo.cu.evil.com', 'x@minsap.cu'],
      'al-pais',
    )
    expect(answers).toEqual([
      expect.stringMatching(/^550 5\.7\.1 /),
      expect.stringMatching(/^550 5\.7\.1 /),
      expect.stringMatching(/^250 /),
    ])
    await eventually(async () => sink.received().some(message => message.includes('al-pais')), 'the copy going out')
    expect(sink.received().filter(message => message.includes('evil.com') || message.includes('example.com'))).toEqual(
      [],
    )
  })

  test('a login from outside the institution’s network is refused, by IMAP, POP and SMTP AUTH', async () => {
    const login = { user: 'jperez@hcg.sld.cu', password }
    const doors = (from: string) =>
      Promise.all([
        imapLogin({ port: servers.ports.imap, from }, login),
        popLogin({ port: servers.ports.pop, from }, login),
        smtpLogin(submission(from), login),
      ])
    expect(await doors(home)).toEqual([
      expect.stringMatching(/^OK /),
      expect.stringMatching(/^\+OK/),
      expect.stringMatching(/^235 /),
    ])
    expect(await doors(outside)).toEqual([
      expect.stringMatching(/^NO /),
      expect.stringMatching(/^-ERR/),
      expect.stringMatching(/^535 /),
    ])
  })

  test('a whole domain is collected by fetchmail in multidrop mode and sorted by envelope, Bcc included', async () => {
    const fromAbroad = 'colega@universidad.cu'
    expect(await receive(fromAbroad, ['ana@pop.sld.cu', 'berta@pop.sld.cu'], 'a-dos')).toHaveLength(2)
    expect(await receive(fromAbroad, ['carla@pop.sld.cu'], 'copia-oculta')).toEqual([expect.stringMatching(/^250 /)])
    const collected = () =>
      popMessages({ port: servers.ports.pop, from: home }, { user: 'multipop@pop.sld.cu', password })
    await eventually(async () => (await collected()).length === 3, 'three copies in the collector’s mailbox')
    const folder = join(servers.folder, 'institution')
    mkdirSync(folder)
    const port = await freePort()
    const receiving = await startSink({ ...bench, sinkPort: port })
    try {
      const rc = join(folder, 'fetchmailrc')
      writeFileSync(
        rc,
        `set no bouncemail
poll ${home} protocol pop3 port ${servers.ports.pop} envelope "Delivered-To" no dns localdomains pop.sld.cu:
  user "multipop@pop.sld.cu" password "${password}" is * here fetchall sslproto ""
  smtphost "${home}/${port}" smtpaddress institution.example
`,
        { mode: 0o600 },
      )
      const { status, stdout, stderr } = run('/usr/bin/fetchmail', [
        '-f',
        rc,
        '--pidfile',
        join(folder, 'pid'),
        '-i',
        join(folder, 'ids'),
      ])
      expect({ status, said: `${stdout}${stderr}`.includes('error') }).toEqual({ status: 0, said: false })
      await eventually(async () => receiving.received().length === 3, 'three messages at the institution')
      const sorted = receiving.received().map(message => {
        const recipient = /X-Rcpt-Args: <([^@>]+)@/.exec(message)?.[1]
        return [recipient, message.includes('copia-oculta') ? 'copia-oculta' : 'a-dos']
      })
      expect(sorted.toSorted()).toEqual([
        ['ana', 'a-dos'],
        ['berta', 'a-dos'],
        ['carla', 'copia-oculta'],
      ])
    } finally {
      await receiving.stop()
    }
  })

  test('a suspension closes it all on these servers too, and a hand edit of the directory is put back', async () => {
    const { exit, json } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
    expect({ exit, trouble: json.trouble }).toEqual({ exit: 0, trouble: undefined })
    expect(Object.values(json.levers)).toEqual(Object.values(json.levers).map(() => 'verified'))
    const login = { user: 'jperez@hcg.sld.cu', password }
    const refused = async () => {
      expect(await imapLogin({ port: servers.ports.imap, from: home }, login)).toMatch(/^NO /)
      expect(await smtpLogin(submission(), login)).toMatch(/^535 /)
    }
    await refused()
    const seen = await estate.json(['verify', 'hcg.sld.cu'])
    expect({ exit: seen.exit, findings: seen.json.verification.findings }).toEqual({ exit: 0, findings: [] })
    expect(await receive('colega@universidad.cu', ['jperez@hcg.sld.cu'], 'espera')).toEqual([
      expect.stringMatching(/^450 4\.2\.1 /),
    ])
    slapd.ldap(
      'ldapmodify',
      `dn: dc=hcg.sld.cu,ou=domains,${slapd.base}\nchangetype: modify\nreplace: mwLoginStatus\nmwLoginStatus: active\n`,
    )
    expect((await estate.json(['apply', '--yes'])).exit).toBe(0)
    await refused()
    expect((await estate.json(['plan'])).json.changes).toEqual([])
    const { out } = await estate.cli(['register', 'list', '--kind', 'drift'])
    expect(out).toContain('drift.found')
  })
})
