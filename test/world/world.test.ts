/** The join of manifests and register: what an entity with a mistake, a broken file or a missing one means for what stands. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { daemonActor } from '../../agent/reconcile/findings.ts'
import { pendingAcceptance } from '../../agent/world/world.ts'
import { type OpenEngine, openEngine } from '../support/engine.ts'
import { institutionText } from '../support/estate.ts'

const signal = new AbortController().signal
let folder: string
let open: OpenEngine

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mw-world-'))
  mkdirSync(join(folder, 'manifests'))
  open = await openEngine(folder)
})
afterEach(async () => {
  await open[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const write = (files: Readonly<Record<string, string>>) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'manifests', name), text)
}
const hospital = (accounts: string[], over: Partial<Parameters<typeof institutionText>[1]> = {}) =>
  institutionText('hospital', { domain: 'hcg.sld.cu', accounts, ...over })
const clinic = institutionText('clinica', { domain: 'clinica.sld.cu', network: '10.30.0.0/16' })
const ordinary = ['{ name: ana }', '{ name: eva }']

async function converge(): Promise<void> {
  await open.engine.reload()
  const { converged } = await open.engine.reconcile({ lane: 'sweep', scope: 'all', actor: daemonActor, signal })
  expect(converged).toBe(true)
}

async function statesNow(): Promise<Record<string, string>> {
  await open.engine.reload()
  return Object.fromEntries([...open.engine.world().accounts].map(([address, account]) => [address, account.state]))
}

async function pendingChanges(): Promise<string[]> {
  const { plan } = await open.engine.plan('all', {}, signal)
  return plan.changes.map(({ action, ref }) => `${action} ${ref.key}`)
}

test('a mistake in one account blocks that account; one that stood goes on as it was last accepted', async () => {
  write({ 'h.yaml': hospital(['{ name: ana }', '{ name: eva, access: anywhere }']) })
  await converge()
  const stranger = 'holder: { name: X, id: "P-9", post: Y, category: care }, request: SC-1'
  write({ 'h.yaml': hospital(['{ name: ana }', `{ name: eva, ${stranger} }`, `{ name: nuevo, ${stranger} }`]) })
  expect(await statesNow()).toEqual({
    'ana@hcg.sld.cu': 'active',
    'eva@hcg.sld.cu': 'active',
    'nuevo@hcg.sld.cu': 'blocked',
  })
  expect(await pendingChanges()).toEqual([])
  expect(open.engine.world().accounts.get('eva@hcg.sld.cu' as never)?.account.access).toBe('anywhere')
})

test('withdrawn goes before missing papers', async () => {
  write({ 'h.yaml': hospital(ordinary) })
  await converge()
  write({ 'h.yaml': hospital(['{ name: ana, state: withdrawn }', '{ name: eva }'], { contractUntil: '2025-01-01' }) })
  expect(await statesNow()).toEqual({ 'ana@hcg.sld.cu': 'withdrawn', 'eva@hcg.sld.cu': 'active' })
  expect(await pendingChanges()).toEqual(['update ana@hcg.sld.cu'])
})

test('without a contract in force nothing new is made and nothing that stands is touched', async () => {
  write({ 'h.yaml': hospital(ordinary) })
  await converge()
  write({ 'h.yaml': hospital([...ordinary, '{ name: nuevo }'], { contractUntil: '2025-01-01' }) })
  expect(await statesNow()).toMatchObject({ 'ana@hcg.sld.cu': 'active', 'nuevo@hcg.sld.cu': 'blocked' })
  expect(await pendingChanges()).toEqual([])
})

test('a file that can’t be read freezes its institution, and only that; a restart remembers', async () => {
  write({ 'h.yaml': hospital(ordinary), 'c.yaml': clinic })
  await converge()
  write({ 'h.yaml': '\tx: [', 'c.yaml': clinic.replace('name: mlopez', 'name: otra') })
  await open[Symbol.asyncDispose]()
  open = await openEngine(folder)
  expect(Object.keys(await statesNow()).toSorted()).toEqual([
    'ana@hcg.sld.cu',
    'eva@hcg.sld.cu',
    'jperez@clinica.sld.cu',
    'mlopez@clinica.sld.cu',
    'otra@clinica.sld.cu',
  ])
  expect(await pendingChanges()).toEqual(['create otra@clinica.sld.cu', 'delete mlopez@clinica.sld.cu'])
})

test('more accounts than the limit: the best-placed stand, the rest are queued and named', async () => {
  const holder = (n: number, category: string) =>
    `holder: { name: P, id: "P-${n}", post: M, purpose: p, category: ${category} }, request: SC-1`
  const accounts = [
    `{ name: a, ${holder(0, 'care')} }`,
    `{ name: b, ${holder(1, 'professor')} }`,
    `{ name: c, ${holder(2, 'doctor-of-science')} }`,
  ]
  write({ 'h.yaml': hospital(accounts, { accountsMax: 2 }) })
  expect(await statesNow()).toEqual({ 'a@hcg.sld.cu': 'queued', 'b@hcg.sld.cu': 'active', 'c@hcg.sld.cu': 'active' })
  const queued = open.engine.world().diagnostics.filter(({ code }) => code === 'E-QUOTA')
  expect(queued).toMatchObject([{ subject: 'account:a@hcg.sld.cu', place: { file: 'h.yaml' } }])
})

test('a change in one institution is pending for that one alone', async () => {
  write({ 'a.yaml': hospital(ordinary), 'c.yaml': clinic })
  await converge()
  expect(pendingAcceptance(open.engine.checked, open.engine.history)).toEqual({ accept: [], drop: [] })
  write({ 'a.yaml': hospital([...ordinary, '{ name: nuevo }']) })
  await open.engine.reload()
  const { accept, drop } = pendingAcceptance(open.engine.checked, open.engine.history)
  expect([accept.map(([name]) => name), drop]).toEqual([['hospital'], []])
})

test('an incremental plan holds what the full plan holds for its domains', async () => {
  write({ 'a.yaml': hospital(ordinary), 'c.yaml': clinic })
  await converge()
  write({ 'a.yaml': hospital(['{ name: ana, access: anywhere }', '{ name: eva }', '{ name: nuevo }']) })
  await open.engine.reload()
  const full = await open.engine.plan('all', {}, signal)
  const part = await open.engine.plan({ domains: ['hcg.sld.cu'] }, {}, signal)
  expect(part.plan.changes).toEqual(full.plan.changes)
  expect(full.plan.changes.length).toBe(2)
})

test('what somebody else made is left alone and named', async () => {
  write({ 'h.yaml': hospital(ordinary) })
  await converge()
  const { DatabaseSync } = await import('node:sqlite')
  {
    using directory = new DatabaseSync(join(open.config.stateFolder, 'directory.db'))
    directory.exec("UPDATE account SET mark = NULL WHERE address = 'ana@hcg.sld.cu'")
  }
  write({ 'h.yaml': hospital(['{ name: ana, access: anywhere }', '{ name: eva }']) })
  await open.engine.reload()
  const { plan } = await open.engine.plan('all', {}, signal)
  expect(plan.changes).toEqual([])
  expect(plan.contested).toMatchObject([{ ref: { key: 'ana@hcg.sld.cu' } }])
})

test('a domain that moves to an institution with a mistake goes on where it stood; a clean move is taken', async () => {
  write({ 'h.yaml': hospital(ordinary), 'c.yaml': clinic })
  await converge()
  const without = hospital(ordinary).split('\n---\n')[0] ?? ''
  const moved = (contractUntil: string) =>
    institutionText('otra', { domain: 'hcg.sld.cu', accounts: ordinary, contractUntil })
  write({ 'h.yaml': without, 'o.yaml': moved('2025-01-01') })
  expect(await statesNow()).toMatchObject({ 'ana@hcg.sld.cu': 'active', 'eva@hcg.sld.cu': 'active' })
  expect(await pendingChanges()).toEqual([])
  write({ 'o.yaml': moved('2039-01-01') })
  await open.engine.reload()
  expect(await pendingChanges()).toEqual(['update hcg.sld.cu'])
})

test('while a file that nobody is known to own can’t be read, nothing leaves', async () => {
  write({ 'h.yaml': hospital(['{ name: ana }', '{ name: eva }', '{ name: ida }']) })
  await converge()
  write({ 'h.yaml': hospital(['{ name: ana }']), 'more.yaml': '\tx: [' })
  await open.engine.reload()
  expect(await pendingChanges()).toEqual([])
  write({ 'more.yaml': '' })
  await open.engine.reload()
  expect(await pendingChanges()).toEqual(['delete eva@hcg.sld.cu', 'delete ida@hcg.sld.cu'])
})
