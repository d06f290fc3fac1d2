/** Ways round a hold or a guard that somebody would try, or fall into: each ends where it should. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { askPolicy, createEstate, type Estate, eventually, institutionText } from '../support/estate.ts'

const hospital = (domain = 'hcg.sld.cu') => institutionText('hospital', { domain })
const hold = ['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x']
const outward = (domain: string) => ({
  sasl_username: `jperez@${domain}`,
  sender: `jperez@${domain}`,
  recipient: 'x@who.int',
})

async function tokenOf(estate: Estate, person: string, env?: Record<string, string>): Promise<Record<string, string>> {
  const made = await estate.cli(['token', 'create', person], env === undefined ? {} : { env })
  expect(made).toMatchObject({ exit: 0 })
  return { MAILWARDEN_TOKEN: made.out.trim() }
}

const stateOf = async (estate: Estate, name: string) =>
  (await estate.json(['status'])).json.domains.find((domain: any) => domain.name === name)?.state

describe('a hold is not renamed away', () => {
  test('a domain that is new in an institution with a held one waits for the end of the incident', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    const ana = await tokenOf(estate, 'ana')
    const berta = await tokenOf(estate, 'berta')
    const carla = await tokenOf(estate, 'carla')
    const { incident } = (await estate.json(hold, { env: ana })).json
    estate.write('hospital.yaml', hospital('otro.sld.cu'))
    await eventually(async () => (await stateOf(estate, 'otro.sld.cu')) === 'blocked', 'the new name being blocked')
    expect(await stateOf(estate, 'hcg.sld.cu')).toBe('suspended')
    expect(await askPolicy(estate.policyPort, outward('hcg.sld.cu'))).toMatch(/^550 5\.7\.1 /)
    expect(await askPolicy(estate.policyPort, outward('otro.sld.cu'))).toMatch(/^550 /)
    const { json } = await estate.json(['plan'])
    expect(json.changes.filter((change: any) => change.ref.key.includes('otro.sld.cu'))).toEqual([])
    expect(json.diagnostics).toContainEqual(
      expect.objectContaining({ code: 'E-HELD-DOMAIN', file: 'hospital.yaml', line: expect.any(Number) }),
    )
    // A false alarm: two people end it, and what waited goes on by itself.
    const annul = (env: Record<string, string>) =>
      estate.json(['incident', 'annul', incident, '--reason', 'falsa alarma'], { env })
    expect((await annul(ana)).exit).toBe(3)
    expect((await annul(carla)).exit).toBe(0)
    expect(berta).toBeDefined()
    await eventually(async () => (await stateOf(estate, 'otro.sld.cu')) === 'active', 'the new name being made')
  })

  test('a new account of somebody whose account is held waits too, in another domain as well', async () => {
    const list = (accounts: string[]) => institutionText('hospital', { domain: 'hcg.sld.cu', accounts })
    const holder = 'holder: { name: Juan, id: "P-7", post: Médico, purpose: asistencia, category: care }, request: SC-1'
    await using estate = await createEstate({ 'hospital.yaml': list([`{ name: juan, ${holder} }`, '{ name: eva }']) })
    await estate.cli(['apply', '--yes'])
    const held = await estate.json(['suspend', 'juan@hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
    expect(held.exit).toBe(0)
    estate.write(
      'hospital.yaml',
      list([`{ name: juan2, ${holder} }`, '{ name: eva }', '{ name: nuevo, send: international }']),
    )
    const { json } = await estate.json(['plan'])
    expect(json.changes.map((change: any) => [change.action, change.ref.key])).toEqual([['create', 'nuevo@hcg.sld.cu']])
    expect(json.diagnostics.map((diagnostic: any) => diagnostic.code)).toContain('E-HELD-HOLDER')
  })
})

describe('two people are two people', () => {
  test('once two have tokens, one that is made on the host during an incident ends nothing', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.cli(['apply', '--yes'])
    const ana = await tokenOf(estate, 'ana')
    const berta = await tokenOf(estate, 'berta')
    const { incident } = (await estate.json(hold)).json
    await estate.cli(['token', 'revoke', 'ana'])
    const annul = (env: Record<string, string>) =>
      estate.json(['incident', 'annul', incident, '--reason', 'x'], { env })
    const again = await tokenOf(estate, 'ana')
    const fresh = await tokenOf(estate, 'carla')
    expect((await annul(ana)).exit).toBe(77)
    for (const env of [again, fresh])
      expect(await annul(env)).toMatchObject({ exit: 77, json: { refusals: [{ code: 'E-TOKEN-NEW' }] } })
    // A person with a token of their own makes one for a colleague; but then the two are not two.
    const third = await tokenOf(estate, 'ana', berta)
    expect((await annul(third)).exit).toBe(3)
    expect(await annul(berta)).toMatchObject({ exit: 3, json: { refusals: [{ code: 'E-TWO-PERSON' }] } })
    expect(await stateOf(estate, 'hcg.sld.cu')).toBe('suspended')
  })
})

describe('the register without a daemon', () => {
  test('commands that only read say so when it does not verify', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.cli(['apply', '--yes'])
    const store = readdirSync(estate.state).filter(file => file.startsWith('mailwarden.db'))
    const saved = new Map(store.map(file => [file, readFileSync(join(estate.state, file))]))
    await estate.cli(hold)
    for (const file of readdirSync(estate.state).filter(name => name.startsWith('mailwarden.db')))
      rmSync(join(estate.state, file))
    for (const [file, bytes] of saved) writeFileSync(join(estate.state, file), bytes)
    const status = await estate.json(['status'])
    expect(status).toMatchObject({ exit: 1, json: { register: { trusted: false } } })
    expect((await estate.json(['doctor'])).exit).toBe(1)
    for (const command of [['plan'], ['incident', 'list'], ['explain', 'jperez@hcg.sld.cu', 'x@who.int']]) {
      const { json, err } = await estate.json(command)
      expect(json.register).toMatchObject({ trusted: false })
      expect(err).toContain('NOT TRUSTED')
    }
  })

  test('cut before its first token it knows nobody: the host takes it as it is, once, and on record', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.cli(['apply', '--yes'])
    const files = () => readdirSync(estate.state).filter(file => file.startsWith('mailwarden.db'))
    const saved = new Map(files().map(file => [file, readFileSync(join(estate.state, file))]))
    await tokenOf(estate, 'ana')
    const berta = await tokenOf(estate, 'berta')
    expect((await estate.json(['register', 'accept', '--reason', 'x'])).exit).toBe(77)
    for (const file of files()) rmSync(join(estate.state, file))
    for (const [file, bytes] of saved) writeFileSync(join(estate.state, file), bytes)
    expect((await estate.json(['register', 'accept', '--reason', 'x'], { env: berta })).exit).toBe(77)
    const refused = await estate.json(hold)
    expect(refused).toMatchObject({ exit: 1, json: { error: expect.stringContaining('register accept') } })
    expect((await estate.json(['register', 'accept', '--reason', 'disco perdido'])).exit).toBe(0)
    expect((await estate.json(hold)).exit).toBe(0)
    expect((await estate.cli(['register', 'list', '--kind', 'register.accepted'])).out).toContain('local:')
  })
})

test('a directory that can’t be opened keeps no suspension from being recorded', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  await estate.cli(['apply', '--yes'])
  for (const file of readdirSync(estate.state).filter(name => name.startsWith('directory.db')))
    rmSync(join(estate.state, file))
  writeFileSync(join(estate.state, 'directory.db'), 'this is no database, whatever its name says'.repeat(200))
  const held = await estate.json(hold)
  expect(held).toMatchObject({
    exit: 1,
    json: { incident: 'INC-2026-0001', trouble: expect.stringContaining('directory') },
  })
  expect(await estate.json(['incident', 'show', 'INC-2026-0001'])).toMatchObject({ exit: 0 })
  expect(await estate.json(['status'])).toMatchObject({ exit: 69, json: { incidents: [{ id: 'INC-2026-0001' }] } })
  // Mended, it is opened without a restart, and the door is closed.
  const daemon = await estate.start()
  expect(await askPolicy(estate.policyPort, outward('hcg.sld.cu'))).toMatch(/^550 5\.7\.1 /)
  rmSync(join(estate.state, 'directory.db'))
  await daemon.until(line => line['event'] === 'applied', 'the directory being filled again')
  using database = new DatabaseSync(join(estate.state, 'directory.db'), { readOnly: true })
  expect(database.prepare('SELECT login FROM domain WHERE name = ?').get('hcg.sld.cu')).toMatchObject({
    login: 'suspended',
  })
})

describe('what was looked at is what is applied', () => {
  test('a count that does not match is refused, also where no guard asked for one', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.cli(['apply', '--yes'])
    estate.write('hospital.yaml', institutionText('hospital', { domain: 'hcg.sld.cu', accounts: ['{ name: jperez }'] }))
    expect((await estate.json(['plan'])).exit).toBe(2)
    const wrong = await estate.json(['apply', '--yes', '--accept', 'delete=7'])
    expect(wrong).toMatchObject({ exit: 3, json: { refusals: [{ guard: 'accept', accept: 'delete=1' }] } })
    expect((await estate.json(['plan'])).json.changes.length).toBeGreaterThan(0)
    expect((await estate.json(['apply', '--yes', '--accept', 'delete=1'])).exit).toBe(0)
  })

  test('a plan announces the keys that applying it makes; with them it is the same plan', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const file = join(estate.folder, 'plan.json')
    const plan = await estate.json(['plan', '--out', file])
    expect(plan.json.keys).toEqual(['hcg.sld.cu'])
    expect(existsSync(estate.state)).toBe(false)
    expect(await estate.json(['apply', file])).toMatchObject({ exit: 0, json: { keysMade: 1, stale: false } })
    expect((await estate.json(['plan'])).json).toMatchObject({ keys: [], changes: [] })
  })
})
