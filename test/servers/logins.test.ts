/**
 * A door that stands open in Dovecot: its directory lets in from anywhere whom the manifests do not. Whoever logs in there is
 * restricted by the daemon that reads Dovecot's log; whoever may is not, and nor is the owner of a guessed-at account.
 */
import { ImapFlow } from 'imapflow'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { domain } from '../conformance/samples.ts'
import { createEstate, type Estate, eventually, institutionText } from '../support/estate.ts'
import { type MailServers, startMailServers, whyNoServers } from './mail-servers.ts'
import { account, type Mailboxes, openMailboxes } from './mailboxes.ts'
import { describeServers } from './suite.ts'

const hospital = institutionText('hospital', {
  domain: 'hcg.sld.cu',
  network: '198.19.0.0/16',
  accounts: ['{ name: jperez }', '{ name: mlopez }', '{ name: guessed }'],
})

describeServers('logins, on Dovecot', whyNoServers, () => {
  let servers: MailServers
  let boxes: Mailboxes
  let estate: Estate
  beforeAll(async () => {
    servers = await startMailServers({ policy: '127.0.0.1:1', verify: 'not-used-here' })
    boxes = await openMailboxes(servers)
    const people = ['jperez', 'mlopez', 'guessed'].map(name => account(`${name}@hcg.sld.cu`))
    await boxes.put([domain('hcg.sld.cu'), ...people])
    const config = `  detection: { restrict: enforce, logins: { logs: [${servers.folder}/dv/log] } }\n`
    estate = await createEstate({ 'hospital.yaml': hospital }, { config })
  }, 60_000)
  afterAll(async () => {
    await estate?.[Symbol.asyncDispose]()
    await boxes?.[Symbol.asyncDispose]()
    await servers?.stop()
  })

  /** Dovecot trusts this host to say where a client is, as a webmail does. */
  const login = async (user: string, client: string, password = boxes.password): Promise<boolean> => {
    const imap = new ImapFlow({
      host: '127.0.0.1',
      port: servers.ports.imap,
      secure: false,
      doSTARTTLS: false,
      auth: { user: `${user}@hcg.sld.cu`, pass: password },
      clientInfo: { 'x-originating-ip': client },
      logger: false,
      verifyOnly: true,
    })
    imap.on('error', () => {})
    return imap.connect().then(
      () => true,
      () => false,
    )
  }

  test('one success outside restricts that account', async () => {
    expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
    expect(await login('mlopez', '198.19.3.4')).toBe(true)
    for (let n = 0; n < 5; n += 1) expect(await login('guessed', `198.18.0.${n}`, 'wrong')).toBe(false)
    expect(await login('jperez', '198.18.0.7')).toBe(true)
    await eventually(async () => servers.log().includes('rip=198.18.0.7'), 'the login in the log')
    const daemon = await estate.start()
    const incident = await eventually(async () => {
      const { json } = await estate.json(['incident', 'list'])
      return json.incidents[0]
    }, 'the incident')
    expect(incident).toMatchObject({ class: 'unprivileged-account-compromise' })
    const { json } = await estate.json(['status'])
    expect(json.signals).toMatchObject([{ code: 'SIG-OFF-LAN', level: 'act', subject: 'jperez@hcg.sld.cu', count: 1 }])
    expect(json.incidents).toHaveLength(1)
    await daemon.stop()
    // The same line, read again by the next daemon, is nothing new.
    const next = await estate.start()
    await next.until(line => line['event'] === 'ready', 'ready')
    await next.stop()
    expect((await estate.json(['status'])).json.signals).toHaveLength(1)
  })
})
