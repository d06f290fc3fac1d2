/** The lines for slapd, Postfix and Dovecot over LDAP: complete, without a placeholder left, and never with a value that breaks out. */
import { expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { renderSnippets } from '../../providers/embedded-directory/snippets.ts'
import { profileNames } from '../../providers/ldap/profiles.ts'
import { renderLdapSnippets } from '../../providers/ldap/snippets.ts'

const site = {
  url: 'ldaps://ldap.operator.example',
  base: 'dc=operator,dc=example',
  agentDn: 'cn=agent,dc=operator,dc=example',
  readerDn: 'cn=reader,dc=operator,dc=example',
  readerPassword: new Secret('canary-password'),
  policy: '127.0.0.1:10031',
}
const textOf = (path: string, over: Partial<Parameters<typeof renderLdapSnippets>[0]> = {}) =>
  renderLdapSnippets({ ...site, ...over }).find(snippet => snippet.path === path)?.text ?? ''

test.each(profileNames)(
  '%s: nothing is left to fill in, and the password stands in the look-up files alone',
  profile => {
    for (const { path, text } of renderLdapSnippets({ ...site, profile })) {
      expect([path, text.match(/@[A-Z_]+@/g)]).toEqual([path, null])
      const looksUp = /^(bind_pw|dnpass) = /m.test(text)
      expect([path, text.includes('canary')]).toEqual([path, looksUp])
    }
  },
)

test('each map that main.cf names is among the files, and all else of it is as over the embedded directory', () => {
  const own = textOf('postfix/main.cf')
  const shared = renderSnippets({ directory: '/x/directory.db', policy: site.policy }).find(
    ({ path }) => path === 'postfix/main.cf',
  )
  const settings = (text = '') => text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  const isMap = (line: string) => /proxy:(ldap|sqlite):/.test(line)
  expect(settings(own).filter(line => !isMap(line))).toEqual(settings(shared?.text).filter(line => !isMap(line)))
  const nameOf = (line: string) => line.split(' ')[0]
  expect(settings(own).filter(isMap).map(nameOf)).toEqual(settings(shared?.text).filter(isMap).map(nameOf))
  const named = new Set(
    [...own.matchAll(/proxy:ldap:\/etc\/postfix\/mailwarden\/([\w-]+\.cf)/g)].map(match => match[1]),
  )
  expect(named.size).toBe(8)
  for (const file of named) expect(textOf(`postfix/${file}`)).toMatch(/^query_filter = .*%s.*\)$/m)
})

test('StartTLS is asked for where the address does not bring TLS itself, and the certificate is always verified', () => {
  const lines = (over: Parameters<typeof textOf>[1]) => [
    textOf('postfix/relay-domains.cf', over).match(/^(start_tls|tls_require_cert) = .*$/gm),
    textOf('dovecot/mailwarden-ldap.conf.ext', over).match(/^(tls|tls_require_cert) = .*$/gm),
  ]
  const both = (word: string) => [
    [`start_tls = ${word}`, 'tls_require_cert = yes'],
    [`tls = ${word}`, 'tls_require_cert = hard'],
  ]
  expect(lines({})).toEqual(both('no'))
  expect(lines({ url: 'ldap://ldap.operator.example' })).toEqual(both('yes'))
})

test.each([
  ['url', 'ldap://x y'],
  ['base', 'dc=x" by * write'],
  ['base', 'dc=%s'],
  ['readerDn', 'cn=x\nbind = no'],
  ['maps', '/etc/$mail_owner'],
  ['mail', '/var/vmail\nuserdb {'],
  ['reason', 'no, =nologin='],
  ['policy', '127.0.0.1:1, { default_action = OK }'],
] as const)('%s = %j is refused', (name, value) => {
  expect(() => renderLdapSnippets({ ...site, [name]: value })).toThrow(name)
})

test('a password that the files could not hold is refused without being shown', () => {
  const render = () => renderLdapSnippets({ ...site, readerPassword: new Secret('canary #1') })
  expect(render).toThrow('readerPassword')
  expect(render).not.toThrow('canary')
})

test('Dovecot makes the sockets that Postfix asks for logins and hands mail over to', () => {
  const asked = [...textOf('postfix/main.cf').matchAll(/^(?:virtual_transport = lmtp:unix:|smtpd_sasl_path = )(.+)$/gm)]
  expect(asked).toHaveLength(2)
  for (const [, socket] of asked)
    expect(textOf('dovecot/mailwarden.conf')).toContain(`  unix_listener /var/spool/postfix/${socket} {\n`)
  expect(textOf('postfix/transport-administrator.cf')).toContain('lmtp:unix:private/dovecot-lmtp')
})
