/** Two images are the same when nobody could tell them apart by a decision or an explanation: else the new one is shown. */
import { expect, test } from 'vitest'
import { buildImage, isSameImage } from '../../agent/decision/image.ts'
import { toWorld } from '../../agent/policy-test/world.ts'

const estate = {
  institutions: { uno: { networks: ['10.1.0.0/24'] } },
  domains: { 'uno.cu': { institution: 'uno' } },
  accounts: {
    'ana@uno.cu': { aliases: ['a'], except: [{ send: 'who.int', until: '2026-12-31' }] },
    'luis@uno.cu': {},
  },
} as const
const image = (over: object = {}) => buildImage(toWorld({ ...structuredClone(estate), ...over }))
const accounts = (over: object) => ({ accounts: { ...estate.accounts, ...over } })

test('the same world again', () => expect(isSameImage(image(), image())).toBe(true))

test.each([
  ['a scope', accounts({ 'luis@uno.cu': { send: 'local' } })],
  ['an account', accounts({ 'eva@uno.cu': {} })],
  ['an account less', { accounts: { 'ana@uno.cu': estate.accounts['ana@uno.cu'] } }],
  [
    'another name of equal length',
    { accounts: { 'ana@uno.cu': estate.accounts['ana@uno.cu'], 'luis@uno.cu': {}, 'l@uno.cu': {} } },
  ],
  [
    'the end of an exception',
    accounts({ 'ana@uno.cu': { aliases: ['a'], except: [{ send: 'who.int', until: '2026-12-30' }] } }),
  ],
  ['an alias', accounts({ 'ana@uno.cu': { ...estate.accounts['ana@uno.cu'], aliases: ['b'] } })],
  ['a network', { institutions: { uno: { networks: ['10.1.1.0/24'] } } }],
  ['a domain', { domains: { 'uno.cu': { institution: 'uno' }, 'dos.cu': { institution: 'uno' } } }],
  ['a mode', { modes: { rate: 'off' } }],
  ['a limit', { limits: { recipientsPerHour: 7 } }],
  ['a hold', { holds: [{ incident: 'INC-1', domain: 'uno.cu' }] }],
  ['a suffix', { national: { suffixes: ['cu', 'int'] } }],
  [
    'a country',
    { country: '2|lacnic|20260101|1|19870101|20260101|-0500\nlacnic|CU|ipv4|198.51.100.0|256|20200101|allocated|a\n' },
  ],
])('%s more or otherwise is another one', (_, over) => {
  expect(isSameImage(image(), image(over))).toBe(false)
  expect(isSameImage(image(over), image())).toBe(false)
})

test('a setting that moved to another line is explained otherwise', () => {
  const moved = (line: number) =>
    buildImage(toWorld(structuredClone(estate), () => ({ file: 'a.yaml', line, column: 1 })))
  expect(isSameImage(moved(3), moved(3))).toBe(true)
  expect(isSameImage(moved(3), moved(4))).toBe(false)
})
