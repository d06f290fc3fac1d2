/**
 * Files for the servers that mailwarden works with, made from the templates in `config/`: a placeholder is `@NAME@`.
 * `mailwarden init` writes them, the tests run real servers from them. What Postfix and Dovecot need over every directory
 * stands here; what depends on one system stands in its folder. It writes nothing. A password may stand in what it gives:
 * never log it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ProviderFailure } from './provider.ts'

/** `private`: a secret stands in it, or what a secret could be guessed from. */
export type Snippet = { /** Relative: `postfix/main.cf`. */ readonly path: string; readonly text: string } & {
  readonly access?: 'private'
}

/** What Postfix and Dovecot are told over every directory. */
export type MailValues = {
  /** `127.0.0.1:10031` or `unix:/absolute/path`, as in `listen.policy`. */
  readonly policy: string
  /** Absolute folder that the map files of Postfix are put into. */
  readonly maps: string
  /** How Postfix reaches Dovecot's LMTP: `lmtp:unix:private/dovecot-lmtp`, `lmtp:inet:127.0.0.1:24`. */
  readonly delivery: string
  /** Dovecot's socket for SMTP AUTH as Postfix names it (below its queue folder, or absolute), and as Dovecot does. */
  readonly sasl: string
  readonly authSocket: string
  /** The socket of `delivery` as Dovecot names it, where it is one; Dovecot makes it either way. */
  readonly lmtpSocket: string
  /** Absolute folder of the mailboxes and the user and group that they belong to: numbers, or Dovecot does not start. */
  readonly mail: string
  readonly mailUid: string
  readonly mailGid: string
  /** Networks (CIDR) of institutions' servers with role `relay`. */
  readonly relays: readonly string[]
  /** What submission listens on: a service name or `address:port`. */
  readonly submission: string
  readonly submissions: string
  /** Where mailwarden itself hands over its notices: `address:port` of loopback. */
  readonly notices: string
  /** Absolute path of the file of closed domains, of doveadm's key, and where doveadm's HTTP API listens. */
  readonly closedDomains: string
  readonly doveadmKey: string
  readonly doveadmAddress: string
  readonly doveadmPort: string
  /** Absolute path of the file with the master user of `verify`, and the network (CIDR) of mailwarden's own host. */
  readonly verifyUsers: string
  readonly verifyNetwork: string
}

/** Of a Debian installation. */
export const debianMail = {
  maps: '/etc/postfix/mailwarden',
  delivery: 'lmtp:unix:private/dovecot-lmtp',
  sasl: 'private/auth',
  authSocket: '/var/spool/postfix/private/auth',
  lmtpSocket: '/var/spool/postfix/private/dovecot-lmtp',
  mail: '/var/vmail',
  mailUid: '5000',
  mailGid: '5000',
  relays: [],
  submission: 'submission',
  submissions: 'submissions',
  notices: '127.0.0.1:10025',
  closedDomains: '/etc/dovecot/mailwarden/closed-domains',
  doveadmKey: '/etc/dovecot/mailwarden/doveadm-key',
  doveadmAddress: '127.0.0.1',
  doveadmPort: '10080',
  verifyUsers: '/etc/dovecot/mailwarden/verify-users',
  verifyNetwork: '127.0.0.1/32',
} as const satisfies Omit<MailValues, 'policy'>

/** The same over every directory. */
export const mailTemplates = [
  'postfix/master.cf',
  'postfix/notices.cf',
  'dovecot/local.conf',
  'dovecot/mailwarden-doors.conf',
  'dovecot/mailwarden-verify.conf',
] as const

export type Placeholders = Readonly<Record<string, string>>

/**
 * What may stand in a value: no blank, quote, brace, `$`, `%`, `#` or `?`, each of which means something to one of the
 * servers, to SQL or to a URI. Paths with such characters are refused rather than quoted four ways.
 */
export const plain = /^[A-Za-z0-9_./:@+,[\]-]+$/
const number = /^\d+$/

/** @throws ProviderFailure `unsupported` for a value that one of the files could not hold. */
export function checkValues(values: Readonly<Record<string, string>>, grammar: RegExp = plain): void {
  for (const [name, value] of Object.entries(values)) if (!grammar.test(value)) refuse(name, JSON.stringify(value))
}

export function refuse(name: string, shown: string): never {
  throw new ProviderFailure('unsupported', `${name}: the files of the servers cannot hold ${shown}`, { retry: 'never' })
}

/** @throws ProviderFailure as `checkValues`. */
export function mailPlaceholders(values: MailValues): Placeholders {
  const { relays, policy, mailUid, mailGid } = values
  for (const network of relays) checkValues({ relays: network })
  checkValues({ mailUid, mailGid }, number)
  return {
    POLICY: policy.startsWith('unix:') ? policy : `inet:${policy}`,
    MAPS: values.maps,
    DELIVERY: values.delivery,
    SASL: values.sasl,
    AUTH_SOCKET: values.authSocket,
    LMTP_SOCKET: values.lmtpSocket,
    MAIL: values.mail,
    MAIL_UID: mailUid,
    MAIL_GID: mailGid,
    RELAYS: relays.map(toPostfixNetwork).join(' '),
    SUBMISSION: values.submission,
    SUBMISSIONS: values.submissions,
    NOTICES: values.notices,
    CLOSED_DOMAINS: values.closedDomains,
    DOVEADM_KEY: values.doveadmKey,
    DOVEADM_ADDRESS: values.doveadmAddress,
    DOVEADM_PORT: values.doveadmPort,
    VERIFY_USERS: values.verifyUsers,
    VERIFY_NETWORK: values.verifyNetwork,
  }
}

const templateFolder = join(import.meta.dirname, '..', 'config')

export function readTemplate(path: string): string {
  return readFileSync(join(templateFolder, path), 'utf8')
}

export function fill(template: string, placeholders: Placeholders): string {
  return template.replaceAll(/@([A-Z_]+)@/g, (whole, name: string) => placeholders[name] ?? whole)
}

/** Postfix writes an IPv6 network as `[2001:db8::]/48`. */
function toPostfixNetwork(network: string): string {
  const [address = '', length] = network.split('/')
  return address.includes(':') ? `[${address}]${length === undefined ? '' : `/${length}`}` : network
}
