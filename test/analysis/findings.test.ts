/** An exception that is told to decide nothing can be struck out: the comparison, itself proved elsewhere, finds nothing. */
import { expect, test } from 'vitest'
import { compareFleets } from '../../agent/analysis/compare.ts'
import { findIdleExceptions } from '../../agent/analysis/findings.ts'
import { buildSnapshot } from '../../agent/decision/snapshot.ts'
import type { Exception } from '../../agent/model/entity.ts'
import type { World } from '../../agent/model/world.ts'
import { at, toWorld } from '../../agent/policy-test/world.ts'
import { chooseSeed, createRandom } from '../decision/generate.ts'
import { randomPair } from './fleets.ts'

const fleets = Number(process.env['FLEETS'] ?? 600)

function withoutException(world: World, gone: Exception): World {
  const accounts = new Map(
    [...world.accounts].map(([address, { account, ...rest }]) => {
      const exceptions = account.exceptions.filter(exception => exception !== gone)
      return [address, { ...rest, account: { ...account, exceptions } }] as const
    }),
  )
  return { ...world, accounts }
}

test('striking out an idle exception changes nothing, and striking out another does', { timeout: 120_000 }, () => {
  const random = createRandom(chooseSeed())
  const seen = new Map<string, number>()
  for (let count = 0; count < fleets; count += 1) {
    const { before } = randomPair(random)
    const world = toWorld({ ...before, holds: [], modes: {} })
    const fleet = { snapshot: buildSnapshot(world), at }
    const idle = new Map(findIdleExceptions(fleet).map(finding => [finding.exception, finding]))
    for (const { account } of world.accounts.values())
      for (const exception of account.exceptions) {
        const finding = idle.get(exception)
        const left = { snapshot: buildSnapshot(withoutException(world, exception)), at }
        const { lines } = compareFleets(fleet, left)
        const told = { lines, finding, exception, account, before: JSON.stringify(before) }
        if (finding !== undefined && lines.length > 0) expect(told).toBe('nothing that changes')
        if (finding === undefined && lines.length === 0) seen.set('untold', (seen.get('untold') ?? 0) + 1)
        seen.set(finding?.why ?? 'live', (seen.get(finding?.why ?? 'live') ?? 0) + 1)
      }
  }
  console.log(Object.fromEntries(seen))
  for (const why of ['over', 'closed', 'needless', 'nobody', 'shadowed', 'live'])
    expect(seen.get(why) ?? 0, why).toBeGreaterThan(0)
})
