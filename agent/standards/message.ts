/**
 * A plain message with one recipient (RFC 5322, RFC 2045, RFC 2047, RFC 3834): UTF-8 text in base64. Headers hold only
 * addresses of our own grammar and encoded words, so nothing in a name or subject can add one (K15, T13). The same
 * letter gives the same octets, so that a repeat is recognisable. No I/O.
 */
import { type Address, domainOf } from '../model/name.ts'

export type PlainMessage = {
  /** Stands in the Message-ID: `n0-director`. */
  readonly id: string
  readonly from: Address
  readonly to: Address
  /** Shown beside the address; may be empty. */
  readonly toName: string
  readonly subject: string
  readonly text: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** An id that is safe as the left side of a Message-ID and as a file name. */
export function isMessageId(id: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$/.test(id)
}

/** RFC 2047 section 2: an encoded word has at most 75 characters; 39 octets make 52 of base64. */
const encodedOctetsMax = 39

/** RFC 5322 section 2.1.1: a line has at most 998 characters, the name of the field included. */
const plainCharactersMax = 900

/** What begins like an encoded word is encoded itself: a reader shall show it as it was written. */
function isPlain(text: string): boolean {
  return /^[\u0020-\u007e]*$/.test(text) && !text.includes('=?') && text.length <= plainCharactersMax
}

function encodeWords(text: string): string {
  const words: string[] = []
  let part = ''
  for (const character of text) {
    if (Buffer.byteLength(part + character) > encodedOctetsMax) {
      words.push(part)
      part = ''
    }
    part += character
  }
  words.push(part)
  return words.map(word => `=?UTF-8?B?${Buffer.from(word).toString('base64')}?=`).join('\r\n ')
}

/** RFC 5322 section 3.3, in UTC. */
function formatDate(at: number): string {
  return new Date(at).toUTCString().replace('GMT', '+0000')
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must go
  return text.replace(/[\u0000-\u001f\u007f]/g, ' ')
}

function formatSubject(subject: string): string {
  const text = oneLine(subject)
  return isPlain(text) ? text : encodeWords(text)
}

const wordsOfAtoms = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/
/** With an address beside it the line stays readable; a longer name is folded as encoded words are. */
const nameCharactersMax = 78

/** RFC 5322 section 3.4. Whatever is more than words of plain atoms is encoded, so that nothing needs quoting. */
function formatMailbox(name: string, address: Address): string {
  const text = oneLine(name).trim()
  if (text === '') return `<${address}>`
  const atoms = text.length <= nameCharactersMax && !text.includes('=?') && wordsOfAtoms.test(text)
  // Folded before the address: a line stays below 998 characters whatever the name.
  return atoms ? `${text} <${address}>` : `${encodeWords(text)}\r\n <${address}>`
}

export function formatPlainMessage(message: PlainMessage): string {
  const body = Buffer.from(message.text.replace(/\r?\n/g, '\r\n')).toString('base64').replace(/.{76}/g, '$&\r\n')
  return [
    `Date: ${formatDate(message.at)}`,
    `From: <${message.from}>`,
    `To: ${formatMailbox(message.toName, message.to)}`,
    `Subject: ${formatSubject(message.subject)}`,
    `Message-ID: <${message.id}@${domainOf(message.from)}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    body,
    '',
  ].join('\r\n')
}
