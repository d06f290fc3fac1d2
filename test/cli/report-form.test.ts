/** The form that `incident report --help` shows is one that is taken as it stands, with every field and no other. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { reportForm } from '../../agent/cli/report-form.ts'
import { fileReport, reportFields } from '../../agent/incident/papers.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import { parseReport } from '../../agent/manifest/report.ts'
import { Case, contextOf, digestA, hcg } from '../incident/fixture.ts'

test.each(['es', 'en'] as const)('in %s', language => {
  const fields = parseReport(reportForm(language).split('\n').slice(1).join('\n'))
  expect(Object.keys(fields ?? {})).toEqual(Object.keys(reportFields))
  const world = new Case()
  const args = { scope: hcg, reason: 'x', class: 'spam', drill: false }
  world.do(suspend(world.incidents, args, contextOf('saul')))
  const incident = 'INC-2026-0001'
  const report = { incident, fields: { incident, ...fields }, document: digestA, author: 'Luis Mora' }
  expect(fileReport(world.incidents, report, contextOf('gema'))).toMatchObject({ ok: true, exit: 0 })
})

test('the README names every field', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  for (const field of Object.keys(reportFields)) expect(readme).toContain(`\`${field}\``)
})
