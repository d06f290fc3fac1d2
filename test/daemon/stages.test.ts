/** A release in stages by a real daemon, with short waits: what each opens at the live decision, and what stops it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { completeReport } from '../support/report.ts'

const login = 'jperez@hcg.sld.cu'
const near = 'mlopez@hcg.sld.cu'
const [national, foreign] = ['x@minsap.cu', 'x@who.int']

let estate: Estate
let daemon: Daemon
let people: Record<'ana' | 'carla', Record<string, string>>

const explain = async (recipient: string) => (await estate.json(['explain', login, recipient])).json
const passes = async () =>
  Promise.all([near, national, foreign].map(async one => (await explain(one)).effect === 'dunno'))
const domainState = async () => (await estate.json(['status'])).json.domains[0]
const inbound = async (sender: string) =>
  (await estate.json(['explain', '--sender', sender, '--recipient', login])).json.effect

async function suspended(): Promise<string> {
  const { json } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'], { env: people.ana })
  return json.incident
}

async function makeReady(id: string, parts: readonly string[] = ['report', 'action', 'rotate']): Promise<void> {
  const report = join(estate.folder, 'report.json')
  writeFileSync(report, JSON.stringify(completeReport))
  const as = async (person: 'ana' | 'carla', ...args: string[]) =>
    expect((await estate.json(['incident', ...args], { env: people[person] })).exit).toBe(0)
  if (parts.includes('report')) {
    await as('ana', 'report', id, '--file', report)
    await as('carla', 'accept', id)
  }
  if (parts.includes('action')) {
    const what = ['--what', 'claves', '--who', 'Luis Mora', '--day', '2026-11-20', '--evidence', report]
    await as('ana', 'action', id, ...what)
    await as('carla', 'action', id, '--verify', '1')
  }
  await as('ana', 'rotate', id)
}

const release = async (id: string) => {
  expect((await estate.json(['incident', 'release', id], { env: people.ana })).exit).toBe(3)
  return (await estate.json(['incident', 'release', id], { env: people.carla })).json
}

beforeAll(async () => {
  estate = await createEstate(
    { 'hcg.yaml': institutionText('hcg', { domain: 'hcg.sld.cu' }) },
    {
      config: `  incidents:
    release: { nationalAfter: 8s, internationalAfter: 8s }
    probation: { days: 3, percent: 10 }
`,
    },
  )
  daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  const tokenOf = async (person: string) => ({
    MAILWARDEN_TOKEN: (await estate.cli(['token', 'create', person])).out.trim(),
  })
  people = { ana: await tokenOf('ana'), carla: await tokenOf('carla') }
}, 60_000)
afterAll(() => estate?.[Symbol.asyncDispose]())

test('a suspend between two stages closes everything again', async () => {
  const id = await suspended()
  expect(await passes()).toEqual([false, false, false])
  await makeReady(id)
  const released = await release(id)
  expect(released).toMatchObject({ state: 'releasing', end: null, levers: { login: 'lifted' } })
  expect(await explain(near)).toMatchObject({ effect: 'dunno' })
  expect(await domainState()).toMatchObject({ state: 'restricted', held: [id] })
  const again = await estate.json(['suspend', login, '--class', 'spam', '--reason', 'otra vez'], { env: people.ana })
  expect(again.json).toMatchObject({ incident: id, already: false })
  expect(await passes()).toEqual([false, false, false])
  expect((await domainState()).state).toBe('suspended')
}, 60_000)

test('then each stage opens by itself what it says, also over a restart, and probation follows', async () => {
  const { json: list } = await estate.json(['incident', 'list'])
  const id = list.incidents[0].id
  await makeReady(id, ['rotate'])
  await release(id)
  const shown = async () => (await estate.json(['incident', 'show', id])).json
  const [collection, next] = (await shown()).release.stages
  expect([collection.stage, collection.open, next.stage, next.open]).toEqual(['collection', true, 'national', false])
  expect(await inbound('alguien@who.int')).toBe('defer')
  for (const [language, words] of [
    ['es', ['Relevo de', 'ana', 'sigue']],
    ['en', ['Handover of', 'ana', 'Next steps']],
  ] as const) {
    const note = await estate.cli(['incident', 'handover', id, '--lang', language])
    expect(note.exit).toBe(0)
    for (const word of [...words, id]) expect(note.out).toContain(word)
  }
  // What is owed is known from the register alone.
  await daemon.stop('SIGKILL')
  daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  await eventually(async () => (await shown()).release?.stages.length === 3, 'the national stage')
  expect((await passes()).slice(0, 2)).toEqual([true, true])
  await eventually(async () => (await shown()).state === 'released', 'the last stage')
  expect(await passes()).toEqual([true, true, true])
  expect(await inbound('alguien@who.int')).toBe('dunno')
  expect((await explain(foreign)).probation).toMatchObject({ incident: id, percent: 10 })
  expect(await domainState()).toMatchObject({ state: 'active', held: [], probation: [{ incident: id, percent: 10 }] })
  expect((await estate.json(['plan'])).json.held).toEqual([])
  const ends = await estate.json(['forecast', '--until', '5d'])
  expect([ends.exit, ends.json.incidents]).toMatchObject([2, [{ incident: id, what: 'probation' }]])
  const early = await estate.json(['incident', 'close', id, '--lessons', 'x'], { env: people.ana })
  expect([early.exit, early.json.refusals[0].code]).toEqual([3, 'E-PROBATION'])
  expect((await estate.cli(['register', 'list'])).out.match(/release\.stage/g)).toHaveLength(3)
  expect((await estate.json(['register', 'verify'])).exit).toBe(0)
}, 90_000)
