/** After a restart questions are answered by the image of the last decisions, under the holds of the register as it stands. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { readImage } from '../../agent/decision/image-file.ts'
import { askPolicy, createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'

const manifests = { 'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }) }
const national = { sasl_username: 'jperez@hcg.sld.cu', sender: 'jperez@hcg.sld.cu', recipient: 'x@minsap.cu' }
const asBefore = (line: Record<string, unknown>) => line['event'] === 'answering as before the restart'
const hold = ['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x']
const imageOf = (estate: Estate) => join(estate.state, 'decisions.image')

async function stopWithImage(estate: Estate, daemon: Daemon): Promise<void> {
  await daemon.until(line => line['event'] === 'ready', 'ready')
  await eventually(async () => existsSync(imageOf(estate)), 'the image on disk')
  await daemon.stop('SIGKILL')
}

const orderOf = (daemon: Daemon) =>
  daemon
    .log()
    .map(line => String(line['event']))
    .filter(event => ['answering as before the restart', 'starting', 'listening'].includes(event))

test('answers before everything else is read; a suspension made meanwhile, without a daemon, holds from the first answer on', async () => {
  await using estate = await createEstate(manifests)
  await stopWithImage(estate, await estate.start())
  const again = await estate.start()
  expect(orderOf(again)).toEqual(['answering as before the restart', 'starting', 'listening'])
  expect(await askPolicy(estate.policyPort, national)).toBe('DUNNO')
  await again.stop('SIGKILL')
  expect((await estate.cli(hold)).exit).toBe(0)
  const third = await estate.start()
  expect((await third.until(asBefore, 'answers'))['data']).toMatchObject({ holds: 1 })
  expect(await askPolicy(estate.policyPort, national)).toMatch(/^550 5\.7\.1 suspended/)
})

test('an image that is broken, of another register or ahead of it answers nobody; everything is read first', async () => {
  await using estate = await createEstate(manifests)
  const first = await estate.start()
  await stopWithImage(estate, first)
  const whole = readFileSync(imageOf(estate))
  writeFileSync(imageOf(estate), whole.subarray(0, whole.length - 1))
  const second = await estate.start()
  expect(orderOf(second)).toEqual(['starting', 'listening'])
  await eventually(async () => (await readImage(imageOf(estate))) !== undefined, 'a new image')

  await using other = await createEstate(manifests)
  await stopWithImage(other, await other.start())
  expect(whole.equals(readFileSync(imageOf(other)))).toBe(false)
  copyFileSync(imageOf(estate), imageOf(other))
  expect(orderOf(await other.start())).toEqual(['starting', 'listening'])
})

test('counters of rates go on where they were, and what can’t be read of them is told', async () => {
  const config = '  limits: { recipientsPerHour: 3 }\n'
  await using estate = await createEstate(manifests, { config })
  const write = (number: number) =>
    askPolicy(estate.policyPort, { ...national, recipient: `persona${number}@minsap.cu` })
  const first = await estate.start()
  for (let number = 0; number < 3; number += 1) expect(await write(number)).toBe('DUNNO')
  expect(await write(3)).toMatch(/^450 4\.7\.1 rate/)
  await first.stop()
  const second = await estate.start()
  expect(await write(3)).toMatch(/^450 4\.7\.1 rate/)
  expect(await write(2)).toBe('DUNNO')
  await second.stop()
  expect(readFileSync(join(estate.state, 'rates.json'), 'utf8')).not.toContain('persona')
  writeFileSync(join(estate.state, 'rates.json'), '{"version":1,"usage":[["a",[1]]]}')
  const third = await estate.start()
  await third.until(line => String(line['event']).startsWith('the counters of rates can’t be read'), 'being told')
  expect(await write(3)).toBe('DUNNO')
})

test('a register that does not verify closes the door again', async () => {
  await using estate = await createEstate(manifests)
  await stopWithImage(estate, await estate.start())
  const db = new DatabaseSync(join(estate.state, 'mailwarden.db'))
  db.exec("UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), 'daemon.started', 'daemon.starter') AS BLOB)")
  db.close()
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'register does not verify', 'the finding')
  expect(await askPolicy(estate.policyPort, national)).toBeNull()
  await eventually(async () => !existsSync(imageOf(estate)), 'the image being removed')
})
