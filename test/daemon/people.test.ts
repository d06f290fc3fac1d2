/** Who acts: tokens, roles, two people, and the way back from a store that a witness knows more of. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { askPolicy, createEstate, type Estate, institutionText } from '../support/estate.ts'

const hospital = () => institutionText('hospital', { domain: 'hcg.sld.cu' })
const outward = { sasl_username: 'jperez@hcg.sld.cu', sender: 'jperez@hcg.sld.cu', recipient: 'x@who.int' }

async function tokenOf(estate: Estate, person: string): Promise<Record<string, string>> {
  const { exit, out } = await estate.cli(['token', 'create', person])
  expect(exit).toBe(0)
  expect(out.trim()).toMatch(/^mw1_[\w-]{43}$/)
  return { MAILWARDEN_TOKEN: out.trim() }
}

describe('tokens', () => {
  test('one that is wrong or revoked is no quiet fall-back to the local user; the register keeps no token', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.start()
    const ana = await tokenOf(estate, 'ana')
    const list = ['incident', 'list']
    expect((await estate.json(list, { env: ana })).exit).toBe(0)
    expect((await estate.json(list, { env: { MAILWARDEN_TOKEN: 'mw1_wrong' } })).exit).toBe(77)
    expect((await estate.cli(['token', 'revoke', 'ana'])).exit).toBe(0)
    expect((await estate.json(list, { env: ana })).exit).toBe(77)
    expect((await estate.cli(['token', 'create', 'nadie'])).exit).toBe(65)
    const { out } = await estate.cli(['register', 'list', '--json'])
    expect(out).not.toContain(ana['MAILWARDEN_TOKEN'])
  })

  test('an auditor reads and changes nothing', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.start()
    const aida = await tokenOf(estate, 'aida')
    expect((await estate.json(['status'], { env: aida })).exit).toBe(0)
    const suspended = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'], { env: aida })
    expect(suspended).toMatchObject({ exit: 77, json: { refusals: [{ code: 'E-READ-ONLY' }] } })
    expect((await estate.json(['apply', '--yes'], { env: aida })).exit).toBe(77)
    expect((await estate.json(['password', 'jperez@hcg.sld.cu'], { env: aida })).exit).toBe(77)
    expect(await askPolicy(estate.policyPort, outward)).toBe('DUNNO')
  })
})

test('a withdrawal takes two security leads and is for good', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  const berta = await tokenOf(estate, 'berta')
  const carla = await tokenOf(estate, 'carla')
  const withdraw = (env: Record<string, string>, grounds = 'security') =>
    estate.json(['withdraw', 'hcg.sld.cu', '--grounds', grounds], { env })
  expect((await estate.json(['withdraw', 'hcg.sld.cu', '--grounds', 'security'])).exit).toBe(77)
  expect(await withdraw(berta, 'boredom')).toMatchObject({ exit: 65, json: { refusals: [{ code: 'E-GROUNDS' }] } })
  expect((await withdraw(berta)).exit).toBe(3)
  expect(await withdraw(berta)).toMatchObject({ exit: 3, json: { refusals: [{ code: 'E-TWO-PERSON' }] } })
  expect(await askPolicy(estate.policyPort, outward)).toBe('DUNNO')
  expect((await withdraw(carla)).exit).toBe(0)
  expect(await askPolicy(estate.policyPort, outward)).toMatch(/^550 5\.(1\.6|7\.1) /)
  expect((await estate.json(['status'])).json.domains[0]).toMatchObject({ name: 'hcg.sld.cu', state: 'withdrawn' })
  estate.write('hospital.yaml', `${hospital()}# touched\n`)
  await daemon.stop('SIGKILL')
  await estate.start()
  expect(await askPolicy(estate.policyPort, outward)).toMatch(/^550 /)
  expect((await estate.json(['plan'])).json.changes).toEqual([])
})

test('a store behind its witness is mute until a security lead accepts it with a reason', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  const ana = await tokenOf(estate, 'ana')
  const berta = await tokenOf(estate, 'berta')
  await estate.cli(['apply', '--yes'])
  const yesterday = join(estate.folder, 'yesterday')
  cpSync(estate.state, yesterday, { recursive: true })
  await estate.cli(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
  for (const file of readdirSync(estate.state)) if (file.startsWith('mailwarden.db')) rmSync(join(estate.state, file))
  for (const file of readdirSync(yesterday))
    if (file.startsWith('mailwarden.db')) cpSync(join(yesterday, file), join(estate.state, file))
  const mute = await estate.start()
  expect(await askPolicy(estate.policyPort, outward)).toBeNull()
  const refused = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
  expect(refused.exit).toBe(1)
  expect((await estate.json(['status'])).json.register).toMatchObject({ trusted: false })
  expect((await estate.json(['register', 'accept', '--reason', 'x'])).exit).toBe(77)
  expect((await estate.json(['register', 'accept', '--reason', 'x'], { env: ana })).exit).toBe(77)
  expect((await estate.json(['register', 'accept', '--reason', 'copia de ayer'], { env: berta })).exit).toBe(0)
  await mute.stop()
  const again = await estate.start()
  await again.until(line => line['event'] === 'ready', 'ready')
  expect(await askPolicy(estate.policyPort, outward)).toBe('DUNNO')
  expect((await estate.cli(['register', 'verify'])).exit).toBe(0)
  expect((await estate.cli(['register', 'list', '--kind', 'register.accepted'])).out).toContain('berta')
})

test('an export is verified by anyone, and any byte changed in it is named', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  await estate.cli(['apply', '--yes'])
  const file = join(estate.folder, 'export.jsonl')
  expect((await estate.cli(['register', 'export', file])).exit).toBe(0)
  const elsewhere = { env: { MAILWARDEN_CONFIG: '/nonexistent' } }
  expect((await estate.cli(['register', 'verify', file], elsewhere)).exit).toBe(0)
  const bytes = readFileSync(file)
  expect(bytes.includes('jperez')).toBe(false)
  const at = Math.floor(bytes.length / 2)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(file, bytes)
  const verdict = await estate.json(['register', 'verify', file], elsewhere)
  expect(verdict.exit).toBe(1)
  expect(verdict.json.findings.length).toBeGreaterThan(0)
  const proof = join(estate.folder, 'proof.json')
  expect((await estate.cli(['register', 'proof', '0', '--out', proof])).exit).toBe(0)
  expect((await estate.cli(['register', 'proof', '--check', proof])).exit).toBe(0)
})
