/**
 * What `init --with postfix,dovecot,ldap,powerdns,bind,knot,smtp` changes: lines of the configuration, files of the
 * systems, secrets made on the spot. Pure but for chance: it writes nothing.
 */
import type { Secret } from '../core/secret.ts'
import { hashPassword } from '../standards/password.ts'

export const initParts = ['postfix', 'dovecot', 'ldap', 'powerdns', 'bind', 'knot', 'smtp'] as const
export type InitPart = (typeof initParts)[number]

/** `private`: readable by its owner alone, since a secret stands in it. */
export type InitFile = { readonly path: string; readonly text: string; readonly access?: 'private' }

export type InitPlan = {
  /** Lines of `spec.providers`. */
  readonly providers: readonly string[]
  /** Lines of `spec`, to be used once the mail servers know of them. */
  readonly later: readonly string[]
  readonly files: readonly InitFile[]
}

/** Of an example site; whoever installs it changes names and hosts here and in the snippets alike. */
export const ldapSite = {
  url: 'ldap://127.0.0.1:389',
  base: 'dc=operator,dc=example',
  agentDn: 'cn=mailwarden,dc=operator,dc=example',
  readerDn: 'cn=mailwarden-reader,dc=operator,dc=example',
} as const

/** The words of `--with`, or the first that is none of them. */
export function parseParts(text: string): { readonly parts: ReadonlySet<InitPart> } | { readonly unknown: string } {
  const words = text.split(',').map(word => word.trim())
  const unknown = words.find(word => !initParts.includes(word as InitPart))
  return unknown === undefined ? { parts: new Set(words as InitPart[]) } : { unknown }
}

/** @param makeSecret gives a new random text each time; 32 characters of it are enough for any of these. */
export async function planParts(parts: ReadonlySet<InitPart>, makeSecret: () => Secret): Promise<InitPlan> {
  const files: InitFile[] = []
  const secret = (name: string, text: string) => {
    files.push({ path: `secrets/${name}`, text, access: 'private' })
    return `{ file: ./secrets/${name} }`
  }
  const providers = [
    parts.has('ldap')
      ? `directory: { kind: ldap, url: "${ldapSite.url}", base: "${ldapSite.base}", bindDn: "${ldapSite.agentDn}", password: ${secret('ldap', makeSecret().reveal())} }`
      : 'directory: { kind: embedded, file: ./var/directory.db }',
    dnsLine(parts, name => secret(name, makeSecret().reveal()), makeSecret),
    mailLine(parts),
    parts.has('smtp')
      ? 'notify: { kind: smtp, server: "127.0.0.1:25", tls: none, folder: ./var/outbox }'
      : 'notify: { kind: spool, folder: ./var/outbox }',
  ]
  return { providers, later: parts.has('dovecot') ? await verifyLines() : [], files }

  /** With a master user whose password nobody has typed. */
  async function verifyLines(): Promise<string[]> {
    const password = makeSecret()
    const place = secret('verify', password.reveal())
    files.push({
      path: 'dovecot/verify-users',
      text: `mailwarden-verify:${await hashPassword(password)}\n`,
      access: 'private',
    })
    return [
      'verify:                           # after a change, look at what people see',
      ...(parts.has('powerdns') || parts.has('bind') || parts.has('knot') ? ['  nameServers: ["127.0.0.1:53"]'] : []),
      '  doors:',
      '    - { protocol: imap, server: "mail.operator.example:993" }',
      ...(parts.has('postfix')
        ? ['    - { protocol: submission, server: "mail.operator.example:587", tls: starttls }']
        : []),
      `  master: { user: mailwarden-verify, password: ${place} }`,
    ]
  }

  function dnsLine(chosen: ReadonlySet<InitPart>, keyFile: (name: string) => string, make: () => Secret): string {
    if (chosen.has('powerdns'))
      return `dns: { kind: powerdns, url: "http://127.0.0.1:8081", apiKey: ${keyFile('powerdns')} }`
    if (!chosen.has('bind') && !chosen.has('knot')) return 'dns: { kind: embedded, listen: 127.0.0.1:5353 }'
    // TSIG keys are written in Base64 everywhere.
    const key = `key: { name: mailwarden, secret: ${secret('tsig', Buffer.from(make().reveal()).toString('base64'))} }`
    const zones = chosen.has('knot')
      ? '{ making: knot, folder: /var/lib/knot/mailwarden, command: [/usr/sbin/knotc] }'
      : '{ making: bind, folder: /var/lib/bind/mailwarden, include: /var/lib/bind/mailwarden/zones.conf, command: [/usr/sbin/rndc] }'
    return `dns: { kind: rfc2136, server: "127.0.0.1:53", ${key}, zones: ${zones} }`
  }
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
