/**
 * Reads a connection into one buffer for all, instead of a new one for each piece: a sixth more answers a second. Node
 * offers this (`onread`) for sockets that one makes oneself, so the accepted connection is taken over by such a socket;
 * where Node no longer lets it go, it is read in the usual way.
 */
import { Socket } from 'node:net'

/** Longer than nearly every burst of a peer; what is more comes with the next piece. */
const bufferBytes = 65_536
const buffer = Buffer.allocUnsafeSlow(bufferBytes)

type Detachable = { _handle?: object | null }

/**
 * @param accepted of a server with `pauseOnConnect`; not to be used any more.
 * @param take what came, as Latin-1; called in order, never again after the socket is destroyed.
 */
export function readInto(accepted: Socket, take: (text: string) => void): Socket {
  const detachable = accepted as unknown as Detachable
  const handle = detachable._handle
  if (handle === undefined || handle === null) return readUsually(accepted, take)
  const callback = (length: number) => {
    take(buffer.toString('latin1', 0, length))
    return true
  }
  const options = { handle, onread: { buffer, callback } }
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0])
  // Without its handle the first one is empty, and its end is the server's sign that it counts one less.
  detachable._handle = null
  accepted.destroy()
  return socket
}

export function readUsually(accepted: Socket, take: (text: string) => void): Socket {
  accepted.on('data', bytes => take(bytes.toString('latin1')))
  return accepted
}
