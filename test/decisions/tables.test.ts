/** The decision tables, row by row, against `decide` and against the naive second evaluator. */
import { describe, expect, test } from 'vitest'
import { decide } from '../../agent/decision/decide.ts'
import { buildSnapshot, withHolds } from '../../agent/decision/snapshot.ts'
import { decideNaively } from '../decision/naive.ts'
import { readTables } from './tables.ts'
import { toHolds, toWorld } from './world.ts'

const tables = readTables()

describe.each(tables)('$title', ({ estate, rows }) => {
  const world = toWorld(estate)
  const snapshot = buildSnapshot(world)
  const flipped = withHolds(buildSnapshot(toWorld({ ...estate, holds: [] })), toHolds(estate))

  test.each(rows)('$description', ({ request, at, expected }) => {
    const decision = decide(snapshot, request, { at, usage: null })
    expect(decision).toMatchObject({ effect: expected.effect, ...(expected.reason && { reason: expected.reason }) })
    if (expected.reply !== undefined) expect(decision.reply.slice(0, expected.reply.length)).toBe(expected.reply)
    if (decision.effect === 'dunno') expect(decision.reply).toBe('DUNNO')
    else expect(decision.reply).toMatch(/^[45]\d\d [45]\.\d\.\d [\x20-\x7e]+ \[mw-[0-9a-v]{8}\]$/)
    expect(decision.verdicts.map(verdict => verdict.policy)).toEqual(expect.arrayContaining([...(expected.also ?? [])]))
    if (expected.source !== undefined) expect(decision.source).toEqual({ incident: expected.source })
    // A hold that comes later decides as one that was there when the tables were built.
    expect(decide(flipped, request, { at, usage: null })).toEqual(decision)
    expect(decideNaively(world, request, at, estate.country)).toEqual({
      effect: decision.effect,
      reason: decision.reason,
      code: decision.reply.slice(0, 9),
    })
  })
})

test('the tables are there, and each policy but rate refuses somewhere in them', () => {
  const rows = tables.flatMap(table => table.rows)
  expect(rows.length).toBeGreaterThan(150)
  const reasons = new Set(rows.map(row => row.expected.reason))
  for (const name of [
    'withdrawn',
    'suspended',
    'suspended-inbound',
    'unknown-account',
    'sender-mismatch',
    'off-network',
    'scope-send',
    'scope-receive',
    'spoofed-sender',
  ]) {
    expect(reasons).toContain(name)
  }
})
