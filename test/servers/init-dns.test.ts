/** `init --with` for name servers, and slapd beside each in another profile: what it wrote and printed, followed to the letter. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { whyNoBind } from './bind.ts'
import { createInitSite, debian, done, follow, type InitSite, seen } from './init-site.ts'
import { whyNoKnot } from './knot.ts'
import { run } from './mail-servers.ts'
import { whyNoSlapd } from './slapd.ts'
import { absentOf, describeServers } from './suite.ts'

/** What stands in slapd, as root on its own host sees it. */
const inSlapd = (site: InitSite, from: string, ...asked: string[]) =>
  run('/usr/bin/ldapsearch', [
    '-Q',
    '-Y',
    'EXTERNAL',
    '-H',
    site.slapdSocket,
    '-LLL',
    '-o',
    'ldif-wrap=no',
    '-b',
    from,
    ...asked,
  ]).stdout

describe.each([
  ['bind', 'ldap', whyNoBind],
  ['bind', 'ldap:iredmail', whyNoBind],
  ['knot', 'ldap:postfix-book', whyNoKnot],
] as const)('%s, %s', (server, directory, whyNot) => {
  describeServers(
    `init --with ${server},${directory}`,
    () => whyNoSlapd() ?? whyNot() ?? absentOf(debian),
    () => {
      let site: InitSite
      beforeAll(async () => {
        site = await createInitSite(`${server},${directory}`)
        await follow(site)
      }, 60_000)
      afterAll(() => site?.[Symbol.asyncDispose]())

      test('what is applied is served, and the plan is empty then', async () => {
        expect(await site.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [], contested: [] } })
        const asked = ['+short', '@127.0.0.1', '-p', String(site.ports.dns), 'hospital.example', 'MX']
        expect(run('/usr/bin/dig', asked).stdout).toBe('10 mx1.operator.example.\n')
        const found = await seen(site)
        for (const code of ['provider-dns', 'read-dns', 'provider-directory', 'read-directory'])
          expect([code, found.get(code)?.filter(result => !result.startsWith('ok'))]).toEqual([code, []])
      })

      test('what is changed later goes by UPDATE under the key', async () => {
        const file = join(site.site, 'manifests/example.yaml')
        const extra = 'delivery: mailboxes\n  dns: { extra: [{ name: www, type: A, values: [192.0.2.10] }] }'
        writeFileSync(file, readFileSync(file, 'utf8').replace('delivery: mailboxes', extra))
        await done(site, ['apply', '--yes'])
        expect(await site.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [] } })
        const asked = ['+short', '@127.0.0.1', '-p', String(site.ports.dns), 'www.hospital.example', 'A']
        expect(run('/usr/bin/dig', asked).stdout).toBe('192.0.2.10\n')
      })

      test('slapd has every index, and the limits and rights before its own', async () => {
        const database = inSlapd(site, 'cn=config', '(olcSuffix=*)', 'olcDbIndex', 'olcLimits', 'olcAccess')
        const conf = readFileSync(join(site.site, 'slapd/mailwarden.conf'), 'utf8')
        const indexed = [...database.matchAll(/^olcDbIndex: (\S+) eq/gm)].flatMap(([, names = '']) => names.split(','))
        expect(indexed).toEqual(expect.arrayContaining(/^index (\S+) eq$/m.exec(conf)?.[1]?.split(',') ?? ['none']))
        expect(database.match(/^olcLimits: \{\d\}dn\.exact="cn=mailwarden(-reader)?,/gm)).toHaveLength(2)
        const rights = [...database.matchAll(/^olcAccess: \{(\d)\}to (.*?) by/gm)].map(([, , what = '']) => what)
        const ours = [...conf.matchAll(/^access to (.*)$/gm)].map(([, what = '']) => what)
        expect(ours.length).toBeGreaterThan(3)
        expect(rights.slice(0, ours.length)).toEqual(ours)
        expect(rights.length).toBeGreaterThan(ours.length)
      })

      test('nobody without a name sees the hash of a key or a password, or an account', () => {
        const seen = run('/usr/bin/ldapsearch', [
          '-x',
          '-LLL',
          '-H',
          site.slapdUrl,
          '-b',
          'dc=operator,dc=example',
          '(objectClass=*)',
        ])
        expect(seen.stdout).toContain('cn: mailwarden-reader')
        expect(seen.stdout).not.toContain('userPassword')
        expect(seen.stdout).not.toContain('hospital.example')
      })
    },
  )
})
