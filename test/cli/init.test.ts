/** `init --with`: the configuration and the files of the chosen systems, with secrets that nobody else reads or sees. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../agent/manifest/config.ts'
import { createEstate } from '../support/estate.ts'

const everything = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => statSync(join(folder, name)).isFile())

test.each([
  [
    'postfix,dovecot,ldap,powerdns',
    { directory: 'ldap', dns: 'powerdns', mail: ['dovecot', 'postfix'], notify: 'spool' },
  ],
  ['bind,smtp', { directory: 'embedded', dns: 'rfc2136', mail: [], notify: 'smtp' }],
  ['knot', { directory: 'embedded', dns: 'rfc2136', mail: [], notify: 'spool' }],
])('with %s', async (parts, kinds) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'mw-init-')), 'new')
  try {
    await using estate = await createEstate({})
    const made = await estate.cli(['init', folder, '--with', parts])
    expect(made.exit).toBe(0)
    const { config, diagnostics } = await readConfig(join(folder, 'mailwarden.yaml'))
    expect(diagnostics).toEqual([])
    const { directory, dns, mail, notify } = config?.providers ?? ({} as never)
    expect({
      directory: directory.kind,
      dns: dns.kind,
      mail: mail.map(host => host.kind),
      notify: notify.kind,
    }).toEqual(kinds)
    const files = everything(folder)
    const secrets = files
      .filter(name => name.startsWith('secrets/'))
      .map(name => readFileSync(join(folder, name), 'utf8'))
    expect(secrets.length).toBe(parts.includes('dovecot') ? 3 : 1)
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(30)
      expect(made.out + made.err).not.toContain(secret)
      for (const name of files.filter(one => readFileSync(join(folder, one), 'utf8').includes(secret)))
        expect([name, (statSync(join(folder, name)).mode & 0o777).toString(8)]).toEqual([name, '600'])
    }
    expect(files.some(name => name.startsWith('slapd/'))).toBe(parts.includes('ldap'))
    // What is prepared for later is right as soon as the marks before it are gone.
    const text = readFileSync(join(folder, 'mailwarden.yaml'), 'utf8')
    const later = text.replaceAll(/^ {2}# ( *(?:verify|nameServers|doors|master|- \{ protocol).*)$/gm, '  $1')
    expect(later === text).toBe(!parts.includes('dovecot'))
    writeFileSync(join(folder, 'mailwarden.yaml'), later)
    const verify = (await readConfig(join(folder, 'mailwarden.yaml'))).config?.verify
    expect(verify?.doors.map(({ protocol }) => protocol)).toEqual(
      parts.includes('dovecot') ? ['imap', 'submission'] : [],
    )
    expect(verify?.master === null).toBe(!parts.includes('dovecot'))
    writeFileSync(join(folder, 'mailwarden.yaml'), text)
    for (const name of files) expect(readFileSync(join(folder, name), 'utf8')).not.toMatch(/@[A-Z_]{2,}@/)
    // It never overwrites.
    expect((await estate.cli(['init', folder, '--with', parts])).exit).toBe(1)
  } finally {
    rmSync(join(folder, '..'), { recursive: true, force: true })
  }
})

test('a system that nobody knows is a mistake of usage, and nothing is written', async () => {
  await using estate = await createEstate({})
  const folder = join(estate.folder, 'new')
  expect(await estate.cli(['init', folder, '--with', 'postfix,exim'])).toMatchObject({ exit: 64 })
  expect(readdirSync(estate.folder)).not.toContain('new')
})

test('the steps are the same as data, on paper and in both languages, but for the words', async () => {
  await using estate = await createEstate({})
  const made = async (name: string, language: string) => {
    const folder = join(estate.folder, name)
    const { exit, json } = await estate.json(['init', folder, '--with', 'dovecot,ldap,knot', '--lang', language])
    expect(exit).toBe(0)
    return { steps: json.steps as any[], paper: readFileSync(join(folder, 'STEPS.txt'), 'utf8') }
  }
  const [en, es] = [await made('one', 'en'), await made('two', 'es')]
  expect(en.steps.map(step => step.part)).toEqual(['site', 'ldap', 'knot', 'apply', 'dovecot', 'run'])
  const bare = (steps: any[]) =>
    steps.map(({ part, packages, checks }) => [part, packages, checks.map(({ code }: any) => code)])
  expect(bare(es.steps)).toEqual(bare(en.steps))
  for (const [index, { text, commands, checks }] of es.steps.entries()) {
    expect(text).not.toBe(en.steps[index].text)
    for (const words of [text, ...commands, ...checks.map(({ name }: any) => name)]) expect(es.paper).toContain(words)
  }
})

test('slapd on another host is asked with TLS by all who ask it, and under the names of the operator', async () => {
  await using estate = await createEstate({})
  const folder = join(estate.folder, 'new')
  const site = ['--domain', 'red.cu', '--ldap', 'ldap://ldap.red.cu']
  expect(await estate.cli(['init', folder, '--with', 'postfix,dovecot,ldap:iredmail', ...site])).toMatchObject({
    exit: 0,
  })
  const text = (name: string) => readFileSync(join(folder, name), 'utf8')
  const { config } = await readConfig(join(folder, 'mailwarden.yaml'))
  const url = 'ldap://ldap.red.cu'
  const caFile = '/etc/ssl/certs/ca-certificates.crt'
  expect(config?.providers.directory).toMatchObject({
    url,
    caFile,
    startTls: true,
    profile: 'iredmail',
    base: 'dc=red,dc=cu',
  })
  expect(text('postfix/relay-domains.cf')).toMatch(/^server_host = ldap:\/\/ldap\.red\.cu\n[\s\S]*^start_tls = yes$/m)
  expect(text('dovecot/mailwarden-ldap.conf.ext')).toMatch(/^uris = ldap:\/\/ldap\.red\.cu\n[\s\S]*^tls = yes$/m)
  expect(text('slapd/entries.ldif')).toContain('dn: cn=mailwarden-reader,dc=red,dc=cu\n')
  for (const name of everything(folder).filter(one => !one.startsWith('schema/')))
    expect([name, text(name).includes('operator.example')]).toEqual([name, false])
})

test.each([
  [['--with', 'bind,knot'], 'bind,knot'],
  [['--with', 'ldap:novell'], 'ldap:novell'],
  [['--domain', 'red..cu'], 'red..cu'],
  [['--with', 'ldap', '--base', 'dc=x" by * write'], 'base'],
  [['--ldap', 'http://ldap.red.cu'], 'http://ldap.red.cu'],
])('%j is a mistake of usage, named, and nothing is written', async (args, named) => {
  await using estate = await createEstate({})
  const { exit, err } = await estate.cli(['init', join(estate.folder, 'new'), ...args])
  expect({ exit, isNamed: err.includes(named) }).toEqual({ exit: 64, isNamed: true })
  expect(readdirSync(estate.folder)).not.toContain('new')
})
