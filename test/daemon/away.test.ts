/** One system away: the others go on, an incident first of all, and what was missed is done when it is back. */
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'

const hospital = institutionText('hospital', { domain: 'hcg.sld.cu' })

test('with the name server away a suspension closes the directory all the same, and says what is away', async () => {
  const port = await freePort()
  await using estate = await createEstate({ 'hospital.yaml': hospital })
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const key = join(estate.folder, 'key')
  writeFileSync(key, 'k', { mode: 0o600 })
  estate.configure({ dns: `dns: { kind: powerdns, url: "http://127.0.0.1:${port}", apiKey: { file: ${key} } }` })
  // A person who plans is told, and gets no half of a plan.
  expect((await estate.json(['plan'])).exit).toBe(69)
  const held = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
  expect(held).toMatchObject({ exit: 0, json: { incident: 'INC-2026-0001' } })
  expect([held.json.trouble, held.json.beside]).toEqual([undefined, expect.stringMatching(/^dns: .*PowerDNS/)])
  using database = new DatabaseSync(join(estate.state, 'directory.db'), { readOnly: true })
  expect(database.prepare('SELECT login FROM domain WHERE name = ?').get('hcg.sld.cu')).toMatchObject({
    login: 'suspended',
  })
  const outbox = readdirSync(join(estate.state, 'outbox'))
  expect(outbox.filter(name => name.endsWith('.eml')).length).toBeGreaterThan(0)
})

test('with the directory away its levers count as failed, the director is told, and the door closes when it is back', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital })
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const file = join(estate.state, 'directory.db')
  for (const name of readdirSync(estate.state).filter(one => one.startsWith('directory.db-')))
    rmSync(join(estate.state, name))
  renameSync(file, `${file}.away`)
  writeFileSync(file, 'no database '.repeat(1_000))
  const held = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
  expect(held).toMatchObject({ exit: 1, json: { levers: { login: 'failed' } } })
  expect(readdirSync(join(estate.state, 'outbox')).length).toBeGreaterThan(0)
  rmSync(file)
  renameSync(`${file}.away`, file)
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const { json } = await estate.json(['incident', 'show', 'INC-2026-0001'])
  expect(json.levers.login).toBe('verified')
})
