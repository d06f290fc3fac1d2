/** `import` of files from the command line: what it prints, what it refuses, in both languages. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'

test('zone file, tables of Postfix and LDIF: manifests on standard output, the report beside it', async () => {
  await using estate = await createEstate({ 'hospital.yaml': institutionText('hospital', { domain: 'hcg.cu' }) })
  const file = (name: string, text: string) => {
    writeFileSync(join(estate.folder, name), text)
    return join(estate.folder, name)
  }
  const zone = file(
    'db.vieja',
    '$TTL 3600\n@ SOA ns1.vieja.cu. root.vieja.cu. 1 2 3 4 5\n@ NS ns1.vieja.cu.\nwww A 192.0.2.7\nwww HINFO a b\nkey._domainkey TXT "v=DKIM1; p=x"\n',
  )
  const printed = await estate.cli([
    'import',
    'zonefile',
    zone,
    '--origin',
    'vieja.cu',
    '--institution',
    'hospital',
    '--lang',
    'es',
  ])
  expect(printed.exit).toBe(2)
  expect(printed.err).toContain('fuera: db.vieja:5: www HINFO a b (un tipo de registro que los manifiestos no tienen)')
  expect(printed.err).toContain('difiere: dns:rrset:vieja.cu/vieja.cu/NS')
  expect(printed.err).toContain('una clave de firma de otro sistema')
  estate.write('vieja.yaml', printed.out)
  // A domain alone needs no paper but its institution's.
  expect((await estate.json(['validate'])).json.diagnostics.filter((one: any) => one.severity === 'error')).toEqual([])

  const domains = file('domains', 'vieja.cu OK\nnueva.cu OK\n')
  const mailboxes = file('mailboxes', 'eva@vieja.cu x\nido@nueva.cu x\njperez@hcg.cu x\n')
  const tables = ['import', 'postfix', '--domains', domains, '--mailboxes', mailboxes, '--institution', 'hospital']
  const { json } = await estate.json([...tables, '--request', 'SC-1'])
  expect(Object.keys(json)).toEqual(['version', 'files', 'differences', 'left'])
  // Of the domain that is declared by now only the accounts; nothing is asked again of a request that is there.
  expect(json.files.map(({ path, text }: any) => [path, text.match(/kind: \w+/g)])).toEqual([
    ['nueva.cu.yaml', ['kind: MailDomain', 'kind: AccountList']],
    ['vieja.cu.yaml', ['kind: AccountList']],
  ])
  expect(JSON.stringify(json.files)).not.toContain('requests:')
  expect(json.left).toEqual([{ where: 'mailboxes:3', what: 'jperez@hcg.cu', reason: 'outside' }])

  const ldif = file(
    'x.ldif',
    'dn: mail=a@ldap.cu\nobjectClass: mailUser\nmail: a@ldap.cu\nuserPassword: {CLEAR}hunter2\n',
  )
  const people = await estate.cli(['import', 'ldap', '--profile', 'iredmail', '--ldif', ldif])
  expect(people.exit).toBe(0)
  expect(people.out).toContain('name: COMPLETAR')
  expect(people.out + people.err).not.toContain('hunter2')
  expect((await estate.cli(['import', 'ldap', '--profile', 'other', '--ldif', ldif])).exit).toBe(64)
  expect((await estate.cli(['import', 'zonefile', '/none', '--origin', 'a.cu'])).exit).toBe(65)
})
