/** The client's half of an SMTP session, command by command (RFC 5321), for probes that must see each reply as it came. */
import { type Login, saslPlain } from '../../agent/standards/mail-login.ts'
import { LineConnection } from './line.ts'
import { type Ready, shown } from './probe.ts'

export type Reply = {
  readonly code: number
  /** Without the code, the lines of a longer reply joined by blanks. */
  readonly text: string
}

export const isYes = (reply: Reply): boolean => reply.code >= 200 && reply.code < 300

export function formatReply({ code, text }: Reply): string {
  return `${code} ${text}`
}

export type SmtpDialogue = {
  /** Keywords of the last EHLO, in capitals, with their parameters. */
  readonly extensions: () => ReadonlyMap<string, string>
  ask(command: string): Promise<Reply>
  /** Undefined where the server does not offer AUTH PLAIN: that says nothing about the credentials. */
  login(login: Login): Promise<Reply | undefined>
  /** The text after DATA, ended by the dot (section 4.5.2). */
  sendText(message: string): Promise<Reply>
  leave(): void
}

/** Greeting, EHLO, and TLS where the target wants it. @throws Error when the server does not play its part. */
export async function openDialogue(ready: Ready, ehloName: string): Promise<SmtpDialogue> {
  const connection = await LineConnection.open(ready)
  let extensions: ReadonlyMap<string, string> = new Map()

  async function readReply(): Promise<readonly string[]> {
    const lines = await connection.lines(line => !/^\d{3}-/.test(line))
    const code = lines[0]?.slice(0, 3)
    if (!lines.every(line => /^[2-5]\d\d([ -]|$)/.test(line) && line.startsWith(code ?? '')))
      throw new Error(`no SMTP server: ${shown(lines.at(-1) ?? '', null)}`)
    return lines
  }
  const toReply = (lines: readonly string[]): Reply => ({
    code: Number(lines[0]?.slice(0, 3)),
    text: lines.map(line => line.slice(4).trim()).join(' '),
  })
  const ask = async (command: string): Promise<Reply> => {
    connection.send(command)
    return toReply(await readReply())
  }
  const mustAsk = async (command: string): Promise<void> => {
    const reply = await ask(command)
    if (!isYes(reply)) throw new Error(formatReply(reply))
  }
  const greet = async (): Promise<void> => {
    connection.send(`EHLO ${ehloName}`)
    const lines = await readReply()
    if (!isYes(toReply(lines))) throw new Error(formatReply(toReply(lines)))
    const words = lines.slice(1).map(line => line.slice(4).trim().toUpperCase())
    extensions = new Map(words.map(line => [line.split(' ', 1)[0] ?? '', line.slice(line.indexOf(' ') + 1)]))
  }

  try {
    const greeting = toReply(await readReply())
    if (greeting.code !== 220) throw new Error(formatReply(greeting))
    await greet()
    if (ready.target.tls === 'starttls') {
      await mustAsk('STARTTLS')
      await connection.startTls()
      // RFC 3207 section 4.2: what was offered before TLS counts no longer.
      await greet()
    }
    const { clientAddress } = ready.target
    if (clientAddress) {
      if (!extensions.has('XCLIENT')) throw new Error('the server takes no XCLIENT from this host')
      const reply = await ask(`XCLIENT ADDR=${clientAddress.includes(':') ? 'IPV6:' : ''}${clientAddress}`)
      if (reply.code !== 220) throw new Error(formatReply(reply))
      await greet()
    }
  } catch (error) {
    connection.close()
    throw error
  }

  return {
    extensions: () => extensions,
    ask,
    async login(login) {
      const mechanisms = extensions.get('AUTH')?.split(/\s+/) ?? []
      return mechanisms.includes('PLAIN') ? ask(`AUTH PLAIN ${saslPlain(login)}`) : undefined
    },
    sendText: message => ask(`${message.replaceAll(/^\./gm, '..').replace(/(\r\n)?$/, '')}\r\n.`),
    leave: () => connection.leave('QUIT'),
  }
}
