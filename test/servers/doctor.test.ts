/** `doctor` beside a real slapd: what would fail at three in the morning is said today, and no secret with it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEstate, type Estate, institutionText } from '../support/estate.ts'
import { type Slapd, startSlapd, whyNoSlapd } from './slapd.ts'
import { describeServers } from './suite.ts'

const beyondTheLimit = 600 // slapd's own limit is 500

describeServers('doctor on OpenLDAP', whyNoSlapd, () => {
  let slapd: Slapd
  let estate: Estate
  beforeAll(async () => {
    slapd = await startSlapd()
    estate = await createEstate({ 'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }) })
    use(slapd.agentDn, slapd.password.reveal())
    expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
    const many = Array.from({ length: beyondTheLimit }, (_, n) => {
      return `dn: cn=printer-${n},dc=hcg.sld.cu,ou=domains,${slapd.base}\nobjectClass: device\ncn: printer-${n}\n`
    })
    slapd.ldap('ldapadd', many.join('\n'))
  })
  afterAll(async () => {
    await estate?.[Symbol.asyncDispose]()
    await slapd?.close()
  })

  function use(bindDn: string, password: string): void {
    const file = join(estate.folder, 'ldap.secret')
    writeFileSync(file, password, { mode: 0o600 })
    const { url, base, caFile } = slapd
    estate.configure({
      directory: `directory: { kind: ldap, url: "${url}", base: "${base}", bindDn: "${bindDn}", password: { file: ${file} }, startTls: true, ca: ${caFile} }`,
    })
  }
  const checks = async () => {
    const { json } = await estate.json(['doctor'])
    return new Map((json.checks as any[]).map(({ code, result, detail }) => [code, { result, detail }]))
  }

  test('all of it can be read', async () => {
    use(slapd.agentDn, slapd.password.reveal())
    const found = await checks()
    expect(found.get('provider-directory')?.result).toBe('ok')
    expect(found.get('read-directory')?.result).toBe('ok')
    expect(found.get('read-dns')?.result).toBe('ok')
  })

  test('a bind that is cut off after 500 entries: the line that slapd lacks', async () => {
    use(slapd.limitedDn, slapd.password.reveal())
    const found = await checks()
    expect(found.get('provider-directory')?.result).toBe('ok')
    expect(found.get('read-directory')).toMatchObject({
      result: 'fail',
      detail: expect.stringContaining(`limits dn.exact="${slapd.limitedDn}"`),
    })
  })

  test('a wrong password is said, and is not shown', async () => {
    use(slapd.agentDn, 'una-clave-equivocada')
    const { exit, out, err } = await estate.cli(['doctor'])
    expect(exit).toBe(1)
    expect(`${out}${err}`).not.toContain('una-clave-equivocada')
    expect((await checks()).get('provider-directory')?.result).toBe('fail')
  })
})
