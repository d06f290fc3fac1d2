/** What commands say when they can't: in the language of whoever asks, with a code, a sentence and what to do. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'

const hospital = () => institutionText('hospital', { domain: 'hcg.sld.cu' })

test('each refusal has a code and a sentence in the language of the caller', { timeout: 180_000 }, async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  await estate.cli(['apply', '--yes'])
  const drill = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x', '--drill'])
  expect(drill).toMatchObject({
    exit: 0,
    json: { incident: 'INC-2026-0001', levers: { send: 'drill', relay: 'drill' } },
  })
  const shown = await estate.cli(['incident', 'show', 'inc-2026-0001'])
  expect(shown.out).toContain('send: drill')
  expect(shown.out).not.toContain('pending')

  const noReport = join(estate.folder, 'report.yaml')
  writeFileSync(noReport, '- a\n')
  const ana = { MAILWARDEN_TOKEN: (await estate.cli(['token', 'create', 'ana'])).out.trim() }
  const wrong = { MAILWARDEN_TOKEN: 'mw1_wrong' }
  type Case = readonly [args: readonly string[], exit: number, code: string, es: RegExp, env?: Record<string, string>]
  const cases: readonly Case[] = [
    [['incident', 'show', 'INC-2026-0002'], 65, 'E-INCIDENT-UNKNOWN', /No existe el incidente .* → INC-2026-0001/],
    [['incident', 'show', 'nope'], 65, 'E-INCIDENT-UNKNOWN', /No existe el incidente «NOPE»/],
    [['incident', 'release', 'INC-2026-0001'], 77, 'E-NOT-ALLOWED', /sin token personal .* responder, security-lead\./],
    [['register', 'accept', '--reason', 'x'], 77, 'E-NOT-ALLOWED', /su papel no lo permite.* security-lead\./, ana],
    [['status'], 77, 'E-TOKEN', /El token no vale/, wrong],
    [['plan', 'hcg.sld.cv'], 65, 'E-PLAN-SCOPE', /no hay dominio ni institución .* → hcg\.sld\.cu/],
    [['token', 'create', 'anna'], 65, 'E-PERSON', /no está «anna».* → ana/],
    [['token', 'create', 'ana', '--days', '0'], 64, 'E-TOKEN-DAYS', /de 1 a 3650/],
    [['password', 'nadie@hcg.sld.cu'], 65, 'E-PASSWORD-ADDRESS', /no está en el directorio/],
    [['password', 'jperez@hcg.sld.cu', '--stdin'], 65, 'E-PASSWORD-LENGTH', /de 10 a 255 bytes/],
    [['incident', 'report', 'INC-2026-0001', '--file', noReport], 65, 'E-REPORT-FORM', /no es un solo mapa/, ana],
    [['incident', 'release', 'INC-2026-0001'], 3, 'E-NOT-ROTATED', /todavía no se ha cambiado ninguno/, ana],
    [['status', '--config', '/nope'], 78, 'E-CONFIG-UNREADABLE', /La configuración no se puede leer/],
  ]
  for (const [args, exit, code, es, env = {}] of cases) {
    const spanish = await estate.cli([...args, '--lang', 'es'], { env, input: 'corta' })
    expect([args, spanish.exit, spanish.err]).toEqual([args, exit, expect.stringContaining(code)])
    expect(spanish.err.replaceAll('\n', ' ')).toMatch(es)
    const english = await estate.cli(args, { env, input: 'corta' })
    expect(english.err).toContain(code)
    expect(english.err).not.toMatch(/[áéíóúñ«]/)
  }
})

test('token list says who can act, until when and through whom, and nothing of the token', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  expect((await estate.cli(['token', 'list'])).out).toBe('nobody has a live token\n')
  for (const person of ['berta', 'ana', 'saul']) await estate.cli(['token', 'create', person, '--days', '9'])
  await estate.cli(['token', 'revoke', 'saul'])
  const { exit, json } = await estate.json(['token', 'list'])
  const row = { until: expect.any(String), madeBy: expect.stringMatching(/^local:/), madeAt: expect.any(String) }
  expect({ exit, json }).toEqual({
    exit: 0,
    json: {
      version: 1,
      tokens: [
        { person: 'ana', role: 'responder', ...row },
        { person: 'berta', role: 'security-lead', ...row },
      ],
    },
  })
  expect(Date.parse(json.tokens[0].until) - Date.parse(json.tokens[0].madeAt)).toBe(9 * 86_400_000)
  const lines = (await estate.cli(['token', 'list', '--lang', 'es'])).out.split('\n')
  expect(lines[0]).toMatch(/^PERSONA +PAPEL +HASTA +HECHO POR +HECHO EL$/)
  expect(lines[1]).toMatch(/^ana +responder +\d{4}-/)
})

test('guards and what is not ours are told in the language; the way on is said once', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  await estate.cli(['apply', '--yes'])
  estate.remove('hospital.yaml')
  estate.write('clinica.yaml', institutionText('clinica', { domain: 'clinica.sld.cu' }).replace('2024-01-01', 'ayer'))
  const { out } = await estate.cli(['plan', '--lang', 'es'])
  expect(out).toMatch(/guarda "deletes": borraría \d+; limits\.deletes es 5\n/)
  expect(out).toContain('se irían las últimas cuentas de hcg.sld.cu: 2')
  expect(out).toContain('se iría zone hcg.sld.cu')
  expect(out.match(/--accept/g)).toHaveLength(1)
  expect(out).toMatch(/clinica\.yaml:\d+:\d+ {2}error E-DAY: Fecha incorrecta\. /)
  expect(out).toContain('últimos manifiestos válidos')
  const wrong = await estate.cli(['apply', '--yes', '--accept', 'delete=1', '--lang', 'es'])
  expect(wrong.out).toContain('(--accept delete=1 no coincide)')
  expect((await estate.cli(['status'])).out).toMatch(/clinica\.yaml:\d+:\d+ {2}error E-DAY/)
})

test('doctor speaks the language, and says of what holds only that it holds', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  const before = await estate.json(['doctor'])
  expect(before.json.checks.find((check: any) => check.code === 'state-folder')).toMatchObject({ result: 'warn' })
  await estate.start()
  const english = await estate.cli(['doctor'])
  const spanish = await estate.cli(['doctor', '--lang', 'es'])
  expect(english.out).toMatch(/^ok +policy service on 127\.0\.0\.1:\d+: takes connections$/m)
  expect(spanish.out).toMatch(/^ok +servicio de políticas en 127\.0\.0\.1:\d+: acepta conexiones$/m)
  const common = english.out.split('\n').filter(line => line !== '' && spanish.out.split('\n').includes(line))
  expect(common).toEqual([])
})

test('findings of a register are told in the language of the caller', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital() })
  await estate.cli(['apply', '--yes'])
  writeFileSync(join(estate.state, 'register.witness'), 'nothing\n')
  const spanish = await estate.cli(['apply', '--yes', '--lang', 'es'])
  expect(spanish).toMatchObject({ exit: 1, err: expect.stringContaining('no es un punto de control') })
  expect(spanish.err).toContain('E-REGISTER: El registro no se verifica')
  expect((await estate.cli(['apply', '--yes'])).err).toContain('it is no checkpoint')
})
