/**
 * Whether a login by IMAP works (RFC 9051, response codes of RFC 5530), and a session for the probe of delivery. The login
 * itself is imapflow's; what its failure means is decided here.
 */
import { ImapFlow } from 'imapflow'
import type { Login } from '../../agent/standards/mail-login.ts'
import { type LoginProbe, type LoginResult, probeLogin, type Ready, serverNameOption, shown } from './probe.ts'

/** RFC 5530 section 3: the codes that are about the credentials. UNAVAILABLE, LIMIT or INUSE are not. */
const refusals = ['AUTHENTICATIONFAILED', 'AUTHORIZATIONFAILED', 'EXPIRED', 'CONTACTADMIN']

/** A probe reads a few lines and one message of its own; more comes from no honest server. */
const octetsMax = 1_000_000
const tokensMax = 20_000

/** The fields that imapflow sets on its errors. */
type ImapError = {
  readonly authenticationFailed?: boolean
  readonly serverResponseCode?: string
  readonly responseStatus?: string
  /** The text of the reply; false where there is none. */
  readonly response?: unknown
}

export type ImapPurpose = 'login-only' | 'session'

/** Not yet connected. It closes itself when the time is over. */
export function createClient(ready: Ready, login: Login, purpose: ImapPurpose): ImapFlow {
  const { host, port, tls, localAddress, clientAddress } = ready.target
  const tlsOptions = {
    minVersion: 'TLSv1.2',
    ...serverNameOption(ready.name),
    ...(ready.ca === null ? {} : { ca: ready.ca }),
    // The library hands these to the plain connection too.
    ...(localAddress ? { localAddress } : {}),
  } as const
  const client = new ImapFlow({
    host,
    port,
    secure: tls === 'tls',
    ...(tls === 'tls' ? {} : { doSTARTTLS: tls === 'starttls' }),
    ...serverNameOption(ready.name),
    tls: tlsOptions,
    auth: { user: login.user, pass: login.password.reveal() },
    ...(clientAddress ? { clientInfo: { 'x-originating-ip': clientAddress } } : {}),
    verifyOnly: purpose === 'login-only',
    disableAutoIdle: true,
    disableCompression: true,
    logger: false,
    maxLineLength: octetsMax,
    maxLiteralSize: octetsMax,
    maxResponseSize: 2 * octetsMax,
    maxResponseTokens: tokensMax,
  })
  // Without a listener an error after the login would end the process.
  client.on('error', () => {})
  ready.deadline.addEventListener('abort', () => client.close(), { once: true })
  return client
}

export function probeImap(probe: LoginProbe): Promise<LoginResult> {
  return probeLogin(probe, async ready => {
    const client = createClient(ready, probe, 'login-only')
    try {
      await client.connect()
      // A PREAUTH greeting (RFC 9051 section 7.1.4) lets everybody in: nobody looked at the credentials.
      return client.greeting === undefined
        ? { result: 'unreachable', detail: 'the server asked for no login' }
        : { result: 'accepted', detail: 'logged in' }
    } catch (error) {
      const { authenticationFailed, serverResponseCode, responseStatus, response } = error as ImapError
      const code = serverResponseCode?.toUpperCase() ?? ''
      const words = typeof response === 'string' && response !== '' ? response : (error as Error).message
      if (authenticationFailed === true && responseStatus === 'NO' && refusals.includes(code))
        return { result: 'refused', detail: shown(`NO [${code}] ${words}`, probe) }
      throw new Error(code === '' ? words : `[${code}] ${words}`)
    } finally {
      client.close()
    }
  })
}
