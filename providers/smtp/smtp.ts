/**
 * Notices by mail (RFC 5321), one recipient each, the same message that the spool writes and DKIM-signed where a key is
 * given (RFC 6376). At least once, and what the server surely took is not sent again within a day. An address is held
 * against our own grammar before the library sees it (T13); no file, address or URL is read from what a message says.
 * It must never mail a letter: what has no address goes to the printer's notifier.
 */
import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createTransport } from 'nodemailer'
import { parseAddress } from '../../agent/model/name.ts'
import { formatPlainMessage, isMessageId } from '../../agent/standards/message.ts'
import { type Notifier, type OutgoingNotice, ProviderFailure } from '../provider.ts'
import { toFailure } from './failure.ts'
import { type Attempt, openJournal } from './journal.ts'
import { checkOptions, defaultTimeouts, type SmtpOptions } from './options.ts'

const keyBitsMin = 1_024 // RFC 8301 section 3.2: verifiers must not take shorter ones

/** @throws ProviderFailure for options that can't be; nothing is read or connected before the first notice. */
export function openSmtp(options: SmtpOptions): Notifier {
  checkOptions(options)
  const { clock, letters } = options
  const timeouts = { ...defaultTimeouts, ...options.timeouts }
  const journal = openJournal(options.journalFolder, clock)
  /** Two passes may ask for the same notice at once; the second waits, and finds it accepted or tries again. */
  const running = new Map<string, Promise<void>>()
  let silentUntil = Number.NEGATIVE_INFINITY

  async function mail(notice: OutgoingNotice): Promise<void> {
    const message = toMessage(notice)
    if (await journal.wasAccepted(notice)) return
    if (clock.now() < silentUntil)
      throw new ProviderFailure('timeout', `${notice.id}: ${target(options)} did not answer a moment ago`, {
        retry: 'later',
      })
    const files = await readFiles(options)
    const attempt = await journal.begin(notice)
    try {
      await transmit(message, { options, files, timeouts, attempt })
    } catch (error) {
      const failure = error as ProviderFailure
      if (failure.kind === 'timeout') silentUntil = clock.now() + timeouts.pauseMs
      throw failure
    } finally {
      await attempt.close()
    }
  }

  return {
    async send(notice) {
      if (notice.to === null) return letters.send(notice)
      const earlier = running.get(notice.id) ?? Promise.resolve()
      const sending = earlier.catch(() => {}).then(() => mail(notice))
      running.set(notice.id, sending)
      try {
        await sending
      } finally {
        if (running.get(notice.id) === sending) running.delete(notice.id)
      }
    },
  }
}

type Message = { readonly id: string; readonly from: string; readonly to: string; readonly octets: Buffer }

function toMessage(notice: OutgoingNotice): Message {
  const from = parseAddress(notice.from)
  const to = parseAddress(notice.to ?? '')
  if (!isMessageId(notice.id) || from === undefined || to === undefined) {
    const what = isMessageId(notice.id) ? `${notice.id}: not an address` : 'a notice without a proper id'
    throw new ProviderFailure('rejected', what, { retry: 'never' })
  }
  return { id: notice.id, from, to, octets: Buffer.from(formatPlainMessage({ ...notice, from, to })) }
}

function target({ host, port }: SmtpOptions): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

type Files = { readonly ca: string | null; readonly privateKey: string | null }

async function readFiles({ caFile, dkim }: SmtpOptions): Promise<Files> {
  const read = (file: string | null | undefined) => (file ? readFile(file, 'utf8') : null)
  try {
    const [ca, privateKey] = await Promise.all([read(caFile), read(dkim?.privateKeyFile)])
    if (privateKey !== null) checkKey(privateKey)
    return { ca, privateKey }
  } catch (error) {
    // Somebody puts the file right; until then nothing leaves unsigned or unverified.
    throw new ProviderFailure('rejected', 'the CA or the DKIM key of the notices can’t be used', {
      retry: 'later',
      // The words of a key parser, never the key.
      cause: error instanceof Error ? new Error(error.message) : undefined,
    })
  }
}

/** The library sends a message unsigned when it can't use the key. */
function checkKey(pem: string): void {
  const key = createPrivateKey(pem)
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa' || bits < keyBitsMin)
    throw new Error(`the DKIM key is ${key.asymmetricKeyType} of ${bits} bits, not RSA of ${keyBitsMin} or more`)
}

type Transmission = {
  readonly options: SmtpOptions
  readonly files: Files
  readonly timeouts: typeof defaultTimeouts
  readonly attempt: Attempt
}

/** One connection for one message. @throws ProviderFailure */
async function transmit(message: Message, { options, files, timeouts, attempt }: Transmission): Promise<void> {
  const { host, port, tls, login, dkim } = options
  const transport = createTransport({
    host,
    port,
    name: options.ehloName,
    secure: tls === 'tls',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: {
      minVersion: 'TLSv1.2',
      ...(files.ca === null ? {} : { ca: files.ca }),
      ...(options.serverName ? { servername: options.serverName } : {}),
    },
    // Without `forceAuth` a server that offers no login would get the message without one.
    ...(login ? { auth: { user: login.user, pass: login.password.reveal() }, forceAuth: true } : {}),
    ...(dkim && files.privateKey !== null
      ? { dkim: { domainName: dkim.domain, keySelector: dkim.selector, privateKey: files.privateKey } }
      : {}),
    dnsTimeout: timeouts.connectMs,
    connectionTimeout: timeouts.connectMs,
    greetingTimeout: timeouts.connectMs,
    socketTimeout: timeouts.replyMs,
    logger: false,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const deadline = AbortSignal.timeout(timeouts.totalMs)
  try {
    const { response } = await transport.sendMail({
      envelope: { from: { name: '', address: message.from }, to: [{ name: '', address: message.to }] },
      raw: message.octets,
      signal: deadline,
    })
    await attempt.accepted(response)
  } catch (error) {
    throw toFailure(error, {
      id: message.id,
      target: target(options),
      login: login ?? null,
      isLate: deadline.aborted,
    })
  } finally {
    transport.close()
  }
}
