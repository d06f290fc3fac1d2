/** What people see after a change, looked at on real servers: the name server, logins from here and from there, a delivery. */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import { type MailServers, startMailServers, whyNoServers } from './mail-servers.ts'
import { describeServers } from './suite.ts'

const home = '127.0.0.1'
/** As somebody in a hurry would write it: whoever has a password comes in. */
const openQuery = "password_query = SELECT address AS user, hash AS password FROM credential WHERE address = '%u'"
const password = 'una-clave-larga-de-prueba'
const hospital = institutionText('hospital', {
  domain: 'hcg.sld.cu',
  network: '10.1.2.0/24',
  accounts: ['{ name: jperez }', '{ name: mlopez }'],
})
const clinic = institutionText('clinica', { domain: 'clinica.sld.cu', network: '2001:db8:7::/48' })
const people = ['admin@hcg.sld.cu', 'jperez@hcg.sld.cu', 'mlopez@hcg.sld.cu', 'admin@clinica.sld.cu']

describeServers('what people see, on Postfix and Dovecot', whyNoServers, () => {
  const master = randomBytes(16).toString('hex')
  let servers: MailServers
  let estate: Estate
  let daemon: Daemon
  let looksSeen = 0

  const verify = (lines: readonly string[]) => `  verify:\n${lines.map(line => `    ${line}\n`).join('')}`
  const passwordFile = () => join(servers.folder, 'verify-password')

  beforeAll(async () => {
    const policyPort = await freePort()
    servers = await startMailServers({
      policy: `${home}:${policyPort}`,
      doors: true,
      verify: master,
      mainCf: [`smtpd_authorized_xclient_hosts = ${home}`, 'inet_protocols = all'],
    })
    writeFileSync(passwordFile(), `${master}\n`, { mode: 0o600 })
    const { imap, pop, submission } = servers.ports
    estate = await createEstate(
      { 'hospital.yaml': hospital, 'clinica.yaml': clinic },
      {
        policyPort,
        directory: servers.directoryFile,
        config: verify([
          'doors:',
          `  - { protocol: imap, server: "${home}:${imap}", tls: starttls, ca: ${servers.folder}/cert.pem, serverName: mx.test.example }`,
          `  - { protocol: pop3, server: "${home}:${pop}", tls: none }`,
          `  - { protocol: submission, server: "${home}:${submission}", tls: starttls, ca: ${servers.folder}/cert.pem, serverName: mx.test.example }`,
          `master: { user: mailwarden-verify, password: { file: ${passwordFile()} } }`,
          'delivery: true',
          'patience: 1',
        ]),
      },
    )
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    for (const user of people)
      expect((await estate.cli(['password', user, '--stdin'], { input: password })).exit).toBe(0)
  }, 120_000)
  afterAll(async () => {
    await estate?.[Symbol.asyncDispose]()
    await servers?.stop()
  })

  const look = async (...scope: string[]) => {
    const { exit, json } = await estate.json(['verify', ...scope])
    return { exit, ...json.verification } as any
  }

  test('all as it should be: zones, logins from the network and from elsewhere, a message that arrives', async () => {
    const seen = await look()
    expect(seen.findings).toEqual([])
    // Two zones; four people at three doors, from two addresses each; two administrators' messages.
    expect(seen).toMatchObject({ exit: 0, probes: 2 + 4 * 3 * 2 + 2, asWanted: 28, left: 0 })
    const { json } = await estate.json(['status'])
    expect(json.lastVerification).toMatchObject({ probes: 28, asWanted: 28, otherwise: 0, unproved: 0 })
    expect((await estate.cli(['status'])).out).toContain('28')
    // Nothing of it stays in anybody's mailbox.
    expect((await look('hcg.sld.cu')).asWanted).toBe(20)
    const { out } = await estate.cli(['register', 'list', '--kind', 'verification'])
    expect(out).toContain('verification.done')
    expect(`${out}${JSON.stringify(daemon.log())}`).not.toContain(master)
  })

  test('an apply looks by itself, and says what it saw', async () => {
    estate.write('hospital.yaml', hospital.replace('{ name: mlopez', '{ name: nueva'))
    await eventually(
      async () =>
        daemon.log().some(line => line['event'] === 'verified' && JSON.stringify(line).includes('hcg.sld.cu')),
      'the look after the change',
    )
    estate.write('hospital.yaml', hospital)
    const { exit, json } = await estate.json(['apply', '--yes'])
    // The daemon may have been faster; then there was nothing left to look at.
    if (json.counts.applied > 0) expect({ exit, verification: json.verification }).toMatchObject({ exit: 0 })
  })

  test('a door that somebody opened by hand in Dovecot is seen at each of the three', async () => {
    const file = join(servers.folder, 'dv', 'mailwarden-sql.conf.ext')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace(', allow_nets FROM', ' FROM'))
    await restart()
    try {
      const seen = await look('hcg.sld.cu')
      expect(seen.exit).toBe(1)
      const abroad = seen.findings.filter((finding: any) => finding.kind === 'login')
      expect(new Set(abroad.map(({ door }: any) => door.split(' ')[0]))).toEqual(
        new Set(['imap', 'pop3', 'submission']),
      )
      for (const finding of abroad)
        expect(finding).toMatchObject({
          from: expect.stringMatching(/^192\.0\.2\.\d+$/),
          wanted: 'refused',
          result: 'otherwise',
        })
      const { exit, out } = await estate.cli(['verify', 'hcg.sld.cu'])
      expect(exit).toBe(1)
      expect(out).toContain(' 192.0.2.')
    } finally {
      writeFileSync(file, text)
      await restart()
    }
    expect((await look('hcg.sld.cu')).exit).toBe(0)
  })

  test('a suspended domain lets nobody in, and another one shows that the doors let anybody in', async () => {
    const { json } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
    await looked('the look after the suspension')
    const seen = await look('hcg.sld.cu')
    expect(seen.findings).toEqual([])
    // Three people at three doors from two addresses, one control for each door, the zone; no message is sent.
    expect(seen).toMatchObject({ exit: 0, probes: 3 * 3 * 2 + 3 + 1 })
    expect(Object.values(json.levers)).toEqual(Object.values(json.levers).map(() => 'verified'))
    // On record with the incident: how often it was tried, and how long after the command.
    const { json: shown } = await estate.json(['incident', 'show', json.incident])
    expect(shown.tried).toMatchObject({ tries: 18, refused: 18, open: [] })
    const { json: entries } = await estate.json(['register', 'list', '--kind', 'suspension.tried'])
    expect(entries.entries).toHaveLength(1)
    expect(entries.entries[0].facts.afterMs).toBeGreaterThan(0)
    expect((await estate.cli(['incident', 'show', json.incident, '--lang', 'es'])).out).toContain('18 de 18')
  })

  test('a door that lets the thief in under a hold is failed, whatever the directory says, until a try finds it closed', async () => {
    const file = join(servers.folder, 'dv', 'mailwarden-sql.conf.ext')
    const denied = join(servers.folder, 'dv', 'dovecot.conf')
    const [text, conf] = [readFileSync(file, 'utf8'), readFileSync(denied, 'utf8')]
    const incident = async () => {
      const { json: list } = await estate.json(['incident', 'list'])
      return (await estate.json(['incident', 'show', list.incidents[0].id])).json
    }
    try {
      // Somebody's own query looks at no flag, and the file of closed domains is asked no more.
      writeFileSync(file, text.replace(/^password_query = .*$/m, openQuery))
      writeFileSync(denied, conf.replace(/passdb \{[^}]*deny = yes[^}]*\}/, ''))
      await restart()
      await look('hcg.sld.cu')
      const seen = await incident()
      expect(seen.tried.open.length).toBeGreaterThan(0)
      for (const lever of seen.tried.open) expect(seen.levers[lever]).toBe('failed')
    } finally {
      writeFileSync(file, text)
      writeFileSync(denied, conf)
      await restart()
    }
    await look('hcg.sld.cu')
    await eventually(async () => {
      const { tried, levers } = await incident()
      return tried.open.length === 0 && Object.values(levers).every(state => state === 'verified')
    }, 'closed, by a try and by the levers')
  })

  test('a wrong password of the probe proves nothing of anybody', async () => {
    writeFileSync(passwordFile(), 'another\n', { mode: 0o600 })
    await daemon.stop()
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    try {
      const seen = await look('hcg.sld.cu')
      expect(seen.exit).toBe(1)
      const logins = seen.findings.filter((finding: any) => finding.kind === 'login')
      const controls = logins.filter((one: any) => one.wanted === 'accepted')
      expect(controls.map((one: any) => one.domain)).toEqual(Array.from({ length: 3 }, () => 'clinica.sld.cu'))
      const refused = logins.filter((one: any) => one.wanted === 'refused')
      expect(refused).toHaveLength(18)
      expect(new Set(refused.map((one: any) => one.result))).toEqual(new Set(['unproved']))
    } finally {
      writeFileSync(passwordFile(), `${master}\n`, { mode: 0o600 })
    }
  })

  test('servers that are away leave it unproved, never as it should be', async () => {
    await servers.stopDovecot()
    try {
      const seen = await look('clinica.sld.cu')
      expect(seen.exit).toBe(2)
      expect(new Set(seen.findings.map((finding: any) => finding.result))).toEqual(new Set(['unproved']))
      expect(seen.asWanted).toBe(1)
    } finally {
      await servers.startDovecot()
    }
  })

  /** Told by the daemon's own look, and not by one of ours. */
  async function looked(what: string): Promise<void> {
    const looks = () =>
      daemon.log().filter(line => line['event'] === 'verified' && JSON.stringify(line).includes('hcg'))
    await eventually(async () => looks().length > looksSeen, what)
    looksSeen = looks().length
  }

  async function restart(): Promise<void> {
    await servers.stopDovecot()
    await servers.startDovecot()
  }
})
