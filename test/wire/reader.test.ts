/** The reader of policy requests: cuts, limits, and what it refuses (R23). */
import { describe, expect, test } from 'vitest'
import {
  attributesMax,
  createRequestReader,
  formatAction,
  formatResponse,
  nameLengthMax,
  type PolicyRequest,
  requestLengthMax,
  valueLengthMax,
} from '../../agent/standards/policy-delegation.ts'
import { formatRequest } from '../decision/generate.ts'

const request: PolicyRequest = {
  state: 'RCPT',
  clientAddress: '10.20.0.9',
  sender: 'niña@hcg.sld.cu',
  recipient: 'x@niñez.cu',
  login: 'nacional@hcg.sld.cu',
  instance: '11e9.6b035641.6b9d2.0',
}
const wire = Buffer.from(formatRequest(request), 'utf8').toString('latin1')

function readAll(...parts: readonly string[]): unknown[] {
  const reader = createRequestReader()
  const found: unknown[] = []
  for (const part of parts) {
    reader.push(part)
    for (;;) {
      const next = reader.next()
      if (next === 'incomplete') break
      found.push(next)
      if (next === 'malformed') return found
    }
  }
  return found
}

const minimal = (lines: string) => `request=smtpd_access_policy\n${lines}\n`

describe('cuts', () => {
  test('at every byte, in two and in three', () => {
    for (let cut = 0; cut <= wire.length; cut += 1) {
      expect(readAll(wire.slice(0, cut), wire.slice(cut))).toEqual([request])
      const later = Math.min(wire.length, cut + 7)
      expect(readAll(wire.slice(0, cut), wire.slice(cut, later), wire.slice(later) + wire)).toEqual([request, request])
    }
  })

  test('byte by byte, three in a row', () => {
    expect(readAll(...`${wire}${wire}${wire}`)).toEqual([request, request, request])
  })

  test('nothing is left behind between requests', () => {
    const reader = createRequestReader()
    reader.push(wire + wire.slice(0, 20))
    expect(reader.next()).toEqual(request)
    expect(reader.next()).toBe('incomplete')
    expect(reader.pending).toBe(20)
    reader.push(wire.slice(20))
    expect(reader.next()).toEqual(request)
    expect(reader.next()).toBe('incomplete')
    expect(reader.pending).toBe(0)
  })
})

describe('what is a request', () => {
  test('unknown names are ignored, in any order', () => {
    const text = 'zukunft=1\nrecipient=b@x.cu\nsender=a@x.cu\nrequest=smtpd_access_policy\nprotocol_state=rcpt\n\n'
    expect(readAll(text)).toEqual([
      { state: 'RCPT', clientAddress: '', sender: 'a@x.cu', recipient: 'b@x.cu', login: '', instance: '' },
    ])
  })

  test('a value left out is not the one of the request before', () => {
    const [first, second] = readAll(wire, minimal('sender=a@x.cu\n')) as PolicyRequest[]
    expect(first).toEqual(request)
    expect(second).toEqual({ state: '', clientAddress: '', sender: 'a@x.cu', recipient: '', login: '', instance: '' })
  })

  test('other names in the same order as before are other names', () => {
    const [, second] = readAll(
      minimal('sender=a\nrecipient=b\n'),
      minimal('sender=c\nrecipiens=d\n'),
    ) as PolicyRequest[]
    expect(second).toMatchObject({ sender: 'c', recipient: '' })
    const [, third] = readAll(minimal('sender=a\nrecipient=b\n'), minimal('sender=c\n')) as PolicyRequest[]
    expect(third).toMatchObject({ sender: 'c', recipient: '' })
    const [, fourth] = readAll(minimal('sender=a\n'), minimal('sender=c\nrecipient=d\n')) as PolicyRequest[]
    expect(fourth).toMatchObject({ sender: 'c', recipient: 'd' })
  })

  test('values may hold =, blanks and long text', () => {
    const long = 'v'.repeat(valueLengthMax)
    expect(readAll(minimal(`sender=a=b = c\nhelo_name=${long}\n`))).toMatchObject([{ sender: 'a=b = c' }])
    expect(readAll(minimal(`sender=${long}\n`))).toMatchObject([{ sender: long }])
  })

  test('bytes that are no UTF-8 become what no address may hold', () => {
    expect(readAll(minimal('sender=x@caf\xe9.cu\n'))).toMatchObject([{ sender: 'x@caf\ufffd.cu' }])
  })
})

describe('malformed', () => {
  test.each([
    ['CRLF', wire.replaceAll('\n', '\r\n')],
    ['one CR', wire.replace('ESMTP\n', 'ESMTP\r\n')],
    ['CR within a value', minimal('sender=a\rb\n')],
    ['NUL', minimal('sender=a\0b\n')],
    ['duplicate names', minimal('sender=a\nsender=b\n')],
    ['duplicate unknown names', minimal('zukunft=a\nzukunft=a\n')],
    ['two requests in one', minimal('request=smtpd_access_policy\n')],
    ['no request=', 'sender=a@x.cu\nrecipient=b@x.cu\n\n'],
    ['another request=', 'request=smtpd_access_policy2\n\n'],
    ['an empty request', '\n'],
    ['an empty line too many', `${wire}\n`],
    ['a line without =', minimal('sender\n')],
    ['a line without a name', minimal('=a\n')],
    ['a name with a blank', minimal('sen der=a\n')],
    ['a value too long', minimal(`sender=${'v'.repeat(valueLengthMax + 1)}\n`)],
    ['a name too long', minimal(`${'n'.repeat(nameLengthMax + 1)}=a\n`)],
    ['too many names', minimal(Array.from({ length: attributesMax }, (_, index) => `n${index}=\n`).join(''))],
    [
      'a request too long',
      minimal(Array.from({ length: 5 }, (_, index) => `n${index}=${'v'.repeat(16_000)}\n`).join('')),
    ],
  ])('%s', (_, text) => {
    expect(readAll(text).at(-1)).toBe('malformed')
    expect(readAll(wire, text).at(-1)).toBe('malformed')
    expect(readAll(...text.match(/[\s\S]{1,97}/g)!).at(-1)).toBe('malformed')
  })

  test.each([
    ['a line that does not end', 'request=', 'v'.repeat(valueLengthMax + nameLengthMax + 2)],
    [
      'a request that does not end',
      '',
      Array.from({ length: 5 }, (_, index) => `n${index}=${'v'.repeat(16_000)}\n`).join(''),
    ],
    ['NUL before the end', 'request=smtpd\0', ''],
    ['CR before the end', 'request=smtpd_access_policy\r\n', ''],
  ])('%s is refused before it ends', (_, start, more) => {
    expect(readAll(start, more)).toEqual(['malformed'])
  })

  test('what a reader may have to keep is bounded', () => {
    const reader = createRequestReader()
    let pushed = 0
    for (; pushed < requestLengthMax * 2; pushed += 1000) {
      reader.push(`n${pushed}=${'v'.repeat(990)}\n`)
      if (reader.next() === 'malformed') break
    }
    expect(pushed).toBeLessThanOrEqual(requestLengthMax)
  })
})

describe('answers', () => {
  test('of three kinds, on one line, in ASCII', () => {
    expect(formatResponse(formatAction({ kind: 'dunno' }))).toBe('action=DUNNO\n\n')
    expect(formatAction({ kind: 'defer', text: 'intente más tarde' })).toBe('DEFER intente mas tarde')
    const line = formatAction({ kind: 'refuse', refusal: 'policyRefused', text: 'no\r\n\naction=OK\0 Ñandú 你好' })
    expect(line).toBe('550 5.7.1 no?action=OK? Nandu ?')
  })

  test('none without a text: Postfix takes an empty action for a permit', () => {
    expect(() => formatAction({ kind: 'defer', text: '' })).toThrow()
    expect(() => formatAction({ kind: 'refuse', refusal: 'mailboxDeferred', text: ' \u0301 ' })).toThrow()
  })

  test('a text from outside does not grow the line beyond RFC 5321', () => {
    expect(formatAction({ kind: 'refuse', refusal: 'mailboxUnknown', text: 'é'.repeat(100_000) }).length).toBeLessThan(
      300,
    )
  })
})
