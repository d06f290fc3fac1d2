/** Mailboxes that care depends on are named before a suspension and to whoever takes over (P1, P17). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'

const hospital = (critical: string) =>
  institutionText('hospital', {
    domain: 'hcg.sld.cu',
    accounts: ['{ name: urgencias }', '{ name: jperez }'],
  }).replace('  defaults:', `  whenSuspended: { critical: [${critical}] }\n  defaults:`)

test('they stand in the dry run and in the handover note; a name that is nobody’s is told', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital('urgencias, admin') })
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const suspend = ['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x']
  const { json } = await estate.json([...suspend, '--dry-run'])
  expect(json.critical).toEqual(['urgencias@hcg.sld.cu', 'admin@hcg.sld.cu'])
  const shown = await estate.cli([...suspend, '--dry-run', '--lang', 'es'])
  expect(shown.out).toContain('buzones CRÍTICOS: urgencias@hcg.sld.cu, admin@hcg.sld.cu')
  const ofOther = await estate.json(['suspend', 'jperez@hcg.sld.cu', ...suspend.slice(2), '--dry-run'])
  expect(ofOther.json.critical).toEqual([])

  const declared = await estate.json(suspend)
  const note = await estate.cli(['incident', 'handover', declared.json.incident])
  expect(note.out).toContain('CRITICAL mailboxes: urgencias@hcg.sld.cu')

  writeFileSync(join(estate.folder, 'manifests', 'hospital.yaml'), hospital('urgencia, Ñandú'))
  const wrong = await estate.json(['validate'])
  const codes = wrong.json.diagnostics.map((one: any) => [one.code, one.suggestion ?? null])
  expect(codes).toContainEqual(['E-NAME', 'nandu'])
  writeFileSync(join(estate.folder, 'manifests', 'hospital.yaml'), hospital('urgencia'))
  const unknown = await estate.json(['validate'])
  expect(unknown.json.diagnostics).toContainEqual(
    expect.objectContaining({ code: 'W-CRITICAL', severity: 'warning', suggestion: 'urgencias@hcg.sld.cu' }),
  )
}, 60_000)
