/** Growth of a queue: five times what is usual for the domain, never of few, never at the beginning. */
import { expect, test } from 'vitest'
import { createQueueMeter, looksMin, waitingMin } from '../../agent/detection/queue-growth.ts'

const meterWith = (usual: number) => {
  const meter = createQueueMeter()
  const look = (count: number) => meter.take(count === 0 ? new Map() : new Map([['hcg.sld.cu', count]]))
  for (let n = 0; n < looksMin; n += 1) expect(look(usual)).toEqual([])
  return look
}

test.each([
  ['five times as much', 40, 200, true],
  ['a little less', 40, 199, false],
  ['much of one that has none', 0, waitingMin, true],
  ['few of one that has none', 0, waitingMin - 1, false],
  ['few, and more than five times', 2, waitingMin - 1, false],
  ['as much as ever of a busy one', 5_000, 6_000, false],
])('%s', (_, usual, count, isGrown) => {
  expect(meterWith(usual)(count)).toEqual(isGrown ? [{ domain: 'hcg.sld.cu', count }] : [])
})

test('at the beginning nothing is known, however much waits', () => {
  const meter = createQueueMeter()
  for (let n = 0; n < looksMin; n += 1) expect(meter.take(new Map([['hcg.sld.cu', n === 0 ? 0 : 10_000]]))).toEqual([])
})

test('one spike does not become what is usual; a new level does, in time', () => {
  const look = meterWith(10)
  expect(look(1_000)).toHaveLength(1)
  expect(look(10)).toEqual([])
  expect(look(1_000)).toHaveLength(1)
  let told = 0
  for (let n = 0; n < 60; n += 1) told += look(1_000).length
  expect(told).toBeLessThan(20)
  expect(look(1_000)).toEqual([])
})
