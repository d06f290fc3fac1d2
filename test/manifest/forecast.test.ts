/** `forecast`: each end is told once, on the first day that `validate` would tell it, with its line; and nothing else is. */
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'

const dayMs = 86_400_000
const dayIn = (days: number) => new Date(Date.now() + days * dayMs).toISOString().slice(0, 10)

test('contracts and exceptions that end are told with their day and line, nearest first', async () => {
  const widened = `except: [{ send: who.int, until: ${dayIn(3)}, request: SC-1 }]`
  await using estate = await createEstate({
    'a.yaml': institutionText('uno', { domain: 'uno.cu', accounts: [`{ name: eva, ${widened} }`, '{ name: ana }'] }),
    'b.yaml': institutionText('dos', { domain: 'dos.cu', contractUntil: dayIn(20) }),
  })
  const { exit, json } = await estate.json(['forecast', '--until', '30d'])
  expect(exit).toBe(2)
  const found = json.findings.map(({ day, code, file }: any) => [day, code, file])
  // The day after the last is the first without; the zone of the operator may be a day behind this clock's.
  const after = (days: number) => expect.toSatisfy((day: string) => [dayIn(days), dayIn(days + 1)].includes(day))
  expect(found).toEqual([
    [after(3), 'W-EXCEPTION-OVER', 'a.yaml'],
    [after(20), expect.stringMatching(/^E-CONTRACT/), 'b.yaml'],
  ])
  for (const { line } of json.findings) expect(line).toBeGreaterThan(0)
  const told = await estate.cli(['forecast', '--until', '10d', '--lang', 'es'])
  expect([told.exit, told.err]).toEqual([2, ''])
  expect(told.out).toMatch(/en \d días +W-EXCEPTION-OVER +a\.yaml:\d+:\d+/)
  expect(told.out).not.toContain('b.yaml')
  const soon = await estate.cli(['forecast', '--until', dayIn(1)])
  expect([soon.exit, soon.out]).toEqual([0, expect.stringContaining('nothing ends until')])
  for (const wrong of ['0d', '401d', 'soon', '2020-01-01', '2026-02-30'])
    expect((await estate.cli(['forecast', '--until', wrong])).exit).toBe(64)
})
