/** A look at a domain whose directory does not say who can log in: never as it should be, since nobody was tried. */
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'

const doors = `  verify:
    nameServers: []
    doors: [{ protocol: imap, server: "127.0.0.1:1", tls: none }]
    master: { user: probe, password: { env: PROBE } }
`

test('a directory that is away leaves the logins unproved, and doctor says so of the door', async () => {
  const port = await freePort()
  await using estate = await createEstate(
    { 'a.yaml': institutionText('a', { domain: 'a.sld.cu' }) },
    {
      config: doors,
      providers: {
        directory: `directory: { kind: ldap, url: "ldap://127.0.0.1:${port}", base: "dc=example", bindDn: "cn=x,dc=example", password: { env: PROBE } }`,
      },
    },
  )
  const env = { PROBE: 'x' }
  const { exit, json } = await estate.json(['verify', 'a.sld.cu'], { env })
  expect({ exit, ...json.verification }).toMatchObject({ exit: 2, probes: 1, asWanted: 0 })
  expect(json.verification.findings).toMatchObject([
    { kind: 'login', domain: 'a.sld.cu', account: null, result: 'unproved' },
  ])
  expect((await estate.cli(['verify', 'a.sld.cu'], { env })).out).toContain('logins of a.sld.cu: no login was tried: ')
  const { json: doctor } = await estate.json(['doctor'], { env })
  const door = doctor.checks.find((check: any) => check.id === 'login-door' || check.name.includes('imap'))
  expect(door.detail).not.toContain('password')
})
