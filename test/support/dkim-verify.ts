/** A small verifier of DKIM signatures (RFC 6376), relaxed/relaxed and rsa-sha256 only: the oracle beside the signer. */
import { createHash, createPublicKey, createVerify } from 'node:crypto'
import { parseDkim, parseTagList } from '../../agent/standards/dkim.ts'

const relaxedValue = (value: string) =>
  value
    .replace(/\r\n(?=[ \t])/g, '')
    .replace(/[ \t]+/g, ' ')
    .trim()

function relaxedBody(body: string): string {
  const lines = body.split('\r\n').map(line => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''))
  while (lines.at(-1) === '') lines.pop()
  return lines.length === 0 ? '' : `${lines.join('\r\n')}\r\n`
}

/**
 * @param message as it was read from the mailbox, one character an octet.
 * @param record the TXT record of the key, by `<selector>._domainkey.<domain>`.
 * @returns the headers signed, or why it does not verify.
 */
export function verifyDkim(message: string, record: (name: string) => string | undefined): readonly string[] | string {
  const end = message.indexOf('\r\n\r\n')
  const fields = message
    .slice(0, end)
    .split(/\r\n(?![ \t])/)
    .map(field => ({
      name: field.slice(0, field.indexOf(':')).toLowerCase(),
      value: field.slice(field.indexOf(':') + 1),
    }))
  const signature = fields.find(({ name }) => name === 'dkim-signature')
  if (signature === undefined) return 'no signature'
  const tags = parseTagList(signature.value)
  const tag = (name: string) => (tags?.get(name) ?? '').replace(/\s+/g, '')
  if (tag('v') !== '1' || tag('a') !== 'rsa-sha256' || tag('c') !== 'relaxed/relaxed')
    return 'another kind of signature'
  const key = parseDkim(record(`${tag('s')}._domainkey.${tag('d')}`) ?? '')
  if (key === undefined) return 'no key'
  const hash = createHash('sha256')
    .update(relaxedBody(message.slice(end + 4)), 'latin1')
    .digest('base64')
  if (hash !== tag('bh')) return 'the body is another'
  const signed = tag('h').toLowerCase().split(':')
  const left = [...fields]
  const lines = signed.flatMap(wanted => {
    // RFC 6376 section 5.4.2: from the bottom up.
    const index = left.findLastIndex(({ name }) => name === wanted)
    const [field] = index < 0 ? [] : left.splice(index, 1)
    return field === undefined ? [] : [`${field.name}:${relaxedValue(field.value)}\r\n`]
  })
  const own = `dkim-signature:${relaxedValue(signature.value.replace(/(;\s*b=)[^;]*/, '$1'))}`
  const publicKey = createPublicKey({ key: Buffer.from(key.publicKey, 'base64'), format: 'der', type: 'spki' })
  return createVerify('RSA-SHA256')
    .update(lines.join('') + own, 'latin1')
    .verify(publicKey, tag('b'), 'base64')
    ? signed
    : 'the signature is wrong'
}
