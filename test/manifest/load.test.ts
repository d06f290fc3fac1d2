/** Reading from disk: what is walked, what is refused, what is parsed again. */
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEstateReader, loadEstate } from '../../agent/manifest/load.ts'
import { sampleRoster, sampleText } from './sample.ts'

let folder = ''
const options = { today: '2026-05-01', timeZone: 'America/Havana' }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailwarden-'))
  await mkdir(join(folder, 'm/hcg/rosters'), { recursive: true })
  await writeFile(join(folder, 'm/hcg/hcg.yaml'), sampleText)
  await writeFile(join(folder, 'm/hcg/rosters/hcg.csv'), sampleRoster)
})
afterEach(() => rm(folder, { recursive: true }))

const codes = (estate: { diagnostics: readonly { code: string; severity: string }[] }) =>
  estate.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)

test('paths are relative to the file, and documents that are missing are warnings', async () => {
  const estate = await loadEstate(join(folder, 'm'), options)
  expect(codes(estate)).toEqual([])
  expect(estate.diagnostics.map(({ code }) => code)).toEqual(Array(4).fill('W-DOCUMENT'))
  expect(estate.diagnostics[0]?.values).toEqual({ file: 'hcg/evidence/contrato-118.pdf' })
  expect(estate.estates.get('hospital-calixto-garcia')?.institution.place.file).toBe('hcg/hcg.yaml')
})

test('dot folders are passed over, links only followed within the folder', async () => {
  await mkdir(join(folder, 'm/.git'))
  await writeFile(join(folder, 'm/.git/x.yaml'), 'a: [')
  await writeFile(join(folder, 'outside.yaml'), 'a: 1')
  await symlink(join(folder, 'outside.yaml'), join(folder, 'm/link.yaml'))
  await symlink(join(folder, 'm/hcg/hcg.yaml'), join(folder, 'm/twin.yml'))
  const estate = await loadEstate(join(folder, 'm'), options)
  expect(estate.unreadable).toEqual(['link.yaml'])
  expect(codes(estate)).toContain('E-FILE-UNREADABLE')
  expect(codes(estate)).toContain('E-DUPLICATE-NAME')
})

test('too large, not UTF-8, no regular file, no folder', async () => {
  await writeFile(join(folder, 'm/big.yaml'), 'a'.repeat(256 * 1024 + 1))
  await writeFile(join(folder, 'm/latin.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe1]))
  execFileSync('mkfifo', [join(folder, 'm/pipe.yaml')])
  const estate = await loadEstate(join(folder, 'm'), options)
  expect(codes(estate)).toEqual(['E-FILE-SIZE', 'E-FILE-UTF8', 'E-FILE-UNREADABLE'])
  expect(estate.unreadable).toEqual(['big.yaml', 'latin.yaml', 'pipe.yaml'])
  const nowhere = await loadEstate(join(folder, 'nowhere'), options)
  expect(codes(nowhere)).toEqual(['E-FILE-UNREADABLE'])
  expect(nowhere.unreadable).toEqual(['./'])
})

test('a roster that a link leads out of the folder is not read', async () => {
  await rm(join(folder, 'm/hcg/rosters/hcg.csv'))
  await writeFile(join(folder, 'secret.csv'), sampleRoster)
  await symlink(join(folder, 'secret.csv'), join(folder, 'm/hcg/rosters/hcg.csv'))
  const estate = await loadEstate(join(folder, 'm'), options)
  expect(estate.diagnostics.map(({ code }) => code)).toContain('W-ROSTER')
})

test('only what has changed is parsed again, and a change beside it is seen', async () => {
  const reader = createEstateReader(join(folder, 'm'))
  const first = await reader.load(options)
  const second = await reader.load(options)
  expect([first.parsed, second.parsed]).toEqual([1, 0])
  expect(second.digest).toBe(first.digest)
  await writeFile(join(folder, 'm/hcg/rosters/hcg.csv'), sampleRoster.replace('HCG-0117', 'HCG-0118'))
  const third = await reader.load(options)
  expect([third.parsed, codes(third)]).toEqual([0, ['E-NOT-MEMBER']])
  await writeFile(join(folder, 'm/hcg/hcg.yaml'), sampleText.replace('2GiB', '3GiB'))
  const fourth = await reader.load(options)
  expect(fourth.parsed).toBe(1)
  expect(fourth.digest).not.toBe(first.digest)
})

test('single files can be checked', async () => {
  await writeFile(join(folder, 'm/bad.yaml'), 'a: [')
  const estate = await loadEstate(join(folder, 'm'), { ...options, paths: [join(folder, 'm/hcg')] })
  expect(codes(estate)).toEqual([])
})
