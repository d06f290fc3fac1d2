/**
 * The whole agent beside a real Postfix and a real Dovecot: one daemon, its own policy service and directory, mail sent
 * and logins tried as people do. What is proved here is proved at the door, not in the tables behind it.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import { type MailServers, startMailServers, whyNoServers } from './mail-servers.ts'
import { describeServers } from './suite.ts'
import { imapLogin, popLogin, sendMail, smtpLogin } from './wire.ts'

const home = '127.0.0.1'
const text = 'Subject: prueba\n\nhola\n'
const accounts = ['{ name: jperez, send: international, aliases: [juan.perez] }', '{ name: mlopez, receive: national }']
const hospital = institutionText('hospital', { domain: 'hcg.sld.cu', network: `${home}/32`, accounts })
const clinic = institutionText('clinica', { domain: 'clinica.sld.cu', network: '127.0.0.9/32' })

describeServers('the agent with Postfix and Dovecot', whyNoServers, () => {
  let servers: MailServers
  let estate: Estate
  let daemon: Daemon
  const passwords = new Map<string, string>()

  const submission = () => ({ port: servers.ports.submission, from: home })
  const inbound = () => ({ port: servers.ports.smtp, from: '127.0.0.77' })
  const login = (user: string) => ({ user, password: passwords.get(user) ?? '' })
  const submit = async (user: string, recipient: string, sender = user) => {
    const sent = await sendMail(submission(), { sender, recipients: [recipient], text }, login(user))
    return sent.recipients[0] ?? ''
  }
  const receive = async (sender: string, recipient: string) =>
    (await sendMail(inbound(), { sender, recipients: [recipient], text })).recipients[0] ?? ''

  beforeAll(async () => {
    const policyPort = await freePort()
    servers = await startMailServers({ policy: `127.0.0.1:${policyPort}` })
    const files = { 'hospital.yaml': hospital, 'clinica.yaml': clinic }
    estate = await createEstate(files, { directory: servers.directoryFile, policyPort })
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    for (const user of ['jperez@hcg.sld.cu', 'mlopez@hcg.sld.cu', 'admin@hcg.sld.cu']) {
      const { json } = await estate.json(['password', user])
      passwords.set(user, json.password)
    }
  }, 120_000)
  afterAll(async () => {
    await estate?.[Symbol.asyncDispose]()
    await servers?.stop()
  })

  test('scopes are kept at submission, per recipient', async () => {
    expect(await submit('mlopez@hcg.sld.cu', 'x@who.int')).toMatch(/^550 5\.7\.1 .*\[mw-[a-z0-9]+\]/)
    expect(await submit('mlopez@hcg.sld.cu', 'jperez@hcg.sld.cu')).toMatch(/^250 /)
    expect(await submit('jperez@hcg.sld.cu', 'jperez@clinica.sld.cu')).toMatch(/^250 /)
    expect(await submit('mlopez@hcg.sld.cu', 'jperez@hcg.sld.cu', 'jperez@hcg.sld.cu')).toMatch(/^550 5\.7\.1 /)
  })

  test('what comes in is judged by sender and recipient', async () => {
    expect(await receive('a@extranjero.example', 'jperez@hcg.sld.cu')).toMatch(/^250 /)
    expect(await receive('a@extranjero.example', 'mlopez@hcg.sld.cu')).toMatch(/^550 5\.7\.1 /)
    expect(await receive('a@salud.cu', 'mlopez@hcg.sld.cu')).toMatch(/^250 /)
    expect(await receive('jperez@hcg.sld.cu', 'mlopez@hcg.sld.cu')).toMatch(/^550 5\.7\.1 /)
    expect(await receive('a@extranjero.example', 'nadie@hcg.sld.cu')).toMatch(/^550 5\.1\.1 /)
    expect(await receive('a@extranjero.example', 'postmaster@hcg.sld.cu')).toMatch(/^250 /)
  })

  test('a suspension closes IMAP, POP, SMTP AUTH and inbound; the neighbour goes on; the register knows', async () => {
    const jperez = login('jperez@hcg.sld.cu')
    const doors = () =>
      Promise.all([
        imapLogin({ port: servers.ports.imap, from: home }, jperez),
        popLogin({ port: servers.ports.pop, from: home }, jperez),
        smtpLogin(submission(), jperez),
      ])
    const before = await doors()
    expect(before[0]).toMatch(/^OK /)
    expect(before[1]).toMatch(/^\+OK/)
    expect(before[2]).toMatch(/^235 /)
    const { exit, json } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'correo masivo'])
    expect(exit).toBe(0)
    expect(Object.values(json.levers)).toEqual(Object.values(json.levers).map(() => 'verified'))
    const after = await doors()
    expect(after[0]).toMatch(/^NO /)
    expect(after[1]).toMatch(/^-ERR/)
    expect(after[2]).toMatch(/^535 /)
    expect(await receive('a@extranjero.example', 'jperez@hcg.sld.cu')).toMatch(/^450 4\.2\.1 /)
    expect(await receive('a@extranjero.example', 'jperez@clinica.sld.cu')).toMatch(/^250 /)
    const id = /\[(mw-[a-z0-9]+)\]/.exec(await receive('a@extranjero.example', 'mlopez@hcg.sld.cu'))?.[1] ?? 'none'
    await eventually(async () => {
      const { out } = await estate.cli(['register', 'list', '--kind', 'policy.rejected'])
      return out.includes(id)
    }, 'the decision on record')
  })

  test('with the agent stopped, mail waits: nothing is lost and nothing let through', async () => {
    await daemon.stop()
    expect(await receive('a@extranjero.example', 'jperez@clinica.sld.cu')).toMatch(/^451 /)
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    expect(await receive('a@extranjero.example', 'jperez@hcg.sld.cu')).toMatch(/^450 4\.2\.1 /)
    await eventually(
      async () => (await receive('a@extranjero.example', 'jperez@clinica.sld.cu')).startsWith('250'),
      'mail again',
    )
    expect(readFileSync(servers.directoryFile).includes(Buffer.from(passwords.get('jperez@hcg.sld.cu') ?? '-'))).toBe(
      false,
    )
  })
})
