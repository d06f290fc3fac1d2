/** A directory that says that it wrote and did not: nobody is told that a door is closed until it is. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { createEstate, eventually, institutionText } from '../support/estate.ts'

const login = 'jperez@hcg.sld.cu'

test('the lever is called failed, the others are closed in their time, and it is closed when the lie ends', async () => {
  const files = { 'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }) }
  await using estate = await createEstate(files)
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  const database = new DatabaseSync(join(estate.folder, 'var', 'directory.db'), { timeout: 5_000 })
  try {
    for (const table of ['domain', 'account'])
      database.exec(`CREATE TRIGGER lie_${table} BEFORE UPDATE ON ${table} BEGIN SELECT RAISE(IGNORE); END`)
    const { exit, json } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
    expect(exit).toBe(1)
    expect(json.levers).toEqual({
      send: 'verified',
      receive: 'verified',
      relay: 'verified',
      login: 'failed',
      submission: 'failed',
      collection: 'failed',
      administrator: 'failed',
    })
    expect((await estate.json(['explain', login, 'x@minsap.cu'])).json.effect).toBe('reject')
    expect((await estate.json(['incident', 'show', json.incident])).json.containedAt).toBeNull()
    for (const table of ['domain', 'account']) database.exec(`DROP TRIGGER lie_${table}`)
    await eventually(async () => {
      const { json: shown } = await estate.json(['incident', 'show', json.incident])
      return shown.containedAt !== null && Object.values(shown.levers).every(state => state === 'verified')
    }, 'every lever, by itself')
    expect(database.prepare('SELECT login FROM domain').all()).toEqual([{ login: 'suspended' }])
  } finally {
    database.close()
  }
}, 60_000)
