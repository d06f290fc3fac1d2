/**
 * Comparisons checked against every request of small fleets: each flip is told by a line, and each line has its flip.
 * The suite runs the same fleets each time; `SEED=any FLEETS=20000` looks for gaps among others, as long as one likes.
 */
import { expect, test } from 'vitest'
import { compareFleets } from '../../agent/analysis/compare.ts'
import { buildSnapshot } from '../../agent/decision/snapshot.ts'
import { at, toWorld } from '../../agent/policy-test/world.ts'
import { chooseSeed, createRandom } from '../decision/generate.ts'
import { covers } from './covers.ts'
import { isPermitted as permits, randomPair, requests } from './fleets.ts'

const pairs = Number(process.env['FLEETS'] ?? 300)

test('every flip is told, and whatever is told flips', { timeout: 60_000 + pairs * 100 }, () => {
  const random = createRandom(chooseSeed(20_261_123))
  const seen = new Map<string, number>()
  let asked = 0
  let flips = 0
  for (let count = 0; count < pairs; count += 1) {
    const pair = randomPair(random)
    const [before, after] = [pair.before, pair.after].map(estate => ({
      estate,
      snapshot: buildSnapshot(toWorld(estate)),
      at,
    }))
    const { lines } = compareFleets(before!, after!)
    for (const line of lines) {
      const [from, to] = line.direction === 'gained' ? [before!, after!] : [after!, before!]
      const told = { line: { ...line }, pair: JSON.stringify(pair), count }
      if (permits(from.estate, from.snapshot, line.witness) || !permits(to.estate, to.snapshot, line.witness))
        expect(told).toBe('a line whose witness flips')
      seen.set(line.right, (seen.get(line.right) ?? 0) + 1)
    }
    for (const request of requests(random, pair)) {
      asked += 1
      const is = permits(pair.after, after!.snapshot, request)
      if (permits(pair.before, before!.snapshot, request) === is) continue
      flips += 1
      const direction = is ? 'gained' : 'lost'
      if (lines.some(line => line.direction === direction && covers(pair, line, request))) continue
      expect({ request, direction, lines, pair: JSON.stringify(pair), count }).toBe('a flip that is told')
    }
  }
  console.log({ pairs, asked, flips, ...Object.fromEntries(seen) })
  for (const right of ['log-in', 'write', 'hear', 'relay', 'speak', 'name'])
    expect(seen.get(right) ?? 0, right).toBeGreaterThan(0)
})
