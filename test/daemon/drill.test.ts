/** `drill`: on paper nothing moves, live the levers of a test domain do; both are told to nobody outside, and timed. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { completeReport } from '../support/report.ts'

let estate: Estate
let daemon: Daemon
let people: Record<'ana' | 'carla', Record<string, string>>

beforeAll(async () => {
  estate = await createEstate(
    {
      'hcg.yaml': institutionText('hcg', { domain: 'hcg.sld.cu' }),
      'prueba.yaml': institutionText('prueba', { domain: 'prueba.sld.cu', accounts: ['{ name: cobaya }'] }),
    },
    { config: '  incidents: { testDomains: [Prueba.SLD.cu] }\n' },
  )
  daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  const tokenOf = async (person: string) => ({
    MAILWARDEN_TOKEN: (await estate.cli(['token', 'create', person])).out.trim(),
  })
  people = { ana: await tokenOf('ana'), carla: await tokenOf('carla') }
}, 60_000)
afterAll(() => estate?.[Symbol.asyncDispose]())

const maySend = async (login: string) => (await estate.json(['explain', login, 'x@minsap.cu'])).json.effect === 'dunno'

async function wayBack(id: string): Promise<void> {
  const report = join(estate.folder, 'report.json')
  writeFileSync(report, JSON.stringify(completeReport))
  const as = async (person: 'ana' | 'carla', exit: number, ...args: string[]) =>
    expect((await estate.json(['incident', ...args], { env: people[person] })).exit, args[0]).toBe(exit)
  await as('ana', 0, 'acknowledge', id)
  await as('ana', 0, 'report', id, '--file', report)
  await as('carla', 0, 'accept', id)
  const what = ['--what', 'claves', '--who', 'Luis Mora', '--day', '2026-11-20', '--evidence', report]
  await as('ana', 0, 'action', id, ...what)
  await as('carla', 0, 'action', id, '--verify', '1')
  await as('ana', 0, 'rotate', id)
  await as('ana', 3, 'release', id)
  await as('carla', 0, 'release', id)
}

const letters = () =>
  readdirSync(join(estate.folder, 'var', 'outbox'), { withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ name }) => readFileSync(join(estate.folder, 'var', 'outbox', name), 'utf8'))

test('on paper: a script, no lever, the whole way, and its times', async () => {
  expect((await estate.json(['drill', 'report'])).json.error).toContain('E-DRILL-NONE')
  const begun = await estate.cli(['drill', 'start', 'hcg.sld.cu', '--reason', 'trimestral', '--lang', 'es'])
  expect(begun).toMatchObject({ exit: 0, out: expect.stringContaining('en papel') })
  const [id = ''] = /INC-\d{4}-\d{4}/.exec(begun.out) ?? []
  for (const words of [`mailwarden incident acknowledge ${id}`, `mailwarden drill report ${id}`])
    expect(begun.out).toContain(words)
  expect(await maySend('jperez@hcg.sld.cu')).toBe(true)
  expect((await estate.cli(['status', '--lang', 'es'])).out).toMatch(new RegExp(`${id} .*simulacro`))
  const midway = await estate.json(['drill', 'report'])
  expect(midway).toMatchObject({ exit: 2, json: { incident: id, live: false, whole: false } })
  await wayBack(id)
  const over = await estate.json(['drill', 'report', id.toLowerCase()])
  expect(over).toMatchObject({ exit: 0, json: { incident: id, whole: true } })
  const shown = await estate.cli(['drill', 'report', '--lang', 'es'])
  for (const words of ['atendido', 'a tiempo', 'de 15 min', 'de la suspensión al restablecimiento'])
    expect(shown.out).toContain(words)
  expect((await estate.json(['status'])).json.lastDrill).toMatchObject({ incident: id, live: false })
}, 60_000)

test('live: refused where people work, real on the test domain, told to the operator alone', async () => {
  const refused = await estate.cli(['drill', 'start', 'hcg.sld.cu', '--live', '--reason', 'x'])
  expect(refused.exit).toBe(65)
  expect(refused.err).toContain('incidents.testDomains')
  expect(await maySend('jperez@hcg.sld.cu')).toBe(true)

  const { exit, json } = await estate.json(['drill', 'start', 'prueba.sld.cu', '--live', '--reason', 'nocturno'])
  expect({ exit, liveDrill: json.liveDrill }).toEqual({ exit: 0, liveDrill: true })
  expect(await maySend('cobaya@prueba.sld.cu')).toBe(false)
  const id = json.incident as string
  await eventually(async () => (await estate.json(['incident', 'show', id])).json.containedAt !== null, 'closed doors')
  // A restart keeps it closed: it is a hold like any other.
  await daemon.stop('SIGKILL')
  daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  expect(await maySend('cobaya@prueba.sld.cu')).toBe(false)
  await wayBack(id)
  expect(await maySend('cobaya@prueba.sld.cu')).toBe(true)
  expect((await estate.json(['plan'])).exit).toBe(0)
  const report = await estate.json(['drill', 'report'])
  expect(report).toMatchObject({ exit: 0, json: { incident: id, live: true, whole: true } })
  expect(report.json.steps[0]).toMatchObject({ step: 'closed', result: 'met' })
  expect(await eventually(async () => letters().length >= 4 && letters(), 'the letters')).not.toHaveLength(0)
  for (const letter of letters()) expect(letter).toMatch(/^To: .*<seg@operator\.example>/m)
}, 60_000)
