/**
 * LDAP over one socket that stands: many requests at once, each answered, refused or cut. It reconnects never, repeats
 * nothing, and believes no answer that it did not ask for: what is malformed, comes under another number or ends another
 * kind of request ends the connection, since nobody knows any more what belongs to what. RFC 4511; requests are written
 * by ldapts, answers are read by answer.ts.
 */
import type { Socket } from 'node:net'
import {
  AddRequest,
  type Attribute,
  BindRequest,
  type Change,
  type Control,
  DeleteRequest,
  ExtendedRequest,
  type Filter,
  ModifyRequest,
  PagedResultsControl,
  SearchRequest,
  UnbindRequest,
} from 'ldapts'
import { ProviderFailure } from '../provider.ts'
import { type AnswerBody, createFrames, parseAnswer } from './answer.ts'
import { toFailure } from './failure.ts'

export type Answered<T> =
  | { readonly kind: 'done'; readonly value: T }
  /** The server said no, and did nothing. */
  | { readonly kind: 'refused'; readonly code: number; readonly failure: ProviderFailure }
  /** The connection ended before the answer: it may have been done or not. */
  | { readonly kind: 'cut'; readonly failure: ProviderFailure }

export type Entry = { readonly dn: string; readonly values: ReadonlyMap<string, readonly string[]> }

export type Question = {
  readonly base: string
  readonly scope: 'base' | 'sub'
  readonly filter: Filter
  readonly attributes: readonly string[]
  readonly sizeLimit?: number
  /** RFC 2696; an empty cookie begins. */
  readonly page?: { readonly size: number; readonly cookie: Buffer }
}

export type Found = { readonly entries: readonly Entry[]; readonly cookie: Buffer | undefined }

export type LdapClient = {
  readonly isAlive: () => boolean
  readonly startTls: () => Promise<Answered<void>>
  readonly bind: (dn: string, password: string) => Promise<Answered<void>>
  readonly search: (question: Question) => Promise<Answered<Found>>
  readonly add: (dn: string, attributes: Attribute[]) => Promise<Answered<void>>
  readonly modify: (dn: string, changes: Change[], only: Control) => Promise<Answered<void>>
  readonly remove: (dn: string, only: Control) => Promise<Answered<void>>
  /** Leaves the socket to another reader; false when octets of this one are still about. */
  readonly release: () => boolean
  readonly close: () => void
}

type Pending = {
  /** The tag of the response that ends it. */
  readonly ends: number
  readonly entries: Entry[]
  readonly timer: NodeJS.Timeout
  readonly settle: (answered: Answered<Found>) => void
  referral: string | undefined
}

type Request = { write(): Buffer }

const messageIdMax = 2 ** 31 - 1
const startTlsOid = '1.3.6.1.4.1.1466.20037'
const responseTags = { bind: 0x61, search: 0x65, modify: 0x67, add: 0x69, remove: 0x6b, extended: 0x78 } as const

/** @param answerMs a request that has no answer by then ends the connection. */
export function createClient(socket: Socket, answerMs: number): LdapClient {
  const pending = new Map<number, Pending>()
  const frames = createFrames()
  let lastId = 0
  let alive = true

  function end(why: string): void {
    alive = false
    socket.destroy()
    const failure = new ProviderFailure('unreachable', `the connection to the directory ended: ${why}`, {
      retry: 'later',
    })
    for (const [id, { timer, settle }] of pending) {
      clearTimeout(timer)
      pending.delete(id)
      settle({ kind: 'cut', failure })
    }
  }

  function take(octets: Buffer): void {
    const messages = frames.take(octets)
    const wrong = messages === undefined ? 'it sent what is no message' : firstFault(messages)
    if (wrong !== undefined) end(wrong)
  }

  function firstFault(messages: readonly Buffer[]): string | undefined {
    for (const message of messages) {
      const answer = parseAnswer(message)
      if (answer === undefined) return 'it sent what is no message'
      // Number 0 is a notice that the server disconnects, RFC 4511 section 4.4.1.
      if (answer.id === 0) return 'it said that it disconnects'
      const asked = pending.get(answer.id)
      if (asked === undefined) return 'it answered what was not asked'
      if (!accept(answer.id, answer.body, asked)) return 'it answered another kind of request'
    }
    return undefined
  }

  function accept(id: number, body: AnswerBody, asked: Pending): boolean {
    if (body.kind !== 'result') {
      if (asked.ends !== responseTags.search) return false
      if (body.kind === 'entry') asked.entries.push(body)
      else asked.referral ??= body.urls[0]
      return true
    }
    if (body.tag !== asked.ends) return false
    pending.delete(id)
    clearTimeout(asked.timer)
    asked.settle(toAnswered(body, asked))
    return true
  }

  function send(ends: number, make: (messageId: number) => Request): Promise<Answered<Found>> {
    return new Promise(settle => {
      if (!alive) {
        const why = 'the connection to the directory had ended'
        settle({ kind: 'cut', failure: new ProviderFailure('unreachable', why, { retry: 'later' }) })
        return
      }
      lastId = lastId >= messageIdMax ? 1 : lastId + 1
      const octets = make(lastId).write()
      const timer = setTimeout(() => end(`no answer within ${answerMs} ms`), answerMs)
      pending.set(lastId, { ends, entries: [], timer, settle, referral: undefined })
      socket.write(octets)
    })
  }

  const plain = async (ends: number, make: (messageId: number) => Request): Promise<Answered<void>> => {
    const answered = await send(ends, make)
    return answered.kind === 'done' ? { kind: 'done', value: undefined } : answered
  }

  const fault = (error: Error) => end(error.message)
  const closed = () => end('it was closed')
  socket.on('data', take).on('error', fault).on('close', closed)

  return {
    isAlive: () => alive,
    startTls: () => plain(responseTags.extended, messageId => new ExtendedRequest({ messageId, oid: startTlsOid })),
    bind: (dn, password) => plain(responseTags.bind, messageId => new BindRequest({ messageId, dn, password })),
    search: question => send(responseTags.search, messageId => toSearchRequest(messageId, question)),
    add: (dn, attributes) => plain(responseTags.add, messageId => new AddRequest({ messageId, dn, attributes })),
    modify: (dn, changes, only) =>
      plain(responseTags.modify, messageId => new ModifyRequest({ messageId, dn, changes, controls: [only] })),
    remove: (dn, only) =>
      plain(responseTags.remove, messageId => new DeleteRequest({ messageId, dn, controls: [only] })),
    release() {
      socket.off('data', take).off('error', fault).off('close', closed)
      return alive && pending.size === 0 && frames.isEmpty()
    },
    close() {
      if (alive) socket.write(new UnbindRequest({ messageId: lastId + 1 }).write())
      end('by us')
    },
  }
}

function toSearchRequest(
  messageId: number,
  { base, scope, filter, attributes, sizeLimit = 0, page }: Question,
): Request {
  const control = page === undefined ? [] : [new PagedResultsControl({ critical: true, value: page })]
  return new SearchRequest({
    messageId,
    baseDN: base,
    scope,
    filter,
    attributes: [...attributes],
    sizeLimit,
    timeLimit: 0,
    controls: control,
  })
}

function toAnswered(body: Extract<AnswerBody, { kind: 'result' }>, { entries, referral }: Pending): Answered<Found> {
  if (body.code !== 0) return { kind: 'refused', code: body.code, failure: toFailure(body, 'the directory refused') }
  if (referral === undefined) return { kind: 'done', value: { entries, cookie: body.cookie } }
  const failure = new ProviderFailure('unsupported', `a part of the directory stands elsewhere: ${referral}`, {
    retry: 'never',
  })
  return { kind: 'refused', code: 10, failure }
}
