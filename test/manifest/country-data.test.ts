/** Country data on disk: files and folders, plain and gzip, read again when they change; a mistake replaces nothing. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CountryReader, createCountryReader } from '../../agent/manifest/country-data.ts'
import { type CountryTable, countryOf } from '../../agent/model/country.ts'
import { parseIp } from '../../agent/model/ip.ts'
import { toCountryTable } from '../../agent/policy-test/world.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mw-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const statistics = (registry: string, ...rows: string[]) =>
  [`2|${registry}|20260101|${rows.length}|19870101|20260101|-0500`, ...rows.map(row => `${registry}|${row}`), ''].join(
    '\n',
  )
const cuba = statistics('lacnic', 'CU|ipv4|198.51.100.0|256|20200101|allocated|a')
const spain = statistics('ripencc', 'ES|ipv4|203.0.113.0|256|20200101|allocated|a')

function write(name: string, content: string | Uint8Array): void {
  // As a download that is well made: whole, then in its place.
  writeFileSync(join(folder, `${name}.part`), content)
  renameSync(join(folder, `${name}.part`), join(folder, name))
}

function reader(path = '', kept: CountryTable | null = null): CountryReader {
  const setting = { path: join(folder, path), countries: ['cu'] }
  return createCountryReader({ setting, folder, kept: async () => kept })
}

const at = (table: CountryTable, text: string) => countryOf(table, parseIp(text)!)

describe('reading', () => {
  test('a file, a folder, and the same as gzip', async () => {
    write('lacnic', cuba)
    const one = await reader('lacnic').read()
    expect(one).toMatchObject({ state: 'current', diagnostics: [] })
    expect(one.table.sources).toEqual([{ file: 'lacnic', registry: 'lacnic', serial: '20260101', date: '2026-01-01' }])
    mkdirSync(join(folder, 'all'))
    write('all/delegated-lacnic.gz', gzipSync(cuba))
    write('all/delegated-ripencc', spain)
    write('all/delegated-ripencc.md5', 'MD5 (x) = y')
    const all = await reader('all').read()
    expect(all).toMatchObject({ state: 'current', diagnostics: [] })
    expect(['198.51.100.1', '203.0.113.1', '192.0.2.1'].map(ip => at(all.table, ip))).toEqual([
      'national',
      'foreign',
      'unknown',
    ])
  })

  test('again only when something has changed', async () => {
    write('lacnic', cuba)
    const files = reader('lacnic')
    const first = await files.read()
    expect(await files.read()).toBe(first)
    write('lacnic', statistics('lacnic', 'CU|ipv4|192.0.2.0|256|20200101|allocated|a'))
    const second = await files.read()
    expect(second.state).toBe('current')
    expect(at(second.table, '192.0.2.1')).toBe('national')
    expect(at(second.table, '198.51.100.1')).toBe('unknown')
  })
})

describe('what cannot be used', () => {
  const cases: [string, () => void, string][] = [
    ['a row', () => write('lacnic', `${cuba}lacnic|CU|ipv4|nowhere|1||allocated\n`), 'country.address'],
    ['a file that is cut', () => write('lacnic', cuba.slice(0, 60)), 'country.fields'],
    ['a file without its last row', () => write('lacnic', cuba.slice(0, cuba.indexOf('\n') + 1)), 'country.cut'],
    ['a gzip that is cut', () => write('lacnic', gzipSync(cuba).subarray(0, 40)), 'country.gzip'],
    ['an empty file', () => write('lacnic', ''), 'country.empty'],
    ['no file', () => rmSync(join(folder, 'lacnic')), 'country.folder'],
    ['two of one registry', () => write('other', cuba), 'country.twice'],
    ['a folder within', () => mkdirSync(join(folder, 'deep')), 'country.noFile'],
  ]
  test.each(cases)('%s keeps what was in force, and says why', async (_, spoil, reason) => {
    write('lacnic', cuba)
    const files = reader()
    const before = await files.read()
    expect(before.state).toBe('current')
    spoil()
    const after = await files.read()
    expect(after.state).toBe('kept')
    expect(after.table).toBe(before.table)
    expect(after.diagnostics.map(({ values }) => values['reason'])).toContain(reason)
    // And it is told once: nothing is read again until something changes.
    expect(await files.read()).toBe(after)
    rmSync(join(folder, 'other'), { force: true })
    rmSync(join(folder, 'deep'), { force: true, recursive: true })
    write('lacnic', statistics('lacnic', 'CU|ipv4|192.0.2.0|256|20200101|allocated|a'))
    const mended = await files.read()
    expect(mended).toMatchObject({ state: 'current', diagnostics: [] })
    expect(at(mended.table, '192.0.2.1')).toBe('national')
  })

  test('data that say nothing of the country', async () => {
    write('ripencc', spain)
    const { state, diagnostics } = await reader().read()
    expect(state).toBe('none')
    expect(diagnostics).toMatchObject([{ code: 'E-COUNTRY-NONE', values: { country: 'CU' } }])
  })

  test('at the start what was kept is in force; without it every address is unknown', async () => {
    const kept = toCountryTable(cuba)
    const again = await reader('missing', kept).read()
    expect(again).toMatchObject({ state: 'kept', diagnostics: [{ code: 'E-COUNTRY-FILE' }] })
    expect(again.table).toBe(kept)
    const none = await reader('missing').read()
    expect(none.state).toBe('none')
    expect(['198.51.100.1', '203.0.113.1', '2001:db8::1'].map(ip => at(none.table, ip))).toEqual(
      Array(3).fill('unknown'),
    )
    // Of other countries it is another table.
    expect((await reader('missing', toCountryTable(cuba, ['es'])).read()).state).toBe('none')
  })
})
