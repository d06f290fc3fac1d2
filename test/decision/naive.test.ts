/**
 * Two evaluators of one contract, 200,000 requests over 100 worlds: they agree on effect, reason and reply code.
 * `REQUESTS=5000000` makes it as long as one likes, over so many more worlds.
 */
import { expect, test } from 'vitest'
import { decide } from '../../agent/decision/decide.ts'
import { buildSnapshot } from '../../agent/decision/snapshot.ts'
import { at, toWorld } from '../../agent/policy-test/world.ts'
import { chooseSeed, createRandom, randomEstate, randomRequest } from './generate.ts'
import { decideNaively } from './naive.ts'

const requestsPerWorld = 2000
const worlds = Math.ceil(Number(process.env['REQUESTS'] ?? 200_000) / requestsPerWorld)

test('decide and the naive evaluator agree, and no answer permits', { timeout: 300_000 + worlds * 1_000 }, () => {
  const random = createRandom(chooseSeed())
  const seen = new Map<string, number>()
  for (let count = 0; count < worlds; count += 1) {
    const estate = randomEstate(random)
    const world = toWorld(estate)
    const snapshot = buildSnapshot(world)
    for (let asked = 0; asked < requestsPerWorld; asked += 1) {
      const request = randomRequest(random, estate)
      const { effect, reason, reply } = decide(snapshot, request, { at, usage: null })
      const naive = decideNaively(world, request, at, estate.country)
      if (naive.effect !== effect || naive.reason !== reason || naive.code !== reply.slice(0, 9)) {
        expect({ effect, reason, reply, request, estate: JSON.stringify(estate) }).toEqual(naive)
      }
      if (!/^(DUNNO|[45]\d\d [45]\.\d\.\d [\x20-\x7e]+)$/.test(reply))
        expect(reply).toBe('an answer that cannot permit')
      seen.set(reason, (seen.get(reason) ?? 0) + 1)
    }
  }
  console.log(Object.fromEntries(seen))
  for (const reason of [
    'permitted',
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
    expect(seen.get(reason) ?? 0, reason).toBeGreaterThan(500)
  }
})
