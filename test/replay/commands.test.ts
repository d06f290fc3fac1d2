/** `replay` and `policy test` as people type them: exit codes, both languages, what is shown of a hostile log. */
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const launch = join(root, 'agent/cli/launch.mjs')
const login = 'mlopez@hcg.sld.cu'

let folder: Awaited<ReturnType<typeof mkdtempDisposable>>
const at = (name: string) => join(folder.path, name)

function run(args: readonly string[], input: string | Buffer = '') {
  const environment = { PATH: process.env['PATH'] ?? '', MAILWARDEN_CONFIG: at('mailwarden.yaml'), NO_COLOR: '1' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [launch, ...args], { input, env: environment })
  return { status, out: stdout.toString(), err: stderr.toString() }
}

const message = (sender: string, recipient: string) =>
  [
    `mx postfix/submission/smtpd[1]: 4F1A2B: client=h[10.20.0.9], sasl_method=PLAIN, sasl_username=${login}`,
    `mx postfix/qmgr[3]: 4F1A2B: from=<${sender}>, size=1, nrcpt=1 (queue active)`,
    `mx postfix/smtp[4]: 4F1A2B: to=<${recipient}>, relay=r, delay=1, dsn=2.0.0, status=sent (ok)`,
    'mx postfix/qmgr[3]: 4F1A2B: removed',
  ].map(text => `2026-04-20T12:00:00-04:00 ${text}\n`)

beforeAll(async () => {
  folder = await mkdtempDisposable(join(tmpdir(), 'replay-'))
  cpSync(join(root, 'config/example'), at('example'), { recursive: true })
  cpSync(join(root, 'config/example'), at('wider'), { recursive: true })
  cpSync(join(root, 'config/mailwarden.yaml'), at('mailwarden.yaml'))
  const file = at('wider/hospital-calixto-garcia.yaml')
  writeFileSync(
    file,
    readFileSync(file, 'utf8').replace('- name: mlopez\n', '- name: mlopez\n      send: international\n'),
  )
  writeFileSync(at('national.log'), message(login, 'x@minsap.cu').join(''))
  writeFileSync(at('foreign.log.1'), gzipSync(message(login, 'x@who.int').join('')))
  writeFileSync(at('other.yaml'), readFileSync(at('mailwarden.yaml'), 'utf8').replace('./example', './wider'))
})
afterAll(() => folder?.[Symbol.asyncDispose]())

test('no change ends with 0, a change with 2 and its line, in the language asked for', () => {
  expect(run(['replay', at('national.log')])).toMatchObject({ status: 0, err: '' })
  const spanish = run(['replay', at('foreign.log.1'), at('national.log'), '--lang', 'es'])
  expect(spanish).toMatchObject({ status: 2, err: '' })
  expect(spanish.out).toMatch(/cuenta mlopez@hcg\.sld\.cu {2}1 vez {2}se acepta → se rechaza scope-send/)
  expect(spanish.out).toMatch(/por .*example\/hospital-calixto-garcia\.yaml:\d+:\d+\n/)
})

test('the same flip under other manifests and under another configuration, as JSON too', () => {
  const lines = readFileSync(at('wider/hospital-calixto-garcia.yaml'), 'utf8').split('\n')
  const line = lines.findIndex(text => text.includes('- name: mlopez')) + 2
  for (const other of [
    ['--manifests', at('wider')],
    ['--config', at('other.yaml')],
  ]) {
    const { status, out } = run(['replay', '-', '--json', ...other], readFileSync(at('foreign.log.1')))
    expect(status).toBe(2)
    expect(JSON.parse(out)).toMatchObject({
      version: 1,
      flipped: 1,
      flips: [
        {
          who: { kind: 'login', name: login },
          before: { effect: 'reject', policy: 'scope-send' },
          after: { effect: 'accept', policy: null },
          cause: { side: 'after', file: at('wider/hospital-calixto-garcia.yaml'), line },
        },
      ],
    })
  }
})

test('what cannot be replayed ends with 65 and says why; nothing of it ends with 70', () => {
  writeFileSync(at('cut.gz'), gzipSync('x'.repeat(10_000)).subarray(0, 20))
  for (const [args, said] of [
    [[at('nowhere.log')], 'nowhere.log'],
    [[at('mailwarden.yaml')], 'No line of Postfix'],
    [[folder.path], folder.path],
    [[at('cut.gz')], 'gzip'],
    [[at('national.log'), '--manifests', join(root, 'config/example-mistakes')], 'error E-'],
  ] as const) {
    const { status, err } = run(['replay', ...args])
    expect(err).toContain(said)
    expect(status).toBe(65)
  }
  expect(run(['replay', at('national.log'), '--since', 'yesterday']).status).toBe(64)
})

test('what a stranger wrote into the log does not move the cursor', () => {
  const log = `${message(`${login}\u001b[2J\u202e`, 'x@who.int').join('')}\u001b]0;title\u0007 nonsense\n`
  const { status, out } = run(['replay', '-'], log)
  expect(status).toBe(2)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be printed
  expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
  expect(out).toContain('\\u001b')
})

test('policy test: 0 when all pass, 1 with place and verdicts when one fails, 65 for a table with mistakes', () => {
  const table = (effect: string) =>
    `title: t\ncases:\n  - { description: d, request: { login: ${login}, recipient: x@who.int }, decision: { effect: ${effect} } }\n`
  writeFileSync(at('right.yaml'), table('reject'))
  writeFileSync(at('wrong.yaml'), table('dunno'))
  writeFileSync(at('bad.yaml'), table('rejekt'))
  expect(run(['policy', 'test', join(root, 'test/decisions/scope-send.yaml')]).status).toBe(0)
  expect(run(['policy', 'test', at('right.yaml')])).toMatchObject({ status: 0 })
  const failed = run(['policy', 'test', at('wrong.yaml')])
  expect(failed.status).toBe(1)
  expect(failed.out).toContain('wrong.yaml:3:20: t: d')
  expect(failed.out).toMatch(/scope-send +reject/)
  expect(failed.out).toMatch(/off-network +dunno +passed/)
  // Under the other manifests the account may.
  expect(run(['policy', 'test', at('wrong.yaml'), '--manifests', at('wider')]).status).toBe(0)
  const bad = run(['policy', 'test', at('bad.yaml')])
  expect(bad.status).toBe(65)
  expect(bad.err).toMatch(/bad\.yaml:3:\d+[\s\S]*Did you mean "reject"\?/)
})
