/**
 * What the SMTP notifier is told, checked once when it is opened. Files (CA, DKIM key) are only named here: they are read
 * again for each message, so that a renewed one counts without a restart.
 */
import { isIP } from 'node:net'
import type { Clock } from '../../agent/core/clock.ts'
import { parseDomainName } from '../../agent/model/name.ts'
import { isLogin, isLoopback, type Login, type TlsMode, tlsModes } from '../../agent/standards/mail-login.ts'
import { type Notifier, ProviderFailure } from '../provider.ts'

export type SmtpOptions = {
  readonly host: string
  readonly port: number
  readonly tls: TlsMode
  /** PEM file of the authorities that vouch for the server; absent: the ones that Node brings. */
  readonly caFile?: string | null
  /** The name that the certificate must have; absent: the host. */
  readonly serverName?: string | null
  readonly login?: Login | null
  readonly dkim?: DkimOptions | null
  /** How we present ourselves (EHLO): a name of this machine. */
  readonly ehloName: string
  /** A folder of its own; holds one small file for each notice of the last day. */
  readonly journalFolder: string
  /** Takes the notices without an address: a letter is printed, never mailed. */
  readonly letters: Notifier
  readonly timeouts?: Partial<Timeouts>
  readonly clock: Clock
}

export type DkimOptions = {
  readonly domain: string
  readonly selector: string
  /** PEM, RSA of 1024 bits or more (RFC 8301 section 3.2). */
  readonly privateKeyFile: string
}

export type Timeouts = {
  /** From the first try to connect to the greeting and TLS. */
  readonly connectMs: number
  /** Of silence within the session. */
  readonly replyMs: number
  /** Of everything, for a server that speaks one octet at a time. */
  readonly totalMs: number
  /** After a server said nothing in time, later notices fail at once for so long: a pass is not held up by each. */
  readonly pauseMs: number
}

/** RFC 5321 section 4.5.3.2 allows minutes; notices go to a server of the house, and other work waits behind them. */
export const defaultTimeouts: Timeouts = { connectMs: 10_000, replyMs: 30_000, totalMs: 60_000, pauseMs: 30_000 }

/** @throws ProviderFailure that names the first option that can't be. */
export function checkOptions(options: SmtpOptions): void {
  const wrong = (why: string) => {
    throw new ProviderFailure('rejected', `notices by SMTP: ${why}`, { retry: 'never' })
  }
  const { host, port, tls, login, dkim, ehloName } = options
  if (isIP(host) === 0 && parseDomainName(host) === undefined) wrong(`${JSON.stringify(host)} is no host`)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) wrong(`${port} is no port`)
  if (!tlsModes.includes(tls)) wrong(`${tls} is no way to use TLS`)
  if (tls === 'none' && !isLoopback(host)) wrong(`without TLS only on this machine, not to ${host}`)
  if (parseDomainName(ehloName) === undefined) wrong(`${JSON.stringify(ehloName)} is no name for EHLO`)
  if (login && !isLogin(login)) wrong('the user or the password is empty or has a character that a login can’t carry')
  if (dkim && parseDomainName(dkim.domain) === undefined) wrong(`${JSON.stringify(dkim.domain)} is no domain for DKIM`)
  if (dkim && !/^[a-z0-9-]+(\.[a-z0-9-]+)*$/i.test(dkim.selector))
    wrong(`${JSON.stringify(dkim.selector)} is no selector for DKIM`)
}
