/** Two languages: what a command prints follows `--lang`, wherever it stands, and commander's own words do too. */
import { expect, test } from 'vitest'
import { sayIn } from '../../agent/cli/texts.ts'
import { createEstate, institutionText } from '../support/estate.ts'

const hospital = () => institutionText('hospital', { domain: 'hcg.sld.cu' })

test('the options that all commands have may stand before and after every word', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  for (const args of [
    ['--lang', 'es', 'incident', 'list'],
    ['incident', '--lang', 'es', 'list'],
    ['incident', 'list', '--lang', 'es'],
    ['incident', 'list', '--lang=es'],
  ])
    expect(await estate.cli(args)).toMatchObject({ exit: 0, out: 'no hay incidentes abiertos\n' })
  for (const args of [
    ['token', '--json', 'revoke', 'ana'],
    ['--json', 'token', 'revoke', 'ana'],
    ['register', '--json', 'list'],
  ])
    expect(JSON.parse((await estate.cli(args)).out)).toMatchObject({ version: 1 })
})

test('help and mistakes of usage are in Spanish: no English word of commander is left', async () => {
  await using estate = await createEstate({})
  const spanish = { env: { LC_ALL: 'es_CU.UTF-8' } }
  const english =
    /usage:|options:|commands:|display|error: (unknown|missing|option|required|too)|did you mean|argument/i
  for (const args of [
    ['--help'],
    ['help', 'incident'],
    ['incident', '--help'],
    ['incident', 'action', '--help'],
    ['incident'],
    ['register', 'proof', '-h'],
    ['status', '--nope'],
    ['status', '--jsn'],
    ['statsu'],
    ['expl'],
    ['incident', 'shw'],
    ['suspend', 'x'],
    ['suspend'],
    ['plan', '--out'],
    ['doctor', 'a', 'b'],
    ['token', 'create', 'a', 'b'],
  ]) {
    const { out, err } = await estate.cli(args, spanish)
    expect(out + err, args.join(' ')).toMatch(/Uso: |^error: |\n\(¿Quiso decir /)
    expect(out + err, args.join(' ')).not.toMatch(english)
    const inEnglish = await estate.cli(['--lang', 'en', ...args], spanish)
    expect(inEnglish.out + inEnglish.err).not.toMatch(/Uso:|¿/)
  }
})

test('a word fits its number', () => {
  expect(sayIn('en')('keysMade', { count: 1 })).toBe('1 DKIM key made')
  expect(sayIn('es')('keysMade', { count: 2 })).toBe('2 claves DKIM creadas')
  expect(sayIn('es')('invalid', { errors: 1, warnings: 0 })).toBe('1 error, 0 advertencias')
})
