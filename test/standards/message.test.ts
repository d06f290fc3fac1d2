/** The plain message of notices: what a name, a subject or a text can hold and never becomes (RFC 5322, RFC 2047, K15, T13). */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Address, parseAddress } from '../../agent/model/name.ts'
import { formatPlainMessage, isMessageId, type PlainMessage } from '../../agent/standards/message.ts'
import { parseMessage } from '../support/message.ts'

const plain: PlainMessage = {
  id: 'n0-director',
  from: parseAddress('avisos@operator.example') as Address,
  to: parseAddress('ana@directores.example') as Address,
  toName: '',
  subject: 's',
  text: 't\n',
  at: 1_751_382_000_000,
}
const made = (over: Partial<PlainMessage>) => formatPlainMessage({ ...plain, ...over })

const names = [
  'Date',
  'From',
  'To',
  'Subject',
  'Message-ID',
  'Auto-Submitted',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
]

describe('a plain message', () => {
  test.each([
    ['', '<ana@directores.example>'],
    ['Ana Ruiz', 'Ana Ruiz <ana@directores.example>'],
  ])('the name %j beside the address', (toName, to) => {
    expect(made({ toName })).toContain(`\r\nTo: ${to}\r\n`)
  })

  test.each([
    'Ana Ruiz Pérez',
    'Ruiz, Ana <ana@otra.example>',
    '"Ana" (directora)',
    'Dr. Ana: ; otra@x.example,',
    '=?UTF-8?Q?x=0D=0ABcc:_victim@otra.example?=',
    'ñandú '.repeat(60).trim(),
    'a'.repeat(400),
  ])('the name %j is read back as it was written, and is no second address', toName => {
    const { headers } = parseMessage(made({ toName }))
    expect(headers.get('to')).toBe(`${toName} <ana@directores.example>`)
    const raw = /\r\nTo: ((?:.*\r\n )*.*)\r\n/.exec(made({ toName }))?.[1] ?? ''
    expect(raw.match(/[<>@,]/g)).toEqual(['<', '@', '>'])
  })

  test.each(['x'.repeat(5_000), '=?UTF-8?B?QmNj?=', 'año '.repeat(500)])(
    'the subject %j survives in short lines',
    subject => {
      const message = made({ subject })
      expect(Math.max(...message.split('\r\n').map(line => line.length))).toBeLessThanOrEqual(998)
      expect(parseMessage(message).headers.get('subject')).toBe(subject)
    },
  )

  test('whatever the words, the headers are the same nine and every line is short US-ASCII', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        (toName, subject, text) => {
          const message = made({ toName, subject, text })
          expect(message).toMatch(/^[\r\n\x20-\x7e]*$/)
          expect(message.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
          const [head = ''] = message.split('\r\n\r\n')
          expect(head.split(/\r\n(?! )/).map(line => line.split(':')[0])).toEqual(names)
          expect(parseMessage(message).text.replaceAll('\r\n', '\n')).toBe(
            Buffer.from(text.replaceAll('\r\n', '\n')).toString(),
          )
        },
      ),
    )
  })

  test.each(['', '../x', 'a b', 'a\r\nb', '.x', 'a@b', 'x'.repeat(122)])('%j is no id', id => {
    expect(isMessageId(id)).toBe(false)
  })
})
