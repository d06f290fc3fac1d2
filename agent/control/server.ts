/** The daemon's end of the control socket. Knows nothing of what operations do. */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import type { Log } from '../core/log.ts'
import { type ControlReply, type ControlRequest, type OperationResult, requestBytesMax } from './protocol.ts'

/** Commands at once; a person types one, scripts a few. */
const connectionsMax = 64
/** A command sends its request at once; who is silent that long is none. */
const requestMsMax = 5_000

export type Dispatch = (
  request: ControlRequest,
  progress: (done: number, total: number) => void,
) => Promise<OperationResult>

function parseRequest(line: string): ControlRequest | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (value === null || typeof value !== 'object') return undefined
    const { operation, args, user, token } = value as Record<string, unknown>
    if (typeof operation !== 'string' || typeof user !== 'string' || args === null || typeof args !== 'object')
      return undefined
    return { operation, args: args as Record<string, unknown>, user, ...(typeof token === 'string' ? { token } : {}) }
  } catch {
    return undefined
  }
}

function serve(socket: Socket, dispatch: Dispatch, log: Log): void {
  let buffered = ''
  const send = (reply: ControlReply) => {
    if (!socket.destroyed) socket.write(`${JSON.stringify(reply)}\n`)
  }
  socket.setEncoding('utf8')
  socket.setTimeout(requestMsMax, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: string) => {
    buffered += chunk
    if (buffered.length > requestBytesMax) return void socket.destroy()
    const end = buffered.indexOf('\n')
    if (end < 0) return
    socket.pause()
    socket.setTimeout(0)
    const request = parseRequest(buffered.slice(0, end))
    if (request === undefined) return void socket.destroy()
    dispatch(request, (done, total) => send({ progress: { done, total } })).then(
      result => {
        send({ result })
        socket.end()
      },
      (error: unknown) => {
        const told = error instanceof Error ? error.message : String(error)
        log.write('error', 'operation failed', { operation: request.operation, error: told })
        // 70: a bug. The log of the daemon has the rest.
        send({ result: { exit: 70, json: { version: 1, error: `${request.operation}: ${told}` } } })
        socket.end()
      },
    )
  })
}

/** Replaces a stale socket; the caller holds the lock, so nobody else listens on it. */
export async function listenControl(path: string, dispatch: Dispatch, log: Log): Promise<Server> {
  rmSync(path, { force: true })
  const server = createServer(socket => serve(socket, dispatch, log))
  server.maxConnections = connectionsMax
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  chmodSync(path, 0o600)
  return server
}
