/** An institution suspended by its name: every domain of it at once, each an incident with its own way back (P3). */
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'

const second = institutionText('hospital', { domain: 'clinica.sld.cu' }).split('---\n')[1] ?? ''
const files = {
  'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }),
  'clinica.yaml': second,
  'otra.yaml': institutionText('otra', { domain: 'otra.sld.cu' }),
}

test('all of its domains, and no other; once more is "already"; a wrong word closes nothing', async () => {
  await using estate = await createEstate(files)
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  const more = ['--class', 'spam', '--reason', 'x']
  const open = async () => (await estate.json(['incident', 'list'])).json.incidents

  const wrong = await estate.json(['suspend', 'hospita', ...more])
  expect(wrong.exit).toBe(65)
  expect(wrong.json.error).toContain('hospital')
  expect((await estate.json(['suspend', 'hospital', '--class', 'spam', '--reason', ' '])).exit).toBe(65)
  const dry = await estate.json(['suspend', 'hospital', ...more, '--dry-run'])
  expect(dry.json.suspended.map((one: any) => [one.scope, one.accounts])).toEqual([
    ['clinica.sld.cu', 0],
    ['hcg.sld.cu', 2],
  ])
  expect(await open()).toEqual([])

  const { exit, json } = await estate.json(['suspend', 'hospital', ...more])
  expect({ exit, institution: json.institution }).toEqual({ exit: 0, institution: 'hospital' })
  for (const one of json.suspended) expect(new Set(Object.values(one.levers))).toEqual(new Set(['verified']))
  expect(new Set((await open()).map((one: any) => one.domain))).toEqual(new Set(['hcg.sld.cu', 'clinica.sld.cu']))
  const effect = async (login: string) => (await estate.json(['explain', login, 'x@minsap.cu'])).json.effect
  expect([await effect('jperez@hcg.sld.cu'), await effect('jperez@otra.sld.cu')]).toEqual(['reject', 'dunno'])
  expect(
    (await estate.cli(['suspend', 'hospital', ...more, '--lang', 'es'])).out.match(/ya suspendido bajo/g),
  ).toHaveLength(2)
  expect(await open()).toHaveLength(2)
}, 60_000)
