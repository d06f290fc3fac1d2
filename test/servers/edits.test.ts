/**
 * OpenLDAP and the list servers edited by hand, in ten ways and more: each edit is seen, attributed where the server tells
 * who it was, and treated by the policy of its kind, while a thousand objects of others stay as they were to the byte.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MailmanServer, startMailman, whyNoMailman } from '../lists/mailman-server.ts'
import { type MlmmjLists, makeLists, whyNoMlmmj } from '../lists/mlmmj-lists.ts'
import { changes, incidents as incidentList, lists } from '../lists/sample.ts'
import { eventually } from '../support/estate.ts'
import { createFleet, expectTold, type Fleet, type Story } from './edits/fleet.ts'
import { mailmanEdits, mailmanHand, mlmmjEdits, mlmmjHand } from './edits/list-hands.ts'
import { listEdits, peopleText } from './edits/lists.ts'
import { addForeigners, directoryEdits, foreignPeople } from './edits/slapd.ts'
import { type Slapd, startSlapd, whyNoSlapd } from './slapd.ts'
import { describeServers } from './suite.ts'

describeServers('OpenLDAP edited by hand', whyNoSlapd, () => {
  let slapd: Slapd
  let fleet: Fleet
  let story: Story
  const incidents = new Map<string, string>()
  const edits = directoryEdits(
    () => slapd,
    domain => incidents.get(domain) ?? '',
  )
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
    for (const scope of ['retenida.cu', 'mlopez@castigada.cu', 'mlopez@ocultada.cu']) {
      const { exit, json } = await fleet.estate.json(['suspend', scope, '--class', 'spam', '--reason', 'x'])
      expect(exit).toBe(0)
      incidents.set(scope.split('@').at(-1) ?? '', json.incident)
    }
    foreigners = addForeigners(slapd, ['cuota.cu', 'alias.cu', 'retenida.cu'])
    before = foreigners()
    story = await fleet.tell(edits)
  }, 180_000)
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]()
    await slapd?.close()
  })

  for (const edit of edits) test(edit.name, () => expectTold(story, edit))

  test('a hold that we may not close again is told: its lever has failed, and is not called verified', async () => {
    const levers = async (domain: string) =>
      (await fleet.estate.json(['incident', 'show', incidents.get(domain) ?? ''])).json.levers
    expect((await levers('ocultada.cu')).login).toBe('failed')
    expect((await levers('castigada.cu')).login).toBe('verified')
  })

  test('what is contested is on record once, until somebody settles it', async () => {
    const { estate } = fleet
    const dn = `mail=mlopez@marca.cu,dc=marca.cu,ou=domains,${slapd.base}`
    slapd.ldap('ldapdelete', `${dn}\n`)
    await estate.json(['apply', '--yes'])
    const { entries } = (await estate.json(['register', 'list'])).json
    const of = (kind: string) => entries.filter((entry: any) => entry.kind === kind)
    expect(of('contested.found')).toHaveLength(1)
    expect(of('contested.ended')).toMatchObject([
      { facts: { count: 1 }, personal: { refs: [{ key: 'mlopez@marca.cu' }] } },
    ])
    expect(slapd.search(dn, 'base', '(objectClass=*)', 'mwQuotaBytes')).toContain('mwQuotaBytes: 0')
  })

  test('a daemon closes a hold again by itself, and records whose edit it may have been', async () => {
    const { estate } = fleet
    const incident = incidents.get('castigada.cu') ?? ''
    const found = async () =>
      (await estate.json(['register', 'list', '--kind', 'drift.found', '--subject', incident])).json.entries
    const known = (await found()).length
    const daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    const dn = `mail=mlopez@castigada.cu,dc=castigada.cu,ou=domains,${slapd.base}`
    const status = () => slapd.search(dn, 'base', '(objectClass=*)', 'mwAccountStatus').at(-1)
    slapd.ldap('ldapmodify', `dn: ${dn}\nchangetype: modify\nreplace: mwAccountStatus\nmwAccountStatus: active\n`)
    expect(status()).toBe('mwAccountStatus: active')
    await eventually(async () => status() === 'mwAccountStatus: suspended', 'the account being closed again')
    expect((await found()).slice(known)).toMatchObject([
      { actor: { person: 'unknown' }, facts: { attributed: 1 }, personal: { writers: [{ by: slapd.adminDn }] } },
    ])
    await daemon.stop()
  })

  test('a thousand entries of others are as they were, to the byte', () => {
    expect(before).toHaveLength(foreignPeople)
    expect(foreigners()).toEqual(before)
    expect(story.seen.crowd).toBeGreaterThan(foreignPeople / 4)
    expect(story.left.crowd).toBe(story.seen.crowd)
  })
})

const topics = `topics: { changes: ${changes}, modifications: ${changes}, incidents: ${incidentList} }`

describeServers('mlmmj edited by hand', whyNoMlmmj, () => {
  let made: MlmmjLists
  let fleet: Fleet
  let story: Story
  const foreigners = Array.from({ length: 1_000 }, (_, index) => `d-ajeno${index}@third.example`)
  const edits = [...listEdits(() => mlmmjHand(made)), ...mlmmjEdits(() => made)]

  beforeAll(async () => {
    made = makeLists(lists)
    fleet = await createFleet(
      edits.map(({ domain }) => domain),
      peopleText,
    )
    // In the very file that our directors stand in, by the first letter.
    writeFileSync(join(made.folderOf(changes), 'subscribers.d/d'), `${foreigners.join('\n')}\n`)
    await fleet.apply({ lists: `lists: { kind: mlmmj, folder: ${made.root}, ${topics} }` })
    story = await fleet.tell(edits)
  }, 180_000)
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]()
    made?.remove()
  })

  for (const edit of edits) test(edit.name, () => expectTold(story, edit))

  test('a thousand members of others are as they were, in their order', () => {
    expect(story.left.crowd).toBe(foreigners.length)
    const { lines } = mlmmjHand(made)
    expect(lines(changes).filter(line => line.startsWith('d-ajeno'))).toEqual(foreigners)
  })
})

describeServers('Mailman edited by hand', whyNoMailman, () => {
  let server: MailmanServer
  let fleet: Fleet
  let story: Story
  const foreigners = Array.from({ length: 100 }, (_, index) => `ajeno${index}@third.example`)
  const hand = () => mailmanHand(server, join(fleet.estate.state, 'lists'))
  const edits = [...listEdits(hand), ...mailmanEdits(hand)]
  const crowd = async () => (await hand().members(changes)).filter(line => line.includes('ajeno'))
  let before: readonly string[]

  beforeAll(async () => {
    server = await startMailman()
    await server.call('POST', '/domains', [['mail_host', 'lists.example']])
    for (const list of lists) expect((await server.call('POST', '/lists', [['fqdn_listname', list]]))[0]).toBe(201)
    server.addMembers(changes.replace('@', '.'), foreigners)
    fleet = await createFleet(
      edits.map(({ domain }) => domain),
      peopleText,
    )
    const secret = fleet.secret('mailman', server.password)
    const line = `lists: { kind: mailman, url: "${server.url}", password: ${secret}, ${topics} }`
    await fleet.apply({ lists: line })
    before = await crowd()
    story = await fleet.tell(edits)
  }, 180_000)
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]()
    await server?.stop()
  })

  for (const edit of edits) test(edit.name, () => expectTold(story, edit))

  test('members of others are as they were, with what they asked for', async () => {
    expect(before).toHaveLength(foreigners.length)
    expect(await crowd()).toEqual(before)
    expect(story.left.crowd).toBe(foreigners.length)
  })
})
