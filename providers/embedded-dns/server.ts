/**
 * The sockets of the DNS server: UDP and TCP on one port. It moves octets and keeps the limits of each connection; what
 * is answered is decided in `respond.ts`. RFC 1035 section 4.2, RFC 7766 (TCP).
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, isIPv6, type Server, type Socket } from 'node:net'
import { ProviderFailure } from '../provider.ts'
import { queryOctetsMax, type Transport } from './respond.ts'

const connectionsMax = 256 // a resolver needs one; more than this is someone filling the table
const idleMs = 30_000 // RFC 7766 section 6.2.3: in the order of seconds; restarted by whole queries only
const unreadOctetsMax = 262_144 // answers that a client does not fetch; beyond it its queries wait
const portAttemptsMax = 20 // a free TCP port may be taken for UDP

export type Respond = (message: Uint8Array, transport: Transport) => Buffer | undefined
export type Endpoint = { readonly host: string; readonly port: number }

/** `host:port` or `[address]:port`. @returns undefined when it is neither. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text)
  const port = Number(parts?.[3])
  return parts === null || port > 65_535 ? undefined : { host: parts[1] ?? parts[2] ?? '', port }
}

export class DnsServer {
  readonly #tcp: Server
  readonly #udp: UdpSocket
  readonly #connections: ReadonlySet<Socket>
  readonly listening: Endpoint

  private constructor(tcp: Server, udp: UdpSocket, connections: ReadonlySet<Socket>, listening: Endpoint) {
    this.#tcp = tcp
    this.#udp = udp
    this.#connections = connections
    this.listening = listening
  }

  /** Port 0 takes one that is free for both. */
  static async listen(endpoint: Endpoint, respond: Respond): Promise<DnsServer> {
    for (let attempt = 1; ; attempt += 1) {
      const connections = new Set<Socket>()
      const tcp = createServer({ allowHalfOpen: true }, socket => serveConnection(socket, connections, respond))
      tcp.maxConnections = connectionsMax
      const udp = createSocket(isIPv6(endpoint.host) ? 'udp6' : 'udp4')
      try {
        tcp.listen(endpoint.port, endpoint.host)
        await once(tcp, 'listening')
        const address = tcp.address()
        const port = address !== null && typeof address === 'object' ? address.port : endpoint.port
        udp.bind(port, endpoint.host)
        await once(udp, 'listening')
        serveDatagrams(udp, respond)
        // A failed accept leaves the next one possible; there is nobody to tell.
        tcp.on('error', () => {})
        return new DnsServer(tcp, udp, connections, { host: udp.address().address, port })
      } catch (error) {
        tcp.close()
        udp.close()
        const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
        if (taken && endpoint.port === 0 && attempt < portAttemptsMax) continue
        const where = `${endpoint.host}:${endpoint.port}`
        throw new ProviderFailure('unreachable', `the DNS server cannot listen on ${where}`, {
          retry: 'later',
          cause: error,
        })
      }
    }
  }

  async close(): Promise<void> {
    const closed = [once(this.#tcp, 'close'), once(this.#udp, 'close')]
    this.#tcp.close()
    this.#udp.close()
    for (const socket of this.#connections) socket.destroy()
    await Promise.all(closed)
  }
}

function serveDatagrams(socket: UdpSocket, respond: Respond): void {
  // Errors of a datagram socket tell of earlier sends: the client asks again.
  socket.on('error', () => {})
  socket.on('message', (message, { address, port }) => {
    const answer = port === 0 ? undefined : respond(message, 'udp')
    if (answer !== undefined) socket.send(answer, port, address, () => {})
  })
}

/** Queries of one connection, answered in their order. Half a query keeps nobody's place for longer than `idleMs`. */
function serveConnection(socket: Socket, connections: Set<Socket>, respond: Respond): void {
  connections.add(socket)
  const idle = setTimeout(() => socket.destroy(), idleMs)
  idle.unref()
  let pending: Buffer = Buffer.alloc(0)
  let ended = false
  socket.on('close', () => {
    clearTimeout(idle)
    connections.delete(socket)
  })
  socket.on('error', () => socket.destroy())
  const answerPending = () => {
    while (pending.length >= 2 && !socket.destroyed) {
      if (socket.writableLength > unreadOctetsMax) {
        socket.pause()
        return
      }
      const length = pending.readUInt16BE(0)
      if (length > queryOctetsMax) {
        socket.destroy()
        return
      }
      if (pending.length < length + 2) break
      const answer = respond(pending.subarray(2, length + 2), 'tcp')
      pending = pending.subarray(length + 2)
      idle.refresh()
      if (answer !== undefined) writeFramed(socket, answer)
    }
    // A client that has said all waits for the answers that its reading held up.
    if (ended) socket.end()
    else socket.resume()
  }
  socket.on('end', () => {
    ended = true
    answerPending()
  })
  socket.on('drain', answerPending)
  socket.on('data', chunk => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    answerPending()
  })
}

function writeFramed(socket: Socket, message: Buffer): void {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  socket.write(Buffer.concat([length, message]))
}
