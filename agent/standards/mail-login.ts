/**
 * What every login to a mail server has in common: how the connection is protected (RFC 8314), the answer of SASL PLAIN
 * (RFC 4616), and a password kept out of what a server says. No I/O.
 */
import { BlockList, isIP } from 'node:net'
import type { Secret } from '../core/secret.ts'

/** `tls` from the first octet, `starttls` or nothing (RFC 2595, RFC 3207), `none` on this machine only. */
export const tlsModes = ['tls', 'starttls', 'none'] as const
export type TlsMode = (typeof tlsModes)[number]

export type Login = { readonly user: string; readonly password: Secret }

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Where a password may travel in the clear. */
export function isLoopback(host: string): boolean {
  const family = isIP(host)
  if (family === 0) return host.toLowerCase() === 'localhost'
  return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4')
}

/** A NUL ends a field of SASL PLAIN, a line end a command: what has one is no login. */
export function isLogin({ user, password }: Login): boolean {
  return user !== '' && password.reveal() !== '' && !/[\0\r\n]/.test(user + password.reveal())
}

/** Base64, without an authorisation identity. */
export function saslPlain({ user, password }: Login): string {
  return Buffer.from(`\0${user}\0${password.reveal()}`).toString('base64')
}

/** A server may repeat what it was told: the password, plain or as SASL sends it, becomes `***`. */
export function hideLogin(text: string, login: Login | null): string {
  if (login === null || login.password.reveal() === '') return text
  const plain = login.password.reveal()
  return [plain, saslPlain(login), Buffer.from(plain).toString('base64')].reduce(
    (kept, form) => kept.replaceAll(form, '***'),
    text,
  )
}
