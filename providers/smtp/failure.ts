/**
 * What went wrong on the way to the server, as a ProviderFailure: 4xx, silence and a lost connection are for later, 5xx is
 * for good (RFC 5321 section 4.2.1). The server's own sentence is kept, without the password should it repeat it.
 */
import { hideLogin, type Login } from '../../agent/standards/mail-login.ts'
import { toReplyText } from '../../agent/standards/smtp-reply.ts'
import { ProviderFailure } from '../provider.ts'

/** The fields that nodemailer sets on its errors. */
type TransportError = {
  readonly code?: string
  readonly originalCode?: string
  readonly command?: string
  readonly response?: string
  readonly responseCode?: number
}

export type FailureContext = {
  readonly id: string
  /** `mail.example:587` */
  readonly target: string
  readonly login: Login | null
  /** The whole time was over. */
  readonly isLate: boolean
}

export function toFailure(error: unknown, { id, target, login, isLate }: FailureContext): ProviderFailure {
  if (error instanceof ProviderFailure) return error
  const clean = (text: string) => hideLogin(text, login)
  const { code, originalCode, command, response, responseCode } = error as TransportError
  const words = clean(error instanceof Error ? error.message : String(error))
  const cause = new Error(`${code ?? 'error'} ${originalCode ?? ''} at ${command ?? '–'}: ${words}`)
  const fail = (kind: ProviderFailure['kind'], retry: 'later' | 'never', why: string) =>
    new ProviderFailure(kind, `${id}: ${target} ${why}`, { retry, cause })
  if (isLate || code === 'ETIMEDOUT' || originalCode === 'ETIMEDOUT')
    return fail('timeout', 'later', 'did not answer in time')
  if (responseCode !== undefined && responseCode >= 400 && responseCode < 600) {
    const isLogin = code === 'EAUTH' || command?.startsWith('AUTH') === true
    const retry = responseCode < 500 ? 'later' : 'never'
    return fail(isLogin ? 'unauthorized' : 'rejected', retry, `said: ${toReplyText(clean(response ?? words))}`)
  }
  if (responseCode !== undefined || code === 'EPROTOCOL')
    return fail('malformed-reply', 'later', `said what is no answer: ${toReplyText(words)}`)
  return fail('unreachable', 'later', `can’t be reached: ${toReplyText(words)}`)
}
