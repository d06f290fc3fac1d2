/**
 * What slapd sends, read strictly: whole messages out of a stream, and each message's every octet accounted for.
 * ldapts, whose requests we send, takes a result without a code for success, a length beyond the message for an endless
 * value, and drops what stands beside a message that it cannot read. Here a message is what the standard says or it is
 * nothing, and then the connection it came on is at its end. Pure. RFC 4511 section 5.1 (definite lengths only),
 * RFC 2696 (paging).
 */

export type Answer = {
  /** Of the request; 0 for what nobody asked for. */
  readonly id: number
  readonly body: AnswerBody
}

export type AnswerBody =
  | { readonly kind: 'entry'; readonly dn: string; readonly values: ReadonlyMap<string, readonly string[]> }
  | { readonly kind: 'reference'; readonly urls: readonly string[] }
  | {
      readonly kind: 'result'
      /** Tag of the response: which kind of request it ends. */
      readonly tag: number
      readonly code: number
      readonly text: string
      /** Of the paged results control; empty on the last page, undefined where the server did not say. */
      readonly cookie: Buffer | undefined
    }

/** Far beyond any entry that is asked for; a length beyond it is noise read as a length. */
const messageBytesMax = 16 * 1024 * 1024
const headerBytesMax = 6

const tags = {
  integer: 0x02,
  octets: 0x04,
  enumerated: 0x0a,
  sequence: 0x30,
  set: 0x31,
  entry: 0x64,
  reference: 0x73,
  controls: 0xa0,
} as const

/** Bind, search, modify, add, delete, rename, compare, extended. */
const resultTags: readonly number[] = [0x61, 0x65, 0x67, 0x69, 0x6b, 0x6d, 0x6f, 0x78]

const pagedResults = '1.2.840.113556.1.4.319'

// --- messages out of a stream ---

export type Frames = {
  /** The messages that these octets complete; undefined when what comes is no message. */
  readonly take: (octets: Buffer) => Buffer[] | undefined
  /** Nothing is left over. */
  readonly isEmpty: () => boolean
}

export function createFrames(): Frames {
  let parts: Buffer[] = []
  let held = 0
  let wanted = 0
  return {
    take(octets) {
      parts.push(octets)
      held += octets.length
      const messages: Buffer[] = []
      // Joined only when a message is whole, so that a thousand small pieces cost no more than one large.
      while (held > 0 && held >= wanted) {
        const joined = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, held)
        const length = wanted > 0 ? wanted : messageLength(joined)
        parts = [joined]
        if (length === 'malformed') return undefined
        if (length === 'short') return messages
        wanted = length
        if (held < wanted) return messages
        messages.push(joined.subarray(0, wanted))
        held -= wanted
        parts = held === 0 ? [] : [joined.subarray(wanted)]
        wanted = 0
      }
      return messages
    },
    isEmpty: () => held === 0,
  }
}

function messageLength(octets: Buffer): number | 'short' | 'malformed' {
  if (octets[0] !== tags.sequence) return 'malformed'
  const first = octets[1]
  if (first === undefined) return 'short'
  const more = first < 0x80 ? 0 : first - 0x80
  if (first === 0x80 || more > headerBytesMax - 2) return 'malformed'
  if (octets.length < 2 + more) return 'short'
  const length = 2 + more + (more === 0 ? first : octets.readUIntBE(2, more))
  return length > messageBytesMax ? 'malformed' : length
}

// --- one message ---

type Element = { readonly tag: number; readonly start: number; readonly end: number }

/** @returns undefined when any octet of it is not as the standard has it. */
export function parseAnswer(message: Buffer): Answer | undefined {
  const whole = elementAt(message, 0, message.length)
  const parts = whole?.tag === tags.sequence && whole.end === message.length ? childrenOf(message, whole) : undefined
  const [first, operation, controls] = parts ?? []
  if (first === undefined || operation === undefined || (parts ?? []).length > 3) return undefined
  const id = first.tag === tags.integer ? integerOf(message, first) : undefined
  if (id === undefined || (controls !== undefined && controls.tag !== tags.controls)) return undefined
  const body = toBody(message, operation, controls)
  return body === undefined ? undefined : { id, body }
}

function toBody(message: Buffer, operation: Element, controls: Element | undefined): AnswerBody | undefined {
  const parts = childrenOf(message, operation)
  if (parts === undefined) return undefined
  if (operation.tag === tags.entry) return toEntry(message, parts)
  if (operation.tag === tags.reference) {
    const urls = stringsOf(message, parts)
    return urls === undefined || urls.length === 0 ? undefined : { kind: 'reference', urls }
  }
  if (!resultTags.includes(operation.tag)) return undefined
  const [code, matched, text] = parts
  if (code?.tag !== tags.enumerated || matched?.tag !== tags.octets || text?.tag !== tags.octets) return undefined
  const value = integerOf(message, code)
  const cookie = controls === undefined ? undefined : cookieIn(message, controls)
  if (value === undefined || cookie === 'malformed') return undefined
  return { kind: 'result', tag: operation.tag, code: value, text: textOf(message, text), cookie }
}

function toEntry(message: Buffer, [name, list, ...rest]: readonly Element[]): AnswerBody | undefined {
  if (name?.tag !== tags.octets || list?.tag !== tags.sequence || rest.length > 0) return undefined
  const values = new Map<string, readonly string[]>()
  for (const attribute of childrenOf(message, list) ?? [undefined]) {
    const [type, set, ...more] = attribute?.tag === tags.sequence ? (childrenOf(message, attribute) ?? []) : []
    if (type?.tag !== tags.octets || set?.tag !== tags.set || more.length > 0) return undefined
    const found = stringsOf(message, childrenOf(message, set))
    if (found === undefined) return undefined
    values.set(textOf(message, type), found)
  }
  return { kind: 'entry', dn: textOf(message, name), values }
}

function cookieIn(message: Buffer, controls: Element): Buffer | 'malformed' | undefined {
  for (const control of childrenOf(message, controls) ?? [undefined]) {
    const parts = control?.tag === tags.sequence ? childrenOf(message, control) : undefined
    const [type] = parts ?? []
    if (type?.tag !== tags.octets) return 'malformed'
    if (textOf(message, type) !== pagedResults) continue
    const value = parts?.find(({ tag }, index) => index > 0 && tag === tags.octets)
    const inner = value === undefined ? undefined : elementAt(message, value.start, value.end)
    const [size, cookie] = inner?.tag === tags.sequence ? (childrenOf(message, inner) ?? []) : []
    if (size?.tag !== tags.integer || cookie?.tag !== tags.octets) return 'malformed'
    return Buffer.from(message.subarray(cookie.start, cookie.end))
  }
  return undefined
}

function elementAt(octets: Buffer, at: number, end: number): Element | undefined {
  const tag = octets[at]
  const first = octets[at + 1]
  if (tag === undefined || first === undefined || at + 2 > end) return undefined
  if (first < 0x80) return at + 2 + first > end ? undefined : { tag, start: at + 2, end: at + 2 + first }
  const more = first - 0x80
  if (more === 0 || more > 4 || at + 2 + more > end) return undefined
  const start = at + 2 + more
  const length = octets.readUIntBE(at + 2, more)
  return start + length > end ? undefined : { tag, start, end: start + length }
}

/** What stands in an element; undefined unless it fills it to the last octet. */
function childrenOf(octets: Buffer, { start, end }: Element): Element[] | undefined {
  const children: Element[] = []
  for (let at = start; at < end; ) {
    const child = elementAt(octets, at, end)
    if (child === undefined) return undefined
    children.push(child)
    at = child.end
  }
  return children
}

function integerOf(octets: Buffer, { start, end }: Element): number | undefined {
  const length = end - start
  if (length < 1 || length > 4) return undefined
  const value = octets.readIntBE(start, length)
  return value < 0 ? undefined : value
}

function textOf(octets: Buffer, { start, end }: Element): string {
  return octets.toString('utf8', start, end)
}

function stringsOf(octets: Buffer, elements: readonly Element[] | undefined): string[] | undefined {
  if (elements === undefined || elements.some(({ tag }) => tag !== tags.octets)) return undefined
  return elements.map(element => textOf(octets, element))
}
