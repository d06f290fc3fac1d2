/**
 * Held mail decided message by message, on a real Postfix: what one sender wrote is kept, some of it is purged by two
 * people, the rest leaves with the release. Every message is counted in and out, at the queue and at a sink.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bench, enqueue, postsuper, queueOf, startBench, startSink } from '../mail-hosts/bench.ts'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { completeReport } from '../support/report.ts'
import { whyNoServers } from './mail-servers.ts'
import { describeServers } from './suite.ts'

const thief = 'ana@hcg.example'
const innocent = 'berta@hcg.example'
const correspondent = 'amiga@fuera.example'

describeServers('held mail, message by message', whyNoServers, () => {
  let bench: Bench
  let estate: Estate
  let daemon: Daemon
  let id: string
  let people: Record<'ana' | 'carla', Record<string, string>>

  const count = (queue: string, sender: string) =>
    queueOf(bench).filter(one => one.queue_name === queue && one.sender === sender).length
  const incident = (env: Record<string, string>, ...args: string[]) => estate.json(['incident', ...args], { env })
  const listed = async (...args: string[]) => (await incident(people.ana, 'mail', id, '--list', ...args)).json
  /** Everything that a release rests on but the decision on mail. */
  const makeReady = async () => {
    const report = join(estate.folder, 'report.json')
    writeFileSync(report, JSON.stringify(completeReport))
    const { ana, carla } = people
    const action = ['--what', 'claves', '--who', 'Luis Mora', '--day', '2026-11-20', '--evidence', report]
    expect((await incident(ana, 'report', id, '--file', report)).exit).toBe(0)
    expect((await incident(carla, 'accept', id)).exit).toBe(0)
    expect((await incident(ana, 'action', id, ...action)).exit).toBe(0)
    expect((await incident(carla, 'action', id, '--verify', '1')).exit).toBe(0)
    expect((await incident(ana, 'rotate', id)).exit).toBe(0)
  }

  beforeAll(async () => {
    bench = await startBench()
    const mail = `mail: [{ kind: postfix, name: mx1, configFolder: ${join(bench.servers.folder, 'pf/etc')} }]`
    estate = await createEstate(
      { 'hcg.yaml': institutionText('hcg', { domain: 'hcg.example', accounts: ['{ name: ana }', '{ name: berta }'] }) },
      { providers: { mail } },
    )
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    const tokenOf = async (person: string) => ({
      MAILWARDEN_TOKEN: (await estate.cli(['token', 'create', person])).out.trim(),
    })
    people = { ana: await tokenOf('ana'), carla: await tokenOf('carla') }
    await enqueue(bench, { from: thief, to: 'victima@fuera.example', count: 12 })
    await enqueue(bench, { from: innocent, to: correspondent, count: 5 })
    await enqueue(bench, { from: correspondent, to: innocent, count: 8 })
    await enqueue(bench, { from: correspondent, to: 'otra@vecina.example', count: 4 })
    // Somebody else's decision, which is nobody's here to change.
    const foreign = queueOf(bench).find(one => one.sender === innocent)
    postsuper(bench, ['-h', '-'], [foreign?.queue_id ?? ''])
    const { json } = await estate.json(['suspend', 'hcg.example', '--class', 'spam', '--reason', 'x'], {
      env: people.ana,
    })
    id = json.incident
  }, 120_000)
  afterAll(async () => {
    await estate?.[Symbol.asyncDispose]()
    await bench?.servers.stop()
  })

  test('the list tells what is held by us, and a choice narrows it', async () => {
    const all = await listed()
    expect([all.held, all.matching, all.messages.length]).toEqual([24, 24, 24])
    expect(all.messages[0]).toEqual({
      message: expect.stringMatching(/^mx1\/\w+$/),
      sender: expect.stringContaining('@'),
      recipients: 1,
      bytes: expect.any(Number),
      arrivedAt: expect.stringMatching(/Z$/),
      decision: null,
    })
    expect((await listed('--sender', thief)).matching).toBe(12)
    expect((await listed('--sender', '@hcg.example')).matching).toBe(16)
    expect((await listed('--direction', 'in')).matching).toBe(8)
    expect((await listed('--direction', 'out', '--recipient-class', 'international')).matching).toBe(16)
    expect((await listed('--recipient-class', 'local')).matching).toBe(8)
    expect((await listed('--before', '2001-01-01T00:00:00Z')).matching).toBe(0)
    expect((await listed('--message', all.messages[3].message)).messages).toEqual([all.messages[3]])
    const wrong = await incident(people.ana, 'mail', id, '--list', '--direction', 'up')
    expect([wrong.exit, wrong.json.code ?? wrong.json.refusals?.[0]?.code]).toEqual([65, 'E-MAIL-FILTER'])
    expect((await incident(people.ana, 'mail', id)).exit).toBe(64)
  })

  test('what one sender wrote is kept by name, and stays so when the rest is let go', async () => {
    expect((await incident(people.ana, 'mail', id, 'release', '--sender', 'nadie@hcg.example')).exit).toBe(65)
    expect((await incident(people.ana, 'mail', id, 'keep', '--sender', thief)).exit).toBe(0)
    expect((await incident(people.ana, 'mail', id, 'release')).exit).toBe(0)
    const decisions = (await listed()).messages.map((one: any) => `${one.sender} ${one.decision}`)
    expect(decisions.filter((one: string) => one === `${thief} keep`)).toHaveLength(12)
    expect(decisions.filter((one: string) => one.endsWith(' release'))).toHaveLength(12)
    const entries = await estate.cli(['register', 'list'])
    expect(entries.out).not.toContain(thief)
  })

  test('a purge takes two people who saw the same; nothing is deleted before, nothing else with it', async () => {
    const { ana, carla } = people
    const some = (await listed('--sender', thief)).messages.slice(0, 3).map((one: any) => one.message)
    const named = some.flatMap((name: string) => ['--message', name])
    expect((await incident(ana, 'purge', id)).exit).toBe(65)
    const first = await incident(ana, 'purge', id, ...named)
    expect([first.exit, first.json.needsSecond, first.json.messages]).toEqual([3, true, 3])
    expect(count('hold', thief)).toBe(12)
    expect((await incident(ana, 'purge', id, ...named)).exit).toBe(3)
    // Another choice is another evidence: it does not ride on the first approval.
    expect((await incident(carla, 'purge', id, ...named.slice(0, 4))).exit).toBe(3)
    const second = await incident(carla, 'purge', id, ...named)
    expect([second.exit, second.json.purged, second.json.evidence]).toEqual([0, 3, first.json.evidence])
    expect(count('hold', thief)).toBe(9)
    expect(queueOf(bench)).toHaveLength(26)
    const left = new Set(queueOf(bench).map(one => `mx1/${one.queue_id}`))
    expect(some.filter((name: string) => left.has(name))).toEqual([])
    expect(daemon.log().filter(line => String(line['event']).includes('reopened'))).toEqual([])
  })

  test('the release lets each chosen message leave once; the kept and the foreign ones stay, and are followed', async () => {
    const { ana, carla } = people
    await makeReady()
    const sink = await startSink(bench)
    try {
      expect((await incident(ana, 'release', id)).exit).toBe(3)
      const { exit, json } = await incident(carla, 'release', id)
      expect([exit, json.state, json.trouble]).toEqual([0, 'released', undefined])
      await eventually(async () => sink.received().length >= 12, 'the mail that was let go')
      const texts = sink.received()
      expect(texts.filter(text => text.includes(`X-Mail-Args: <${thief}>`))).toEqual([])
      const ids = texts.map(text => /^Message-Id: (.*)$/im.exec(text)?.[1])
      expect(new Set(ids).size).toBe(ids.length)
    } finally {
      await sink.stop()
    }
    expect([count('hold', thief), count('hold', innocent), count('hold', correspondent)]).toEqual([9, 1, 0])
    expect((await listed()).held).toBe(9)
    // The domain is what its manifests say, and nothing else.
    expect((await estate.json(['plan'])).json.changes).toEqual([])
    // The next suspension of the domain has no say in what this one keeps.
    const again = await estate.json(['suspend', 'hcg.example', '--class', 'spam', '--reason', 'otra'], { env: ana })
    expect(again.json.incident).not.toBe(id)
    const other = again.json.incident
    expect((await incident(ana, 'mail', other, '--list')).json.held).toBe(0)
    expect((await incident(ana, 'annul', other, '--reason', 'x')).exit).toBe(3)
    expect((await incident(carla, 'annul', other, '--reason', 'x')).exit).toBe(0)
    expect(count('hold', thief)).toBe(9)
    // Somebody's hand is seen.
    const one = queueOf(bench).find(found => found.sender === thief)
    postsuper(bench, ['-H', '-'], [one?.queue_id ?? ''])
    expect((await estate.json(['apply', '--yes'])).exit).toBe(0)
    expect((await listed()).held).toBe(8)
    expect((await estate.cli(['register', 'list'])).out).toContain('suspension.reopened')
  })

  test('after the end two people let more go, and one alone does not', async () => {
    const { ana, carla } = people
    const [message] = (await listed()).messages.map((found: any) => found.message)
    const args = ['mail', id, 'release', '--message', message]
    expect((await incident(ana, ...args)).exit).toBe(3)
    expect((await incident(ana, ...args)).exit).toBe(3)
    expect(count('hold', thief)).toBe(8)
    const sink = await startSink(bench)
    try {
      expect((await incident(carla, ...args)).exit).toBe(0)
      await eventually(async () => count('hold', thief) === 7, 'the message that was let go')
    } finally {
      await sink.stop()
    }
    expect((await estate.json(['register', 'verify'])).exit).toBe(0)
  })
})
