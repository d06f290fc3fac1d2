/**
 * doveadm through its HTTP API (`inet_listener http` in `service doveadm`, version 1): a POST of commands with tags, a
 * JSON list of answers. The key goes into one header and nowhere else. Over anything but loopback it should be https.
 */
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Secret } from '../../agent/core/secret.ts'
import { ProviderFailure } from '../provider.ts'
import type { Answer, Doveadm, DoveadmCommand, Row } from './doveadm.ts'

export type DoveadmHttp = {
  /** `https://imap1.operator.example:8080`; the path `/doveadm/v1` is added when there is none. */
  readonly url: string
  readonly apiKey: Secret
  /** PEM; null for the certificates that the system trusts. */
  readonly ca: string | null
}

/** A list of 20,000 sessions takes a tenth of this. */
const callMsMax = 10_000
/** 100,000 sessions at 160 bytes. */
const replyBytesMax = 16 * 1024 * 1024

export function doveadmByHttp({ url, apiKey, ca }: DoveadmHttp): Doveadm {
  const endpoint = toEndpoint(url)
  const target = `${endpoint.protocol}//${endpoint.host}`
  const ask = (body: string, signal: AbortSignal) => {
    const authorization = `X-Dovecot-API ${Buffer.from(apiKey.reveal()).toString('base64')}`
    return exchange({ endpoint, target, authorization, ca, body, signal })
  }
  // A wrong key with a body 2.3 answers with silence, with an empty one it says 401: so the key is tried once by itself.
  let keyIsRight = false
  return {
    target,
    async call(commands, signal) {
      if (!keyIsRight) checkStatus((await ask('', signal)).status, target)
      keyIsRight = true
      const tagged = commands.map((command, index) => [command.name, parameters(command), `c${index}`])
      try {
        const reply = await ask(JSON.stringify(tagged), signal)
        checkStatus(reply.status, target)
        return readAnswers(reply.text, commands, target)
      } catch (error) {
        keyIsRight = false
        throw error
      }
    },
  }
}

function toEndpoint(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw new ProviderFailure('unsupported', 'the address of doveadm is no http or https URL without a login', {
      retry: 'never',
    })
  if (url.pathname === '/') url.pathname = '/doveadm/v1'
  return url
}

function parameters(command: DoveadmCommand): object {
  switch (command.name) {
    case 'who':
      // 2.3 takes one mask of users; more of them end with exit code 64.
      return { separateConnections: true, mask: command.mask === null ? [] : [command.mask] }
    case 'kick':
      return { mask: [command.mask] }
    case 'authCacheFlush':
      // An empty list is all of the cache; without the parameter the doveadm process dies.
      return { user: command.users }
    case 'quotaGet':
      return { user: command.user }
  }
}

type Exchange = {
  readonly endpoint: URL
  readonly target: string
  readonly authorization: string
  readonly ca: string | null
  /** Empty: a GET, which lists what doveadm can do. */
  readonly body: string
  readonly signal: AbortSignal
}

async function exchange({ endpoint, target, authorization, ca, body, signal }: Exchange) {
  const timeout = AbortSignal.timeout(callMsMax)
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = {
        method: body === '' ? 'GET' : 'POST',
        headers: { authorization, ...(body === '' ? {} : { 'content-length': Buffer.byteLength(body) }) },
        signal: AbortSignal.any([signal, timeout]),
        // One doveadm process serves one connection: to keep it open would keep the process.
        agent: false,
        ...(ca === null ? {} : { ca }),
      }
      const send = endpoint.protocol === 'https:' ? requestHttps : requestHttp
      send(endpoint, options, resolve).once('error', reject).end(body)
    })
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > replyBytesMax) throw malformed(target, 'its reply has no end')
      chunks.push(chunk)
    }
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }
  } catch (cause) {
    if (cause instanceof ProviderFailure) throw cause
    if (timeout.aborted)
      throw new ProviderFailure('timeout', `${target}: doveadm gave no answer in ${callMsMax} ms`, { retry: 'later' })
    throw new ProviderFailure('unreachable', `${target}: doveadm cannot be reached`, { retry: 'later', cause })
  }
}

function checkStatus(status: number, target: string): void {
  if (status === 200) return
  const said = `${target}: doveadm answered ${status}`
  if (status === 401 || status === 403) throw new ProviderFailure('unauthorized', said, { retry: 'never' })
  if (status >= 500) throw new ProviderFailure('unreachable', said, { retry: 'later' })
  throw new ProviderFailure(status === 404 ? 'unsupported' : 'rejected', said, { retry: 'never' })
}

function malformed(target: string, what: string): ProviderFailure {
  return new ProviderFailure('malformed-reply', `${target}: doveadm's answer makes no sense: ${what}`, {
    retry: 'later',
  })
}

function readAnswers(text: string, commands: readonly DoveadmCommand[], target: string): readonly Answer[] {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    throw malformed(target, 'no JSON')
  }
  if (!Array.isArray(list) || list.length !== commands.length)
    throw malformed(target, 'not one answer for each command')
  return list.map((item: unknown, index) => {
    const [kind, value, tag] = Array.isArray(item) && item.length === 3 ? (item as unknown[]) : []
    if (tag !== `c${index}`) throw malformed(target, 'an answer to another question')
    if (kind === 'doveadmResponse' && Array.isArray(value) && value.every(isRow)) return { rows: value }
    if (kind === 'error') return readError(value, commands[index]?.name ?? '', target)
    throw malformed(target, 'neither rows nor an error')
  })
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && Object.values(value).every(text => typeof text === 'string')
}

function readError(value: unknown, asked: string, target: string): Answer {
  const { type, exitCode } = (value ?? {}) as { type?: unknown; exitCode?: unknown }
  if (type === 'exitCode' && typeof exitCode === 'number') return { exitCode }
  // quotaGet needs the quota plugin in `protocol doveadm`.
  if (type === 'unknownMethod')
    throw new ProviderFailure('unsupported', `${target}: this doveadm has no ${asked}`, { retry: 'never' })
  throw malformed(target, 'an error of an unknown type')
}
