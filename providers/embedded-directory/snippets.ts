/**
 * The lines that Postfix and Dovecot need, filled in: `mailwarden init` prints them, the tests run real servers with
 * them. Templates stand in `config/postfix` and `config/dovecot`; a placeholder is `@NAME@`. It writes nothing.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ProviderFailure } from '../provider.ts'

export type SnippetValues = {
  /** The directory's file, absolute. */
  readonly directory: string
  /** `127.0.0.1:10031` or `unix:/absolute/path`, as in `listen.policy`. */
  readonly policy: string
  /** Absolute folder that the map files of Postfix are put into. */
  readonly maps: string
  /** Absolute path that `mailwarden-sql.conf.ext` is put at. */
  readonly sql: string
  /** How Postfix reaches Dovecot's LMTP: `lmtp:unix:private/dovecot-lmtp`, `lmtp:inet:127.0.0.1:24`. */
  readonly delivery: string
  /** Dovecot's socket for SMTP AUTH as Postfix names it (below its queue folder, or absolute), and as Dovecot does. */
  readonly sasl: string
  readonly authSocket: string
  /** The socket of `delivery` as Dovecot names it, where it is one; Dovecot makes it either way. */
  readonly lmtpSocket: string
  /** Absolute folder of the mailboxes and the user and group, by number or name, that they belong to. */
  readonly mail: string
  readonly mailUid: string
  readonly mailGid: string
  /** The group that may read the directory's file. */
  readonly group: string
  /** Networks (CIDR) of institutions' servers with role `relay`. */
  readonly relays: readonly string[]
  /** What submission listens on: a service name or `address:port`. */
  readonly submission: string
  readonly submissions: string
  /** Absolute path of the file of closed domains, of doveadm's key, and where doveadm's HTTP API listens. */
  readonly closedDomains: string
  readonly doveadmKey: string
  readonly doveadmAddress: string
  readonly doveadmPort: string
  /** Absolute path of the file with the master user of `verify`, and the network (CIDR) of mailwarden's own host. */
  readonly verifyUsers: string
  readonly verifyNetwork: string
}

export type Snippet = { /** Relative: `postfix/main.cf`. */ readonly path: string; readonly text: string }

/** Of a Debian installation; what depends on the site has no default. */
const debianValues = {
  maps: '/etc/postfix/mailwarden',
  sql: '/etc/dovecot/mailwarden-sql.conf.ext',
  delivery: 'lmtp:unix:private/dovecot-lmtp',
  sasl: 'private/auth',
  authSocket: '/var/spool/postfix/private/auth',
  lmtpSocket: '/var/spool/postfix/private/dovecot-lmtp',
  mail: '/var/vmail',
  mailUid: 'vmail',
  mailGid: 'vmail',
  group: 'postfix',
  relays: [],
  submission: 'submission',
  submissions: 'submissions',
  closedDomains: '/etc/dovecot/mailwarden/closed-domains',
  doveadmKey: '/etc/dovecot/mailwarden/doveadm-key',
  doveadmAddress: '127.0.0.1',
  doveadmPort: '10080',
  verifyUsers: '/etc/dovecot/mailwarden/verify-users',
  verifyNetwork: '127.0.0.1/32',
} as const satisfies Omit<SnippetValues, 'directory' | 'policy'>

const templates = [
  'postfix/main.cf',
  'postfix/master.cf',
  'postfix/virtual-mailbox-domains.cf',
  'postfix/virtual-mailbox-maps.cf',
  'postfix/virtual-alias-maps.cf',
  'postfix/relay-domains.cf',
  'postfix/relay-recipients.cf',
  'postfix/transport.cf',
  'dovecot/mailwarden-doors.conf',
  'dovecot/mailwarden-verify.conf',
  'dovecot/mailwarden.conf',
  'dovecot/mailwarden-sql.conf.ext',
] as const

const templateFolder = join(import.meta.dirname, '..', '..', 'config')

/**
 * What may stand in a value: no blank, quote, brace, `$`, `%`, `#` or `?`, each of which means something to one of the
 * two servers, to SQL or to a URI. Paths with such characters are refused rather than quoted four ways.
 */
const plain = /^[A-Za-z0-9_./:@+,[\]-]+$/

/** @throws ProviderFailure `unsupported` for a value that one of the files could not hold. */
export function renderSnippets(site: Pick<SnippetValues, 'directory' | 'policy'> & Partial<SnippetValues>): Snippet[] {
  const values: SnippetValues = { ...debianValues, ...site }
  const { relays, policy, ...rest } = values
  for (const [name, value] of [...Object.entries(rest), ['policy', policy], ...relays.map(net => ['relays', net])])
    if (!plain.test(value ?? ''))
      throw new ProviderFailure('unsupported', `${name}: Postfix and Dovecot cannot hold ${JSON.stringify(value)}`, {
        retry: 'never',
      })
  const placeholders: Readonly<Record<string, string>> = {
    DIRECTORY: values.directory,
    POLICY: policy.startsWith('unix:') ? policy : `inet:${policy}`,
    MAPS: values.maps,
    SQL: values.sql,
    DELIVERY: values.delivery,
    SASL: values.sasl,
    AUTH_SOCKET: values.authSocket,
    LMTP_SOCKET: values.lmtpSocket,
    MAIL: values.mail,
    MAIL_UID: values.mailUid,
    MAIL_GID: values.mailGid,
    GROUP: values.group,
    RELAYS: relays.map(toPostfixNetwork).join(' '),
    SUBMISSION: values.submission,
    SUBMISSIONS: values.submissions,
    CLOSED_DOMAINS: values.closedDomains,
    DOVEADM_KEY: values.doveadmKey,
    DOVEADM_ADDRESS: values.doveadmAddress,
    DOVEADM_PORT: values.doveadmPort,
    VERIFY_USERS: values.verifyUsers,
    VERIFY_NETWORK: values.verifyNetwork,
  }
  return templates.map(path => ({ path, text: fill(readFileSync(join(templateFolder, path), 'utf8'), placeholders) }))
}

function fill(template: string, placeholders: Readonly<Record<string, string>>): string {
  return template.replaceAll(/@([A-Z_]+)@/g, (whole, name: string) => placeholders[name] ?? whole)
}

/** Postfix writes an IPv6 network as `[2001:db8::]/48`. */
function toPostfixNetwork(network: string): string {
  const [address = '', length] = network.split('/')
  return address.includes(':') ? `[${address}]${length === undefined ? '' : `/${length}`}` : network
}
