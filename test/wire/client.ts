/** A Postfix that does as it is told: sends bytes, in pieces, and tells what came back and how it ended. */
import { createConnection, type Socket } from 'node:net'

export type Ending = { readonly text: string; readonly ended: 'end' | 'reset' }

export function connectTo(address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const path = address.startsWith('unix:') ? address.slice('unix:'.length) : undefined
    const [host = '', port] = address.split(':')
    const socket = path === undefined ? createConnection(Number(port), host) : createConnection(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // What matters is what was read and that it ended; how it ended is told by `readToEnd`.
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}

/** Everything until the other side ends. */
export function readToEnd(socket: Socket): Promise<Ending> {
  return new Promise(resolve => {
    let text = ''
    let ended: Ending['ended'] = 'end'
    socket.setEncoding('latin1')
    socket.on('data', (part: unknown) => {
      text += String(part)
    })
    socket.on('error', () => {
      ended = 'reset'
    })
    socket.on('close', () => resolve({ text, ended }))
  })
}

/** Until so many answers have come. Fails when the other side closes before. */
export function readAnswers(socket: Socket, count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let text = ''
    const stop = (finish: () => void) => {
      socket.off('data', take)
      socket.off('close', fail)
      finish()
    }
    const take = (part: Buffer | string) => {
      text += part.toString('latin1')
      const answers = text.split('\n\n')
      if (answers.length > count) stop(() => resolve(answers.slice(0, count)))
    }
    const fail = () => stop(() => reject(new Error(`closed after ${text.length} characters`)))
    socket.on('data', take)
    socket.on('close', fail)
  })
}

/** Sends bytes and ends; what the server said to them. */
export async function exchange(address: string, bytes: Uint8Array | string): Promise<string> {
  const socket = await connectTo(address)
  const ending = readToEnd(socket)
  socket.end(typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes)
  return (await ending).text
}
