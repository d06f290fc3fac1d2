/**
 * One question to one name server: over UDP, again over TCP when the answer is truncated (RFC 1035 section 4.2, RFC 7766).
 * What does not carry our id and question, or comes from elsewhere, is passed over (RFC 5452). Throws plain Errors.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { type Answer, formatQuery, parseAnswer, type Question } from './message.ts'

/** A host name is resolved by the system; an address is sure. */
export type NameServer = { readonly host: string; readonly port?: number }

const defaultPort = 53
/** A datagram may be lost: it is sent again so often, until the deadline. */
const datagramsMax = 4
const resendMs = 700
const tcpOctetsMax = 65_537

export async function ask(server: NameServer, question: Question, deadline: AbortSignal): Promise<Answer> {
  deadline.throwIfAborted()
  const id = randomInt(0x10000)
  const query = formatQuery(id, question)
  if (query === undefined) throw new Error(`${question.name} is no name`)
  const answer = await askUdp(server, query, { id, question, deadline })
  return answer.isTruncated ? askTcp(server, query, { id, question, deadline }) : answer
}

type Asked = { readonly id: number; readonly question: Question; readonly deadline: AbortSignal }

function askUdp({ host, port }: NameServer, query: Buffer, { id, question, deadline }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // Connected, so that the kernel passes nothing from another address.
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    let sent = 0
    const send = () => {
      if (sent++ < datagramsMax) socket.send(query, error => (error ? end(() => reject(error)) : undefined))
    }
    const again = setInterval(send, resendMs)
    const late = () => end(() => reject(new Error('no answer in time')))
    let isOver = false
    const end = (settle: () => void) => {
      if (isOver) return
      isOver = true
      clearInterval(again)
      deadline.removeEventListener('abort', late)
      socket.close()
      settle()
    }
    deadline.addEventListener('abort', late, { once: true })
    socket.on('error', error => end(() => reject(error)))
    socket.on('message', message => {
      const answer = parseAnswer(message, id, question)
      if (answer !== undefined) end(() => resolve(answer))
    })
    // Without a callback a name that does not resolve is an `error` too.
    socket.on('connect', send)
    socket.connect(port ?? defaultPort, host)
  })
}

function askTcp({ host, port }: NameServer, query: Buffer, { id, question, deadline }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: port ?? defaultPort })
    let buffer = Buffer.alloc(0)
    const end = (settle: () => void) => {
      deadline.removeEventListener('abort', late)
      socket.destroy()
      settle()
    }
    const fail = (why: string) => end(() => reject(new Error(why)))
    const late = () => fail('no answer in time over TCP')
    deadline.addEventListener('abort', late, { once: true })
    socket.on('error', error => end(() => reject(error)))
    socket.on('close', () => fail('the connection was closed before the answer'))
    socket.on('connect', () => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(query.length)
      socket.write(Buffer.concat([length, query]))
    })
    socket.on('data', octets => {
      buffer = Buffer.concat([buffer, octets])
      if (buffer.length > tcpOctetsMax) return fail('more than one answer')
      if (buffer.length < 2 || buffer.length < 2 + buffer.readUInt16BE(0)) return
      const answer = parseAnswer(buffer.subarray(2, 2 + buffer.readUInt16BE(0)), id, question)
      if (answer === undefined || answer.isTruncated) fail('no answer to the question over TCP')
      else end(() => resolve(answer))
    })
  })
}
