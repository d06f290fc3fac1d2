/** `explain`: every verdict, the line or incident that decides, and what was assumed (contract section 4). */
import { describe, expect, test } from 'vitest'
import { policies } from '../../agent/decision/decide.ts'
import { type ExplainQuery, explain } from '../../agent/decision/explain.ts'
import { buildSnapshot } from '../../agent/decision/snapshot.ts'
import type { EstateText } from '../../agent/manifest/schema-decisions.ts'
import { at, toWorld } from '../../agent/policy-test/world.ts'
import { estate } from '../decisions/tables.ts'

const world = toWorld(estate)
const ask = (query: Omit<ExplainQuery, 'at'>, text: EstateText = estate) =>
  explain(buildSnapshot(toWorld(text)), { at, ...query })
const lineOf = (address: string, key?: string) => {
  const found = [...world.accounts.values()].find(({ account }) => account.address === address)?.account
  const place = key === undefined ? found?.place : found?.places[key]
  if (place === undefined) throw new Error(`${address} has no line ${key}`)
  return { file: place.file, line: place.line, column: place.column }
}
const exceptionLine = (address: string, index: number) => {
  const { file, line, column } = [...world.accounts.values()].find(({ account }) => account.address === address)!
    .account.exceptions[index]!.place
  return { file, line, column }
}

describe('explain', () => {
  test('says what country data say of the address, and the row', () => {
    const country =
      '2|lacnic|20260101|2|19870101|20260101|-0500\nlacnic|CU|ipv4|198.51.100.0|256|20200101|allocated\nlacnic||ipv4|192.0.2.0|256||reserved\n'
    const at = (client?: string) =>
      ask(
        { sender: 'x@minsap.cu', recipient: 'nacional@hcg.sld.cu', ...(client && { client }) },
        { ...estate, country },
      )
    const file = { file: 'country', registry: 'lacnic', serial: '20260101', date: '2026-01-01' }
    expect(at('198.51.100.7').country).toEqual({
      address: '198.51.100.7',
      value: 'national',
      source: { ...file, line: 2 },
    })
    expect(at('192.0.2.7').country).toMatchObject({ value: 'unknown', source: { ...file, line: 3 } })
    expect(at('203.0.113.7').country).toEqual({ address: '203.0.113.7', value: 'unknown', source: null })
    // A stranger with a national sender is assumed where the data say that the country is.
    expect(at()).toMatchObject({ assumed: { client: '198.51.100.0' }, country: { value: 'national' }, effect: 'dunno' })
    expect(ask({ sender: 'x@minsap.cu', recipient: 'nacional@hcg.sld.cu' }).country).toBeNull()
  })

  test('lists every policy in the order of the table', () => {
    const names = policies.map(({ name }) => name)
    const queries = [
      { login: 'nacional@hcg.sld.cu', recipient: 'x@who.int' },
      { sender: 'x@who.int', recipient: 'nacional@hcg.sld.cu', client: '203.0.113.1' },
      { login: 'nacional@hcg.sld.cu', recipient: '' },
    ]
    for (const query of queries) expect(ask(query).verdicts.map(({ policy }) => policy)).toEqual(names)
  })

  test('a login alone writes as itself from its institution, and that is said', () => {
    const answer = ask({ login: 'NAC.ional@hcg.sld.cu', recipient: 'x@minsap.cu' })
    expect(answer).toMatchObject({ version: 1, effect: 'dunno', reason: 'permitted', reply: 'DUNNO' })
    expect(answer.assumed).toEqual({ sender: 'nacional@hcg.sld.cu', client: '10.20.0.0' })
    expect(answer.verdicts.every(({ effect }) => effect === 'dunno')).toBe(true)
  })

  test('what was told is not assumed', () => {
    const answer = ask({ login: 'nacional@hcg.sld.cu', sender: '', recipient: 'x@minsap.cu', client: '10.20.1.1' })
    expect(answer).toMatchObject({ effect: 'dunno', assumed: {} })
  })

  test('a refusal names the line of the setting', () => {
    const answer = ask({ login: 'nacional@hcg.sld.cu', recipient: 'x@who.int' })
    expect(answer).toMatchObject({
      effect: 'reject',
      reason: 'scope-send',
      source: lineOf('nacional@hcg.sld.cu', 'send'),
    })
    expect(answer.reply).toMatch(/^550 5\.7\.1 scope-send: .* \[mw-[0-9a-v]{8}\]$/)
    expect(answer.verdicts).toContainEqual({
      policy: 'scope-send',
      effect: 'reject',
      reason: expect.stringMatching(/who\.int/),
    })
  })

  test('a refusal of the network names the access line, else the account', () => {
    const from = (login: string) => ask({ login, recipient: 'x@minsap.cu', client: '203.0.113.1' }).source
    expect(from('libre@hcg.sld.cu')).toEqual(lineOf('libre@hcg.sld.cu', 'access'))
    expect(from('nacional@hcg.sld.cu')).toEqual(lineOf('nacional@hcg.sld.cu'))
  })

  test('a permit names the exception, else the setting, else nothing', () => {
    const to = (login: string) => ask({ login, recipient: 'x@who.int' })
    expect(to('viajero@hcg.sld.cu')).toMatchObject({ effect: 'dunno', source: exceptionLine('viajero@hcg.sld.cu', 0) })
    expect(to('libre@hcg.sld.cu')).toMatchObject({ effect: 'dunno', source: lineOf('libre@hcg.sld.cu', 'send') })
    expect(ask({ login: 'misionero@hcg.sld.cu', recipient: 'x@minsap.cu' })).toMatchObject({
      effect: 'dunno',
      source: null,
    })
    const inbound = ask({ sender: 'x@who.int', recipient: 'libre@hcg.sld.cu', client: '203.0.113.1' })
    expect(inbound).toMatchObject({ effect: 'dunno', source: lineOf('libre@hcg.sld.cu', 'receive') })
  })

  test('a hold names its incident', () => {
    const held = { ...estate, holds: [{ incident: 'INC-1', domain: 'hcg.sld.cu' }] }
    const out = ask({ login: 'libre@hcg.sld.cu', recipient: 'x@minsap.cu' }, held)
    expect(out).toMatchObject({ effect: 'reject', reason: 'suspended', source: { incident: 'INC-1' } })
    const inbound = ask({ sender: 'x@minsap.cu', recipient: 'libre@hcg.sld.cu' }, held)
    expect(inbound).toMatchObject({ effect: 'defer', reason: 'suspended-inbound', source: { incident: 'INC-1' } })
    expect(inbound.reply).toMatch(/^450 4\.2\.1 /)
  })

  test('observe is listed and not applied, off is not listed', () => {
    const answer = ask(
      { login: 'nacional@hcg.sld.cu', recipient: 'x@who.int' },
      { ...estate, modes: { 'scope-send': 'observe', 'off-network': 'off' } },
    )
    expect(answer).toMatchObject({ effect: 'dunno', reply: 'DUNNO' })
    expect(answer.verdicts).toContainEqual(
      expect.objectContaining({ policy: 'scope-send', effect: 'reject', observed: true }),
    )
    expect(answer.verdicts.map(({ policy }) => policy)).not.toContain('off-network')
  })

  test('the collector comes from the collecting server', () => {
    const answer = ask({ login: 'multipop@hcg.sld.cu', recipient: 'x@minsap.cu' })
    expect(answer).toMatchObject({ effect: 'dunno', assumed: { client: '10.20.0.5' } })
  })
})
