/** Files that a person names and that are not there, are folders, or hold something else: a sentence each, never a bug. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CommandFailure, exits, fileFailure } from '../../agent/cli/io.ts'
import { sayIn } from '../../agent/cli/texts.ts'
import { createEstate, institutionText } from '../support/estate.ts'

test('each is told with its name, in both languages, and ends with 65', async () => {
  await using estate = await createEstate({ 'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }) })
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const exported = join(estate.folder, 'export.jsonl')
  expect((await estate.cli(['register', 'export', exported])).exit).toBe(0)
  const noJson = join(estate.folder, 'no.json')
  writeFileSync(noJson, '{')
  const folder = join(estate.folder, 'folder')
  mkdirSync(folder)
  const cases: readonly (readonly [args: readonly string[], named: string, es: RegExp])[] = [
    [['status', '--token-file', '/nope'], '/nope', /no existe/],
    [['status', '--token-file', folder], folder, /es una carpeta/],
    [['plan', '--out', '/nope/x'], '/nope/x', /no existe/],
    [['apply', '/nope'], '/nope', /no existe/],
    [['apply', noJson], noJson, /no es JSON/],
    [['validate', '/nope'], '/nope', /no existe/],
    [['init', join(noJson, 'x')], noJson, /no existe/],
    [['register', 'proof', '0', '--out', '/nope/x'], '/nope/x', /no existe/],
    [['register', 'proof', '--check', '/nope'], '/nope', /no existe/],
    [['register', 'proof', '--check', noJson], noJson, /no es JSON/],
    [['register', 'verify', '--key', '/nope'], '/nope', /no existe/],
    [['register', 'verify', '--key', noJson], noJson, /no es una clave pública/],
    [['register', 'verify', '/nope'], '/nope', /no existe/],
    [['register', 'verify', folder], folder, /es una carpeta/],
    [['register', 'verify', exported, '--key', folder], folder, /es una carpeta/],
    [['register', 'export', '/nope/x'], '/nope/x', /no existe/],
    [['register', 'export', folder], folder, /es una carpeta/],
    [['incident', 'report', 'INC-2026-0001', '--file', '/nope'], '/nope', /no existe/],
  ]
  for (const [index, [args, named, es]] of cases.entries()) {
    const spanish = await estate.cli([...args, '--lang', 'es'])
    expect([args, spanish.exit, spanish.err.split('\n').length]).toEqual([args, 65, 2])
    expect(spanish.err).toContain(named)
    expect(spanish.err).toMatch(es)
    if (index % 4 !== 0) continue
    const { err } = await estate.cli([...args, '--lang', 'en'])
    expect(err).toContain(named)
    expect(err).not.toMatch(es)
  }
})

test('without permission it is 77', async () => {
  const io = { say: sayIn('en') }
  const denied = Object.assign(new Error('x'), { code: 'EACCES', syscall: 'open' })
  expect(fileFailure(io, '/root/x', denied)).toMatchObject({
    exit: exits.notAllowed,
    message: '/root/x: permission denied',
  })
  expect(fileFailure(io, 'x', new TypeError('ours'))).not.toBeInstanceOf(CommandFailure)
  if (process.getuid?.() === 0) return
  await using estate = await createEstate({})
  const file = join(estate.folder, 'token')
  writeFileSync(file, 'x')
  chmodSync(file, 0)
  expect((await estate.cli(['status', '--token-file', file])).exit).toBe(77)
})

test('a state folder of another user is said, not a bug', async () => {
  await using estate = await createEstate({ 'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }) })
  await estate.cli(['apply', '--yes'])
  chmodSync(estate.folder, 0o755)
  const other = { uid: 65_534 }
  // Another user can be only where the tests are root's, and the source is for all to read.
  if (process.getuid?.() !== 0 || (await estate.cli(['--version'], other)).exit !== 0) return
  for (const mode of [0o700, 0o755]) {
    chmodSync(estate.state, mode)
    for (const args of [['status'], ['apply', '--yes'], ['register', 'verify'], ['register', 'export', '/root/x']]) {
      const found = await estate.cli([...args, '--lang', 'es'], other)
      expect([mode, args, found.exit, found.err]).toEqual([
        mode,
        args,
        77,
        expect.stringMatching(/otro usuario|denegado/),
      ])
    }
  }
})

test('what is no number is a mistake of usage', async () => {
  await using estate = await createEstate({})
  for (const args of [
    ['incident', 'action', 'INC-2026-0001', '--verify', 'abc'],
    ['token', 'create', 'ana', '--days', '-1'],
    ['register', 'list', '--last', '1.5'],
    ['register', 'list', '--from', 'x'],
  ]) {
    const { exit, err } = await estate.cli([...args, '--lang', 'es'])
    expect([args, exit]).toEqual([args, 64])
    expect(err).toContain(`${args.at(-2)} ${args.at(-1)}: es un número entero`)
  }
})
