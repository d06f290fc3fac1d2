/**
 * A login as Dovecot makes it over slapd: the filters that we print for it, asked as its own DN, then the hash that is found
 * computed again (slapd's own binds know no Argon2id, and no door of the mail platform rests on them).
 */
import { argon2Sync } from 'node:crypto'
import { renderLdapSnippets } from '../../../providers/ldap/snippets.ts'
import { run } from '../mail-servers.ts'
import type { Slapd } from '../slapd.ts'

/** The `pass_filter` of one of the printed files. */
function filterOf({ url, base, agentDn, readerDn, password }: Slapd, path: string): string {
  const site = {
    url,
    base,
    agentDn,
    readerDn,
    readerPassword: password,
    policy: 'unix:/x',
    encryption: 'none',
  } as const
  const text = renderLdapSnippets(site).find(one => one.path === path)?.text ?? ''
  const filter = /^pass_filter = (.*)$/m.exec(text)?.[1]
  if (filter === undefined) throw new Error(`${path} has no filter`)
  return filter
}

/** @returns a function that tells whether somebody gets in; a directory that is away lets nobody in. */
export function loginsOf(slapd: Slapd): (address: string, password: string) => boolean {
  const [account, domain] = ['dovecot/mailwarden-ldap.conf.ext', 'dovecot/mailwarden-ldap-domain.conf.ext'].map(path =>
    filterOf(slapd, path),
  ) as [string, string]
  const tree = `ou=domains,${slapd.base}`
  const ask = (scope: string, filter: string, attribute: string): string[] => {
    const bound = ['-x', '-H', slapd.url, '-D', slapd.readerDn, '-w', slapd.password.reveal()]
    const args = [...bound, '-LLL', '-o', 'ldif-wrap=no', '-b', tree, '-s', scope, filter, attribute]
    const { stdout } = run('/usr/bin/ldapsearch', args)
    return stdout.split('\n').filter(line => line.startsWith(`${attribute}:`))
  }
  return (address, password) => {
    const name = address.slice(address.lastIndexOf('@') + 1)
    if (ask('one', domain.replaceAll('%Ld', name), 'dc').length > 0) return false
    const filter = account.replaceAll('%u', address).replaceAll(/%\{if;[^}]*\}/g, 'read')
    // `userPassword:: BASE64`, since slapd takes it for bytes.
    const [line = ''] = ask('sub', filter, 'userPassword')
    return isPassword(password, Buffer.from(line.slice('userPassword:: '.length), 'base64').toString())
  }
}

/** `{ARGON2ID}$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
function isPassword(password: string, stored: string): boolean {
  const parts = /^\{ARGON2ID\}\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(stored)
  if (parts === null) return false
  const [memory = 0, passes = 0, parallelism = 0] = parts.slice(1, 4).map(Number)
  const [nonce, hash] = parts.slice(4).map(text => Buffer.from(text, 'base64')) as [Buffer, Buffer]
  const message = Buffer.from(password)
  const found = argon2Sync('argon2id', { message, nonce, parallelism, tagLength: hash.length, memory, passes })
  return hash.equals(found)
}
