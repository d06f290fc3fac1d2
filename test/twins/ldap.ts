/**
 * A lying twin of slapd: a proxy before the real one that reads LDAP message by message and lets them through, holds,
 * cuts, repeats or changes them as a script says. The real server keeps the truth. What is no LDAP (TLS after StartTLS)
 * goes by in the pieces in which it comes. RFC 4511 section 5.1.
 */
import { connect, createServer, type Socket } from 'node:net'

export type Message = {
  readonly octets: Buffer
  /** -1 for octets that are no LDAP message. */
  readonly id: number
  readonly operation: number
}

/** What goes on instead of a message: other octets, and where it says so the end of the connection. */
export type Passage = readonly (Buffer | 'cut')[] | 'cut'

export type Script = {
  /** Turned away at the door: the connection ends before a word. Counted from 1 since the script was set. */
  readonly turnsAway?: (connection: number) => boolean
  readonly toServer?: (message: Message) => Passage | Promise<Passage>
  /** An answer that the server knows nothing of; undefined: it is asked. */
  readonly instead?: (request: Message) => Passage | undefined
  /** `request` is the one that this answers; undefined for what nobody asked. */
  readonly toClient?: (message: Message, request: Message | undefined) => Passage | Promise<Passage>
  /** Octets that go to the client at a time, each piece in a turn of its own; whole messages by default. */
  readonly pieces?: number
}

export type Twin = {
  readonly url: string
  script: Script
  /** Connections since the script was set, those turned away included. */
  connections: number
  close(): Promise<void>
}

export const operations = {
  bind: 0x60,
  search: 0x63,
  entry: 0x64,
  searchDone: 0x65,
  modify: 0x66,
  add: 0x68,
  remove: 0x4a,
  extended: 0x77,
  extendedDone: 0x78,
} as const
const writes: readonly number[] = [operations.modify, operations.add, operations.remove]
const endOf: Readonly<Record<number, number>> = { 96: 0x61, 99: 0x65, 102: 0x67, 104: 0x69, 74: 0x6b, 119: 0x78 }

export const isWrite = (message: Message | undefined): boolean => writes.includes(message?.operation ?? 0)
export const isSearch = (message: Message | undefined): boolean => message?.operation === operations.search
const pagedResults = '1.2.840.113556.1.4.319'
export const isPaged = (message: Message | undefined): boolean =>
  isSearch(message) && message?.octets.includes(pagedResults) === true
/** Of RFC 4528: a write of an entry that was looked at carries it, and no read does. */
export const assertionOid = '1.3.6.1.1.12'

// --- BER, as little as a lie needs ---

type Element = { readonly tag: number; readonly content: Buffer; readonly whole: Buffer }

function elementAt(octets: Buffer, at = 0): Element | undefined {
  const first = octets[at + 1]
  if (first === undefined) return undefined
  const more = first < 0x80 ? 0 : first & 0x7f
  if (octets.length < at + 2 + more) return undefined
  const length = more === 0 ? first : octets.readUIntBE(at + 2, more)
  const [start, end] = [at + 2 + more, at + 2 + more + length]
  if (octets.length < end) return undefined
  return { tag: octets[at] ?? 0, content: octets.subarray(start, end), whole: octets.subarray(at, end) }
}

function children(content: Buffer): Element[] {
  const found: Element[] = []
  for (let at = 0; at < content.length; ) {
    const element = elementAt(content, at)
    if (element === undefined) break
    found.push(element)
    at += element.whole.length
  }
  return found
}

function element(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const header = Buffer.alloc(6)
  header[0] = tag
  header[1] = 0x84
  header.writeUInt32BE(content.length, 2)
  return Buffer.concat([header, content])
}

const integer = (value: number, tag = 0x02) => {
  const content = Buffer.alloc(4)
  content.writeInt32BE(value)
  return element(tag, content)
}
const text = (value: string) => element(0x04, Buffer.from(value))

function partsOf({ octets }: Message): { readonly id: Buffer; readonly operation: Element; readonly rest: Buffer[] } {
  const [id, operation, ...rest] = children(elementAt(octets)?.content ?? Buffer.alloc(0))
  if (id === undefined || operation === undefined) throw new Error('no LDAP message')
  return { id: id.whole, operation, rest: rest.map(({ whole }) => whole) }
}

// --- lies ---

/** The end of a request with this result and nothing else: no entry, no cookie. */
export function resultFor(request: Message, code: number, ...more: readonly Buffer[]): Buffer {
  const body = element(endOf[request.operation] ?? 0x65, integer(code, 0x0a), text(''), text(''), ...more)
  return element(0x30, integer(request.id), body)
}

/** RFC 4511 section 4.1.10: somebody else knows. */
export function referralFor(request: Message, url: string): Buffer {
  return resultFor(request, 10, element(0xa3, text(url)))
}

export function withId(message: Message, id: number): Buffer {
  const { operation, rest } = partsOf(message)
  return element(0x30, integer(id), operation.whole, ...rest)
}

/** Without the cookie, so that a page looks like the last one of a server that does not know pages. */
export function withoutControls(message: Message): Buffer {
  const { id, operation } = partsOf(message)
  return element(0x30, id, operation.whole)
}

/** The last page: a cookie of no octets. */
export function asLastPage(message: Message): Buffer {
  return withCookie(message, Buffer.alloc(0))
}

/** Of an answer, or of a request for a page of so many. */
export function withCookie(message: Message, cookie: Buffer, size = 0): Buffer {
  const { id, operation } = partsOf(message)
  const value = element(0x04, element(0x30, integer(size), element(0x04, cookie)))
  return element(0x30, id, operation.whole, element(0xa0, element(0x30, text(pagedResults), value)))
}

/** Undefined where there is no cookie, or an empty one. */
export function cookieOf(message: Message): Buffer | undefined {
  for (const control of partsOf(message).rest.flatMap(rest => children(elementAt(rest)?.content ?? Buffer.alloc(0)))) {
    const value = children(control.content).at(-1)
    const cookie = children(elementAt(value?.content ?? Buffer.alloc(0))?.content ?? Buffer.alloc(0))[1]?.content
    if (cookie !== undefined && cookie.length > 0) return cookie
  }
  return undefined
}

export function dnOf(message: Message): string {
  return children(partsOf(message).operation.content)[0]?.content.toString() ?? ''
}

export function withoutAttribute(message: Message, name: string): Buffer {
  const { id, operation, rest } = partsOf(message)
  const [dn, attributes] = children(operation.content)
  const left = children(attributes?.content ?? Buffer.alloc(0)).filter(
    attribute => children(attribute.content)[0]?.content.toString() !== name,
  )
  const list = element(0x30, ...left.map(({ whole }) => whole))
  return element(0x30, id, element(operation.tag, dn?.whole ?? Buffer.alloc(0), list), ...rest)
}

/** RFC 4511 section 4.4.1. */
export function noticeOfDisconnection(): Buffer {
  const oid = element(0x8a, Buffer.from('1.3.6.1.4.1.1466.20036'))
  return element(0x30, integer(0), element(operations.extendedDone, integer(52, 0x0a), text(''), text('bye'), oid))
}

/** A message whose operation nobody knows, under an id that was not used. */
export function unknownMessage(): Buffer {
  return element(0x30, integer(0x7ffffff0), element(0x79, text('?')))
}

// --- the proxy ---

function toMessage(octets: Buffer): Message {
  const [id, operation] = children(elementAt(octets)?.content ?? Buffer.alloc(0))
  return { octets, id: id?.content.readIntBE(0, id.content.length) ?? -1, operation: operation?.tag ?? 0 }
}

/** Passes whole messages on, in their order. */
function relay(from: Socket, pass: (message: Message) => Promise<void>): void {
  let held: Buffer = Buffer.alloc(0)
  let turn = Promise.resolve()
  const go = (message: Message) => {
    turn = turn.then(() => pass(message))
  }
  from.on('data', chunk => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    while (held.length > 0) {
      if (held[0] !== 0x30) {
        go({ octets: held, id: -1, operation: 0 })
        held = Buffer.alloc(0)
        return
      }
      const whole = elementAt(held)?.whole
      if (whole === undefined) return
      held = held.subarray(whole.length)
      go(toMessage(Buffer.from(whole)))
    }
  })
}

async function writeIn(socket: Socket, octets: Buffer, pieces: number): Promise<void> {
  for (let at = 0; at < octets.length && !socket.destroyed; at += pieces)
    await new Promise(resolve => socket.write(octets.subarray(at, at + pieces), resolve))
}

export async function startTwin(target: string): Promise<Twin> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let script: Script = {}
  const server = createServer({ noDelay: true }, client => {
    twin.connections += 1
    if (script.turnsAway?.(twin.connections) === true) {
      client.on('error', () => {}).resetAndDestroy()
      return
    }
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true })
    const requests = new Map<number, Message>()
    const cut = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', cut)
      socket.on('close', () => {
        sockets.delete(socket)
        cut()
      })
    }
    const go = async (to: Socket, passage: Passage, pieces = Number.POSITIVE_INFINITY) => {
      for (const octets of passage === 'cut' ? [passage] : passage)
        if (octets === 'cut') cut()
        else await writeIn(to, octets, pieces)
    }
    relay(client, async message => {
      requests.set(message.id, message)
      const instead = script.instead?.(message)
      if (instead !== undefined) return go(client, instead, script.pieces)
      return go(upstream, (await script.toServer?.(message)) ?? [message.octets])
    })
    relay(upstream, async message => {
      const passage = (await script.toClient?.(message, requests.get(message.id))) ?? [message.octets]
      await go(client, passage, script.pieces)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const twin: Twin = {
    url: `ldap://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    connections: 0,
    get script() {
      return script
    },
    set script(next) {
      script = next
      twin.connections = 0
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return twin
}
