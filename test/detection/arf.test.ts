/** Abuse reports: what is read of them, what strangers may put into them, and which of them count. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readReport } from '../../agent/detection/arf-reader.ts'
import { countComplaints, matchOf, provenSource } from '../../agent/detection/complaints.ts'
import type { Message } from '../../agent/replay/messages.ts'
import { type AbuseReport, parseArf } from '../../agent/standards/arf.ts'
import { sampleReport } from './arf-samples.ts'

const bytesOf = (text: string) => Buffer.from(text, 'latin1')
const parse = (options: Parameters<typeof sampleReport>[0] = {}) =>
  parseArf(bytesOf(sampleReport(options))) as AbuseReport

test('the least of a report, as section 4.1 of RFC 5965 has it', () => {
  expect(parse({ messageId: '<a.1@hcg.sld.cu>' })).toEqual({
    feedbackType: 'abuse',
    userAgent: 'Feedback/1.0',
    originalMailFrom: null,
    originalRcptTo: [],
    sourceIp: null,
    authentication: [],
    original: { messageId: '<a.1@hcg.sld.cu>', dkimDomains: ['hcg.sld.cu'], queueIds: ['4bXyZ1234Bz12'] },
  })
})

test('optional fields, folded and repeated', () => {
  const report = parse({
    fields: [
      'Original-Mail-From:\r\n <jperez@hcg.sld.cu>',
      'Original-Rcpt-To: <x@else.example>',
      'Original-Rcpt-To: <y@else.example>',
      'Source-IP: 192.0.2.1',
    ],
  })
  expect(report).toMatchObject({
    originalMailFrom: 'jperez@hcg.sld.cu',
    originalRcptTo: ['x@else.example', 'y@else.example'],
    sourceIp: '192.0.2.1',
  })
})

test.each([
  ['another message', sampleReport({ contentType: 'text/plain' }), 'no-report'],
  ['a bounce', sampleReport({ contentType: 'multipart/report; report-type=delivery-status; boundary=x' }), 'no-report'],
  ['no boundary', sampleReport({ contentType: 'multipart/report; report-type=feedback-report' }), 'incomplete'],
  ['no version', sampleReport({ feedback: 'Feedback-Type: abuse\r\nUser-Agent: x' }), 'incomplete'],
  ['nothing', '', 'no-report'],
])('%s is no report', (_, text, why) => {
  expect(parseArf(bytesOf(text))).toBe(why)
})

test('an encoded part is read', () => {
  const text = sampleReport().replace(
    'Content-Type: message/feedback-report\r\n\r\n',
    `Content-Type: message/feedback-report\r\nContent-Transfer-Encoding: base64\r\n\r\n${Buffer.from('Feedback-Type: fraud\r\nUser-Agent: u\r\nVersion: 1\r\n').toString('base64')}\r\n`,
  )
  expect(parseArf(bytesOf(text))).toMatchObject({ feedbackType: 'fraud' })
})

test('whatever the octets, it ends with a report or a word', () => {
  const sample = sampleReport({ messageId: '<a@b>' })
  const cut = fc
    .tuple(fc.nat(sample.length), fc.nat(sample.length), fc.string())
    .map(([from, length, text]) => sample.slice(0, from) + text + sample.slice(from + length))
  fc.assert(
    fc.property(fc.oneof(fc.string(), cut), text => {
      const read = parseArf(Buffer.from(text))
      return typeof read === 'object' || read === 'no-report' || read === 'incomplete'
    }),
  )
})

const hostile: readonly (readonly [string, () => string])[] = [
  [
    'twenty thousand parameters',
    () =>
      sampleReport({
        contentType: `multipart/report; ${Array.from({ length: 20_000 }, (_, n) => `p${n}="${n}"`).join('; ')}`,
      }),
  ],
  [
    'parts within parts',
    () => sampleReport({ original: 'Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n'.repeat(20_000) }),
  ],
  ['fifty megabytes', () => sampleReport({ original: `Message-ID: <a@b>\r\n\r\n${'x'.repeat(50 * 1024 * 1024)}` })],
  ['a boundary on each line', () => sampleReport({ original: '--part1_13d.2e68ed54_boundary\r\n'.repeat(20_000) })],
  [
    'brackets without end',
    () => sampleReport({ head: [`Authentication-Results: ${'('.repeat(100_000)}`], messageId: '<'.repeat(100_000) }),
  ],
  ['folded without end', () => sampleReport({ head: [`X-A: b\r\n${' c\r\n'.repeat(100_000)} d`] })],
  ['a thousand fields', () => sampleReport({ head: Array.from({ length: 100_000 }, (_, n) => `X-${n}: y`) })],
]
test.each(hostile)('%s: read within its bounds', async (_, make) => {
  // "too-much" is what the bounds of the parser are there to make needless.
  expect(await readReport(bytesOf(make()))).not.toBe('too-much')
})

const own = { authservId: 'mx.operator.example', reporters: ['reporter.example'] }
test.each([
  [
    'DKIM of the reporter',
    ['mx.operator.example; dkim=pass (2048-bit key) header.d=reporter.example header.s=x'],
    'reporter.example',
  ],
  [
    'SPF of a subdomain',
    ['mx.operator.example 1; spf=pass smtp.mailfrom=bounce@out.reporter.example'],
    'reporter.example',
  ],
  ['by the identity alone', ['mx.operator.example; dkim=pass header.i=@reporter.example'], 'reporter.example'],
  ['with quotes and capitals', ['"MX.operator.example"; DKIM=Pass header.d="Reporter.Example"'], 'reporter.example'],
  [
    'a failure',
    ['mx.operator.example; dkim=fail header.d=reporter.example; spf=softfail smtp.mailfrom=a@reporter.example'],
    null,
  ],
  [
    'a pass in a comment',
    ['mx.operator.example; dkim=fail (dkim=pass header.d=reporter.example) header.d=reporter.example'],
    null,
  ],
  ['another signer', ['mx.operator.example; dkim=pass header.d=attacker.example'], null],
  ['a name that only ends like it', ['mx.operator.example; dkim=pass header.d=evilreporter.example'], null],
  ['another server’s word', ['mx.attacker.example; dkim=pass header.d=reporter.example'], null],
  ['none of ours', [], null],
  [
    'below ours, in our name',
    ['mx.operator.example; dkim=none', 'mx.operator.example; dkim=pass header.d=reporter.example'],
    null,
  ],
  ['a method that says nothing of the source', ['mx.operator.example; auth=pass smtp.auth=reporter.example'], null],
])('who sent it: %s', (_, authentication, source) => {
  expect(provenSource({ authentication }, own)).toBe(source)
})

const sent: Message = {
  at: 0,
  host: 'mx',
  queue: '4bXyZ1234Bz12',
  origin: 'client',
  client: '10.20.0.9',
  login: 'jperez@hcg.sld.cu',
  sender: 'jperez@hcg.sld.cu',
  messageId: '<a.1@hcg.sld.cu>',
  recipients: [{ address: 'x@else.example', status: 'sent', dsn: '2.0.0' }],
  complete: true,
}

test.each([
  ['its Message-ID', { messageId: '<a.1@hcg.sld.cu>' }, 'message-id'],
  ['its queue id and sender', { fields: ['Original-Mail-From: <JPerez@hcg.sld.cu>'] }, 'queue-id'],
  ['its queue id and recipient', { fields: ['Original-Rcpt-To: x@else.example'] }, 'queue-id'],
  [
    'its queue id as envelope id',
    { received: 'none', fields: ['Original-Envelope-Id: 4bXyZ1234Bz12', 'Original-Rcpt-To: x@else.example'] },
    'queue-id',
  ],
  ['a queue id alone', {}, null],
  ['our signing domain alone', { received: 'none' }, null],
  ['another Message-ID', { messageId: '<b.2@hcg.sld.cu>', received: 'none' }, null],
])('which message: %s', (_, options, by) => {
  expect(matchOf(parse(options), [sent])?.by ?? null).toBe(by)
})

test('what nobody was given, nobody complains about', () => {
  const refused = { ...sent, recipients: [{ address: 'x@else.example', status: 'bounced', dsn: '5.1.1' }] }
  expect(matchOf(parse({ messageId: '<a.1@hcg.sld.cu>' }), [refused])).toBeNull()
})

test('one message that many complain about is one', () => {
  const complaints = [
    { at: 1, account: 'a', about: 'm1' },
    { at: 2, account: 'a', about: 'm1' },
    { at: 3, account: 'a', about: 'm2' },
    { at: 4, account: 'b', about: 'm3' },
  ]
  expect(countComplaints(complaints, 'a', 0)).toBe(2)
  expect(countComplaints(complaints, 'a', 2)).toBe(1)
})
