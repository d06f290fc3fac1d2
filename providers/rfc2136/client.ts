/**
 * DNS over TCP as a client has it: a few connections, many questions on each at once, told apart by message ids (RFC 7766
 * section 6.2.1.1). It carries octets and judges none: whether an answer is to be believed is `session.ts`'s affair.
 * Everything ends after a time, and a connection on which something did not is used for nothing new.
 */
import { randomInt } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { assert } from '../../agent/core/assert.ts'
import { messageOctetsMax } from '../../agent/standards/dns-message.ts'
import { ProviderFailure } from '../provider.ts'

/** A server works at the questions of one connection on one processor; BIND writes a journal to the disk meanwhile. */
const connectionsUsual = 4
const pendingMax = 1_024 // far below the ids there are; a server that leaves so many unanswered answers nothing

/** `lost`: it may have reached the server and done its work there. `not-sent`: it has not. */
export type Asked =
  | { readonly result: 'answered' }
  | { readonly result: 'not-sent' | 'lost'; readonly failure: ProviderFailure }

export type Question = {
  readonly build: (id: number) => Buffer
  /** Takes each message with the question's id, in the order in which they come. */
  readonly take: (message: Buffer) => 'more' | 'done'
  /** From one message to the next. */
  readonly idleMs: number
  /** From the question to its last message. */
  readonly totalMs: number
}

type Pending = { readonly question: Question; readonly settle: (asked: Asked) => void; timers: NodeJS.Timeout[] }

export type Address = { readonly host: string; readonly port: number }

/** `host:port`, an IPv6 address in brackets. */
export function parseAddress(text: string): Address | undefined {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+)):(\d{1,5})$/i.exec(text)
  const port = Number(parts?.[3])
  const host = parts?.[1] ?? parts?.[2]
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port }
}

/** A connection that is made when it is needed, and again after its end. */
type Place = { asking: number; current?: Connection; dialing?: Promise<Connection> | undefined }

export class DnsClient {
  readonly #address: Address
  readonly #connectMs: number
  readonly #places: Place[]
  readonly #open = new Set<Connection>()
  #closed = false

  constructor(address: Address, connectMs: number, connections = connectionsUsual) {
    this.#address = address
    this.#connectMs = connectMs
    this.#places = Array.from({ length: connections }, () => ({ asking: 0 }))
  }

  async ask(question: Question): Promise<Asked> {
    // The first that nobody waits at: one question after the other needs one connection.
    const place = this.#places.reduce((least, other) => (other.asking < least.asking ? other : least))
    place.asking += 1
    try {
      return await (await this.#connect(place)).ask(question)
    } catch (error) {
      if (error instanceof ProviderFailure) return { result: 'not-sent', failure: error }
      throw error
    } finally {
      place.asking -= 1
    }
  }

  close(): void {
    this.#closed = true
    for (const connection of this.#open) connection.end('the connection was given up')
  }

  async #connect(place: Place): Promise<Connection> {
    if (this.#closed) throw new ProviderFailure('unreachable', 'the provider is closed', { retry: 'never' })
    if (place.current?.usable === true) return place.current
    place.dialing ??= this.#dial(place).finally(() => {
      place.dialing = undefined
    })
    return place.dialing
  }

  async #dial(place: Place): Promise<Connection> {
    const { host, port } = this.#address
    const socket = connect({ host, port, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      const fail = (kind: 'unreachable' | 'timeout', cause?: unknown) => {
        clearTimeout(timer)
        socket.destroy()
        const why = kind === 'timeout' ? 'takes no connection in time' : 'cannot be reached'
        reject(new ProviderFailure(kind, `the name server ${host}:${port} ${why}`, { retry: 'later', cause }))
      }
      const timer = setTimeout(() => fail('timeout'), this.#connectMs)
      socket.once('error', error => fail('unreachable', error))
      socket.once('connect', () => {
        clearTimeout(timer)
        resolve()
      })
    })
    const connection = new Connection(socket, `${host}:${port}`, () => this.#open.delete(connection))
    this.#open.add(connection)
    place.current = connection
    if (this.#closed) connection.end('the connection was given up')
    return connection
  }
}

class Connection {
  readonly #socket: Socket
  readonly #server: string
  readonly #pending = new Map<number, Pending>()
  readonly #onEnd: () => void
  #rest: Buffer = Buffer.alloc(0)
  #nextId = randomInt(0x1_0000)
  #ended = false
  #draining = false

  constructor(socket: Socket, server: string, onEnd: () => void) {
    this.#socket = socket
    this.#server = server
    this.#onEnd = onEnd
    socket.on('data', chunk => this.#read(chunk))
    socket.on('error', error => this.end(`the connection to ${server} broke`, error))
    socket.on('close', () => this.end(`${server} closed the connection`))
  }

  get usable(): boolean {
    return !this.#ended && !this.#draining && this.#pending.size < pendingMax
  }

  ask(question: Question): Promise<Asked> {
    if (this.#ended) {
      const failure = new ProviderFailure('unreachable', `${this.#server} closed the connection`, { retry: 'later' })
      return Promise.resolve({ result: 'not-sent', failure })
    }
    const id = this.#drawId()
    const octets = question.build(id)
    assert(octets.length <= messageOctetsMax, 'a DNS message ends at 65,535 octets')
    return new Promise(settle => {
      const pending: Pending = { question, settle, timers: [] }
      this.#pending.set(id, pending)
      this.#startTimers(id, pending)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(octets.length)
      this.#socket.write(Buffer.concat([length, octets]))
    })
  }

  end(why: string, cause?: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.destroy()
    this.#onEnd()
    const failure = new ProviderFailure('unreachable', why, { retry: 'later', cause })
    for (const id of [...this.#pending.keys()]) this.#settle(id, { result: 'lost', failure })
  }

  /** An id that waits for an answer is never given twice: the answers could not be told apart. */
  #drawId(): number {
    while (this.#pending.has(this.#nextId)) this.#nextId = (this.#nextId + 1) & 0xffff
    const id = this.#nextId
    this.#nextId = (id + 1) & 0xffff
    return id
  }

  #startTimers(id: number, { question, timers }: Pending): void {
    timers[0] = setTimeout(() => this.#giveUp(id), question.idleMs)
    timers[1] ??= setTimeout(() => this.#giveUp(id), question.totalMs)
  }

  #giveUp(id: number): void {
    const failure = new ProviderFailure('timeout', `${this.#server} does not answer in time`, { retry: 'later' })
    this.#settle(id, { result: 'lost', failure })
    // Its answer may still come; on a new connection it cannot be taken for another question's.
    this.#draining = true
    if (this.#pending.size === 0) this.end('nothing waits on it any more')
  }

  #settle(id: number, asked: Asked): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#pending.delete(id)
    for (const timer of pending.timers) clearTimeout(timer)
    pending.settle(asked)
    if (this.#draining && this.#pending.size === 0) this.end('nothing waits on it any more')
  }

  #read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 2) {
      const end = 2 + this.#rest.readUInt16BE(0)
      if (this.#rest.length < end) return
      const message = this.#rest.subarray(2, end)
      this.#rest = this.#rest.subarray(end)
      this.#deliver(message)
    }
  }

  #deliver(message: Buffer): void {
    const id = message.length < 2 ? -1 : message.readUInt16BE(0)
    const pending = this.#pending.get(id)
    // Nobody waits for it: an answer that came after its time, or twice.
    if (pending === undefined) return
    if (pending.question.take(message) === 'done') {
      this.#settle(id, { result: 'answered' })
      return
    }
    clearTimeout(pending.timers[0])
    this.#startTimers(id, pending)
  }
}
