/** `status` and `doctor` ask each system, also where no domain is declared yet: an answer is what `ok` means. */
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'

test('systems that nobody answers for are named, with what they said', async () => {
  const [ldap, dns] = [await freePort(), await freePort()]
  const key = '{ env: PROBE }'
  await using estate = await createEstate(
    { 'a.yaml': institutionText('a', { domain: 'a.sld.cu' }) },
    {
      providers: {
        directory: `directory: { kind: ldap, url: "ldap://127.0.0.1:${ldap}", base: "dc=example", bindDn: "cn=x,dc=example", password: ${key} }`,
        dns: `dns: { kind: powerdns, url: "http://127.0.0.1:${dns}", apiKey: ${key} }`,
      },
    },
  )
  const options = { env: { PROBE: 'x' } }
  const { json } = await estate.json(['status'], options)
  const away = ['directory', 'dns'].map(name => json.providers.find((one: any) => one.name === name))
  expect(away).toMatchObject([
    { ok: false, detail: `ldap://127.0.0.1:${ldap} cannot be reached` },
    { ok: false, detail: 'PowerDNS cannot be reached (ECONNREFUSED)' },
  ])
  const doctor = await estate.json(['doctor'], options)
  expect(doctor.exit).toBe(1)
  expect(doctor.json.checks.filter((check: any) => check.result === 'fail').map((check: any) => check.code)).toEqual([
    'provider-directory',
    'provider-dns',
    'read-directory',
    'read-dns',
  ])
})
