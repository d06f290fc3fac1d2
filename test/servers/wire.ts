/** Small line-by-line clients of IMAP, POP3 and SMTP: enough to log in, send and fetch, and to see each reply as it came. */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type Endpoint = {
  readonly port: number /** The address to come from; 127.0.0.0/8 is all ours. */
  readonly from?: string
}
export type Login = { readonly user: string; readonly password: string }

const replyMsMax = 30_000 // Dovecot holds back the answer to a wrong password; Postfix waits 11 s for a policy service that hangs

/** Owner of one connection. Lines come one after the other; a connection that ends makes the next read throw. */
export class Wire {
  #socket: Socket
  #buffer = ''
  #ended = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#listen()
  }

  static open({ port, from = '127.0.0.1' }: Endpoint): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connectPlain({ port, host: '127.0.0.1', localAddress: from })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Wire(socket))
      })
    })
  }

  #listen(): void {
    this.#socket.on('data', (bytes: Buffer) => {
      this.#buffer += bytes.toString('latin1')
      this.#wake()
    })
    const end = () => {
      this.#ended = true
      this.#wake()
    }
    this.#socket.on('close', end)
    this.#socket.on('error', end)
  }

  /** The certificate is the test's own, made a moment ago. */
  async startTls(): Promise<void> {
    const plain = this.#socket
    plain.removeAllListeners()
    await new Promise<void>((resolve, reject) => {
      const secure = connectTls({ socket: plain, rejectUnauthorized: false }, resolve)
      secure.once('error', reject)
      this.#socket = secure
    })
    this.#listen()
  }

  send(line: string): void {
    this.#socket.write(`${line}\r\n`)
  }

  async line(): Promise<string> {
    const deadline = Date.now() + replyMsMax
    while (true) {
      const end = this.#buffer.indexOf('\r\n')
      if (end >= 0) {
        const line = this.#buffer.slice(0, end)
        this.#buffer = this.#buffer.slice(end + 2)
        return line
      }
      if (this.#ended) throw new Error(`the connection ended after ${JSON.stringify(this.#buffer)}`)
      const left = deadline - Date.now()
      if (left <= 0) throw new Error('no reply')
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** Lines up to and including the first that `isLast` accepts. */
  async lines(isLast: (line: string) => boolean): Promise<string[]> {
    const lines: string[] = []
    while (true) {
      const line = await this.line()
      lines.push(line)
      if (isLast(line)) return lines
    }
  }

  /** One SMTP command; the last line of its reply. */
  async smtp(command?: string): Promise<string> {
    if (command !== undefined) this.send(command)
    return (await this.lines(line => /^\d{3}(?!-)/.test(line))).at(-1) ?? ''
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** The tagged reply to LOGIN: `OK …` or `NO …`. */
export async function imapLogin(endpoint: Endpoint, { user, password }: Login): Promise<string> {
  const wire = await Wire.open(endpoint)
  try {
    await wire.line()
    wire.send(`a LOGIN "${user}" "${password}"`)
    const reply = (await wire.lines(line => line.startsWith('a '))).at(-1) ?? ''
    return reply.slice(2)
  } finally {
    wire.close()
  }
}

async function popSession(endpoint: Endpoint, { user, password }: Login): Promise<{ wire: Wire; reply: string }> {
  const wire = await Wire.open(endpoint)
  await wire.line()
  wire.send(`USER ${user}`)
  await wire.line()
  wire.send(`PASS ${password}`)
  return { wire, reply: await wire.line() }
}

/** The reply to PASS: `+OK …` or `-ERR …`. */
export async function popLogin(endpoint: Endpoint, login: Login): Promise<string> {
  const { wire, reply } = await popSession(endpoint, login)
  wire.close()
  return reply
}

/** Every message of a mailbox, whole; nothing is deleted. */
export async function popMessages(endpoint: Endpoint, login: Login): Promise<string[]> {
  const { wire, reply } = await popSession(endpoint, login)
  try {
    if (!reply.startsWith('+OK')) throw new Error(reply)
    wire.send('STAT')
    const count = Number((await wire.line()).split(' ')[1])
    const messages: string[] = []
    for (let index = 1; index <= count; index++) {
      wire.send(`RETR ${index}`)
      await wire.line()
      messages.push((await wire.lines(line => line === '.')).slice(0, -1).join('\n'))
    }
    return messages
  } finally {
    wire.close()
  }
}

async function submissionSession(
  endpoint: Endpoint,
  { user, password }: Login,
): Promise<{ wire: Wire; reply: string }> {
  const wire = await Wire.open(endpoint)
  await wire.smtp()
  await wire.smtp('EHLO client.example')
  await wire.smtp('STARTTLS')
  await wire.startTls()
  await wire.smtp('EHLO client.example')
  const response = Buffer.from(`\0${user}\0${password}`).toString('base64')
  return { wire, reply: await wire.smtp(`AUTH PLAIN ${response}`) }
}

/** The reply to AUTH over STARTTLS: `235 …` or `535 …`. */
export async function smtpLogin(endpoint: Endpoint, login: Login): Promise<string> {
  const { wire, reply } = await submissionSession(endpoint, login)
  wire.close()
  return reply
}

export type Message = {
  readonly sender: string
  readonly recipients: readonly string[]
  /** Headers and body; lines that begin with a dot are the caller's to avoid. */
  readonly text: string
}
export type Sent = {
  readonly recipients: readonly string[] /** The reply to the end of the message, if it came to that. */
  readonly end?: string
}

export async function sendMail(endpoint: Endpoint, message: Message, login?: Login): Promise<Sent> {
  const wire = login === undefined ? await Wire.open(endpoint) : (await submissionSession(endpoint, login)).wire
  try {
    if (login === undefined) {
      await wire.smtp()
      await wire.smtp('EHLO client.example')
    }
    await wire.smtp(`MAIL FROM:<${message.sender}>`)
    const recipients: string[] = []
    for (const recipient of message.recipients) recipients.push(await wire.smtp(`RCPT TO:<${recipient}>`))
    if (!recipients.some(reply => reply.startsWith('250'))) return { recipients }
    await wire.smtp('DATA')
    return { recipients, end: await wire.smtp(`${message.text.replaceAll('\n', '\r\n')}\r\n.`) }
  } finally {
    wire.close()
  }
}
