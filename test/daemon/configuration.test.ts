/** What the configuration file does to commands and a running daemon when it is edited, or names a secret that is not there. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'

const manifests = { 'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }) }

test('an edit is told by status and doctor until the daemon is started again, and is not when taken back', async () => {
  await using estate = await createEstate(manifests)
  const file = join(estate.folder, 'mailwarden.yaml')
  const before = readFileSync(file, 'utf8')
  const daemon = await estate.start()
  const changed = async () => (await estate.json(['status'])).json.configuration
  expect(await changed()).toEqual({ file, changed: false })
  appendFileSync(file, '# a remark\n')
  expect(await changed()).toEqual({ file, changed: true })
  expect((await estate.cli(['status'])).out).toContain('mailwarden.yaml has changed since the daemon started')
  expect((await estate.json(['doctor'])).json.checks).toContainEqual(
    expect.objectContaining({ code: 'configuration', result: 'warn' }),
  )
  estate.write('hospital.yaml', institutionText('hospital', { domain: 'hcg.sld.cu', accounts: ['{ name: eva }'] }))
  await daemon.until(({ event }) => String(event).includes('configuration has changed'), 'the log saying so')
  writeFileSync(file, before)
  expect(await changed()).toEqual({ file, changed: false })
})

test('a secret that is not there is a bad configuration, told with its file', async () => {
  await using estate = await createEstate(manifests, {
    providers: {
      directory:
        'directory: { kind: ldap, url: "ldap://127.0.0.1:1", base: "dc=a", bindDn: "cn=a", password: { file: ./gone } }',
    },
  })
  const plan = await estate.cli(['plan'])
  expect(plan.exit).toBe(78)
  expect(plan.err).toContain(join(estate.folder, 'gone'))
})

test('half an address is no question', async () => {
  await using estate = await createEstate(manifests)
  for (const text of ['nobody@', '@hcg.sld.cu']) {
    const asked = await estate.cli(['explain', 'jperez@hcg.sld.cu', text])
    expect([asked.exit, asked.err]).toEqual([64, `${text} is no address\n`])
  }
})
