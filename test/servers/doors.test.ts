/**
 * The doors beside directory and live decision, on a real Dovecot and a real Postfix: sessions that were open before,
 * the line of the closed domain, mail that waits in the queue. Closed by `suspend`, opened by nobody but two people.
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bench, openSessions, postsuper, queueOf, type Session, startSink } from '../mail-hosts/bench.ts'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { completeReport } from '../support/report.ts'
import { mailLine, startWaitingServers } from './mail-hosts.ts'
import { whyNoServers } from './mail-servers.ts'
import { describeServers } from './suite.ts'
import { sendMail, smtpLogin } from './wire.ts'

const home = '127.0.0.1'
const password = 'una-clave-larga-de-prueba'
const hospital = institutionText('hospital', { domain: 'hcg.sld.cu', network: `${home}/32` })
const clinic = institutionText('clinica', { domain: 'clinica.sld.cu', network: `${home}/32` })
const [ours, theirs] = ['jperez@hcg.sld.cu', 'jperez@clinica.sld.cu']

describeServers('the doors of mail hosts', whyNoServers, () => {
  let bench: Bench
  let estate: Estate
  let daemon: Daemon
  let sessions: Session[] = []

  const denied = () => readFileSync(join(bench.servers.folder, 'dv/closed-domains'), 'utf8')
  const open = () => sessions.filter(({ ended }) => !ended).map(({ user }) => user)
  const queued = (name: RegExp) =>
    queueOf(bench)
      .filter(({ queue_name: queue }) => name.test(queue))
      .map(({ sender }) => sender)
      .toSorted()
  const submit = async (user: string, recipient: string) => {
    const login = { user, password }
    const message = { sender: user, recipients: [recipient], text: 'Subject: prueba\n\nhola\n' }
    return (await sendMail({ port: bench.servers.ports.submission, from: home }, message, login)).recipients[0] ?? ''
  }
  const tokenOf = async (person: string) => ({
    MAILWARDEN_TOKEN: (await estate.cli(['token', 'create', person])).out.trim(),
  })

  beforeAll(async () => {
    const { policyPort, ...started } = await startWaitingServers(password)
    bench = started
    const { servers } = bench
    estate = await createEstate(
      { 'hospital.yaml': hospital, 'clinica.yaml': clinic },
      { directory: servers.directoryFile, policyPort, providers: { mail: mailLine(servers) } },
    )
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    for (const user of [ours, theirs])
      expect((await estate.cli(['password', user, '--stdin'], { input: password })).exit).toBe(0)
    for (const user of [ours, ours, theirs]) expect(await submit(user, 'x@fuera.example')).toMatch(/^250 /)
    await eventually(async () => queued(/deferred/).length === 3, 'mail that waits')
    sessions = await openSessions(bench, [ours, ours, theirs])
  }, 120_000)
  afterAll(async () => {
    for (const { wire } of sessions) wire.close()
    await estate?.[Symbol.asyncDispose]()
    await bench?.servers.stop()
  })

  test('doctor looks at the hosts, and finds what keeps the levers from working', async () => {
    const { json } = await estate.json(['doctor'])
    const codes = json.checks.filter((one: any) => /imap1|mx1/.test(one.name)).map((one: any) => [one.code, one.result])
    expect(codes).toContainEqual(['mail-host', 'ok'])
    expect(codes.filter(([, result]: any) => result === 'fail')).toEqual([])
    // A map inside main.cf, as this test has one, is seen by a running smtpd only after a reload.
    expect(codes.map(([code]: any) => code)).toContain('map-needs-reload')
    // Without the file of closed domains Dovecot denies nobody.
    const file = join(bench.servers.folder, 'dv/closed-domains')
    renameSync(file, `${file}.aside`)
    try {
      const without = await estate.json(['doctor'])
      expect(without.exit).toBe(1)
      const failed = without.json.checks.filter((one: any) => one.result === 'fail')
      expect(failed).toMatchObject([
        { code: 'mail-host', detail: expect.stringContaining('closed-domains is not there') },
      ])
    } finally {
      renameSync(`${file}.aside`, file)
    }
  })

  test('a dry run counts the sessions and the mail that would be closed, and closes none', async () => {
    const before = queueOf(bench)
    const { exit, json } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x', '--dry-run'])
    expect({ exit, json }).toMatchObject({
      exit: 0,
      json: {
        accounts: 2,
        sessions: 2,
        people: 1,
        queued: { outgoing: 2, incoming: 0, inside: 0, held: 0 },
        unanswered: [],
        told: expect.arrayContaining(['director-hospital@directores.example']),
      },
    })
    expect(queueOf(bench)).toEqual(before)
    expect(open().length).toBe(3)
    const shown = await estate.cli(['suspend', ours, '--class', 'spam', '--reason', 'x', '--dry-run', '--lang', 'es'])
    expect(shown.out).toMatch(/sesiones abiertas: 2 de 1 persona\n/)
  })

  test('suspend ends the sessions, denies the domain, holds its mail; the neighbour goes on', async () => {
    const { exit, json } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
    expect({ exit, trouble: json.trouble }).toEqual({ exit: 0, trouble: undefined })
    expect(Object.values(json.levers)).toEqual(Object.values(json.levers).map(() => 'verified'))
    const door = (kind: string) => json.doors.find((one: any) => one.door === kind)
    expect(door('sessions')).toMatchObject({ host: 'imap1', open: 0, failed: false })
    expect(door('logins')).toMatchObject({ host: 'imap1', open: 0, failed: false })
    expect(door('queue')).toMatchObject({ host: 'mx1', open: 0, held: 2, failed: false })
    await eventually(async () => open().length === 1, 'the end of the sessions')
    expect(open()).toEqual([theirs])
    expect(denied()).toMatch(/^hcg\.sld\.cu:/m)
    expect(queued(/hold/)).toEqual([ours, ours])
    expect(queued(/deferred/)).toEqual([theirs])
  })

  test('what somebody opens by hand is closed again by the next pass', async () => {
    postsuper(bench, ['-H', 'ALL'], [])
    expect(queued(/hold/)).toEqual([])
    expect((await estate.json(['apply', '--yes'])).exit).toBe(0)
    expect(queued(/hold/)).toEqual([ours, ours])
    expect(queued(/deferred/)).toEqual([theirs])
  })

  test('a host that does not answer is told as such, and its lever is not called verified', async () => {
    const key = join(bench.servers.folder, 'dv/doveadm-key')
    expect(readFileSync(key, 'utf8').length).toBeGreaterThan(10)
    await bench.servers.stopDovecot()
    const again = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'otra vez'])
    expect(again.exit).toBe(1)
    expect(again.json.trouble).toContain('imap1')
    expect(again.json.levers.login).toBe('failed')
    expect(again.json.doors.find((one: any) => one.door === 'queue')).toMatchObject({ open: 0, held: 2, failed: false })
    await bench.servers.startDovecot()
    await eventually(async () => {
      const { json } = await estate.json(['incident', 'show', again.json.incident])
      return json.levers.login === 'verified'
    }, 'the lever being verified by itself')
  })

  test('the end by two people lets the mail go on, each message once, and the domain in again', async () => {
    const [ana, carla] = [await tokenOf('ana'), await tokenOf('carla')]
    const { json: list } = await estate.json(['incident', 'list'])
    const id = list.incidents[0].id
    const annul = (env: Record<string, string>) =>
      estate.json(['incident', 'annul', id, '--reason', 'falsa alarma'], { env })
    expect((await annul(ana)).exit).toBe(3)
    const sink = await startSink(bench)
    try {
      expect((await annul(carla)).exit).toBe(0)
      expect(denied()).not.toMatch(/^hcg\.sld\.cu:/m)
      await eventually(async () => sink.received().length >= 2, 'the held mail')
      await eventually(async () => queued(/hold/).length === 0, 'nothing held')
      const senders = sink.received().filter(text => text.includes(ours))
      expect(senders).toHaveLength(2)
    } finally {
      await sink.stop()
    }
    expect(await submit(ours, 'x@fuera.example')).toMatch(/^250 /)
    expect((await estate.json(['register', 'verify'])).exit).toBe(0)
  })

  test('the whole way back by two people alone: report, action, new secrets, the mail that was held, and every door as before', async () => {
    const [ana, carla] = [await tokenOf('ana'), await tokenOf('carla')]
    const before = await estate.json(['plan'])
    expect(await submit(ours, 'y@fuera.example')).toMatch(/^250 /)
    const { json: held } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'], {
      env: ana,
    })
    const id = held.incident
    const as = async (env: Record<string, string>, wanted: number, ...args: string[]) => {
      const { exit, json } = await estate.json(['incident', ...args], { env })
      expect([args.join(' '), exit, json.refusals]).toEqual([
        args.join(' '),
        wanted,
        exit === 3 ? json.refusals : undefined,
      ])
      return json
    }
    const report = join(estate.folder, 'report.json')
    writeFileSync(report, JSON.stringify(completeReport))
    await as(ana, 0, 'report', id, '--file', report)
    expect((await as(ana, 3, 'accept', id)).refusals).toMatchObject([{ code: 'E-TWO-PERSON' }])
    await as(carla, 0, 'accept', id)
    const action = ['--what', 'claves cambiadas', '--who', 'Luis Mora', '--day', '2026-11-20', '--evidence', report]
    await as(ana, 0, 'action', id, ...action)
    await as(carla, 0, 'action', id, '--verify', '1')
    await as(ana, 0, 'rotate', id)
    expect((await as(ana, 3, 'release', id)).refusals).toMatchObject([{ code: 'E-HELD-MAIL' }])
    await as(ana, 0, 'mail', id, 'release')
    const sink = await startSink(bench)
    try {
      await as(ana, 3, 'release', id)
      await as(carla, 0, 'release', id)
      await eventually(async () => queued(/hold/).length === 0, 'nothing held')
      await eventually(async () => sink.received().filter(text => text.includes(ours)).length > 0, 'the held mail')
    } finally {
      await sink.stop()
    }
    expect(denied()).not.toMatch(/^hcg\.sld\.cu:/m)
    // The stolen password opens nothing any more; a new one does.
    const stolen = { user: ours, password }
    expect(await smtpLogin({ port: bench.servers.ports.submission, from: home }, stolen)).toMatch(/^535 /)
    expect((await estate.cli(['password', ours, '--stdin'], { input: password })).exit).toBe(0)
    expect(await submit(ours, 'z@fuera.example')).toMatch(/^250 /)
    expect((await openSessions(bench, [ours])).map(({ user }) => user)).toEqual([ours])
    const after = await estate.json(['plan'])
    expect([after.exit, after.json.changes]).toEqual([before.exit, before.json.changes])
    expect((await estate.json(['incident', 'show', id])).json).toMatchObject({ state: 'released', missing: [] })
    expect((await estate.json(['register', 'verify'])).exit).toBe(0)
  })
})
