/**
 * The files of slapd, Postfix and Dovecot for a directory in OpenLDAP, filled in. Templates stand in `config/ldap`; what is
 * the same over every directory (policy service, submission, doors) is taken from `config/postfix` and `config/dovecot`.
 * It writes nothing. The reader's password stands in what it gives: never log it.
 */
import type { Secret } from '../../agent/core/secret.ts'
import {
  checkValues,
  debianMail,
  fill,
  type MailValues,
  mailPlaceholders,
  mailTemplates,
  type Placeholders,
  readTemplate,
  refuse,
  type Snippet,
} from '../snippets.ts'
import { formatEntry, toConfigLdif } from './ldif.ts'
import { type ProfileName, profiles } from './profiles.ts'

export type LdapSnippetValues = MailValues & {
  readonly url: string
  readonly encryption: 'starttls' | 'none'
  readonly base: string
  readonly agentDn: string
  /** The DN that Postfix and Dovecot read with, not the agent's, and its password. */
  readonly readerDn: string
  readonly readerPassword: Secret
  /** The two passwords as slapd keeps them: `{SSHA}…`. Without them no entries are made for the two DNs. */
  readonly hashes: { readonly agent: string; readonly reader: string } | null
  /** Where the database stands in slapd's own configuration. */
  readonly configDn: string
  /** Absolute path of the authority's certificates, PEM. */
  readonly caFile: string
  /** Absolute folder that the files of Dovecot are put into. */
  readonly dovecot: string
  /** Whose attribute names, as the agent's own. */
  readonly profile: ProfileName
  /** What IMAP and POP say to the holder of a suspended account; one line, without commas. */
  readonly reason: string
}

/** Of a Debian installation; what depends on the site has no default. */
const debianValues = {
  ...debianMail,
  encryption: 'starttls',
  hashes: null,
  configDn: 'olcDatabase={1}mdb,cn=config',
  caFile: '/etc/ssl/certs/ca-certificates.crt',
  dovecot: '/etc/dovecot',
  profile: 'own',
  reason: 'This account is suspended. Ask your administrator.',
} as const satisfies Partial<LdapSnippetValues>

type Site = 'url' | 'base' | 'agentDn' | 'readerDn' | 'readerPassword' | 'policy'

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

const dovecotLookUps = [
  'mailwarden-ldap.conf.ext',
  'mailwarden-ldap-collector.conf.ext',
  'mailwarden-ldap-domain.conf.ext',
  'mailwarden-ldap-suspended.conf.ext',
] as const

const header = `# Postfix and mailwarden over LDAP: lines for main.cf. Values with blanks need their braces; without them smtpd dies
# before its banner. The other .cf files of this folder belong into @MAPS@, readable by root and Postfix alone: they have
# a password in them. \`postconf -n\` shows what is in force, \`mailwarden doctor\` reads it and says what is missing.`

const distinguishedName = /^[A-Za-z0-9_.@+,= -]+$/
const configName = /^olcDatabase=\{\d+\}[a-z]+,cn=config$/
const passwordText = /^[A-Za-z0-9_./:;@+,=!&*<>^~|-]+$/
const passwordHash = /^\{[A-Z0-9-]+\}[A-Za-z0-9$./+=]+$/
const sentence = /^[A-Za-z0-9_./:@+()!? áéíóúñüÁÉÍÓÚÑÜ¡¿-]+$/

/** @throws ProviderFailure `unsupported` for a value that one of the files could not hold. */
export function renderLdapSnippets(site: Pick<LdapSnippetValues, Site> & Partial<LdapSnippetValues>): Snippet[] {
  const values: LdapSnippetValues = { ...debianValues, ...site }
  checkLdapValues(values)
  const { encryption } = values
  const { naming, account, clauses, indexes } = profiles[values.profile]
  const placeholders: Placeholders = {
    ...mailPlaceholders(values),
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
    DOVECOT: values.dovecot,
    REASON: values.reason,
  }
  const snippet = (path: string, template: string): Snippet => ({ path, text: fill(template, placeholders) })
  /** The reader's password stands in it. */
  const lookUp = (path: string, server: string): Snippet => ({
    ...snippet(
      path,
      readTemplate(`ldap/${path}`).replace('@SERVER@', () => server),
    ),
    access: 'private',
  })
  const postfixServer = readTemplate('ldap/postfix/server.cf').trimEnd()
  const dovecotServer = readTemplate('ldap/dovecot/server.conf.ext').trimEnd()
  const slapdConf = fill(readTemplate('ldap/slapd/mailwarden.conf'), placeholders)
  return [
    { path: 'slapd/mailwarden.conf', text: slapdConf },
    { path: 'slapd/database.ldif', text: toConfigLdif(slapdConf, values.configDn) },
    { path: 'slapd/mailwarden.schema', text: readTemplate('ldap/mailwarden.schema') },
    { path: 'slapd/schema.ldif', text: readTemplate('ldap/mailwarden.ldif') },
    ...entriesOf(values),
    snippet('postfix/main.cf', mainCf()),
    ...maps.map(name => lookUp(`postfix/${name}.cf`, postfixServer)),
    snippet('dovecot/mailwarden.conf', readTemplate('ldap/dovecot/mailwarden.conf')),
    ...dovecotLookUps.map(name => lookUp(`dovecot/${name}`, dovecotServer)),
    ...mailTemplates.map(path => snippet(path, readTemplate(path))),
  ]
}

/** The base, the place of the domains, and who writes and reads there. */
function entriesOf({ base, agentDn, readerDn, hashes, profile }: LdapSnippetValues): Snippet[] {
  if (hashes === null) return []
  const { root, rootEntry } = profiles[profile].naming
  const [attribute = '', value = ''] = (base.split(',')[0] ?? '').split('=')
  const baseEntry = baseClasses[attribute.trim().toLowerCase()]
  const identity = (dn: string, description: string, hash: string) =>
    formatEntry(dn, {
      objectClass: ['organizationalRole', 'simpleSecurityObject'],
      cn: [(dn.split(',')[0] ?? '').slice('cn='.length)],
      description: [description],
      userPassword: [hash],
    })
  const entries = [
    ...(baseEntry === undefined ? [] : [formatEntry(base, { ...baseEntry, [attribute.trim()]: [value.trim()] })]),
    formatEntry(`${root},${base}`, rootEntry),
    identity(agentDn, 'mailwarden writes domains and accounts', hashes.agent),
    identity(readerDn, 'Postfix and Dovecot read them', hashes.reader),
  ]
  return [
    {
      path: 'slapd/entries.ldif',
      text: `${fill(readTemplate('ldap/slapd/entries.head'), { BASE: base })}\n${entries.join('\n')}`,
      access: 'private',
    },
  ]
}

/** What a base is made of, by the attribute that names it. Any other stands already. */
const baseClasses: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  dc: { objectClass: ['dcObject', 'organization'], o: ['mail'] },
  o: { objectClass: ['organization'] },
  ou: { objectClass: ['organizationalUnit'] },
}

/** The shared main.cf with other maps and another first paragraph: the policy clauses stand in one place. */
function mainCf(): string {
  const [, ...paragraphs] = readTemplate('postfix/main.cf').split('\n\n')
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

function checkLdapValues({ readerPassword, hashes, relays: _, reason, configDn, ...rest }: LdapSnippetValues): void {
  if (!passwordText.test(readerPassword.reveal())) refuse('readerPassword', 'one of its characters')
  for (const hash of Object.values(hashes ?? {})) if (!passwordHash.test(hash)) refuse('hashes', 'one of them')
  checkValues({ reason }, sentence)
  checkValues({ configDn }, configName)
  const { base, agentDn, readerDn, ...others } = rest
  checkValues({ base, agentDn, readerDn }, distinguishedName)
  checkValues(others)
}
