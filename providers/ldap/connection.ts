/**
 * One connection to slapd: opened, secured, bound, and never used again after it ended: an anonymous read shows less than
 * there is. RFC 4511, RFC 4513 (StartTLS, simple bind). It never sends a password before the server's name is verified.
 */
import { readFile } from 'node:fs/promises'
import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Secret } from '../../agent/core/secret.ts'
import { ProviderFailure } from '../provider.ts'
import { type Answered, createClient, type LdapClient } from './client.ts'

export type ServerOptions = {
  /** `ldap://host[:port]` or `ldaps://host[:port]`. */
  readonly url: string
  /** Of ldap://. `none` sends the password in the clear, and is refused but for loopback. */
  readonly encryption: 'starttls' | 'none'
  /** PEM file of the authority that signed the server's certificate; undefined: those that Node trusts. */
  readonly caFile: string | undefined
  readonly bindDn: string
  readonly password: Secret
  readonly patience: Patience
}

export type Patience = {
  /** For the network, the handshake and the bind together. */
  readonly openMs: number
  /** A request that slapd has not answered by then ends its connection. */
  readonly answerMs: number
}

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
export async function openConnection(options: ServerOptions): Promise<LdapClient> {
  const url = checkServer(options)
  const sockets: Socket[] = []
  try {
    return await within(options.patience.openMs, opening(url, options, sockets), options.url)
  } catch (error) {
    for (const socket of sockets) socket.destroy()
    throw openFailure(error, options)
  }
}

async function opening(url: URL, options: ServerOptions, sockets: Socket[]): Promise<LdapClient> {
  const isSecure = url.protocol === 'ldaps:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? (isSecure ? 636 : 389) : Number(url.port)
  const ca = options.caFile === undefined ? undefined : await readFile(options.caFile)
  // A name is asked for by SNI and compared with the certificate; an address is only compared.
  const tls: ConnectionOptions = {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
  }
  const stand = async <S extends Socket>(socket: S, event: 'connect' | 'secureConnect'): Promise<S> => {
    sockets.push(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once(event, resolve).once('error', reject)
      socket.once('close', () => reject(new Error('the connection was closed')))
    })
    socket.removeAllListeners(event).removeAllListeners('error')
    return socket
  }
  const client = (socket: Socket) => {
    socket.setKeepAlive(true, keepAliveMs)
    return createClient(socket, options.patience.answerMs)
  }
  const bound = async (secured: LdapClient) => {
    accepted(await secured.bind(options.bindDn, options.password.reveal()), `${options.url} refused ${options.bindDn}`)
    return secured
  }
  if (isSecure) return bound(client(await stand(connectTls({ ...tls, port }), 'secureConnect')))
  const socket = await stand(connectPlain(port, host), 'connect')
  const plain = client(socket)
  if (options.encryption === 'none') return bound(plain)
  accepted(await plain.startTls(), `${options.url} refused StartTLS`)
  // Octets that came before the handshake are nobody's: RFC 4513 section 3.1.2.
  if (!plain.release()) throw new Error('octets stand before the handshake')
  return bound(client(await stand(connectTls({ ...tls, socket }), 'secureConnect')))
}

/** @throws ProviderFailure */
function accepted(answered: Answered<void>, refused: string): void {
  if (answered.kind === 'done') return
  if (answered.kind === 'cut') throw answered.failure
  const { kind, retry, message } = answered.failure
  throw new ProviderFailure(kind, `${refused}: ${message}`, { retry })
}

async function within<T>(ms: number, work: Promise<T>, url: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const failure = new ProviderFailure('timeout', `${url} cannot be reached within ${ms} ms`, { retry: 'later' })
    timer = setTimeout(() => reject(failure), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    // The loser may still fail, once its socket is gone.
    work.catch(() => {})
  }
}

function openFailure(error: unknown, { url, caFile }: ServerOptions): ProviderFailure {
  if (error instanceof ProviderFailure) return error
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
