/**
 * The lines that slapd, Postfix and Dovecot need for a directory in OpenLDAP, filled in. Templates stand in
 * `config/ldap`; a placeholder is `@NAME@`. What is the same over every directory (policy service, submission) is taken
 * from `config/postfix`. It writes nothing. The reader's password stands in what it gives: never log it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Secret } from '../../agent/core/secret.ts'
import { ProviderFailure } from '../provider.ts'
import { type ProfileName, profiles } from './profiles.ts'

export type LdapSnippetValues = {
  readonly url: string
  readonly encryption: 'starttls' | 'none'
  readonly base: string
  readonly agentDn: string
  /** The DN that Postfix and Dovecot read with, not the agent's, and its password. */
  readonly readerDn: string
  readonly readerPassword: Secret
  /** Absolute path of the authority's certificates, PEM. */
  readonly caFile: string
  /** `127.0.0.1:10031` or `unix:/absolute/path`, as in `listen.policy`. */
  readonly policy: string
  /** Absolute folders that the map files of Postfix, and the files of Dovecot, are put into. */
  readonly maps: string
  readonly dovecot: string
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
  /** Networks (CIDR) of institutions' servers with role `relay`. */
  readonly relays: readonly string[]
  /** What submission listens on: a service name or `address:port`. */
  readonly submission: string
  readonly submissions: string
  /** Whose attribute names, as the agent's own. */
  readonly profile: ProfileName
  /** What IMAP and POP say to the holder of a suspended account; one line, without commas. */
  readonly reason: string
}

export type Snippet = {
  /** Relative: `postfix/main.cf`. */
  readonly path: string
  readonly text: string
}

/** Of a Debian installation; what depends on the site has no default. */
const debianValues = {
  encryption: 'starttls',
  caFile: '/etc/ssl/certs/ca-certificates.crt',
  maps: '/etc/postfix/mailwarden',
  dovecot: '/etc/dovecot',
  delivery: 'lmtp:unix:private/dovecot-lmtp',
  sasl: 'private/auth',
  authSocket: '/var/spool/postfix/private/auth',
  lmtpSocket: '/var/spool/postfix/private/dovecot-lmtp',
  mail: '/var/vmail',
  mailUid: 'vmail',
  mailGid: 'vmail',
  relays: [],
  submission: 'submission',
  submissions: 'submissions',
  profile: 'own',
  reason: 'This account is suspended. Ask your administrator.',
} as const satisfies Partial<LdapSnippetValues>

type Site = 'url' | 'base' | 'agentDn' | 'readerDn' | 'readerPassword' | 'policy'

const ownFolder = join(import.meta.dirname, '..', '..', 'config', 'ldap')
const sharedFolder = join(import.meta.dirname, '..', '..', 'config')

const maps = [
  'virtual-mailbox-domains',
  'virtual-mailbox-maps',
  'virtual-alias-maps',
  'relay-domains',
  'transport-host',
  'transport-address',
  'transport-none',
  'transport-administrator',
] as const

/** Which of the maps a parameter of main.cf asks, in this order. */
const parameters: Readonly<Record<string, readonly (typeof maps)[number][]>> = {
  virtual_mailbox_domains: ['virtual-mailbox-domains'],
  virtual_mailbox_maps: ['virtual-mailbox-maps'],
  virtual_alias_maps: ['virtual-mailbox-maps', 'virtual-alias-maps'],
  relay_domains: ['relay-domains'],
  relay_recipient_maps: ['virtual-mailbox-maps'],
  transport_maps: ['transport-administrator', 'transport-host', 'transport-address', 'transport-none'],
}

const dovecotFiles = [
  'mailwarden.conf',
  'mailwarden-ldap.conf.ext',
  'mailwarden-ldap-collector.conf.ext',
  'mailwarden-ldap-domain.conf.ext',
  'mailwarden-ldap-suspended.conf.ext',
] as const

const header = `# Postfix and mailwarden over LDAP: lines for main.cf. Values with blanks need their braces; without them smtpd dies
# before its banner. The other .cf files of this folder belong into @MAPS@, readable by root and Postfix alone: they have
# a password in them. \`postconf -n\` shows what is in force, \`mailwarden doctor\` reads it and says what is missing.`

/** No blank, quote, brace, `$`, `%`, `#` or `?`, each of which means something to one of the servers. */
const plain = /^[A-Za-z0-9_./:@+,[\]-]+$/
const distinguishedName = /^[A-Za-z0-9_.@+,= -]+$/
const passwordText = /^[A-Za-z0-9_./:;@+,=!&*<>^~|-]+$/
const sentence = /^[A-Za-z0-9_./:@+()!? áéíóúñüÁÉÍÓÚÑÜ¡¿-]+$/

/** @throws ProviderFailure `unsupported` for a value that one of the files could not hold. */
export function renderLdapSnippets(site: Pick<LdapSnippetValues, Site> & Partial<LdapSnippetValues>): Snippet[] {
  const values: LdapSnippetValues = { ...debianValues, ...site }
  checkValues(values)
  const { policy, relays, encryption } = values
  const { naming, account, clauses, indexes } = profiles[values.profile]
  const placeholders: Readonly<Record<string, string>> = {
    URL: values.url,
    START_TLS: values.url.startsWith('ldap:') && encryption === 'starttls' ? 'yes' : 'no',
    CA_FILE: values.caFile,
    BASE: values.base,
    ROOT: naming.root,
    DOMAIN: naming.domain,
    ACCOUNT: account.ours,
    ADDRESS: account.address,
    ALIAS: account.aliases,
    NETWORKS: account.networks,
    QUOTA_RULE: account.quota.rule,
    OPEN: clauses.open,
    DOMAIN_SHUT: clauses.domainShut,
    INDEXES: indexes,
    AGENT_DN: values.agentDn,
    READER_DN: values.readerDn,
    READER_PASSWORD: values.readerPassword.reveal(),
    POLICY: policy.startsWith('unix:') ? policy : `inet:${policy}`,
    MAPS: values.maps,
    DOVECOT: values.dovecot,
    DELIVERY: values.delivery,
    SASL: values.sasl,
    AUTH_SOCKET: values.authSocket,
    LMTP_SOCKET: values.lmtpSocket,
    MAIL: values.mail,
    MAIL_UID: values.mailUid,
    MAIL_GID: values.mailGid,
    RELAYS: relays.map(toPostfixNetwork).join(' '),
    SUBMISSION: values.submission,
    SUBMISSIONS: values.submissions,
    REASON: values.reason,
  }
  const snippet = (path: string, template: string): Snippet => ({ path, text: fill(template, placeholders) })
  const postfixServer = read(ownFolder, 'postfix/server.cf').trimEnd()
  const dovecotServer = read(ownFolder, 'dovecot/server.conf.ext').trimEnd()
  return [
    snippet('slapd/mailwarden.conf', read(ownFolder, 'slapd/mailwarden.conf')),
    snippet('postfix/main.cf', mainCf()),
    snippet('postfix/master.cf', read(sharedFolder, 'postfix/master.cf')),
    ...maps.map(name =>
      snippet(
        `postfix/${name}.cf`,
        read(ownFolder, `postfix/${name}.cf`).replace('@SERVER@', () => postfixServer),
      ),
    ),
    ...dovecotFiles.map(name =>
      snippet(
        `dovecot/${name}`,
        read(ownFolder, `dovecot/${name}`).replace('@SERVER@', () => dovecotServer),
      ),
    ),
  ]
}

/** The shared main.cf with other maps and another first paragraph: the policy clauses stand in one place. */
function mainCf(): string {
  const [, ...paragraphs] = read(sharedFolder, 'postfix/main.cf').split('\n\n')
  const lines = paragraphs.join('\n\n').split('\n')
  return [header, '', ...lines.map(line => mapLine(line) ?? line)].join('\n')
}

function mapLine(line: string): string | undefined {
  const parameter = /^(\w+) = proxy:sqlite:/.exec(line)?.[1]
  const asked = parameters[parameter ?? '']
  return asked === undefined
    ? undefined
    : `${parameter} = ${asked.map(map => `proxy:ldap:@MAPS@/${map}.cf`).join(', ')}`
}

function read(folder: string, path: string): string {
  return readFileSync(join(folder, path), 'utf8')
}

function fill(template: string, placeholders: Readonly<Record<string, string>>): string {
  return template.replaceAll(/@([A-Z_]+)@/g, (whole, name: string) => placeholders[name] ?? whole)
}

function checkValues({ readerPassword, relays, reason, ...rest }: LdapSnippetValues): void {
  const refuse = (name: string, shown: string) => {
    throw new ProviderFailure('unsupported', `${name}: Postfix and Dovecot cannot hold ${shown}`, { retry: 'never' })
  }
  if (!passwordText.test(readerPassword.reveal())) refuse('readerPassword', 'one of its characters')
  if (!sentence.test(reason)) refuse('reason', JSON.stringify(reason))
  for (const [name, value] of [...Object.entries(rest), ...relays.map(net => ['relays', net] as const)]) {
    const grammar = name === 'base' || name.endsWith('Dn') ? distinguishedName : plain
    if (!grammar.test(value)) refuse(name, JSON.stringify(value))
  }
}

/** Postfix writes an IPv6 network as `[2001:db8::]/48`. */
function toPostfixNetwork(network: string): string {
  const [address = '', length] = network.split('/')
  return address.includes(':') ? `[${address}]${length === undefined ? '' : `/${length}`}` : network
}
