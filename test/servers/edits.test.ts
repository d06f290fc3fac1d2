/**
 * Each server edited by hand, in ten ways and more: each edit is seen, attributed where the server tells who it was, and
 * treated by the policy of its kind, while a thousand objects of others stay as they were to the byte.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFleet, expectTold, type Fleet, type Story } from './edits/fleet.ts'
import { addForeigners, directoryEdits, foreignPeople } from './edits/slapd.ts'
import { type Slapd, startSlapd, whyNoSlapd } from './slapd.ts'
import { describeServers } from './suite.ts'

describeServers('OpenLDAP edited by hand', whyNoSlapd, () => {
  let slapd: Slapd
  let fleet: Fleet
  let story: Story
  const edits = directoryEdits(() => slapd)
  let foreigners: () => readonly string[]
  let before: readonly string[]

  beforeAll(async () => {
    slapd = await startSlapd()
    fleet = await createFleet(edits.map(({ domain }) => domain))
    const { url, base, agentDn, password, caFile } = slapd
    const secret = fleet.secret('ldap', password.reveal())
    await fleet.apply({
      directory: `directory: { kind: ldap, url: "${url}", base: "${base}", bindDn: "${agentDn}", password: ${secret}, startTls: true, ca: ${caFile} }`,
    })
    for (const scope of ['retenida.cu', 'mlopez@castigada.cu'])
      expect((await fleet.estate.json(['suspend', scope, '--class', 'spam', '--reason', 'x'])).exit).toBe(0)
    foreigners = addForeigners(slapd, ['cuota.cu', 'alias.cu', 'retenida.cu'])
    before = foreigners()
    story = await fleet.tell(edits)
  }, 60_000)
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]()
    await slapd?.close()
  })

  for (const edit of edits) test(edit.name, () => expectTold(story, edit))

  test('a thousand entries of others are as they were, to the byte', () => {
    expect(before).toHaveLength(foreignPeople)
    expect(foreigners()).toEqual(before)
    expect(story.seen.crowd).toBeGreaterThan(foreignPeople / 4)
    expect(story.left.crowd).toBe(story.seen.crowd)
  })
})
