/** `policy diff` and `policy check` as an operator has them: exit codes, words, JSON, and a proof on every line. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'

const accounts = ['{ name: ana, send: national }', '{ name: luis, send: national }', '{ name: eva, send: local }']

test('a widening is told with its proof; equal fleets differ in nothing', { timeout: 60_000 }, async () => {
  await using estate = await createEstate({ 'one.yaml': institutionText('one', { domain: 'one.cu', accounts }) })
  const [old, wide] = [join(estate.folder, 'old'), estate.manifests]
  cpSync(estate.manifests, old, { recursive: true })
  expect((await estate.cli(['policy', 'diff', old, wide])).exit).toBe(0)

  const wider = accounts.map(text => text.replace('national', 'international'))
  estate.write('one.yaml', institutionText('one', { domain: 'one.cu', accounts: wider }))
  const told = await estate.json(['policy', 'diff', old, wide, '--json'])
  expect(told.exit).toBe(2)
  expect(told.json.totals).toEqual({ gained: 1, lost: 0, accounts: 2 })
  const [line] = told.json.lines
  expect(line).toMatchObject({ direction: 'gained', right: 'write', accounts: ['ana@one.cu', 'luis@one.cu'] })
  expect(line.witness.before.reply).toContain('scope-send')
  expect(line.witness.after).toEqual({ permitted: true, reply: 'DUNNO' })
  expect(line.blocks).toContainEqual({ kind: 'elsewhere', except: ['cu'] })

  const back = await estate.cli(['policy', 'diff', wide, old, '--lang', 'es'])
  expect(back.exit).toBe(2)
  expect(back.out).toContain('ana@one.cu y 1 más ya no puede escribir a')
  expect((await estate.cli(['policy', 'diff', wide, old, '--only', 'gained'])).exit).toBe(0)
  expect((await estate.cli(['policy', 'diff', wide, old, '--only', 'other'])).exit).toBe(64)
  expect((await estate.cli(['policy', 'diff', join(estate.folder, 'none')])).exit).toBe(65)
  expect((await estate.cli(['policy', 'diff', old, wide, '--at', 'tomorrow'])).exit).toBe(64)
})

test('exceptions that decide nothing have their line', { timeout: 60_000 }, async () => {
  const except =
    '[{ send: who.int, until: 2038-12-31, request: SC-1 }, { send: x@who.int, until: 2038-01-31, request: SC-1 }]'
  const text = institutionText('one', { domain: 'one.cu', accounts: [`{ name: ana, send: local, except: ${except} }`] })
  await using estate = await createEstate({ 'one.yaml': text })
  const { exit, json } = await estate.json(['policy', 'check', '--json'])
  expect(exit).toBe(2)
  expect(json.findings).toHaveLength(1)
  expect(json.findings[0]).toMatchObject({ account: 'ana@one.cu', kind: 'send', what: 'x@who.int', why: 'shadowed' })
  const later = await estate.json(['policy', 'check', '--json', '--at', '2039-06-01T00:00:00Z'])
  expect(later.json.findings.map(({ why }: { why: string }) => why)).toEqual(['over', 'over'])
})
