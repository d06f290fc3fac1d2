/** An estate whose manifests are lost: imported from what stands, adopted, and the plan has nothing to do. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { createEstate, type Estate, institutionText } from '../support/estate.ts'

const hospital = institutionText('hospital', { domain: 'hcg.cu' }).replace(
  '  networks: [10.20.0.0/16]',
  `  networks: [10.20.0.0/16]
  servers:
    - { host: mail.hcg.cu, addresses: [10.20.0.5], role: [relay] }
    - { host: pop.hcg.cu, addresses: [10.20.0.6, 10.20.0.7], role: [collect] }`,
)

const holder = 'holder: { name: Eva Sol, id: P-9, post: Médica, purpose: asistencia, category: care }, request: SC-1'

const domain = (name: string, delivery: string, rest: string) => `apiVersion: mailwarden/v1
kind: MailDomain
metadata: { name: ${name} }
spec:
  institution: hospital
  delivery: ${delivery}
  administrator: { login: admin }
${rest}`

const others = {
  'b.yaml': `${domain(
    'b.cu',
    'mailboxes',
    `  limits: { accounts: 9, storage: 2GiB }
  dns:
    ttl: 7200
    extra:
      - { name: "@", type: TXT, values: ["site-verification=x y z", 'a "quoted" \\ text'] }
      - { name: "@", type: A, values: [192.0.2.1] }
      - { name: www, type: A, values: [192.0.2.1, 192.0.2.2], ttl: 300 }
      - { name: www, type: AAAA, values: ["2001:db8::1"] }
      - { name: lista, type: A, values: [192.0.2.3] }
      - { name: lista, type: MX, values: ["10 mx.otro.example"] }
      - { name: texto, type: A, values: [192.0.2.4] }
      - { name: texto, type: TXT, values: [hola] }
      - { name: "*.dinamico", type: CNAME, values: [host.otro.example] }
      - { name: sub, type: NS, values: [ns1.otro.example, ns2.otro.example] }
      - { name: _sip._tcp, type: SRV, values: ["1 2 5060 sip.otro.example"] }
      - { name: "@", type: CAA, values: ['0 issue "ca.example"'] }
`,
  )}---
apiVersion: mailwarden/v1
kind: AccountList
metadata: { name: b.cu }
spec:
  domain: b.cu
  accounts:
    - { name: eva, ${holder}, quota: 200MiB, aliases: [eva.sol, e.sol] }
    - { name: "007", ${holder}, access: anywhere }
    - { name: "true", ${holder}, access: national, quota: 1500B }
    - { name: ido, state: withdrawn }
`,
  'c.yaml': domain('c.cu', 'multipop', '  collector: { login: recoge }\n  limits: { accounts: 3, storage: 3GiB }\n'),
  'd.yaml': domain('d.cu', 'relay', '  limits: { accounts: 0, storage: 0B }\n'),
}

const holders = `account,name,id,post,purpose,category
eva@b.cu,Eva Sol,P-9,Médica,asistencia,care
007@b.cu,"Sol, Eva",P-9,Médica,asistencia,care
true@b.cu,Eva Sol,P-9,Médica,asistencia,care
`

/** Applied once, then without register, marks and the manifests of three of its domains. */
async function lostEstate(): Promise<Estate> {
  const national = 'national: { networks: [152.206.0.0/15] }\n'
  const config = `  ${national}`
  const estate = await createEstate({ 'hospital.yaml': hospital, ...others }, { config })
  const applied = await estate.cli(['apply', '--yes'])
  expect(applied.exit, applied.out + applied.err).toBe(0)
  for (const name of readdirSync(estate.state))
    if (/^(mailwarden|keys|register|lock|dkim)/.test(name)) rmSync(join(estate.state, name), { recursive: true })
  for (const [file, tables] of [
    ['directory.db', ['domain', 'account']],
    ['dns.db', ['zone', 'rrset']],
  ] as const) {
    using database = new DatabaseSync(join(estate.state, file), { timeout: 5_000 })
    for (const table of tables) database.prepare(`UPDATE ${table} SET mark = NULL`).run()
    if (file === 'dns.db') database.exec(`DELETE FROM rrset WHERE owner LIKE '%._domainkey.%'`)
  }
  for (const name of Object.keys(others)) estate.remove(name)
  writeFileSync(join(estate.folder, 'holders.csv'), holders)
  return estate
}

test('with institution, request and holders: valid, adopted, and the plan is empty but for new keys', async () => {
  await using estate = await lostEstate()
  const out = join(estate.manifests, 'imported')
  const given = ['--institution', 'hospital', '--request', 'SC-1', '--holders', join(estate.folder, 'holders.csv')]
  const args = ['import', 'directory', 'b.cu', 'c.cu', 'd.cu', ...given]
  const first = await estate.json([...args, '--out', out])
  expect(first.json.differences).toEqual([])
  expect(first.json.left).toEqual([])
  expect(first.exit).toBe(0)
  const texts: string[] = first.json.files.map((file: any) => readFileSync(join(out, file.path), 'utf8'))
  for (const text of texts) expect(text).toMatch(/^# yaml-language-server: \$schema=\S+manifest\.schema\.json\n/)
  // What is derived is not written, and what is written is not more than there was.
  expect(texts.join('').match(/- \{ name: /g)?.length).toBeLessThan(20)
  expect(texts.join('')).not.toMatch(/_dmarc|v=spf1/)

  const valid = await estate.json(['validate'])
  expect(valid.json.diagnostics.filter((one: any) => one.severity === 'error')).toEqual([])
  const adopted = await estate.json(['adopt', '--yes'])
  expect(adopted, JSON.stringify(adopted.json)).toMatchObject({ exit: 0 })
  const plan = await estate.json(['plan'])
  expect(plan.json).toMatchObject({ changes: [], contested: [] })
  expect(plan.json.keys.toSorted()).toEqual(['b.cu', 'c.cu', 'd.cu', 'hcg.cu'])
  expect((await estate.json(['unmanaged'])).json.objects).toEqual([])
  // What is declared now is not imported again, and nothing is overwritten.
  expect((await estate.json(args)).json).toMatchObject({ files: [], differences: [], left: [] })
  rmSync(out, { recursive: true })
  const again = await estate.json([...args, '--out', out])
  expect(again.json).toEqual(first.json)
  rmSync(out, { recursive: true })
  const elsewhere = join(estate.folder, 'draft')
  expect((await estate.cli([...args, '--out', elsewhere])).exit).toBe(0)
  writeFileSync(join(elsewhere, 'b.cu.yaml'), 'mine')
  rmSync(join(elsewhere, 'c.cu.yaml'))
  const refused = await estate.cli([...args, '--out', elsewhere, '--lang', 'es'])
  expect(refused.exit).toBe(1)
  expect(refused.err).toContain('ya existe; no se escribió nada')
  expect(readdirSync(elsewhere).toSorted()).toEqual(['b.cu.yaml', 'd.cu.yaml'])
  expect(readFileSync(join(elsewhere, 'b.cu.yaml'), 'utf8')).toBe('mine')
})

test('of a domain that is declared the signature key that mailwarden made is nobody’s to write down', async () => {
  await using estate = await createEstate({ 'hospital.yaml': hospital })
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const { json } = await estate.json(['import', 'directory', 'hcg.cu'])
  expect(json).toMatchObject({ files: [], differences: [], left: [] })
})

test('with nothing given: every placeholder is an error of validate with its place, and nothing else is', async () => {
  await using estate = await lostEstate()
  estate.remove('hospital.yaml')
  const printed = await estate.cli(['import', 'directory'])
  expect(printed.exit, printed.err).toBe(0)
  estate.write('all.yaml', printed.out)
  const { json } = await estate.json(['validate'])
  const errors = json.diagnostics.filter((one: any) => one.severity === 'error')
  expect(new Set(errors.map((one: any) => one.code))).toEqual(
    new Set([
      'E-FIELD-EMPTY',
      'E-FIELD-TYPE',
      'E-FIELD-VALUE',
      'E-DAY',
      'E-PURPOSE',
      'E-ACCOUNT-NO-REQUEST',
      'E-AGREEMENT-NUMBER',
    ]),
  )
  const lines = printed.out.split('\n')
  for (const { line, column } of errors) expect(lines[line - 1]?.slice(column - 1)).toMatch(/^(?:""|false)/)
  for (const field of ['title', 'province', 'contract', 'director', 'capacity', 'holder', 'agreement'])
    expect(
      errors.some((one: any) => one.pointer.includes(field)),
      field,
    ).toBe(true)
})
