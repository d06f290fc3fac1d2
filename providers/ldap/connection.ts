/**
 * One connection to slapd: opened, secured, bound, and never used again after it ended. ldapts would reconnect by
 * itself, anonymously after StartTLS and for what is sent before the bind is answered, and an anonymous read shows less
 * than there is; so a client lives as long as its first socket. RFC 4511, RFC 4513 (StartTLS, simple bind).
 */
import { readFile } from 'node:fs/promises'
import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Client, ResultCodeError } from 'ldapts'
import type { Secret } from '../../agent/core/secret.ts'
import { type FailureKind, ProviderFailure } from '../provider.ts'

export type ServerOptions = {
  /** `ldap://host[:port]` or `ldaps://host[:port]`. */
  readonly url: string
  /** Of ldap://. `none` sends the password in the clear, and is refused but for loopback. */
  readonly encryption: 'starttls' | 'none'
  /** PEM file of the authority that signed the server's certificate; undefined: those that Node trusts. */
  readonly caFile: string | undefined
  readonly bindDn: string
  readonly password: Secret
}

export type Connection = {
  readonly client: Client
  readonly isAlive: () => boolean
  readonly close: () => Promise<void>
}

/** For the network, the handshake and the bind together. */
const openMsMax = 10_000
/** A request that slapd has not answered by then ends its connection. */
const answerMsMax = 30_000
/** A peer that vanished without a word (a firewall forgot us) is noticed between two passes. */
const keepAliveMs = 60_000

/** @throws ProviderFailure when the options contradict each other. */
export function checkServer({ url, encryption }: Pick<ServerOptions, 'url' | 'encryption'>): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const refuse = (why: string) => new ProviderFailure('unsupported', `${url}: ${why}`, { retry: 'never' })
  if (parsed === undefined || !/^ldaps?:$/.test(parsed.protocol) || parsed.hostname === '')
    throw refuse('only ldap://host[:port] and ldaps://host[:port] are known')
  if (parsed.username !== '' || parsed.password !== '') throw refuse('no name or password belongs into the address')
  if (parsed.protocol === 'ldap:' && encryption === 'none' && !isLoopback(parsed.hostname))
    throw refuse('without StartTLS the password would cross the network in the clear')
  return parsed
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\./.test(host)
}

/** @throws ProviderFailure */
export async function openConnection(options: ServerOptions): Promise<Connection> {
  const url = checkServer(options)
  const isSecure = url.protocol === 'ldaps:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  let socket: Socket | undefined
  let alive = true
  const watch = <S extends Socket>(opened: S): S => {
    socket = opened
    opened.setKeepAlive(true, keepAliveMs)
    opened.once('close', () => {
      alive = false
    })
    return opened
  }
  const once = <S extends Socket>(open: () => S): S => {
    if (socket !== undefined) throw new Error('a connection is opened once')
    return watch(open())
  }
  try {
    const ca = options.caFile === undefined ? undefined : await readFile(options.caFile)
    // A name is asked for by SNI and compared with the certificate; an address is only compared.
    const tls = { host, ...(isIP(host) === 0 ? { servername: host } : {}), ...(ca === undefined ? {} : { ca }) }
    const client = new Client({
      url: options.url,
      timeout: answerMsMax,
      connectTimeout: openMsMax,
      ...(isSecure
        ? {
            createSecureConnection: ((port: number) =>
              once(() => connectTls({ ...tls, port }))) as unknown as typeof connectTls,
          }
        : {
            createConnection: ((port: number) => once(() => connectPlain(port, host))) as typeof connectPlain,
          }),
    })
    const opening = async () => {
      if (!isSecure && options.encryption === 'starttls') await client.startTLS(tls)
      await client.bind(options.bindDn, options.password.reveal())
    }
    await within(openMsMax, opening())
    return {
      client,
      isAlive: () => alive && client.isBound,
      close: async () => {
        await client.unbind().catch(() => {})
        socket?.destroy()
      },
    }
  } catch (error) {
    socket?.destroy()
    throw openFailure(error, options)
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    // The loser may still fail, once its socket is gone.
    work.catch(() => {})
  }
}

function openFailure(error: unknown, { url, bindDn, caFile }: ServerOptions): ProviderFailure {
  if (isAnswer(error)) return toFailure(error, `${url} refused ${bindDn}`)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT' || code === 'EACCES')
    return new ProviderFailure('unsupported', `${caFile} cannot be read`, { retry: 'later', cause: error })
  if (/CERT|SIGNATURE|ISSUER|SELF_SIGNED/.test(code))
    return new ProviderFailure('unauthorized', `the certificate of ${url} is not trusted: ${code}`, {
      retry: 'later',
      cause: error,
    })
  return new ProviderFailure('unreachable', `${url} cannot be reached`, { retry: 'later', cause: error })
}

/** Codes that the server gives, RFC 4511 appendix A; ldapts makes up others when there was no answer at all. */
const answerCodeMax = 127

/** True when the server said no; otherwise nobody knows what it did. */
export function isAnswer(error: unknown): error is ResultCodeError {
  return error instanceof ResultCodeError && error.code <= answerCodeMax
}

/** Result codes, RFC 4511 section 4.1.9 and RFC 4528, that a caller acts on. */
export const resultCodes = {
  sizeLimitExceeded: 4,
  noSuchAttribute: 16,
  attributeOrValueExists: 20,
  noSuchObject: 32,
  notAllowedOnNonLeaf: 66,
  entryAlreadyExists: 68,
  assertionFailed: 122,
} as const

const failureKinds: Readonly<Record<number, readonly [FailureKind, 'later' | 'never']>> = {
  3: ['timeout', 'later'],
  4: ['rejected', 'later'],
  8: ['unauthorized', 'never'],
  11: ['rejected', 'later'],
  12: ['unsupported', 'never'],
  13: ['unauthorized', 'never'],
  48: ['unauthorized', 'never'],
  49: ['unauthorized', 'never'],
  50: ['unauthorized', 'never'],
  51: ['unreachable', 'later'],
  52: ['unreachable', 'later'],
}

export function toFailure(error: unknown, message: string): ProviderFailure {
  if (error instanceof ProviderFailure) return error
  if (!isAnswer(error)) return new ProviderFailure('unreachable', message, { retry: 'later', cause: error })
  const [kind, retry] = failureKinds[error.code] ?? ['rejected', 'never']
  return new ProviderFailure(kind, `${message}: ${error.message}`, { retry, cause: error })
}
