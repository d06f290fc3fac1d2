/** The decision tables, case by case, against `decide` and against the naive second evaluator. */
import { describe, expect, test } from 'vitest'
import { decide } from '../../agent/decision/decide.ts'
import { buildSnapshot, withHolds } from '../../agent/decision/snapshot.ts'
import { requestOf, runTables, usageOf } from '../../agent/policy-test/run.ts'
import { mergeLayers } from '../../agent/policy-test/tables.ts'
import { at as noon, toHolds, toWorld } from '../../agent/policy-test/world.ts'
import { decideNaively } from '../decision/naive.ts'
import { shippedTables } from './tables.ts'

const tables = shippedTables()

describe.each(tables)('$title', table => {
  const estate = mergeLayers(table.layers)
  const world = toWorld(estate)
  const snapshot = buildSnapshot(world)
  const flipped = withHolds(buildSnapshot(toWorld({ ...estate, holds: [] })), toHolds(estate))
  const { cases } = runTables([{ table, world, at: noon }])
  const rows = table.cases.map((row, index) => ({ ...row.text, text: row.text, result: cases[index] }))

  test.each(rows)('$description', ({ text, result }) => {
    expect({ differences: result?.differences, found: result?.found }).toMatchObject({ differences: [] })
    const { request, at } = requestOf(snapshot, text, noon)
    const circumstances = { at, usage: usageOf(text) }
    const decision = decide(snapshot, request, circumstances)
    if (decision.effect === 'dunno') expect(decision.reply).toBe('DUNNO')
    else expect(decision.reply).toMatch(/^[45]\d\d [45]\.\d\.\d [\x20-\x7e]+ \[mw-[0-9a-v]{8}\]$/)
    // A hold that comes later decides as one that was there when the tables were built.
    expect(decide(flipped, request, circumstances)).toEqual(decision)
    // The naive one keeps no counters.
    if (decision.reason === 'rate') return
    expect(decideNaively(world, request, at, estate.country)).toEqual({
      effect: decision.effect,
      reason: decision.reason,
      code: decision.reply.slice(0, 9),
    })
  })
})

test('the shipped tables reach every outcome of every policy', () => {
  const judged = tables.map(table => ({ table, world: toWorld(mergeLayers(table.layers)), at: noon }))
  const { cases, never } = runTables(judged)
  expect(cases.length).toBeGreaterThan(150)
  expect(never).toEqual([])
})
