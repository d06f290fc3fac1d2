/** What comes from a server is a message to its last octet, or nothing: never a success without a code, never an endless value. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFrames, parseAnswer } from '../../providers/ldap/answer.ts'

const tlv = (tag: number, ...parts: readonly (Buffer | string)[]): Buffer => {
  const content = Buffer.concat(parts.map(part => Buffer.from(part as string)))
  return Buffer.concat([Buffer.from([tag, 0x82, content.length >> 8, content.length & 255]), content])
}
const id = Buffer.from([2, 1, 5])
const code = (value: number) => Buffer.from([0x0a, 1, value])
const attribute = (name: string, ...values: string[]) =>
  tlv(0x30, tlv(4, name), tlv(0x31, ...values.map(value => tlv(4, value))))
const entry = tlv(
  0x30,
  id,
  tlv(
    0x64,
    tlv(4, 'mail=ñ@hcg.example'),
    tlv(0x30, attribute('mail', 'ñ@hcg.example'), attribute('mwMay', 'read', 'submit')),
  ),
)
const paging = tlv(
  0xa0,
  tlv(0x30, tlv(4, '1.2.840.113556.1.4.319'), tlv(4, tlv(0x30, Buffer.from([2, 1, 0]), tlv(4, 'next')))),
)
const last = tlv(0x30, id, tlv(0x65, code(0), tlv(4), tlv(4, 'fine')), paging)
const added = tlv(0x30, id, tlv(0x69, code(68), tlv(4), tlv(4)))
const messages = [entry, last, added]

test('messages are read as the standard writes them', () => {
  expect(parseAnswer(entry)).toEqual({
    id: 5,
    body: {
      kind: 'entry',
      dn: 'mail=ñ@hcg.example',
      values: new Map([
        ['mail', ['ñ@hcg.example']],
        ['mwMay', ['read', 'submit']],
      ]),
    },
  })
  expect(parseAnswer(last)?.body).toMatchObject({ kind: 'result', tag: 0x65, code: 0, cookie: Buffer.from('next') })
  expect(parseAnswer(added)?.body).toMatchObject({ kind: 'result', tag: 0x69, code: 68, cookie: undefined })
})

test.each([
  ['without a result code', tlv(0x30, id, tlv(0x69))],
  ['with a code of no octets', tlv(0x30, id, tlv(0x69, Buffer.from([0x0a, 0]), tlv(4), tlv(4)))],
  ['of indefinite length', Buffer.from([0x30, 0x80, 2, 1, 5, 0x69, 0])],
  [
    'with a value longer than its message',
    tlv(0x30, id, tlv(0x64, tlv(4, 'x'), tlv(0x30, tlv(0x30, tlv(4, 'a'), Buffer.from([0x31, 3, 4, 9, 65]))))),
  ],
  ['with octets after its end', Buffer.concat([added, Buffer.from([0])])],
  ['of an operation that nobody knows', tlv(0x30, id, tlv(0x79, tlv(4, 'x')))],
  ['with a negative number', tlv(0x30, Buffer.from([2, 1, 0xff]), tlv(0x69, code(0), tlv(4), tlv(4)))],
])('one %s is none', (_, message) => {
  expect(parseAnswer(message)).toBeUndefined()
})

test('any octet changed, any piece cut off: an answer or none, at once', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...messages),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }),
      fc.nat(200),
      (message, edits, cut) => {
        const octets = Buffer.from(message.subarray(0, message.length - (cut % message.length)))
        for (const [at, value] of edits) octets[at % octets.length] = value
        const answer = parseAnswer(octets)
        if (answer?.body.kind === 'result') expect(answer.body.code).toBeGreaterThanOrEqual(0)
      },
    ),
    { numRuns: 20_000 },
  )
})

test('however a stream is cut into pieces, the same messages come out of it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...messages), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 90 })),
      (sent, sizes) => {
        const stream = Buffer.concat(sent)
        const frames = createFrames()
        const got: Buffer[] = []
        for (let at = 0, piece = 0; at < stream.length; piece += 1) {
          const size = sizes.length === 0 ? stream.length : (sizes[piece % sizes.length] as number)
          got.push(...(frames.take(stream.subarray(at, at + size)) ?? []))
          at += size
        }
        expect(got).toEqual(sent)
        expect(frames.isEmpty()).toBe(true)
      },
    ),
  )
})

test('what is no message is said to be none, and an overlong one is not waited for', () => {
  expect(createFrames().take(Buffer.from('HTTP/1.1 400'))).toBeUndefined()
  expect(createFrames().take(Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]))).toBeUndefined()
  expect(createFrames().take(Buffer.from([0x30, 0x80]))).toBeUndefined()
})
