/**
 * What the probes have in common: a target, one limit of time for everything, and an answer that never claims more than a
 * server said. `refused` is said only of credentials; whatever else goes wrong is `unreachable`. A probe never throws.
 */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hideLogin, isLogin, isLoopback, type Login, type TlsMode } from '../../agent/standards/mail-login.ts'
import { toReplyText } from '../../agent/standards/smtp-reply.ts'

export type Target = {
  readonly host: string
  readonly port: number
  readonly tls: TlsMode
  /** PEM file of the authorities that vouch for the server; absent: the ones that Node brings. */
  readonly caFile?: string | null
  /** The name that the certificate must have; absent: the host. */
  readonly serverName?: string | null
  /** The address to come from, so that a login can be tried from where it is allowed and from where it is not. */
  readonly localAddress?: string | null
  /**
   * The address to say that the client has, as a webmail does: XCLIENT of Postfix and of Dovecot's POP3, ID of IMAP. A
   * server that does not trust this host refuses the first two and passes the third by.
   */
  readonly clientAddress?: string | null
}

export type Limits = {
  /** Of the whole probe. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export type LoginTarget = Target & Login

export type LoginProbe = LoginTarget & Limits

/**
 * `accepted`: the server took the credentials. `refused`: it said no to them. `unreachable`: nothing is known about them.
 * `detail` is for people, in the server's words where it spoke.
 */
export type LoginResult = {
  readonly result: 'accepted' | 'refused' | 'unreachable'
  readonly detail: string
}

/** A target made ready: files read, the limit of time running. */
export type Ready = {
  readonly target: Target
  readonly ca: string | null
  /** Of the certificate. */
  readonly name: string
  /** Aborts when the time is over or the caller stops. */
  readonly deadline: AbortSignal
}

/** @throws Error in plain words when the target can't be used or the certificates can't be read. */
export async function makeReady(
  target: Target,
  deadline: AbortSignal,
  carries: 'password' | 'nothing secret' = 'password',
): Promise<Ready> {
  if (carries === 'password' && target.tls === 'none' && !isLoopback(target.host))
    throw new Error('without TLS only on this machine')
  const ca = target.caFile ? await readFile(target.caFile, 'utf8') : null
  return { target, ca, name: target.serverName ?? target.host, deadline }
}

/** RFC 6066 section 3: an address is no server name. */
export function serverNameOption(name: string): { readonly servername?: string } {
  return isIP(name) === 0 ? { servername: name } : {}
}

/** One line of printable text, whatever the server sent. */
export function shown(text: string, login: Login | null): string {
  return toReplyText(hideLogin(text, login))
}

export type Timed<R> = {
  readonly limits: Limits
  /** What to say of an error; `words` are safe to show. */
  readonly onError: (words: string) => R
  readonly login: Login | null
}

/** Runs a dialogue within its time. Whatever it throws, or its lateness, becomes an answer. */
export async function within<R>(timed: Timed<R>, dialogue: (deadline: AbortSignal) => Promise<R>): Promise<R> {
  const { limits, onError, login } = timed
  const late = AbortSignal.timeout(limits.timeoutMs)
  const deadline = AbortSignal.any([limits.signal, late])
  const words = () => (late.aborted ? `no answer within ${limits.timeoutMs} ms` : 'stopped before an answer')
  if (deadline.aborted) return onError(words())
  let stop: () => void = () => {}
  const stopped = new Promise<R>(resolve => {
    stop = () => resolve(onError(words()))
    deadline.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([dialogue(deadline), stopped])
  } catch (error) {
    if (deadline.aborted) return onError(words())
    return onError(shown(error instanceof Error ? error.message : String(error), login) || 'no reason given')
  } finally {
    deadline.removeEventListener('abort', stop)
  }
}

/** `within` for logins. */
export function probeLogin(probe: LoginProbe, dialogue: (ready: Ready) => Promise<LoginResult>): Promise<LoginResult> {
  const onError = (detail: string): LoginResult => ({ result: 'unreachable', detail })
  return within({ limits: probe, onError, login: probe }, async deadline => {
    if (!isLogin(probe))
      throw new Error('the user or the password is empty or has a character that a login can’t carry')
    return dialogue(await makeReady(probe, deadline))
  })
}
