/**
 * A lying twin of a name server: a TCP proxy before the real one, which lets messages through, holds, cuts, doubles or
 * changes them as a script says. The real server keeps the truth.
 */
import { connect, createServer, type Socket } from 'node:net'

/** What goes on instead of a message: other messages, or nothing and the end of the connection. */
export type Passage = readonly Buffer[] | 'cut'

export type Script = {
  /** A message of the client, with its number in this run. */
  readonly toServer?: (message: Buffer, number: number) => Passage | Promise<Passage>
  readonly toClient?: (message: Buffer, number: number) => Passage | Promise<Passage>
}

export type Twin = {
  readonly server: string
  script: Script
  /** Opcode and response code of each answer that the server gave. */
  readonly answers: { readonly opcode: number; readonly rcode: number }[]
  close(): Promise<void>
}

export const opcodeOf = (message: Buffer): number => (message.readUInt16BE(2) >> 11) & 15
export const updateOpcode = 5

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length)
  return Buffer.concat([length, message])
}

/** Passes whole messages on, in their order. */
function relay(from: Socket, to: Socket, pass: (message: Buffer) => Passage | Promise<Passage>, cut: () => void): void {
  let rest: Buffer = Buffer.alloc(0)
  let turn = Promise.resolve()
  from.on('data', chunk => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const message = Buffer.from(rest.subarray(2, 2 + rest.readUInt16BE(0)))
      rest = rest.subarray(2 + message.length)
      turn = turn.then(async () => {
        const passage = await pass(message)
        if (passage === 'cut') cut()
        else for (const one of passage) if (!to.destroyed) to.write(framed(one))
      })
    }
  })
}

export async function startTwin(port: number): Promise<Twin> {
  const sockets = new Set<Socket>()
  const counts = { toServer: 0, toClient: 0 }
  const server = createServer(client => {
    const upstream = connect({ host: '127.0.0.1', port, noDelay: true })
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
    relay(
      client,
      upstream,
      message => {
        counts.toServer += 1
        return twin.script.toServer?.(message, counts.toServer) ?? [message]
      },
      cut,
    )
    relay(
      upstream,
      client,
      message => {
        twin.answers.push({ opcode: opcodeOf(message), rcode: message.readUInt16BE(2) & 15 })
        counts.toClient += 1
        return twin.script.toClient?.(message, counts.toClient) ?? [message]
      },
      cut,
    )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const own = typeof address === 'object' && address !== null ? address.port : 0
  let script: Script = {}
  const twin: Twin = {
    server: `127.0.0.1:${own}`,
    answers: [],
    get script() {
      return script
    },
    set script(next) {
      script = next
      counts.toServer = 0
      counts.toClient = 0
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return twin
}
