/**
 * kill -9 of the writer while it appends as fast as it can (R1): nothing that was acknowledged is missing, the register
 * verifies and is trusted, and a start is quick.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseNote } from '../../agent/register/checkpoint.ts'
import { verifyStore } from '../../agent/register/offline.ts'
import { openSqliteRegister } from '../../agent/register/sqlite.ts'
import { seededNumber, stateIn, temporaryFolder } from './fixture.ts'

const kills = Number(process.env.MAILWARDEN_KILLS ?? '40')
/** Below this the store was hardly ever in the middle of a commit when it was killed. */
const acknowledgedMin = 10 * kills

/** Runs the writer, kills it so many acknowledged lines later, and gives the highest index that it acknowledged. */
async function killAfter(folder: string, lines: number): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'append-child.ts'), folder])
  let output = ''
  let complaint = ''
  child.stderr.on('data', part => {
    complaint += part
  })
  child.stdout.on('data', part => {
    output += part
    if (output.split('\n').length > lines) child.kill('SIGKILL')
  })
  const [code, signal] = await once(child, 'close')
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${code} ${signal} ${complaint}`)
  return Math.max(...output.split('\n').slice(0, -1).map(Number))
}

test(`${kills} kills: no acknowledged entry is missing`, async () => {
  using folder = temporaryFolder()
  const state = stateIn(folder.path)
  const number = seededNumber('kill')
  let before = -1
  let startMsMax = 0
  for (let kill = 0; kill < kills; kill++) {
    const last = await killAfter(folder.path, 1 + number(60))
    expect(last).toBeGreaterThan(before)
    // The witness may lag behind, it is never ahead of what is on the disk, and always whole.
    const witness = parseNote(readFileSync(join(folder.path, 'register.witness'), 'utf8'))
    const begun = performance.now()
    await using register = await openSqliteRegister(state)
    startMsMax = Math.max(startMsMax, performance.now() - begun)
    expect(register.trust).toEqual({ ok: true })
    expect(register.size).toBeGreaterThan(last)
    expect(register.size).toBeGreaterThanOrEqual(witness?.checkpoint.size ?? Number.POSITIVE_INFINITY)
    before = register.size - 1
  }
  expect(await verifyStore(state)).toMatchObject({ ok: true, size: before + 1, findings: [] })
  expect(before).toBeGreaterThan(acknowledgedMin)
  console.info(`${kills} kills, ${before + 1} entries, slowest start ${startMsMax.toFixed(0)} ms`)
}, 120_000)
