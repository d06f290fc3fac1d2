/**
 * One request to Mailman's REST API (3.1). A connection for each, never a redirect followed, so the password goes where
 * the configuration says and nowhere else; it is in no error and no log.
 */
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Secret } from '../../agent/core/secret.ts'
import { ProviderFailure } from '../provider.ts'

/** A roster of 500 members takes 0.1 s, 50 removals as much. */
const requestMsMax = 30_000
/** A roster of 100,000 members. */
const replyBytesMax = 32 * 1024 * 1024

export type Api = {
  readonly url: string
  readonly user: string
  readonly password: Secret
  /** PEM; the system's authorities when null. */
  readonly ca: string | null
}

export type Reply = { readonly status: number; readonly body: Readonly<Record<string, unknown>> }

/**
 * @param form fields in order; a name may come several times.
 * @throws ProviderFailure: `unreachable` when nothing was sent; after any other the request may have been carried out.
 */
export async function ask(
  api: Api,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  options: { readonly form?: readonly (readonly [string, string])[]; readonly signal: AbortSignal },
): Promise<Reply> {
  const text = options.form === undefined ? null : formText(options.form)
  const { status, body } = await exchange(api, method, path, text, options.signal)
  if (status === 401 || status === 403)
    throw new ProviderFailure('unauthorized', 'Mailman does not accept the user or the password', { retry: 'never' })
  return { status, body: status === 204 || body === '' ? {} : toJson(body, status) }
}

function formText(form: readonly (readonly [string, string])[]): string {
  const fields = new URLSearchParams()
  for (const [name, value] of form) fields.append(name, value)
  return fields.toString()
}

function exchange(
  api: Api,
  method: string,
  path: string,
  text: string | null,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  const url = new URL(`${api.url}${path}`)
  // Mailman refuses a GET that names a type of content and has none.
  const content =
    text === null
      ? {}
      : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(text) }
  const credentials = Buffer.from(`${api.user}:${api.password.reveal()}`).toString('base64')
  const limit = AbortSignal.any([signal, AbortSignal.timeout(requestMsMax)])
  const options: RequestOptions & { ca?: string } = {
    method,
    agent: false,
    headers: { authorization: `Basic ${credentials}`, accept: 'application/json', ...content },
    signal: limit,
    ...(api.ca === null ? {} : { ca: api.ca }),
  }
  return new Promise((resolve, reject) => {
    let connected = false
    const fail = (cause: unknown) => reject(toFailure(cause, { connected, stopped: limit.aborted, host: url.host }))
    const sent = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, reply => {
      readBody(reply).then(body => resolve({ status: reply.statusCode ?? 0, body }), fail)
    })
    sent.on('error', fail)
    sent.on('socket', socket =>
      socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
        connected = true
      }),
    )
    sent.end(text ?? undefined)
  })
}

async function readBody(reply: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of reply as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > replyBytesMax) throw new Error(`the reply is longer than ${replyBytesMax} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

function toFailure(
  cause: unknown,
  { connected, stopped, host }: { connected: boolean; stopped: boolean; host: string },
): ProviderFailure {
  if (!connected)
    return new ProviderFailure('unreachable', `Mailman at ${host} cannot be reached`, { retry: 'later', cause })
  if (stopped)
    return new ProviderFailure('timeout', `Mailman at ${host} did not answer in time`, { retry: 'later', cause })
  return new ProviderFailure('malformed-reply', `the reply of Mailman at ${host} broke off`, { retry: 'later', cause })
}

function toJson(text: string, status: number): Reply['body'] {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Reply['body']
  } catch {
    // Said below.
  }
  throw new ProviderFailure('malformed-reply', `Mailman answered ${status} with something that is no JSON object`, {
    retry: 'later',
  })
}
