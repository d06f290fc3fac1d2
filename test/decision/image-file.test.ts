/** The image on disk: it gives back the same decisions or nothing at all, whatever became of the file. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decide } from '../../agent/decision/decide.ts'
import { buildImage } from '../../agent/decision/image.ts'
import { readImage, removeImage, writeImage } from '../../agent/decision/image-file.ts'
import { buildSnapshot, openSnapshot } from '../../agent/decision/snapshot.ts'
import { at, toWorld } from '../../agent/policy-test/world.ts'
import { chooseSeed, createRandom, randomEstate, randomRequest } from './generate.ts'

const origin = { register: 'a-register', size: 7 }
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mw-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('what was written decides as before, exceptions, places and holds included', async () => {
  const random = createRandom(chooseSeed())
  const file = join(folder, 'image')
  for (let count = 0; count < 20; count += 1) {
    const estate = randomEstate(random)
    const world = toWorld(estate)
    const snapshot = buildSnapshot(world)
    await writeImage(file, buildImage(world), origin)
    const kept = await readImage(file)
    expect(kept?.origin).toEqual(origin)
    const again = openSnapshot(kept!.withHolds(world.holds))
    expect(again.national.country).toEqual(snapshot.national.country)
    for (let asked = 0; asked < 300; asked += 1) {
      const request = randomRequest(random, estate)
      expect(decide(again, request, { at, usage: null })).toEqual(decide(snapshot, request, { at, usage: null }))
    }
  }
})

test('a file that is cut, changed or of another form is no image', async () => {
  const random = createRandom(chooseSeed())
  const file = join(folder, 'broken')
  await writeImage(file, buildImage(toWorld(randomEstate(random))), origin)
  const whole = readFileSync(file)
  for (let count = 0; count < 200; count += 1) {
    writeFileSync(file, whole.subarray(0, random.below(whole.length)))
    expect(await readImage(file)).toBeUndefined()
    const changed = Buffer.from(whole)
    changed[random.below(whole.length)]! ^= 1 << random.below(8)
    writeFileSync(file, changed)
    expect(await readImage(file)).toBeUndefined()
  }
  writeFileSync(file, whole)
  expect(await readImage(file)).toBeDefined()
  await removeImage(file)
  await removeImage(file)
  expect(await readImage(file)).toBeUndefined()
})
