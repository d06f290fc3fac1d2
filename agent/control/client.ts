/** The command line's end of the control socket. */
import { createConnection } from 'node:net'
import type { ControlReply, ControlRequest, OperationResult } from './protocol.ts'

/** The daemon answers at least its first line by then, or it hangs. A plan over a big estate takes seconds, not this. */
const silenceMaxMs = 120_000

/** @returns undefined when no daemon listens. */
export async function callDaemon(
  socketPath: string,
  request: ControlRequest,
  progress: (done: number, total: number) => void,
): Promise<OperationResult | undefined> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath)
    let buffered = ''
    socket.setEncoding('utf8')
    socket.setTimeout(silenceMaxMs, () => socket.destroy(new Error('the daemon does not answer')))
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (chunk: string) => {
      buffered += chunk
      for (let end = buffered.indexOf('\n'); end >= 0; end = buffered.indexOf('\n')) {
        const reply = JSON.parse(buffered.slice(0, end)) as ControlReply
        buffered = buffered.slice(end + 1)
        if ('progress' in reply) progress(reply.progress.done, reply.progress.total)
        else {
          socket.end()
          resolve(reply.result)
        }
      }
    })
    socket.on('close', () => reject(new Error('the daemon closed the connection without a result')))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined)
      else reject(error)
    })
  })
}
