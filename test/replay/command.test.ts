/** `replay` as people run it: flips with their lines, packed logs, logs that are cut, manifests with mistakes. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'

const hospital = (accounts: string[]) => institutionText('hospital', { domain: 'hcg.sld.cu', accounts })
const line = (service: string, text: string) => `2026-11-20T09:15:02-05:00 mx1 postfix/${service}[1]: ${text}\n`

function message(id: string, login: string, ...recipients: string[]): string {
  return [
    line('submission/smtpd', `${id}: client=pc[10.20.0.9], sasl_method=PLAIN, sasl_username=${login}`),
    line('qmgr', `${id}: from=<${login}>, size=1, nrcpt=${recipients.length} (queue active)`),
    ...recipients.map(to => line('smtp', `${id}: to=<${to}>, relay=x, status=sent (250 ok)`)),
    line('qmgr', `${id}: removed`),
  ].join('')
}

test('names who may newly not write to whom, how often, and the line; plain, packed, from standard input', async () => {
  await using estate = await createEstate({
    'hospital.yaml': hospital(['{ name: eva, send: international }', '{ name: ana }']),
  })
  const other = join(estate.folder, 'other')
  mkdirSync(other)
  writeFileSync(join(other, 'hospital.yaml'), hospital(['{ name: eva }', '{ name: ana, send: international }']))
  const log = [
    message('A1B2C3D4E5', 'eva@hcg.sld.cu', 'x@who.int', 'y@minsap.cu', 'z@who.int'),
    line(
      'submission/smtpd',
      'NOQUEUE: reject: RCPT from pc[10.20.0.9]: 550 5.7.1 <x@who.int>: Recipient address rejected: scope-send: no [mw-0a1b2c3d]; from=<ana@hcg.sld.cu> to=<x@who.int> proto=ESMTP helo=<pc> sasl_username=<ana@hcg.sld.cu>',
    ),
    'x'.repeat(1_000_000),
    '\nno stamp\n',
  ].join('')
  const [plain, packed] = [join(estate.folder, 'mail.log'), join(estate.folder, 'mail.log.1')]
  writeFileSync(plain, log)
  writeFileSync(packed, gzipSync(log))
  const flips = [
    {
      subject: 'eva@hcg.sld.cu',
      count: 2,
      from: { effect: 'dunno', reason: 'permitted' },
      to: { effect: 'reject', reason: 'scope-send' },
      first: { recipient: 'x@who.int', at: '2026-11-20T14:15:02.000Z' },
      source: { file: 'hospital.yaml', line: expect.any(Number) },
    },
    {
      subject: 'ana@hcg.sld.cu',
      count: 1,
      from: { effect: 'reject', reason: 'scope-send' },
      to: { effect: 'dunno', reason: 'permitted' },
    },
  ]
  for (const [name, input] of [[plain], [packed], ['-', log]] as const) {
    const run = await estate.cli(['replay', name, '--manifests', other, '--json'], { input: input ?? '' })
    expect(run.err).toBe('')
    expect(run.exit).toBe(2)
    expect(JSON.parse(run.out)).toMatchObject({ judged: 4, flipped: 3, flips, lines: { tooLong: 1, unread: 1 } })
  }
  const told = await estate.cli(['replay', plain, '--manifests', other, '--lang', 'es'])
  expect(told.out).toMatch(/^eva@hcg\.sld\.cu +2 +dunno permitted → reject scope-send .*hospital\.yaml:\d+:\d+$/m)
  expect(told.out).toContain('4 destinatarios juzgados, 3 decididos de otro modo')
  // Against today: what the log says happened is what would happen.
  const same = await estate.cli(['replay', plain, packed])
  expect([same.exit, same.err]).toEqual([0, ''])
  expect(same.out).toContain('8 recipients judged, 0 decided otherwise')
})

test('a file that is not there, is cut, or manifests with mistakes: one sentence each, with its place', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital(['{ name: eva }']) })
  const cut = join(estate.folder, 'cut.gz')
  writeFileSync(cut, gzipSync(message('A1B2C3D4E5', 'eva@hcg.sld.cu', 'x@minsap.cu').repeat(100)).subarray(0, 60))
  const gone = await estate.cli(['replay', '/none'])
  expect([gone.exit, gone.err]).toEqual([65, expect.stringContaining('/none')])
  const packed = await estate.cli(['replay', cut])
  expect([packed.exit, packed.err]).toEqual([65, expect.stringContaining('cut.gz can’t be unpacked')])
  const other = join(estate.folder, 'other')
  mkdirSync(other)
  writeFileSync(join(other, 'a.yaml'), 'kind: [')
  const broken = await estate.cli(['replay', '/none', '--manifests', other])
  expect([broken.exit, broken.err]).toEqual([65, expect.stringContaining('a.yaml:1')])
})
