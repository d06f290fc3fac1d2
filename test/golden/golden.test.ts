/**
 * Golden diagnostics: each folder has manifests below `input/` and what is said of them on 2026-05-01 in both languages.
 * `MAILWARDEN_GOLDEN=write` writes the expectations anew; the difference in git is what a reviewer reads.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { formatDiagnostic } from '../../agent/core/messages.ts'
import { loadEstate } from '../../agent/manifest/load.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))
const cases = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory())
const write = process.env.MAILWARDEN_GOLDEN === 'write'

test('there are golden cases', () => {
  expect(cases.length).toBeGreaterThan(5)
})

test.each(cases.flatMap(({ name }) => (['es', 'en'] as const).map(language => [name, language] as const)))(
  '%s in %s',
  async (name, language) => {
    const estate = await loadEstate(`${folder}${name}/input`, { today: '2026-05-01', timeZone: 'America/Havana' })
    const texts = estate.diagnostics.map(each =>
      formatDiagnostic(each, language, estate.texts.get(each.place?.file ?? '')),
    )
    const blocked = [...estate.blocked].map(
      ([subject, list]) => `${subject}: ${list.map(({ code }) => code).join(', ')}`,
    )
    const facts = [
      `accepted: ${[...estate.estates.values()].map(each => `${each.institution.name} (${each.domains.length} domains, ${each.accounts.length} accounts)`).join(', ')}`,
      ...blocked.map(line => `blocked: ${line}`),
      ...estate.unreadable.map(file => `unreadable: ${file}`),
    ]
    const found = `${[...texts, facts.join('\n')].join('\n\n')}\n`
    const file = `${folder}${name}/expected.${language}.txt`
    if (write) writeFileSync(file, found)
    expect(found).toBe(readFileSync(file, 'utf8'))
  },
)
