/** Whose address a hold means, the queue's lines however they come in pieces, and the shipped lines of the doors. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { scopeTest } from '../../agent/standards/hold-scope.ts'
import { renderSnippets } from '../../providers/embedded-directory/snippets.ts'
import { lineReader, parseQueueLine } from '../../providers/postfix/queue.ts'
import { run } from '../servers/mail-servers.ts'
import { absentOf, describeServers } from '../servers/suite.ts'
import { scopeOf } from './bench.ts'

test.each([
  ['hcg.sld.cu', 'x@hcg.sld.cu', true],
  ['hcg.sld.cu', 'X@HCG.sld.CU', true],
  ['hcg.sld.cu', 'x@hcg.sld.cu.', true],
  ['hcg.sld.cu', '"a@b"@hcg.sld.cu', true],
  ['hcg.sld.cu', 'x@evil-hcg.sld.cu', false],
  ['hcg.sld.cu', 'x@sub.hcg.sld.cu', false],
  ['hcg.sld.cu', 'x@hcg.sld.cu.example', false],
  ['hcg.sld.cu', 'hcg.sld.cu@elsewhere.example', false],
  ['hcg.sld.cu', '"x@hcg.sld.cu"@elsewhere.example', false],
  ['hcg.sld.cu', 'hcg.sld.cu', false],
  ['hcg.sld.cu', '', false],
  ['hcg.sld.cu', 'MAILER-DAEMON', false],
  ['xn--caja-9qa.cu', 'x@xn--caja-9qa.cu', true],
  ['ana@hcg.sld.cu', 'Ana@hcg.sld.cu', true],
  ['ana@hcg.sld.cu', 'ana+list+x@hcg.sld.cu', true],
  ['ana@hcg.sld.cu', '"ana"@hcg.sld.cu', true],
  ['ana@hcg.sld.cu', '"a\\na"@hcg.sld.cu', true],
  ['ana@hcg.sld.cu', '+ana@hcg.sld.cu', false],
  ['ana@hcg.sld.cu', 'anabel@hcg.sld.cu', false],
  ['ana@hcg.sld.cu', 'mariana@hcg.sld.cu', false],
  ['ana@hcg.sld.cu', 'ana@sub.hcg.sld.cu', false],
])('the hold of %s and the address %s', (scope, address, wanted) => {
  expect(scopeTest(scopeOf(scope))(address)).toBe(wanted)
})

test('a domain in letters of its own language is the same domain', () => {
  expect(scopeTest(scopeOf(new URL('http://ñandú.cu').hostname))('x@ÑANDÚ.cu')).toBe(true)
})

describe('the list of the queue', () => {
  const line = (over: object = {}) =>
    JSON.stringify({
      queue_name: 'deferred',
      queue_id: '3F93624095E',
      arrival_time: 1_795_381_891,
      message_size: 2295,
      forced_expire: false,
      sender: 'MAILER-DAEMON',
      recipients: [{ address: 'niño@d2.example', delay_reason: 'why' }, { address: 'b@d2.example' }],
      ...over,
    })

  test('a message is read with its times, sender and recipients', () => {
    expect(parseQueueLine(line())).toEqual({
      id: '3F93624095E',
      queue: 'deferred',
      arrivedAt: 1_795_381_891_000,
      bytes: 2295,
      sender: '',
      recipients: [
        { address: 'niño@d2.example', reason: 'why' },
        { address: 'b@d2.example', reason: null },
      ],
    })
  })

  test('lines come out whole, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: 'grapheme' }).map(text => text.replaceAll('\n', ' ')),
          { maxLength: 8 },
        ),
        fc.array(fc.nat(40), { maxLength: 20 }),
        (lines, cuts) => {
          const bytes = Buffer.from(lines.map(text => `${text}\n`).join(''))
          const out: string[] = []
          const reader = lineReader(text => out.push(text))
          let from = 0
          for (const cut of cuts) {
            reader.take(bytes.subarray(from, from + cut))
            from += cut
          }
          reader.take(bytes.subarray(from))
          reader.end()
          expect(out).toEqual(lines)
        },
      ),
    )
  })

  test.each([
    ['no JSON', '{"queue_name": "deferred"'],
    ['no object', '[]'],
    ['nothing', 'null'],
    ['no id', line({ queue_id: undefined })],
    ['an id that is a word of postsuper', line({ queue_id: 'ALL' })],
    ['an id with a blank', line({ queue_id: 'ABCDEF 1' })],
    ['an id that leaves the folder', line({ queue_id: '../../etc' })],
    ['a time that is none', line({ arrival_time: '1' })],
    ['no recipients', line({ recipients: null })],
    ['a recipient without an address', line({ recipients: [{}] })],
  ])('%s is a failure', (_, text) => {
    expect(() => parseQueueLine(text)).toThrow(expect.objectContaining({ kind: 'malformed-reply' }))
  })

  test('a last line without its end is a failure, since the list may have been cut there', () => {
    const reader = lineReader(() => {})
    reader.take(Buffer.from(line()))
    expect(() => reader.end()).toThrow(expect.objectContaining({ kind: 'malformed-reply' }))
  })
})

describeServers(
  'the lines of the doors',
  () => absentOf(['/usr/bin/doveconf']),
  () => {
    test('Dovecot reads them: the deny passdb first, doveadm by HTTP with its key, one process a session', () => {
      const folder = mkdtempSync('/tmp/mw-')
      try {
        writeFileSync(join(folder, 'key'), 'sesame')
        const snippets = renderSnippets({
          directory: '/srv/directory.db',
          policy: '127.0.0.1:10031',
          doveadmKey: join(folder, 'key'),
          mailUid: '5000',
          mailGid: '5000',
        })
        const text = (path: string) => snippets.find(snippet => snippet.path === path)?.text ?? ''
        const file = join(folder, 'dovecot.conf')
        writeFileSync(file, text('dovecot/mailwarden-doors.conf') + text('dovecot/mailwarden.conf'))
        const { status, stdout, stderr } = run('/usr/bin/doveconf', ['-c', file, '-n', '-P'])
        expect([status, stderr]).toEqual([0, ''])
        const passdbs = [...stdout.matchAll(/^passdb \{\n((?: {2}.*\n)+)\}/gm)].map(([, body = '']) => body)
        expect(passdbs.map(body => /driver = (\S+)/.exec(body)?.[1])).toEqual(['passwd-file', 'sql'])
        expect(passdbs[0]).toContain('deny = yes')
        // The key stays in its file; that Dovecot takes it from there is shown by every test over HTTP.
        expect(stdout).toContain(`\ndoveadm_api_key = <${join(folder, 'key')}\n`)
        expect(stdout).toMatch(
          /service doveadm \{\n {2}inet_listener http \{\n {4}address = 127\.0\.0\.1\n {4}port = 10080/,
        )
        const limits = ['imap', 'pop3'].map(service =>
          run('/usr/bin/doveconf', ['-c', file, '-h', `service/${service}/client_limit`]).stdout.trim(),
        )
        expect(limits).toEqual(['1', '1'])
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    })
  },
)
