/** The lines for Postfix and Dovecot: complete, without a placeholder left, and never with a value that breaks out. */
import { expect, test } from 'vitest'
import { renderSnippets } from '../../providers/embedded-directory/snippets.ts'

const site = { directory: '/srv/mailwarden/var/directory.db', policy: '127.0.0.1:10031' }

test('nothing is left to fill in', () => {
  const snippets = renderSnippets(site)
  expect(snippets.map(({ path }) => path)).toContain('postfix/main.cf')
  for (const { path, text } of snippets) expect([path, text.match(/@[A-Z_]+@/g)]).toEqual([path, null])
})

test('each map that main.cf names is among the files, and each asks the directory read-only', () => {
  const snippets = renderSnippets({ ...site, maps: '/etc/postfix/mw' })
  const main = snippets.find(({ path }) => path === 'postfix/main.cf')?.text ?? ''
  const named = [...main.matchAll(/^\w+ = proxy:sqlite:\/etc\/postfix\/mw\/(.+)$/gm)].map(
    match => `postfix/${match[1]}`,
  )
  expect(named.length).toBe(6)
  for (const file of named) {
    const text = snippets.find(({ path }) => path === file)?.text ?? ''
    expect(text).toContain('dbpath = file:/srv/mailwarden/var/directory.db?mode=ro\n')
    expect(text).toMatch(/^query = SELECT .*'%s'/m)
  }
})

test('the policy service is asked with what keeps mail waiting when it is away', () => {
  const clauses = (policy: string) =>
    renderSnippets({ ...site, policy })
      .find(({ path }) => path === 'postfix/main.cf')
      ?.text.match(/^mailwarden_\w+ = .*$/gm)
  expect(clauses('127.0.0.1:10031')).toEqual([
    'mailwarden_inbound = { inet:127.0.0.1:10031, timeout=5s, try_limit=2, retry_delay=1s, { default_action = 451 4.3.5 Policy service unavailable }, policy_context=inbound }',
    'mailwarden_submission = { inet:127.0.0.1:10031, timeout=5s, try_limit=2, retry_delay=1s, { default_action = 451 4.3.5 Policy service unavailable }, policy_context=submission }',
  ])
  expect(clauses('unix:/run/mailwarden/policy')?.[0]).toContain('{ unix:/run/mailwarden/policy, timeout=5s')
})

test.each([
  ['directory', '/srv/a b/directory.db'],
  ['directory', "/srv/x'; --/directory.db"],
  ['directory', '/srv/100%/directory.db'],
  ['directory', '/srv/a?mode=rw'],
  ['policy', '127.0.0.1:1, { default_action = OK }'],
  ['maps', '/etc/$mail_owner'],
  ['mail', '/var/vmail\nuserdb {'],
  ['directory', ''],
  ['mailUid', 'vmail'],
  ['mailGid', 'vmail'],
] as const)('%s = %j is refused', (name, value) => {
  expect(() => renderSnippets({ ...site, [name]: value })).toThrow(name)
})

test('networks of relays are listed, and one that is none of it is refused', () => {
  const text = renderSnippets({ ...site, relays: ['10.20.0.5/32', '2001:db8::/48'] }).map(snippet => snippet.text)
  expect(text.join('\n')).toContain('\nmynetworks = 10.20.0.5/32 [2001:db8::]/48\n')
  expect(() => renderSnippets({ ...site, relays: ['0.0.0.0/0 $x'] })).toThrow('relays')
})

test('Dovecot makes the sockets that Postfix asks for logins and hands mail over to', () => {
  const text = (path: string) => renderSnippets(site).find(snippet => snippet.path === path)?.text ?? ''
  const asked = [...text('postfix/main.cf').matchAll(/^(?:virtual_transport = lmtp:unix:|smtpd_sasl_path = )(.+)$/gm)]
  expect(asked).toHaveLength(2)
  for (const [, socket] of asked)
    expect(text('dovecot/mailwarden.conf')).toContain(`  unix_listener /var/spool/postfix/${socket} {\n`)
})

test('who may claim to be anybody is told what that is, and may so at submission alone', () => {
  const text = renderSnippets(site).find(({ path }) => path === 'dovecot/mailwarden-verify.conf')?.text ?? ''
  expect(text).toContain('\n#   -o smtpd_authorized_xclient_hosts=127.0.0.1/32\n')
  expect(text).toContain('without a\n# password')
  expect(text).not.toMatch(/^# +smtpd_authorized_xclient_hosts/m)
})
