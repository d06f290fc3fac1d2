/**
 * The policy service: owns the sockets that Postfix asks through (contract section 5, ADR 6). Answers strictly in order;
 * in doubt it hangs up, and Postfix defers. It never answers from a snapshot that is not verified, never for a
 * neighbour, never late, and never closes a quiet connection that Postfix still counts on.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Clock } from '../core/clock.ts'
import {
  createRequestReader,
  formatResponse,
  type PolicyRequest,
  requestLengthMax,
} from '../standards/policy-delegation.ts'
import {
  type Connection,
  type Connections,
  connectionsMax,
  connectionsPerAddressMax,
  createConnections,
} from './connections.ts'
import { createCounters, type PolicyCounters } from './counters.ts'
import { type Decision, decide } from './decide.ts'
import { inheritedSockets } from './inherited.ts'
import { formatAddress, listenOn, listenOnDescriptor, parseListenAddress } from './listen.ts'
import { createPace, lateMs, type Pace } from './pace.ts'
import { type PolicyListener, type Snapshot, withModes } from './snapshot.ts'
import { readInto } from './socket.ts'
import { type Counted, createUsage, type Usage } from './usage.ts'

/** Postfix writes a request at once; a piece that waits longer is a dead client or one that means to hold us up. */
export const partialMs = 60_000
/** Postfix closes after 300 s idle and 1,000 s of life at most, and each closing by us costs a mail session a second. */
export const idleMs = 3_600_000
/** Answers that nobody takes: Postfix reads them within its own time-out of 100 s or gives the connection up. */
export const unreadMs = 120_000
const sweepMs = 5_000
/** After our last answer a peer may take this long to close; then its connection is cut. */
const lingerMs = 1_000
/** A clock is cheap but not free; this many decisions take well under a millisecond. */
const decisionsPerLook = 64

export type PolicyServerOptions = {
  readonly clock: Clock
  readonly usage?: Usage
  /** Told of every decision that refuses or that a policy in `observe` would refuse. It must be quick; what it throws is counted. */
  readonly onDecision?: (decision: Decision, request: PolicyRequest) => void
  /** Told what was counted of a login that may write; as quick, and read at once. */
  readonly onCounted?: (login: string, counted: Counted) => void
  /** Called before questions are answered, and may `swap`. */
  readonly beforeAnswer?: () => void
  /** Told of what a policy threw; the connection is closed all the same. */
  readonly onThrown?: (error: unknown) => void
  readonly limits?: { readonly max: number; readonly perAddressMax: number }
  /** For tests that need one that throws, or takes its time. */
  readonly decide?: typeof decide
  /** Milliseconds of a clock that is never set; for tests. */
  readonly monotonic?: () => number
}

export class PolicyServer {
  readonly counters: PolicyCounters = createCounters()
  readonly #options: PolicyServerOptions
  readonly #usage: Usage
  readonly #decide: typeof decide
  readonly #monotonic: () => number
  readonly #connections: Connections
  readonly #pace: Pace
  readonly #sweeper: NodeJS.Timeout
  readonly #servers: Server[] = []
  readonly #listeners: ListenerTables[] = []
  #snapshot: Snapshot | null = null
  #waiting: Waiting[] = []

  constructor(options: PolicyServerOptions) {
    this.#options = options
    this.#usage = options.usage ?? createUsage()
    this.#decide = options.decide ?? decide
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#connections = createConnections(
      options.limits ?? { max: connectionsMax, perAddressMax: connectionsPerAddressMax },
    )
    this.#pace = createPace(this.#monotonic)
    this.#sweeper = setInterval(() => this.sweep(), sweepMs)
    this.#sweeper.unref()
  }

  /** The tables to decide by from now on. With null, every question is answered by hanging up. */
  swap(snapshot: Snapshot | null): void {
    this.#snapshot = snapshot
    for (const listener of this.#listeners) listener.snapshot = tablesFor(listener, snapshot)
  }

  get snapshot(): Snapshot | null {
    return this.#snapshot
  }

  get connections(): number {
    return this.#connections.size
  }

  /** As they are listened on, with real ports. */
  get addresses(): readonly string[] {
    return this.#servers.map(formatAddress)
  }

  /** @throws when one of them cannot be listened on; those before it stay open until `close`. */
  async listen(listeners: readonly PolicyListener[]): Promise<void> {
    for (const { on, modes } of listeners) {
      const address = parseListenAddress(on)
      if (address === undefined) throw new Error(`${on} is neither host:port, unix:PATH nor systemd:NAME`)
      const listener: ListenerTables = { modes, snapshot: null }
      listener.snapshot = tablesFor(listener, this.#snapshot)
      this.#listeners.push(listener)
      const create = () =>
        createServer({ noDelay: true, keepAlive: true, pauseOnConnect: true }, socket => this.#accept(socket, listener))
      const open = async (work: (server: Server) => Promise<void>) => {
        const server = create()
        await work(server)
        this.#servers.push(server)
      }
      if (address.kind !== 'systemd') await open(server => listenOn(server, address))
      else {
        const descriptors = inheritedSockets(process.env, process).get(address.name) ?? []
        if (descriptors.length === 0) throw new Error(`${on}: nobody passed a socket of this name on to this process`)
        for (const fd of descriptors) await open(server => listenOnDescriptor(server, fd))
      }
    }
  }

  /** Takes no more connections, ends those that there are after what they were answered, and resolves when all are gone. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper)
    this.#pace.stop()
    this.#answerAll()
    const closed = this.#servers.map(server => new Promise(resolve => server.close(resolve)))
    const open = [...this.#connections]
    // A server counts a socket as gone a moment before the socket itself says so.
    const gone = open.map(({ socket }) => new Promise(resolve => socket.once('close', resolve)))
    for (const connection of open) if (!connection.closing) this.#hangUp(connection, '')
    await Promise.all([...closed, ...gone])
  }

  /** Ends what has waited too long. Called by a timer; public so that a test can give the time. */
  sweep(now: number = this.#monotonic()): void {
    for (const connection of [...this.#connections]) {
      const { partialSince, lastAt, closing, socket } = connection
      if (closing) continue
      if (socket.writableLength > 0 && now - lastAt > unreadMs) {
        this.counters.unread += 1
        socket.destroy()
      } else if (partialSince !== undefined && now - partialSince > partialMs) {
        this.counters.stalePartial += 1
        this.#hangUp(connection, '')
      } else if (now - lastAt > idleMs) {
        this.counters.idle += 1
        this.#hangUp(connection, '')
      }
    }
  }

  #accept(accepted: Socket, listener: ListenerTables): void {
    const address = accepted.remoteAddress ?? 'unix'
    const socket = readInto(accepted, text => {
      if (connection.closing) return
      connection.reader.push(text)
      this.#arrived(connection, listener)
    })
    const connection: Connection = {
      socket,
      address,
      reader: createRequestReader(),
      lastAt: this.#monotonic(),
      partialSince: undefined,
      pending: 0,
      asked: false,
      closing: false,
      waiting: false,
    }
    // A peer that goes away between requests, or resets, is nothing to tell.
    socket.on('error', () => socket.destroy())
    if (!this.#connections.admit(connection)) {
      this.counters.turnedAway += 1
      socket.destroy()
      return
    }
    this.counters.accepted += 1
    socket.on('close', () => this.#connections.remove(connection))
    socket.on('drain', () => this.#resume(connection))
    socket.resume()
  }

  /**
   * Questions are answered when all that came in this turn of the loop are read: judged one after the other, then written
   * one after the other, a dozen cost a tenth less than each by itself.
   */
  #arrived(connection: Connection, listener: ListenerTables): void {
    const now = this.#monotonic()
    connection.lastAt = now
    if (!connection.waiting) {
      connection.waiting = true
      this.#waiting.push({ connection, listener, at: now, isLate: this.#pace.isLate(now) })
      if (this.#waiting.length === 1) setImmediate(this.#answerAll)
    }
    // Nobody makes us keep more than the longest request; and after a full buffer the end may come in the same turn.
    if (connection.reader.pending >= requestLengthMax) this.#answerAll()
  }

  readonly #answerAll = (): void => {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    this.#options.beforeAnswer?.()
    const at = this.#options.clock.now()
    const answered: { readonly connection: Connection; readonly answers: string; readonly startedAt: number }[] = []
    for (const one of waiting) {
      const { connection } = one
      connection.waiting = false
      if (connection.closing) continue
      const answers = this.#answer(one, at)
      if (answers !== undefined) answered.push({ connection, answers, startedAt: one.at })
    }
    for (const { connection, answers, startedAt } of answered) this.#finish(connection, answers, startedAt)
  }

  /** The answers to every whole request that is there; undefined where it was closed instead. */
  #answer({ connection, listener, at: now, isLate }: Waiting, at: number): string | undefined {
    const { snapshot } = listener
    if (snapshot === null) {
      this.#refuse(connection, 'unverified', '')
      return
    }
    if (isLate) {
      this.#refuse(connection, 'late', '')
      return
    }
    let answers = ''
    for (let decided = 1; ; decided += 1) {
      const request = connection.reader.next()
      if (request === 'incomplete') break
      if (request === 'malformed') {
        this.#refuse(connection, 'malformed', answers)
        return
      }
      const answer = this.#judge(snapshot, request, at)
      if (answer === undefined) {
        this.#refuse(connection, 'thrown', answers)
        return
      }
      answers += answer
      // Late is late for all that were read together: none has left yet.
      if (decided % decisionsPerLook === 0 && this.#monotonic() - now > lateMs) {
        this.#refuse(connection, 'late', '')
        return
      }
    }
    return answers
  }

  #finish(connection: Connection, answers: string, startedAt: number): void {
    const { socket, reader } = connection
    const { pending } = reader
    if (pending === 0) connection.partialSince = undefined
    else if (answers !== '' || connection.partialSince === undefined) connection.partialSince = startedAt
    if (!this.#connections.holdPending(connection, pending)) {
      this.#refuse(connection, 'malformed', answers)
      return
    }
    if (answers === '') return
    if (this.#monotonic() - startedAt > lateMs) {
      this.#refuse(connection, 'late', '')
      return
    }
    this.#connections.markAsked(connection)
    // A peer that does not read is not read from either.
    if (!socket.write(answers, 'latin1')) socket.pause()
  }

  #resume({ socket, closing }: Connection): void {
    if (!closing) socket.resume()
  }

  /** The answer's text; undefined when a policy threw, which is never an answer. */
  #judge(snapshot: Snapshot, request: PolicyRequest, at: number): string | undefined {
    const { counters } = this
    counters.requests += 1
    let decision: Decision
    let answer: string
    try {
      decision = this.#decide(snapshot, request, { at, usage: this.#usage })
      answer = formatResponse(decision.reply)
      if (decision.spends !== null) {
        const { login, recipient } = decision.spends
        const counted = this.#usage.count(login, recipient, at, request.clientAddress)
        this.#options.onCounted?.(login, counted)
      }
    } catch (error) {
      this.#options.onThrown?.(error)
      return undefined
    }
    if (decision.effect === 'dunno') counters.dunno += 1
    else if (decision.effect === 'defer') counters.deferred += 1
    else counters.rejected += 1
    if (decision.sign !== undefined) this.#tell(decision, request)
    else if (decision.verdicts.length > 0 && (decision.effect !== 'dunno' || decision.verdicts.some(isObserved))) {
      this.#tell(decision, request)
    }
    return answer
  }

  #tell(decision: Decision, request: PolicyRequest): void {
    try {
      this.#options.onDecision?.(decision, request)
    } catch {
      this.counters.listenerThrew += 1
    }
  }

  #refuse(connection: Connection, reason: 'malformed' | 'unverified' | 'thrown' | 'late', answers: string): void {
    this.counters[reason] += 1
    this.#hangUp(connection, answers)
  }

  /** Gives the answers of the requests before, and no more. The peer sees an orderly end, not a reset. */
  #hangUp(connection: Connection, answers: string): void {
    const { socket } = connection
    connection.closing = true
    connection.lastAt = this.#monotonic()
    connection.partialSince = undefined
    this.#connections.holdPending(connection, 0)
    // What still comes is read and dropped: unread bytes would turn the end into a reset that eats the answers.
    socket.resume()
    socket.end(answers, 'latin1')
    setTimeout(() => socket.destroy(), lingerMs).unref()
  }
}

type Waiting = {
  readonly connection: Connection
  readonly listener: ListenerTables
  /** When it was read, monotonic; and whether it may have waited too long by then. */
  readonly at: number
  readonly isLate: boolean
}

/** What the connections of one listener are judged by. */
type ListenerTables = { readonly modes: PolicyListener['modes']; snapshot: Snapshot | null }

function tablesFor({ modes }: ListenerTables, snapshot: Snapshot | null): Snapshot | null {
  return snapshot === null ? null : withModes(snapshot, modes)
}

function isObserved({ observed }: Decision['verdicts'][number]): boolean {
  return observed === true
}
