/**
 * What is asked of the API and how far an answer is believed. A proxy, a cut connection or a fault may make a list or a
 * zone shorter than it is, and every shorter list looks like a removal: so a zone is believed when two readings agree
 * (or one with what was believed before), and a list when it names the same zones before and after they were read.
 */
import type { Clock } from '../../agent/core/clock.ts'
import { sha256 } from '../../agent/core/digest.ts'
import { ProviderFailure } from '../provider.ts'
import { dotted } from './body.ts'
import type { Call, HttpClient, Method } from './http.ts'
import { type MarkPlace, markPlaceOf } from './marks.ts'
import { type FoundZone, type ListedZone, parseError, parseJson, parseLaunch, parseList, parseZone } from './reply.ts'

const attemptsMax = 4 // of one reading: a locked database or a proxy that restarts gives way within a second
const timeoutsMax = 2 // of one reading: a server that hangs must not hold a pass for minutes
const readingsMax = 6 // until two agree; a zone that is written more often than it can be read is not read
export const firstPauseMs = 40 // doubled at each attempt

export type WriteResult =
  | { readonly kind: 'done'; readonly body: string }
  /** The server looked at it and said no; nothing was done. */
  | { readonly kind: 'refused'; readonly detail: string }
  /** The zone is there, or not there, other than thought. */
  | { readonly kind: 'moved' }
  /** Nothing was done, and asking again is no help. */
  | { readonly kind: 'barred'; readonly failure: ProviderFailure }
  /** Nothing says that it was done; `mayHappen`: nor that it won't be. `busy`: a 5xx of the server itself. */
  | { readonly kind: 'unclear'; readonly failure: ProviderFailure; readonly mayHappen: boolean; readonly busy: boolean }

export interface Api {
  /** One reading. @throws ProviderFailure */
  list(signal: AbortSignal): Promise<ListedZone[]>
  /** Undefined: there is no such zone. @throws ProviderFailure */
  readZone(apex: string, signal: AbortSignal): Promise<FoundZone | undefined>
  /** Where marks stand on this server. @throws ProviderFailure */
  markPlace(signal: AbortSignal): Promise<MarkPlace>
  createZone(body: unknown): Promise<WriteResult>
  patchZone(apex: string, body: unknown): Promise<WriteResult>
  /** Of a zone that stands; everything else of it stays. */
  setAccount(apex: string, account: string): Promise<WriteResult>
  deleteZone(apex: string): Promise<WriteResult>
  /** The reply to a POST is a reading too. */
  believe(apex: string, body: string): void
}

/** The id of a zone in a path: what isn't a letter, digit, dot, hyphen or underscore stands as `=XX`. */
function zoneId(apex: string): string {
  return dotted(apex).replace(
    /[^A-Za-z0-9._-]/g,
    c => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

export function createApi(http: HttpClient, serverId: string, clock: Clock): Api {
  const root = `/api/v1/servers/${encodeURIComponent(serverId)}`
  const zonePath = (apex: string) => `${root}/zones/${zoneId(apex)}`
  const never = new AbortController().signal
  /** Digest of a zone's reply that two readings agreed on. */
  const believed = new Map<string, string>()
  let place: MarkPlace | undefined

  /** One reading, begun anew after a fault that passes. 404 is an answer. */
  async function read<T>(path: string, signal: AbortSignal, parse: (json: unknown) => T | undefined) {
    for (let attempt = 1, timeouts = 0, pauseMs = firstPauseMs; ; attempt += 1, pauseMs *= 2) {
      const call = await http.call('GET', path, undefined, signal)
      const status = call.kind === 'reply' ? call.status : 0
      if (call.kind === 'reply' && status === 404) return { body: '', value: undefined }
      const value = call.kind === 'reply' && status === 200 ? parse(parseJson(call.body)) : undefined
      if (call.kind === 'reply' && value !== undefined) return { body: call.body, value }
      const failure = failureOf(call)
      if (failure.kind === 'timeout') timeouts += 1
      const passes = failure.retry === 'later' && timeouts < timeoutsMax && call.kind !== 'unsent'
      if (!passes || attempt === attemptsMax || signal.aborted) throw failure
      await clock.sleep(pauseMs, signal)
    }
  }

  async function write(method: Method, path: string, body: unknown, done: number): Promise<WriteResult> {
    // What was begun is finished: an abort in the middle of a write would only make its outcome unknown.
    const call = await http.call(method, path, body, never)
    if (call.kind !== 'reply') {
      const { failure, kind } = call
      return kind === 'unsent'
        ? { kind: 'barred', failure }
        : { kind: 'unclear', failure, mayHappen: true, busy: false }
    }
    const { status } = call
    if (status === done) return { kind: 'done', body: call.body }
    if (status === 404 || status === 409) return { kind: 'moved' }
    if (status === 400 || status === 422)
      return { kind: 'refused', detail: parseError(parseJson(call.body)) || `PowerDNS refused it (${status})` }
    const failure = failureOf(call)
    if (failure.retry === 'never') return { kind: 'barred', failure }
    // A gateway's word, or one of no known meaning, says nothing of what goes on behind it.
    return { kind: 'unclear', failure, mayHappen: ![429, 500, 503].includes(status), busy: status === 500 }
  }

  return {
    async list(signal) {
      const { value } = await read(`${root}/zones?dnssec=false`, signal, parseList)
      if (value === undefined)
        throw new ProviderFailure('rejected', `PowerDNS has no server "${serverId}" here`, { retry: 'never' })
      return value
    },
    async readZone(apex, signal) {
      let last = believed.get(apex)
      for (let reading = 1; reading <= readingsMax; reading += 1) {
        const { body, value } = await read(zonePath(apex), signal, json => {
          const zone = parseZone(json)
          return zone?.apex === apex ? zone : undefined
        })
        const digest = value === undefined ? 'absent' : sha256(body)
        if (digest === last) {
          if (value === undefined) believed.delete(apex)
          else believed.set(apex, digest)
          return value
        }
        last = digest
      }
      const message = `${apex} reads differently each time`
      throw new ProviderFailure('malformed-reply', message, { retry: 'later' })
    },
    async markPlace(signal) {
      if (place === undefined) {
        // A key or a proxy may keep the configuration from us: then it isn't known, and the list is right.
        const { value } = await read(`${root}/config`, signal, parseLaunch).catch((error: unknown) => {
          if (error instanceof ProviderFailure && error.retry === 'never') return { value: undefined }
          throw error
        })
        place = markPlaceOf(value)
      }
      return place
    },
    createZone: body => write('POST', `${root}/zones`, body, 201),
    patchZone: (apex, body) => write('PATCH', zonePath(apex), body, 204),
    setAccount: (apex, account) => write('PUT', zonePath(apex), { account }, 204),
    deleteZone: apex => write('DELETE', zonePath(apex), undefined, 204),
    believe: (apex, body) => {
      believed.set(apex, sha256(body))
    },
  }
}

/** @param call that gave nothing to use. */
function failureOf(call: Call): ProviderFailure {
  if (call.kind !== 'reply') return call.failure
  const { status } = call
  if (status === 401 || status === 403)
    return new ProviderFailure('unauthorized', `PowerDNS refused the API key (${status})`, { retry: 'never' })
  if (status === 429 || status >= 500)
    return new ProviderFailure('unreachable', `PowerDNS answered ${status}`, { retry: 'later' })
  if (status >= 200 && status < 300)
    return new ProviderFailure('malformed-reply', 'PowerDNS sent a reply of unexpected shape', { retry: 'later' })
  return new ProviderFailure('rejected', `PowerDNS answered ${status}`, { retry: 'never' })
}
