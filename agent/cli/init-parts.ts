/**
 * What `init --with postfix,dovecot,ldap,powerdns,bind,knot,smtp` changes: lines of the configuration, what the files of
 * the servers are made from, secrets made on the spot. Pure but for chance: it writes nothing.
 */
import { Secret } from '../core/secret.ts'
import { parseDomainName } from '../model/name.ts'
import { hashPassword } from '../standards/password.ts'
import { hashForPowerDns, hashForSlapd } from '../standards/server-key.ts'
import type { TsigKey } from '../standards/tsig.ts'

export const initParts = ['postfix', 'dovecot', 'ldap', 'powerdns', 'bind', 'knot', 'smtp'] as const
export type InitPart = (typeof initParts)[number]
export const ldapProfiles = ['own', 'postfix-book', 'iredmail'] as const
export type LdapProfile = (typeof ldapProfiles)[number]
/** What `--with` takes, separated by commas. */
export const initWords = [...initParts, ...ldapProfiles.map(profile => `ldap:${profile}`)]

/** `private`: readable by its owner alone, since a secret stands in it. */
export type InitFile = { readonly path: string; readonly text: string; readonly access?: 'private' }

export type Chosen = { readonly parts: ReadonlySet<InitPart>; readonly profile: LdapProfile }

/** What one site differs in from the next. */
export type Site = {
  /** The operator's own domain: names of hosts and addresses are made from it. */
  readonly domain: string
  readonly base: string
  readonly ldapUrl: string
}

/** What the files of the servers are made from; the composition root knows the templates. */
export type ServerValues = {
  readonly policy: string
  readonly notices: string
  readonly directory:
    | { readonly kind: 'embedded'; readonly file: string }
    | {
        readonly kind: 'ldap'
        readonly url: string
        readonly encryption: 'starttls' | 'none'
        readonly base: string
        readonly agentDn: string
        readonly readerDn: string
        readonly readerPassword: Secret
        readonly hashes: { readonly agent: string; readonly reader: string }
        readonly profile: LdapProfile
      }
  readonly dns:
    | { readonly kind: 'embedded' }
    | { readonly kind: 'powerdns'; readonly keyHash: string }
    | { readonly kind: 'bind' | 'knot'; readonly key: TsigKey; readonly include: string }
}

export type InitPlan = {
  /** Lines of `spec.providers`. */
  readonly providers: readonly string[]
  /** Lines of `spec`, to be used once the mail servers know of them. */
  readonly later: readonly string[]
  readonly files: readonly InitFile[]
  readonly servers: ServerValues
}

export const policyAddress = '127.0.0.1:10031'
const noticesAddress = '127.0.0.1:10025'
const authorities = '/etc/ssl/certs/ca-certificates.crt'
export const zoneFolders = { bind: '/var/lib/bind/mailwarden', knot: '/var/lib/knot/mailwarden' } as const

export type Given = {
  readonly domain?: string | undefined
  readonly base?: string | undefined
  readonly ldap?: string | undefined
}

const ldapUrl = /^ldaps?:\/\/([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?$/i

/** @param given what was said on the command line; the rest follows from the domain. */
export function siteOf({
  domain = 'operator.example',
  base,
  ldap = 'ldap://127.0.0.1',
}: Given): Site | { readonly wrong: string } {
  const name = parseDomainName(domain)
  if (name === undefined) return { wrong: `--domain ${domain}` }
  if (!ldapUrl.test(ldap)) return { wrong: `--ldap ${ldap}` }
  const labels = name.split('.').map(label => `dc=${label}`)
  return { domain: name, base: base ?? labels.join(','), ldapUrl: ldap }
}

/** The words of `--with`, or the first that is none of them: `ldap:postfix-book` names a profile. */
export function parseParts(text: string): Chosen | { readonly unknown: string } {
  const words = text.split(',').map(word => word.trim())
  const [profile = 'own'] = words.flatMap(word => (word.startsWith('ldap:') ? [word.slice('ldap:'.length)] : []))
  const parts = words.map(word => (word === `ldap:${profile}` ? 'ldap' : word))
  const unknown = parts.find(word => !initParts.includes(word as InitPart))
  if (unknown !== undefined) return { unknown }
  if (!ldapProfiles.includes(profile as LdapProfile)) return { unknown: `ldap:${profile}` }
  // One name server and no more: the later of two would be left out without a word.
  const second = parts.filter(part => ['powerdns', 'bind', 'knot'].includes(part))[1]
  if (second !== undefined) return { unknown: parts.filter(part => part !== 'ldap').join(',') }
  return { parts: new Set(parts as InitPart[]), profile: profile as LdapProfile }
}

/**
 * @param directoryFile absolute, of the embedded directory.
 * @param makeSecret gives a new random text each time; 32 characters of it are enough for any of these.
 */
export async function planParts(
  { parts, profile }: Chosen,
  site: Site,
  directoryFile: string,
  makeSecret: () => Secret,
): Promise<InitPlan> {
  const files: InitFile[] = []
  const keep = (name: string, secret: Secret) => {
    files.push({ path: `secrets/${name}`, text: secret.reveal(), access: 'private' })
    return `{ file: ./secrets/${name} }`
  }
  const directory = parts.has('ldap') ? ldap() : embeddedDirectory()
  const dns = await nameServer()
  const providers = [...directory.lines, ...dns.lines, mailLine(parts), ...notifyLines(parts)]
  const later = parts.has('dovecot') ? await dovecotSecrets() : []
  const servers = { policy: policyAddress, notices: noticesAddress, directory: directory.values, dns: dns.values }
  return { providers, later, files, servers }

  function embeddedDirectory() {
    return {
      lines: ['directory: { kind: embedded, file: ./var/directory.db }'],
      values: { kind: 'embedded', file: directoryFile } as const,
    }
  }

  function ldap() {
    const { base, ldapUrl: url } = site
    const [agent, reader] = [makeSecret(), makeSecret()]
    const agentDn = `cn=mailwarden,${base}`
    const loopback = isLoopback(url)
    const encryption = url.startsWith('ldap:') && !loopback ? ('starttls' as const) : ('none' as const)
    const tls = loopback ? '' : `${encryption === 'starttls' ? ', startTls: true' : ''}, ca: ${authorities}`
    const named = profile === 'own' ? '' : `, profile: ${profile}`
    const why = loopback
      ? '# slapd on this host: loopback, so without TLS, as in the files of Postfix and Dovecot. On another: init --ldap'
      : '# Encrypted, with the authorities of this host, as in the files of Postfix and Dovecot.'
    return {
      lines: [
        why,
        `directory: { kind: ldap, url: "${url}", base: "${base}", bindDn: "${agentDn}", password: ${keep('ldap', agent)}${tls}${named} }`,
      ],
      values: {
        kind: 'ldap',
        url,
        encryption,
        base,
        agentDn,
        readerDn: `cn=mailwarden-reader,${base}`,
        readerPassword: reader,
        hashes: { agent: hashForSlapd(agent), reader: hashForSlapd(reader) },
        profile,
      } as const,
    }
  }

  async function nameServer(): Promise<{ lines: string[]; values: ServerValues['dns'] }> {
    if (parts.has('powerdns')) {
      const key = makeSecret()
      return {
        lines: [`dns: { kind: powerdns, url: "http://127.0.0.1:8081", apiKey: ${keep('powerdns', key)} }`],
        values: { kind: 'powerdns', keyHash: await hashForPowerDns(key) },
      }
    }
    const kind = parts.has('knot') ? 'knot' : 'bind'
    if (!parts.has(kind))
      return { lines: ['dns: { kind: embedded, listen: 127.0.0.1:5353 }'], values: { kind: 'embedded' } }
    // TSIG keys are written in Base64 everywhere.
    const secret = new Secret(Buffer.from(makeSecret().reveal()).toString('base64'))
    const folder = zoneFolders[kind]
    const include = `${zoneFolders.bind}/zones.conf`
    const zones =
      kind === 'knot'
        ? `{ making: knot, folder: ${folder}, command: [/usr/sbin/knotc] }`
        : `{ making: bind, folder: ${folder}, include: ${include}, command: [/usr/sbin/rndc] }`
    return {
      lines: [
        `dns: { kind: rfc2136, server: "127.0.0.1:53", key: { name: mailwarden, secret: ${keep('tsig', secret)} }, zones: ${zones} }`,
      ],
      values: { kind, key: { name: 'mailwarden', algorithm: 'hmac-sha256', secret }, include },
    }
  }

  /** doveadm's key, and a master user whose password nobody has typed. */
  async function dovecotSecrets(): Promise<string[]> {
    const password = makeSecret()
    const place = keep('verify', password)
    const user = `mailwarden-verify:${await hashPassword(password)}\n`
    files.push({ path: 'dovecot/doveadm-key', text: makeSecret().reveal(), access: 'private' })
    files.push({ path: 'dovecot/verify-users', text: user, access: 'private' })
    const mail = `mail.${site.domain}`
    return [
      'verify:                           # after a change, look at what people see',
      ...(dns.values.kind === 'embedded' ? [] : ['  nameServers: ["127.0.0.1:53"]']),
      '  doors:',
      `    - { protocol: imap, server: "${mail}:993" }`,
      ...(parts.has('postfix') ? [`    - { protocol: submission, server: "${mail}:587", tls: starttls }`] : []),
      `  master: { user: mailwarden-verify, password: ${place} }`,
    ]
  }
}

function isLoopback(url: string): boolean {
  return /^ldap:\/\/(127\.[\d.]+|localhost|\[::1\])(:\d+)?$/.test(url)
}

function notifyLines(parts: ReadonlySet<InitPart>): string[] {
  if (!parts.has('smtp')) return ['notify: { kind: spool, folder: ./var/outbox }']
  const server = parts.has('postfix') ? noticesAddress : '127.0.0.1:25'
  return [
    parts.has('postfix')
      ? '# The service of postfix/notices.cf: port 25 relays for nobody on this host.'
      : '# The server has to take mail of this host to anywhere.',
    `notify: { kind: smtp, server: "${server}", tls: none, folder: ./var/outbox }`,
  ]
}

function mailLine(parts: ReadonlySet<InitPart>): string {
  const key = '{ file: /etc/dovecot/mailwarden/doveadm-key }'
  const hosts = [
    ...(parts.has('dovecot')
      ? [
          `{ kind: dovecot, name: imap1, url: "http://127.0.0.1:10080", apiKey: ${key}, denyFile: /etc/dovecot/mailwarden/closed-domains }`,
        ]
      : []),
    ...(parts.has('postfix') ? ['{ kind: postfix, name: mx1 }'] : []),
  ]
  return `mail: [${hosts.join(', ')}]`
}
