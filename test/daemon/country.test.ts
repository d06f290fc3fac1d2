/** Country data in a running daemon: read again when they change, kept through a mistake and a restart, and shown. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readImage } from '../../agent/decision/image-file.ts'
import { countryOf } from '../../agent/model/country.ts'
import { parseIp } from '../../agent/model/ip.ts'
import { askPolicy, createEstate, type Estate, eventually, institutionText } from '../support/estate.ts'

const accounts = ['{ name: eva, access: national }']
const manifest = institutionText('hospital', { domain: 'hcg.sld.cu', accounts })
const mail = { sasl_username: 'eva@hcg.sld.cu', sender: 'eva@hcg.sld.cu', recipient: 'x@minsap.cu' }
const config = '  national: { countryData: ./country }\n'
const refused = /^550 5\.7\.1 off-network/

const today = () => new Date().toISOString().slice(0, 10).replaceAll('-', '')
const statistics = (start: string, day = today()) =>
  `2|lacnic|${day}|1|19870101|${day}|-0500\nlacnic|CU|ipv4|${start}|256|20200101|allocated\n`

function put(estate: Estate, text: string): void {
  mkdirSync(join(estate.folder, 'country'), { recursive: true })
  writeFileSync(join(estate.folder, 'country', 'lacnic.part'), text)
  renameSync(join(estate.folder, 'country', 'lacnic.part'), join(estate.folder, 'country', 'lacnic'))
}

/** The daemon looks by itself every few seconds; a manifest that is written makes it look now. */
const look = (estate: Estate) => estate.write('hospital.yaml', manifest)
const ask = (estate: Estate, client_address: string) => askPolicy(estate.policyPort, { ...mail, client_address })
const checkOf = async (estate: Estate) => {
  const { checks } = (await estate.json(['doctor'])).json as unknown as { checks: { code: string }[] }
  return checks.find(({ code }) => code === 'country-data')
}

test('a new file is in force without a restart; a broken one is not, is told, and what was before outlives a restart', async () => {
  await using estate = await createEstate({ 'hospital.yaml': manifest }, { config })
  put(estate, statistics('198.51.100.0'))
  const daemon = await estate.start()
  expect(await ask(estate, '198.51.100.7')).toBe('DUNNO')
  expect(await ask(estate, '203.0.113.7')).toMatch(refused)
  expect(await checkOf(estate)).toMatchObject({ result: 'ok', detail: expect.stringContaining('lacnic') })
  const explained = await estate.cli(['explain', 'eva@hcg.sld.cu', 'x@minsap.cu', '--client', '198.51.100.7'])
  expect(explained.out).toContain('198.51.100.7: national, country/lacnic:2 (lacnic')

  put(estate, statistics('203.0.113.0'))
  look(estate)
  await eventually(async () => (await ask(estate, '203.0.113.7')) === 'DUNNO', 'the new file')
  expect(await ask(estate, '198.51.100.7')).toMatch(refused)

  put(estate, `${statistics('198.51.100.0')}lacnic|CU|ipv4|nowhere|1|20200101|allocated\n`)
  look(estate)
  const told = await daemon.until(({ event }) => event === 'country data', 'the finding')
  expect(told['data']).toMatchObject({ code: 'E-COUNTRY-ROW', place: 'country/lacnic:3:1' })
  expect(await ask(estate, '203.0.113.7')).toBe('DUNNO')
  expect(await ask(estate, '198.51.100.7')).toMatch(refused)
  expect(await checkOf(estate)).toMatchObject({ result: 'fail', detail: expect.stringContaining('country/lacnic:3') })
  const status = (await estate.json(['status'])).json
  expect(status['country']).toMatchObject({
    state: 'kept',
    countries: ['cu'],
    sources: [{ registry: 'lacnic', ageDays: 0 }],
  })
  expect((await estate.cli(['status'])).out).toContain('E-COUNTRY-ROW')

  const image = join(estate.state, 'decisions.image')
  const isKept = async () => {
    const table = existsSync(image) ? (await readImage(image))?.country : null
    return table != null && countryOf(table, parseIp('203.0.113.7')!) === 'national'
  }
  await eventually(isKept, 'the image with the table in force')
  await daemon.stop('SIGKILL')
  const again = await estate.start()
  await again.until(({ event }) => event === 'ready', 'ready')
  expect(await ask(estate, '203.0.113.7')).toBe('DUNNO')
  expect(await ask(estate, '198.51.100.7')).toMatch(refused)
  // What is written to the directory follows it too: no login is lost by the broken file.
  const plan = (await estate.json(['plan'])).json
  expect(plan['changes']).toEqual([])
  expect(readFileSync(join(estate.folder, 'country', 'lacnic'), 'utf8')).toContain('nowhere')
})

test('old data warn, none fail, and neither stops anything', async () => {
  await using estate = await createEstate({ 'hospital.yaml': manifest }, { config })
  expect(await checkOf(estate)).toMatchObject({ result: 'fail', detail: expect.stringContaining('country') })
  put(estate, statistics('198.51.100.0', '20200101'))
  expect(await checkOf(estate)).toMatchObject({ result: 'warn' })
})
