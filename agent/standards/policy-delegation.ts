/**
 * Postfix policy delegation (SMTPD_POLICY_README): lines `name=value`, an empty line ends the request; the answer is one
 * `action=` line and an empty one. The reader is incremental and bounded; whatever it doubts is `malformed`, and the
 * caller closes the connection. The formatter cannot write an action that permits or that acts on a whole message:
 * OK, PERMIT, RELAY, HOLD, DISCARD, FILTER, REDIRECT and an empty action have no form here. No I/O.
 */
import { assert } from '../core/assert.ts'
import { formatReply, type Refusal, toReplyText } from './smtp-reply.ts'

/** What decisions need of a request; empty when absent, which is how Postfix itself says "none". */
export type PolicyRequest = {
  /** `protocol_state` in upper case: CONNECT, EHLO, MAIL, RCPT, DATA, END-OF-MESSAGE, VRFY… */
  readonly state: string
  readonly clientAddress: string
  readonly sender: string
  readonly recipient: string
  /** `sasl_username`. */
  readonly login: string
  /** The same for all requests of one message. */
  readonly instance: string
}

/** 4 KB would be ample for what Postfix sends today; a certificate subject or a policy context may be long. */
export const valueLengthMax = 16_384
/** Longer than any attribute of Postfix 3.10 (`ccert_pubkey_fingerprint`) with room for what comes. */
export const nameLengthMax = 64
/** Postfix 3.10 sends 29. */
export const attributesMax = 100
/** Four long values and all the rest; what a slow or hostile client can make us keep. */
export const requestLengthMax = 65_536

const slots = ['state', 'clientAddress', 'sender', 'recipient', 'login', 'instance'] as const
const slotOfName: ReadonlyMap<string, number> = new Map([
  ['protocol_state', 0],
  ['client_address', 1],
  ['sender', 2],
  ['recipient', 3],
  ['sasl_username', 4],
  ['instance', 5],
  ['request', slots.length],
])
const requestSlot = slots.length
const requestKind = 'smtpd_access_policy'
const nameForm = /^[A-Za-z0-9_.-]+$/
const beyondAscii = /[\x80-\xff]/

/** An smtpd sends requests of one form; one for each state that it asks in would be plenty. */
const formsMax = 16

export interface RequestReader {
  /** Takes bytes as they came, read as Latin-1 so that a cut inside a UTF-8 sequence does no harm. */
  push(bytes: string): void
  /** The next whole request in order. After `malformed` the reader is of no further use. */
  next(): PolicyRequest | 'incomplete' | 'malformed'
  /** Characters of a request that has begun and not ended. */
  readonly pending: number
}

/**
 * The form of a whole request with the names of the last one, in their order: Postfix always sends the same ones, and one
 * pass of a compiled pattern costs a third of reading line by line. `slots`: where each group's value goes.
 */
type Form = { readonly pattern: RegExp; readonly slots: readonly number[] }

function formOf(names: readonly string[]): Form {
  const slots = names.map(name => slotOfName.get(name) ?? -1).filter(slot => slot >= 0 && slot !== requestSlot)
  const lines = names.map(name => {
    const slot = slotOfName.get(name) ?? -1
    const value = slot === requestSlot ? requestKind : slot >= 0 ? '([^\\n]*)' : '[^\\n]*'
    return `${name.replaceAll('.', '\\.')}=${value}\\n`
  })
  return { pattern: new RegExp(`${lines.join('')}\\n`, 'y'), slots }
}

export function createRequestReader(): RequestReader {
  let text = ''
  let start = 0
  /** Where the search for the end goes on, so that a request in many pieces is not searched again and again. */
  let searchFrom = 0
  /** Something was pushed that may hold what no request may hold. */
  let suspect = false
  let form: Form | undefined
  /** Names of the last request that was read line by line. */
  let lastNames = ''
  let forms = 0
  const values: string[] = slots.map(() => '')

  /** True when it was one of the same form; then it is read. A value can't be too long where the whole is not. */
  function readAsLastTime(): boolean {
    if (form === undefined || suspect) return false
    const { pattern, slots: order } = form
    pattern.lastIndex = start
    const groups = pattern.exec(text)
    if (groups === null || pattern.lastIndex - start > valueLengthMax) return false
    for (let group = 0; group < order.length; group += 1) values[order[group]!] = groups[group + 1]!
    start = pattern.lastIndex
    searchFrom = 0
    return true
  }

  function readAnew(end: number): boolean {
    const seen = new Set<string>()
    values.fill('', 0, requestSlot + 1)
    for (let at = start; at <= end; ) {
      const lineEnd = text.indexOf('\n', at)
      const equals = text.indexOf('=', at)
      if (equals < 0 || equals >= lineEnd || equals - at > nameLengthMax) return false
      const name = text.slice(at, equals)
      // Two values for one name: whichever we took, the other side may have meant the other.
      if (!nameForm.test(name) || seen.has(name) || seen.size >= attributesMax) return false
      if (lineEnd - equals - 1 > valueLengthMax) return false
      seen.add(name)
      const slot = slotOfName.get(name) ?? -1
      if (slot >= 0) values[slot] = text.slice(equals + 1, lineEnd)
      at = lineEnd + 1
    }
    if (values[requestSlot] !== requestKind) return false
    // A pattern is made for names that come again, and not for ever new ones: making it costs more than reading.
    const names = [...seen].join('=')
    if (names === lastNames && forms < formsMax) {
      form = formOf([...seen])
      forms += 1
    }
    lastNames = names
    start = end + 2
    searchFrom = 0
    return true
  }

  function isPartTooLong(): boolean {
    if (text.length - start > requestLengthMax) return true
    const lineStart = Math.max(text.lastIndexOf('\n') + 1, start)
    return text.length - lineStart > nameLengthMax + 1 + valueLengthMax
  }

  function keepRest(): void {
    // A copy: a slice would keep the whole chunk that it was cut from in memory.
    if (start > 0) text = start === text.length ? '' : Buffer.from(text.slice(start), 'latin1').toString('latin1')
    searchFrom = Math.max(0, text.length - 1)
    start = 0
  }

  return {
    push(bytes) {
      // NUL and CR have no place in a request; a client that ends lines with CRLF would shift every value by one.
      if (!suspect && (bytes.includes('\0') || bytes.includes('\r'))) suspect = true
      text = text === '' ? bytes : text + bytes
    },
    next() {
      if (start === text.length) {
        keepRest()
        return 'incomplete'
      }
      // One that comes in many pieces is not matched against the pattern with each of them.
      if (searchFrom === 0 && readAsLastTime()) return requestOf(values)
      // An empty line where a request should begin.
      if (text.charCodeAt(start) === 10) return 'malformed'
      const end = text.indexOf('\n\n', Math.max(start, searchFrom))
      if (suspect && holdsForbidden(text, start, end < 0 ? text.length : end)) return 'malformed'
      if (end < 0) {
        if (isPartTooLong()) return 'malformed'
        keepRest()
        return 'incomplete'
      }
      if (end - start > requestLengthMax) return 'malformed'
      return (searchFrom > 0 && readAsLastTime()) || readAnew(end) ? requestOf(values) : 'malformed'
    },
    get pending() {
      return text.length - start
    },
  }
}

function requestOf(values: readonly string[]): PolicyRequest {
  const [state = '', clientAddress = '', sender = '', recipient = '', login = '', instance = ''] = values
  // Who logged in mostly writes under the same address: one text for both is compared in no time.
  const who = decode(login)
  return {
    state: state.toUpperCase(),
    clientAddress,
    sender: sender === login ? who : decode(sender),
    recipient: decode(recipient),
    login: who,
    instance,
  }
}

function holdsForbidden(text: string, from: number, to: number): boolean {
  const part = text.slice(from, to)
  return part.includes('\0') || part.includes('\r')
}

/** Addresses are UTF-8 (RFC 6531). What is not becomes U+FFFD, which no address that is believed may contain. */
function decode(value: string): string {
  return beyondAscii.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value
}

export type Action =
  | { readonly kind: 'dunno' }
  | { readonly kind: 'defer'; readonly text: string }
  | { readonly kind: 'refuse'; readonly refusal: Refusal; readonly text: string }

declare const actionLineBrand: unique symbol
/** The text behind `action=`: DUNNO, DEFER with a text, 4xx or 5xx. Made by `formatAction` alone. */
export type ActionLine = string & { readonly [actionLineBrand]: true }

const actionForm = /^(?:DUNNO|DEFER [\x20-\x7e]+|[45]\d\d [45]\.\d{1,3}\.\d{1,3} [\x20-\x7e]+)$/

/** @throws BrokenInvariant rather than write an action of another form: Postfix takes an empty one for a permit. */
export function formatAction(action: Action): ActionLine {
  const line = lineOf(action)
  assert(actionForm.test(line), 'an action is DUNNO, DEFER, 4xx or 5xx')
  return line as ActionLine
}

function lineOf(action: Action): string {
  switch (action.kind) {
    case 'dunno':
      return 'DUNNO'
    case 'defer':
      return `DEFER ${toReplyText(action.text)}`
    case 'refuse':
      return formatReply(action.refusal, action.text)
  }
}

/** The whole answer. */
export function formatResponse(line: ActionLine): string {
  return `action=${line}\n\n`
}
