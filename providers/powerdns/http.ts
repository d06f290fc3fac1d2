/**
 * One request to PowerDNS's HTTP API and what became of it. A call that got no whole reply is never taken for one: it
 * ends as `unsent` (nothing left this machine) or `cut` (the server may have done the work). The key goes into the
 * header and nowhere else. RFC 9110.
 */
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Clock } from '../../agent/core/clock.ts'
import type { Secret } from '../../agent/core/secret.ts'
import { ProviderFailure } from '../provider.ts'

/** A list of 100,000 zones has about 30 MiB; what is bigger would only fill our memory. */
export const replyOctetsMax = 64 * 1024 * 1024

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export type Call =
  | { readonly kind: 'reply'; readonly status: number; readonly body: string }
  | { readonly kind: 'unsent' | 'cut'; readonly failure: ProviderFailure }

export interface HttpClient {
  /** Scheme, host, port and path, without the key. */
  readonly base: string
  /** @param path below the base, beginning with a slash. @param body sent as JSON. Never throws. */
  call(method: Method, path: string, body: unknown, signal: AbortSignal): Promise<Call>
  close(): void
}

export type HttpOptions = {
  readonly url: string
  readonly key: Secret
  readonly clock: Clock
  readonly timeoutMs: number
  readonly connectionsMax: number
  /** PEM of an authority of one's own, beside the system's. */
  readonly ca?: string | undefined
}

/** @throws ProviderFailure when the URL or the key can't be used. */
export function createHttpClient({ url, key, clock, timeoutMs, connectionsMax, ca }: HttpOptions): HttpClient {
  const base = parseBase(url)
  if (!/^[\x21-\x7e]+$/.test(key.reveal())) throw unusable('the API key has characters that no header can hold')
  const options = { keepAlive: true, maxSockets: connectionsMax }
  const tls = base.protocol === 'https:'
  const agent = tls ? new TlsAgent({ ...options, ...(ca === undefined ? {} : { ca }) }) : new PlainAgent(options)
  const root = base.pathname.replace(/\/+$/, '')
  return {
    base: `${base.origin}${root}`,
    close: () => agent.destroy(),
    call(method, path, body, signal) {
      const stop = new AbortController()
      const payload = body === undefined ? '' : JSON.stringify(body)
      const headers = {
        'X-API-Key': key.reveal(),
        Accept: 'application/json',
        'Content-Length': Buffer.byteLength(payload),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      }
      const place = { agent, method, headers, host: hostOf(base), port: base.port, path: `${root}${path}` }
      return new Promise<Call>(resolve => {
        let sent = false
        const end = (call: Call) => {
          stop.abort('answered') // a reason of its own: the default one takes a stack trace for each call
          resolve(call)
        }
        const lost = (failure: ProviderFailure) => end({ kind: sent ? 'cut' : 'unsent', failure })
        const request = (tls ? tlsRequest : plainRequest)(place, response => collect(response, end, lost))
        const breakOff = (failure: ProviderFailure) => {
          lost(failure)
          request.destroy()
        }
        const aborted = () => breakOff(timeout('the call was broken off', signal.reason))
        request.on('socket', socket => {
          // A socket that is used again is connected already; anything written to it may arrive.
          if (!socket.connecting) sent = true
          else socket.once(tls ? 'secureConnect' : 'connect', () => (sent = true))
        })
        request.on('error', error => lost(unreachable(error)))
        stop.signal.addEventListener('abort', () => signal.removeEventListener('abort', aborted))
        if (signal.aborted) return aborted()
        signal.addEventListener('abort', aborted)
        void clock.sleep(timeoutMs, stop.signal).then(() => {
          if (!stop.signal.aborted) breakOff(timeout(`PowerDNS gave no answer within ${timeoutMs} ms`))
        })
        request.end(payload)
      })
    },
  }
}

function collect(response: IncomingMessage, end: (call: Call) => void, lost: (failure: ProviderFailure) => void): void {
  const chunks: Buffer[] = []
  let octets = 0
  response.on('data', (chunk: Buffer) => {
    octets += chunk.length
    chunks.push(chunk)
    if (octets <= replyOctetsMax) return
    lost(malformed(`PowerDNS sent more than ${replyOctetsMax} octets`))
    response.destroy()
  })
  response.on('error', error => lost(unreachable(error)))
  response.on('close', () => lost(unreachable(new Error('the reply ended early'))))
  response.on('end', () => {
    if (!response.complete) return
    try {
      const body = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
      end({ kind: 'reply', status: response.statusCode ?? 0, body })
    } catch (error) {
      lost(malformed('PowerDNS sent a reply that is no UTF-8', error))
    }
  })
}

function parseBase(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined
  if (base === undefined || (base.protocol !== 'http:' && base.protocol !== 'https:'))
    throw unusable('the address of PowerDNS is no http or https URL')
  // It would be printed with the target.
  if (base.username !== '' || base.password !== '' || base.search !== '' || base.hash !== '')
    throw unusable('the address of PowerDNS has a login, a query or a fragment')
  return base
}

function hostOf(base: URL): string {
  return base.hostname.replace(/^\[(.*)\]$/, '$1')
}

function unusable(message: string): ProviderFailure {
  return new ProviderFailure('rejected', message, { retry: 'never' })
}

function unreachable(cause: unknown): ProviderFailure {
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  return new ProviderFailure('unreachable', `PowerDNS cannot be reached${code}`, { retry: 'later', cause })
}

function timeout(message: string, cause?: unknown): ProviderFailure {
  return new ProviderFailure('timeout', message, { retry: 'later', cause })
}

function malformed(message: string, cause?: unknown): ProviderFailure {
  return new ProviderFailure('malformed-reply', message, { retry: 'later', cause })
}
