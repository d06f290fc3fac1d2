/**
 * The doors of a suspension opened by hand, on a real Postfix and a real Dovecot: held mail released, the line of a closed
 * domain taken away, the directory reopened and a session begun. Each is closed again within one pass and is an event of
 * the incident; what others hold and deny stays theirs.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bench, openSessions, postsuper, queueOf, type Session } from '../mail-hosts/bench.ts'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { mailLine, startWaitingServers } from './mail-hosts.ts'
import { run, whyNoServers } from './mail-servers.ts'
import { absentOf, describeServers } from './suite.ts'
import { imapLogin, sendMail } from './wire.ts'

const home = '127.0.0.1'
const password = 'una-clave-larga-de-prueba'
const [ours, theirs] = ['jperez@hcg.sld.cu', 'jperez@clinica.sld.cu']
const sqlite = '/usr/bin/sqlite3'

const whyNot = () => whyNoServers() ?? absentOf([sqlite])

describeServers('the doors of a suspension opened by hand', whyNot, () => {
  let bench: Bench
  let estate: Estate
  let daemon: Daemon
  let incident = ''
  const sessions: Session[] = []
  const denyFile = () => join(bench.servers.folder, 'dv/closed-domains')
  const denied = () => readFileSync(denyFile(), 'utf8')
  const queued = (name: string, sender: string) =>
    queueOf(bench).filter(({ queue_name: queue, sender: from }) => queue === name && from === sender)
  const idsOf = (messages: ReturnType<typeof queued>) => messages.map(({ queue_id: id }) => id)

  /** One pass, and what it put on record of the incident. */
  const pass = async () => {
    const known = (await estate.json(['register', 'list'])).json.entries.length
    expect((await estate.json(['apply', '--yes'])).exit).toBe(0)
    const { json } = await estate.json(['register', 'list', '--from', String(known)])
    const events = json.entries.filter(({ kind, subject }: any) => subject === incident && /reopened|drift/.test(kind))
    for (const { actor } of events) expect(actor).toEqual({ person: 'unknown', role: 'unknown' })
    return events.map(({ kind, facts }: any) => `${kind} ${facts.door ?? 'directory'} ${facts.count}`).toSorted()
  }

  beforeAll(async () => {
    const { policyPort, ...started } = await startWaitingServers(password)
    bench = started
    const { servers } = bench
    const institution = (name: string, domain: string) => institutionText(name, { domain, network: `${home}/32` })
    estate = await createEstate(
      {
        'hospital.yaml': institution('hospital', 'hcg.sld.cu'),
        'clinica.yaml': institution('clinica', 'clinica.sld.cu'),
      },
      { directory: servers.directoryFile, policyPort, providers: { mail: mailLine(servers) } },
    )
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    for (const user of [ours, theirs])
      expect((await estate.cli(['password', user, '--stdin'], { input: password })).exit).toBe(0)
    for (const user of [ours, ours, ours, theirs, theirs]) {
      const message = { sender: user, recipients: ['x@fuera.example'], text: 'Subject: prueba\n\nhola\n' }
      const login = { user, password }
      const sent = await sendMail({ port: servers.ports.submission, from: home }, message, login)
      expect(sent.recipients[0]).toMatch(/^250 /)
    }
    await eventually(
      async () => queueOf(bench).every(({ queue_name: queue }) => queue === 'deferred'),
      'mail that waits',
    )
    // The neighbour's administrator holds one of theirs, and denies a domain of their own, with a word of why.
    postsuper(bench, ['-h', '-'], idsOf(queued('deferred', theirs)).slice(0, 1))
    writeFileSync(denyFile(), `# cerrado por la casa\najeno.sld.cu:::::::\n${denied()}`)
    const suspended = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
    expect(suspended.exit).toBe(0)
    incident = suspended.json.incident
    expect(idsOf(queued('hold', ours))).toHaveLength(3)
    expect(denied()).toMatch(/^hcg\.sld\.cu:/m)
  }, 180_000)
  afterAll(async () => {
    for (const { wire } of sessions) wire.close()
    await estate?.[Symbol.asyncDispose]()
    await bench?.servers.stop()
  })

  test('nothing was opened: nothing is on record', async () => {
    expect(await pass()).toEqual([])
  })

  test('one held message is released', async () => {
    const [id = ''] = idsOf(queued('hold', ours))
    postsuper(bench, ['-H', '-'], [id])
    expect(idsOf(queued('hold', ours))).not.toContain(id)
    expect(await pass()).toEqual(['suspension.reopened queue 1'])
    expect(idsOf(queued('hold', ours))).toContain(id)
  })

  test('all that is held is released, ours and theirs: ours is held again, theirs is theirs', async () => {
    postsuper(bench, ['-H', 'ALL'], [])
    expect(await pass()).toEqual(['suspension.reopened queue 3'])
    expect(queued('hold', ours)).toHaveLength(3)
    expect(queued('hold', theirs)).toEqual([])
    postsuper(bench, ['-h', '-'], idsOf(queued('deferred', theirs)).slice(0, 1))
  })

  test('held messages go through the queue anew, under other ids', async () => {
    const before = idsOf(queued('hold', ours))
    postsuper(bench, ['-r', '-'], before)
    expect(await pass()).toEqual(['suspension.reopened queue 3'])
    const after = idsOf(queued('hold', ours))
    expect(after).toHaveLength(3)
    expect(after.filter(id => before.includes(id))).toEqual([])
  })

  test('a held message is deleted: what is gone stays gone', async () => {
    const [id = ''] = idsOf(queued('hold', ours))
    postsuper(bench, ['-d', '-'], [id])
    expect(await pass()).toEqual(['suspension.reopened queue 1'])
    expect(queued('hold', ours)).toHaveLength(2)
    expect(await pass()).toEqual([])
  })

  test('a message of the neighbour is put on hold by hand: it stays so', async () => {
    postsuper(bench, ['-h', '-'], idsOf(queued('deferred', theirs)))
    expect(await pass()).toEqual([])
    expect(queued('hold', theirs)).toHaveLength(2)
  })

  test('the line of the closed domain is taken away', async () => {
    const lines = denied().split('\n')
    writeFileSync(denyFile(), lines.filter(line => !line.startsWith('hcg.sld.cu:')).join('\n'))
    expect(await pass()).toEqual(['suspension.reopened logins 1'])
    expect(denied()).toMatch(/^hcg\.sld\.cu:.*mailwarden/m)
  })

  test('the mark in the line is taken away, so that it is theirs: ours stands beside it', async () => {
    writeFileSync(denyFile(), denied().replace(/^(hcg\.sld\.cu:.*)mailwarden/m, '$1'))
    expect(await pass()).toEqual(['suspension.reopened logins 1'])
    expect(denied().match(/^hcg\.sld\.cu:/gm)).toHaveLength(2)
    writeFileSync(denyFile(), denied().replace(/^hcg\.sld\.cu:(?!.*mailwarden).*\n/m, ''))
    expect(await pass()).toEqual([])
  })

  test('the whole file is emptied', async () => {
    writeFileSync(denyFile(), '')
    expect(await pass()).toEqual(['suspension.reopened logins 1'])
    expect(denied()).toMatch(/^hcg\.sld\.cu:.*mailwarden/m)
    writeFileSync(denyFile(), `# cerrado por la casa\najeno.sld.cu:::::::\n${denied()}`)
    expect(await pass()).toEqual([])
    expect(denied()).toContain('# cerrado por la casa\najeno.sld.cu:::::::\n')
  })

  test('the directory is opened, and a session begins: both are closed again', async () => {
    // It would see the edit at once, and close before anybody could come in.
    await daemon.stop()
    const open = "UPDATE domain SET login = 'active' WHERE name = 'hcg.sld.cu'"
    expect(run(sqlite, [bench.servers.directoryFile, open])).toMatchObject({ status: 0 })
    writeFileSync(denyFile(), denied().replace(/^hcg\.sld\.cu:.*\n/m, ''))
    const login = { user: ours, password }
    const letIn = async () => /^OK /.test(await imapLogin({ port: bench.servers.ports.imap, from: home }, login))
    await eventually(letIn, 'a login that is let in')
    sessions.push(...(await openSessions(bench, [ours, theirs])))
    const events = await pass()
    expect(events.slice(0, 2)).toEqual(['drift.found directory 1', 'suspension.reopened logins 1'])
    expect(events[2]).toMatch(/^suspension\.reopened sessions [1-9]/)
    const [mine, others] = sessions
    await mine?.end
    expect(others?.ended).toBe(false)
    await eventually(async () => !(await letIn()), 'a login that is refused')
    const { json } = await estate.json(['incident', 'show', incident])
    expect(json.levers).toMatchObject({ login: 'verified', submission: 'verified' })
    expect((await estate.json(['register', 'verify'])).exit).toBe(0)
  })
})
