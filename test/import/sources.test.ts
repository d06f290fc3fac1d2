/** Tables of Postfix and LDIF exports: what becomes an account, what is reported, and hostile input. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readHolders } from '../../agent/import/sources/holders.ts'
import { readLdapExport } from '../../agent/import/sources/ldap.ts'
import { readMap, readPostfix } from '../../agent/import/sources/postfix.ts'

const map = (text: string, file = 'map') => ({ file, text })

test('tables of Postfix: mailboxes, aliases through aliases, a collector, a relay; the rest is reported', () => {
  const estate = readPostfix({
    domains: map('# ours\na.cu OK\nB.cu\tOK\nr.cu OK\nc.cu\n  OK\n', 'domains'),
    mailboxes: map('eva@a.cu a.cu/eva/\nido@a.cu\n   a.cu/ido/\npop@b.cu x\neva@otra.cu y\n', 'mailboxes'),
    aliases: map(
      'eva.sol@a.cu eva@a.cu\ne@a.cu eva.sol@a.cu\n@b.cu pop@b.cu\ntodos@a.cu eva@a.cu,\n  ido@a.cu\nfuera@a.cu x@gmail.example\n' +
        'x@a.cu y@a.cu\ny@a.cu x@a.cu\nido@a.cu eva@a.cu\neva@a.cu eva@a.cu\nroot eva@a.cu\n',
      'aliases',
    ),
    transport: map('r.cu smtp:[10.0.0.9]:25\nc.cu slow:\n', 'transport'),
  })
  expect(estate.domains.map(({ name, delivery, nextHop, collector }) => [name, delivery, nextHop, collector])).toEqual([
    ['a.cu', null, null, null],
    ['b.cu', 'multipop', null, 'pop'],
    ['r.cu', 'relay', '[10.0.0.9]', null],
    ['c.cu', null, null, null],
  ])
  expect(estate.accounts.map(({ address, role, aliases }) => [address, role, aliases])).toEqual([
    ['eva@a.cu', 'user', ['eva.sol', 'e']],
    ['ido@a.cu', 'user', []],
    ['pop@b.cu', 'collector', []],
  ])
  expect(estate.left.map(({ where, reason }) => [where, reason])).toEqual([
    ['transport:2', 'unknown'],
    ['mailboxes:5', 'outside'],
    ['aliases:4', 'several'],
    ['aliases:6', 'forward'],
    ['aliases:7', 'unresolved'],
    ['aliases:8', 'unresolved'],
    ['aliases:9', 'forward'],
    ['aliases:11', 'name'],
  ])
})

test('a table reads as postmap reads it, from its text and from what postmap -s prints', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mw-map-'))
  try {
    const text = '# c\n  # c\nEva@a.cu   one\n   two\n\n# between\n  three\nido@a.cu x y\n'
    const file = join(folder, 'map')
    writeFileSync(file, text)
    writeFileSync(
      join(folder, 'main.cf'),
      `compatibility_level = 3.6\nqueue_directory = ${folder}\ndata_directory = ${folder}\n`,
    )
    execFileSync('postmap', ['-c', folder, `hash:${file}`])
    const printed = execFileSync('postmap', ['-c', folder, '-s', `hash:${file}`], { encoding: 'utf8' })
    const rows = (source: string) =>
      readMap(map(source))
        .map(({ key, value }) => `${key} = ${value.replace(/\s+/g, ' ')}`)
        .toSorted()
    expect(rows(printed)).toEqual(['eva@a.cu = one two three', 'ido@a.cu = x y'])
    expect(rows(text)).toEqual(rows(printed))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const base64 = (text: string) => Buffer.from(text).toString('base64')

test('iRedMail: base64, folded lines, networks, quota in bytes; no password is carried', () => {
  const ldif = `version: 1
dn: domainName=a.cu,o=domains
objectClass: mailDomain
domainName: a.cu
mtaTransport: dovecot
accountStatus: active

# a comment
 that goes on
dn:: ${base64('mail=eva@a.cu,ou=Users,domainName=a.cu,o=domains')}
objectClass: mailUser
mail: eva@a
 .cu
cn:: ${base64('Eva Núñez')}
employeeNumber: P-1
title: Médica
userPassword:: ${base64('{SSHA}secret')}
jpegPhoto:: /9j/4AAQ
shadowAddress: e.nunez@a.cu
shadowAddress: eva@otra.cu
mailQuota: 1073741824
allowNets: 10.0.0.0/8,192.0.2.0/24
accountStatus: active

dn: mail=ido@a.cu,o=domains
objectClass: mailUser
mail: ido@a.cu
accountStatus: disabled
mailForwardingAddress: x@gmail.example

dn: mail=list@a.cu,o=domains
objectClass: mailList
mail: list@a.cu

dn: mail=bad@a.cu,o=domains
objectClass: mailUser
mail: bad@a.cu
userPassword:< file:///etc/shadow

dn: mail=gone@a.cu,o=domains
changetype: delete
`
  const estate = readLdapExport(ldif, 'iredmail', 'x.ldif')
  expect(JSON.stringify(estate)).not.toMatch(/secret|shadow"|SSHA/)
  expect(estate.accounts.map(({ where: _, ...account }) => account)).toMatchObject([
    {
      address: 'eva@a.cu',
      aliases: ['e.nunez@a.cu'],
      quotaBytes: 2 ** 30,
      allowNets: ['10.0.0.0/8', '192.0.2.0/24'],
      holder: { name: 'Eva Núñez', id: 'P-1', post: 'Médica' },
      status: 'active',
    },
    { address: 'ido@a.cu', status: 'suspended' },
    { address: 'bad@a.cu' },
  ])
  expect(estate.left.map(({ what, reason }) => [what, reason])).toEqual([
    ['userpassword', 'syntax'],
    ['changetype', 'syntax'],
    ['eva@a.cu eva@otra.cu', 'outside'],
    ['ido@a.cu x@gmail.example', 'forward'],
    ['mail=list@a.cu,o=domains', 'several'],
  ])
})

test('postfix-book: quota in kilobytes, mailEnabled', () => {
  const ldif =
    'dn: uid=e,dc=a\nobjectClass: PostfixBookMailAccount\nmail: e@a.cu\nmailAlias: f@a.cu\nmailQuota: 2048\nmailEnabled: FALSE\n'
  expect(readLdapExport(ldif, 'postfix-book', 'x').accounts).toMatchObject([
    { address: 'e@a.cu', aliases: ['f@a.cu'], quotaBytes: 2 ** 21, status: 'suspended' },
  ])
})

test('hostile files never crash a reader', () => {
  const piece = fc.constantFrom(
    'dn: x\n',
    'mail:',
    ':',
    '::',
    ' ',
    '\n',
    '=',
    '<',
    'a@b.cu',
    '@',
    '@b.cu',
    ',',
    '"',
    '\\',
    '\0',
    '#',
    '__proto__',
    'objectClass: mailUser\n',
    'ñ',
    '\v',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 60 }).map(all => all.join('')),
  )
  fc.assert(
    fc.property(text, text, (one, two) => {
      readLdapExport(one, 'iredmail', 'x')
      readLdapExport(two, 'postfix-book', 'x')
      readHolders(`account,name\n${one}`, 'x')
      readPostfix({ domains: map(`b.cu\n${one}`), mailboxes: map(one), aliases: map(two), transport: map(two) })
    }),
    { numRuns: 2_000 },
  )
})
