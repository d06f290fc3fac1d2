/**
 * Evidence from a real Postfix and a real Dovecot: whose sessions were ended, what waits in the queue without its
 * content, what both logged; a host that is away is a gap and keeps nobody waiting.
 */

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTar } from '../../agent/evidence/tar.ts'
import { type Bench, openSessions, queueOf, type Session } from '../mail-hosts/bench.ts'
import { doveadmKey, mailLine, startWaitingServers } from '../servers/mail-hosts.ts'
import { whyNoServers } from '../servers/mail-servers.ts'
import { describeServers } from '../servers/suite.ts'
import { sendMail } from '../servers/wire.ts'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'

const home = '127.0.0.1'
const password = 'una-clave-larga-de-prueba'
const hospital = institutionText('hospital', { domain: 'hcg.sld.cu', network: `${home}/32` })
const clinic = institutionText('clinica', { domain: 'clinica.sld.cu', network: `${home}/32` })
const [ours, theirs] = ['jperez@hcg.sld.cu', 'jperez@clinica.sld.cu']

describeServers('evidence of mail hosts', whyNoServers, () => {
  let bench: Bench
  let estate: Estate
  let daemon: Daemon
  let sessions: Session[] = []
  const submit = async (user: string) => {
    const message = {
      sender: user,
      recipients: ['x@fuera.example'],
      text: 'Subject: asunto-secreto\n\ncuerpo-secreto\n',
    }
    const port = bench.servers.ports.submission
    return (await sendMail({ port, from: home }, message, { user, password })).recipients[0] ?? ''
  }

  beforeAll(async () => {
    const { policyPort, ...started } = await startWaitingServers(password)
    bench = started
    const { servers } = bench
    const away = `{ kind: dovecot, name: imap2, url: "http://${home}:${await freePort()}", apiKey: ${doveadmKey(servers)} }`
    estate = await createEstate(
      { 'hospital.yaml': hospital, 'clinica.yaml': clinic },
      { directory: servers.directoryFile, policyPort, providers: { mail: mailLine(servers, [away]) } },
    )
    mkdirSync(join(estate.folder, 'log'))
    const config = join(estate.folder, 'mailwarden.yaml')
    appendFileSync(config, '  evidence: { logs: [./log/mail.log] }\n')
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    for (const user of [ours, theirs])
      expect((await estate.cli(['password', user, '--stdin'], { input: password })).exit).toBe(0)
    for (const user of [ours, ours, theirs]) expect(await submit(user)).toMatch(/^250 /)
    await eventually(
      async () => queueOf(bench).filter(({ queue_name: q }) => q === 'deferred').length === 3,
      'mail that waits',
    )
    sessions = await openSessions(bench, [ours, ours, theirs])
    // What both servers logged until now, as the operator's syslog would have it.
    writeFileSync(join(estate.folder, 'log/mail.log'), bench.servers.log())
  }, 120_000)
  afterAll(async () => {
    for (const { wire } of sessions) wire.close()
    await estate?.[Symbol.asyncDispose]()
    await bench?.servers.stop()
  })

  test('who was thrown out, what waits, what was logged; the neighbour and the content are not in it', async () => {
    const token = { MAILWARDEN_TOKEN: (await estate.cli(['token', 'create', 'ana'])).out.trim() }
    const { json } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'], { env: token })
    const id = json.incident
    expect(json.levers.send).toBe('verified')
    const shown = async () => (await estate.json(['incident', 'show', id])).json.evidence
    await eventually(async () => (await shown()).length > 0, 'the bundle')
    const [bundle] = await shown()
    // One host is away, and it is the only gap.
    expect(bundle).toMatchObject({ version: 1, gaps: 1, open: 1 })
    const listed = (await estate.cli(['register', 'list', '--subject', id])).out.split('\n')
    const at = (kind: string) => listed.findIndex(line => line.includes(kind))
    expect(at('suspension.door')).toBeGreaterThan(at('incident.declared'))
    expect(at('incident.evidence')).toBeGreaterThan(at('suspension.door'))

    const file = join(estate.folder, 'case.tar')
    expect((await estate.cli(['incident', 'evidence', id, '--out', file], { env: token })).exit).toBe(0)
    expect((await estate.cli(['incident', 'evidence', '--verify', file])).exit).toBe(0)
    const { members } = readTar(readFileSync(file))
    const text = (name: string) => Buffer.from(members.find(member => member.name === name)?.bytes ?? []).toString()
    expect(JSON.parse(text('sessions/imap1.json')).ended).toMatchObject([{ user: ours, sessions: 2 }])
    expect(JSON.parse(text('MANIFEST.json')).gaps).toMatchObject([{ path: 'sessions/imap2.json', source: 'imap2' }])
    const queue = text('queue/mx1.jsonl')
      .trimEnd()
      .split('\n')
      .map(row => JSON.parse(row))
    expect(queue.map(({ sender, queue: place }) => [sender, place])).toEqual([
      [ours, 'hold'],
      [ours, 'hold'],
    ])
    const log = text('logs/1-mail.log')
    for (const { id: queued } of queue) expect(log).toMatch(new RegExp(`smtpd\\[\\d+\\]: ${queued}: client=`))
    const whole = members.map(member => Buffer.from(member.bytes).toString('latin1')).join('\n')
    for (const secret of ['cuerpo-secreto', 'asunto-secreto', password, theirs]) expect(whole).not.toContain(secret)
  })
})
