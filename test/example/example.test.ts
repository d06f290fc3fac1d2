/** The two folders that people learn from hold what they claim: the example has no mistakes, the mistakes have their codes. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readConfig } from '../../agent/manifest/config.ts'
import { loadEstate } from '../../agent/manifest/load.ts'

const config = fileURLToPath(new URL('../../config/', import.meta.url))
/** Days on which people may read this: the example stays valid for years. */
const days = ['2026-11-22', '2028-02-29', '2030-12-31']

test.each(days)('config/example has no errors on %s', async today => {
  const { diagnostics, estates } = await loadEstate(join(config, 'example'), { today, timeZone: 'America/Havana' })
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  const accounts = [...estates.values()].reduce((sum, estate) => sum + estate.accounts.length, 0)
  expect(estates.size).toBeGreaterThanOrEqual(12)
  expect(accounts).toBeGreaterThanOrEqual(140)
})

test('each mistake of config/example-mistakes is found, in the file that holds it', async () => {
  const folder = join(config, 'example-mistakes')
  const { diagnostics } = await loadEstate(folder, { today: '2026-11-22', timeZone: 'America/Havana' })
  let claims = 0
  for (const file of readdirSync(folder).filter(name => name.endsWith('.yaml'))) {
    const found = new Set(diagnostics.filter(({ place }) => place?.file === file).map(({ code }) => code))
    const comments = readFileSync(join(folder, file), 'utf8').match(/# MISTAKE:.*/g) ?? []
    for (const comment of comments) {
      // What stands in brackets after "is" tells of a sister code that this file does not hold.
      const codes = comment.replace(/\([^)]* is E-[^)]*\)/g, '').match(/[EW]-[A-Z0-9-]+/g) ?? []
      expect(codes.length, comment).toBeGreaterThan(0)
      for (const code of codes) expect([...found], comment).toContain(code)
      claims += codes.length
    }
  }
  expect(claims).toBeGreaterThan(25)
})

test('config/mailwarden.yaml reads clean', async () => {
  const { diagnostics } = await readConfig(join(config, 'mailwarden.yaml'))
  expect(diagnostics).toEqual([])
})
