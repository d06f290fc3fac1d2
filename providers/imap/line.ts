/**
 * One connection to a server that speaks in lines (POP3, SMTP): opens it from a chosen address, makes it TLS, reads line by
 * line within bounds. It throws plain Errors, which the probes turn into `unreachable`.
 */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type Ready, serverNameOption } from './probe.ts'

/** RFC 5321 section 4.5.3.1.5 allows 512 octets, RFC 2449 section 4 as many; some servers say more. */
const lineOctetsMax = 8_192
/** Of one reply; EHLO and CAPA of real servers have about 20. */
const replyLinesMax = 200

/** Owner of one socket. */
export class LineConnection {
  #socket: Socket
  readonly #ready: Ready
  #buffer = ''
  #error: Error | null = null
  #wake: () => void = () => {}
  readonly #abort = () => this.close()

  private constructor(socket: Socket, ready: Ready) {
    this.#socket = socket
    this.#ready = ready
    this.#listen()
    ready.deadline.addEventListener('abort', this.#abort, { once: true })
  }

  /** With TLS already where the target wants it from the first octet. */
  static async open(ready: Ready): Promise<LineConnection> {
    const { host, port, tls, localAddress } = ready.target
    ready.deadline.throwIfAborted()
    const socket = connectPlain({ host, port, ...(localAddress ? { localAddress } : {}) })
    const connection = new LineConnection(socket, ready)
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve)
        socket.once('error', reject)
        socket.once('close', () => reject(new Error('the connection was closed')))
      })
      if (tls === 'tls') await connection.startTls()
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  #listen(): void {
    this.#socket.on('data', (octets: Buffer) => {
      this.#buffer += octets.toString('latin1')
      if (this.#buffer.length > lineOctetsMax * replyLinesMax) this.#end(new Error('the server sent too much'))
      this.#wake()
    })
    this.#socket.on('error', error => this.#end(error))
    this.#socket.on('close', () => this.#end(new Error('the connection was closed')))
  }

  #end(error: Error): void {
    this.#error ??= error
    this.#ready.deadline.removeEventListener('abort', this.#abort)
    this.#socket.destroy()
    this.#wake()
  }

  /** The certificate is verified; there is no way to do without. */
  async startTls(): Promise<void> {
    // RFC 3207 section 6: what came before the handshake came from anybody.
    if (this.#buffer !== '') throw new Error('the server sent more than its answer before TLS')
    const plain = this.#socket
    plain.removeAllListeners()
    const { ca, name } = this.#ready
    await new Promise<void>((resolve, reject) => {
      const secure = connectTls({
        socket: plain,
        host: name,
        minVersion: 'TLSv1.2',
        ...serverNameOption(name),
        ...(ca === null ? {} : { ca }),
      })
      this.#socket = secure
      plain.once('error', reject)
      secure.once('secureConnect', resolve)
      secure.once('error', error => reject(new Error(`TLS: ${error.message}`)))
      secure.once('close', () => reject(new Error('the connection was closed before TLS stood')))
    })
    this.#socket.removeAllListeners()
    this.#listen()
    plain.on('error', error => this.#end(error))
  }

  send(line: string): void {
    this.#socket.write(`${line}\r\n`)
  }

  /** The next line without its end. */
  async line(): Promise<string> {
    while (true) {
      const end = this.#buffer.indexOf('\n')
      if (end > lineOctetsMax || (end < 0 && this.#buffer.length > lineOctetsMax)) throw new Error('a line without end')
      if (end >= 0) {
        const line = this.#buffer.slice(0, end).replace(/\r$/, '')
        this.#buffer = this.#buffer.slice(end + 1)
        return Buffer.from(line, 'latin1').toString()
      }
      if (this.#error !== null) throw this.#error
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** Lines up to and including the first that `isLast` accepts. */
  async lines(isLast: (line: string) => boolean): Promise<string[]> {
    const lines: string[] = []
    while (lines.length < replyLinesMax) {
      const line = await this.line()
      lines.push(line)
      if (isLast(line)) return lines
    }
    throw new Error('a reply without end')
  }

  /** Says goodbye without waiting for the answer; a server that does not hang up either is cut off at the deadline. */
  leave(word: string): void {
    if (this.#error === null && this.#socket.writable) {
      this.#socket.end(`${word}\r\n`)
      this.#socket.unref()
    } else this.close()
  }

  close(): void {
    this.#end(new Error('the connection was closed'))
  }
}
