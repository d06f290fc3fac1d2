/** Servers that lie: each connection gets what a test says, and a cut between a client and a real server. */
import { connect, createServer, type Socket } from 'node:net'

export type Twin = { readonly port: number; readonly connections: () => number; stop(): Promise<void> }

/** @param speak is given each connection; its errors are the test's affair. */
export async function startTwin(speak: (socket: Socket, connection: number) => void): Promise<Twin> {
  const open = new Set<Socket>()
  let connections = 0
  const server = createServer(socket => {
    connections += 1
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    speak(socket, connections)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    connections: () => connections,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

/**
 * Stands before a real server without TLS and passes everything on, but of the first `cuts` messages the server's answer
 * to the end of the data: there it hangs up. The server has taken the message, and the client can't know.
 */
export function startCut(port: number, cuts: number): Promise<Twin> {
  return startTwin((client, connection) => {
    const server = connect({ port, host: '127.0.0.1' })
    let isAfterDot = false
    let sent = ''
    server.on('error', () => client.destroy())
    client.on('close', () => server.destroy())
    client.on('data', bytes => {
      sent = (sent + bytes.toString('latin1')).slice(-5)
      if (sent === '\r\n.\r\n') isAfterDot = true
      server.write(bytes)
    })
    server.on('data', bytes => {
      if (isAfterDot && connection <= cuts) client.destroy()
      else client.write(bytes)
    })
    server.on('close', () => client.destroy())
  })
}

/** Never says a word. */
export const hang = (): void => {}
/** One octet at a time, so that no silence is ever long, and never a whole line. */
export const drip = (socket: Socket): void => {
  const timer = setInterval(() => socket.write('2'), 20)
  socket.on('close', () => clearInterval(timer))
}
export const reset = (socket: Socket): void => {
  socket.resetAndDestroy()
}
export const say =
  (text: string) =>
  (socket: Socket): void => {
    socket.write(text)
  }
/** Says it and closes. */
export const sayAndEnd =
  (text: string) =>
  (socket: Socket): void => {
    socket.end(text)
  }
