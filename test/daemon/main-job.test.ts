/** The main job as an operator has it: files in, world follows, daemon and command line as processes. */

import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { askPolicy, createEstate, type Estate, eventually, institutionText } from '../support/estate.ts'
import { completeReport } from '../support/report.ts'

const hospital = () => institutionText('hospital', { domain: 'hcg.sld.cu' })
const clinic = () => institutionText('clinica', { domain: 'clinica.sld.cu', network: '10.30.0.0/16' })

function accounts(estate: Estate): string[] {
  using database = new DatabaseSync(join(estate.state, 'directory.db'), { readOnly: true })
  return database
    .prepare('SELECT address FROM account ORDER BY address')
    .all()
    .map(row => String(row['address']))
}

/** Somebody with a SQLite shell and no scruples. */
function editDirectory(estate: Estate, sql: string): void {
  using database = new DatabaseSync(join(estate.state, 'directory.db'), { timeout: 5_000 })
  database.exec(sql)
}

function loginState(estate: Estate, domain: string): string {
  using database = new DatabaseSync(join(estate.state, 'directory.db'), { readOnly: true })
  return String(database.prepare('SELECT login FROM domain WHERE name = ?').get(domain)?.['login'])
}

const jperez = { sasl_username: 'jperez@hcg.sld.cu', sender: 'jperez@hcg.sld.cu' }

describe('plan and apply', () => {
  test('plan writes nothing, apply converges, the next plan is empty, explain names the line', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const plan = await estate.json(['plan'])
    expect(plan.exit).toBe(2)
    expect(plan.json).toMatchObject({ version: 1, refusals: [], held: [] })
    expect(plan.json.changes.every((change: any) => change.action === 'create' && change.before === null)).toBe(true)
    expect(plan.json.changes.find((change: any) => change.ref.key === 'mlopez@hcg.sld.cu').source).toMatchObject({
      file: 'hospital.yaml',
    })
    expect(existsSync(estate.state)).toBe(false)
    expect(readdirSync(estate.folder).toSorted()).toEqual(['mailwarden.yaml', 'manifests'])

    expect((await estate.json(['apply', '--yes'])).exit).toBe(0)
    expect(await estate.json(['plan'])).toMatchObject({ exit: 0, json: { changes: [] } })
    expect(accounts(estate)).toEqual(['admin@hcg.sld.cu', 'jperez@hcg.sld.cu', 'mlopez@hcg.sld.cu'])
    expect(await estate.json(['apply', '--yes'])).toMatchObject({ exit: 0, json: { counts: { applied: 0 } } })

    const abroad = await estate.json(['explain', 'mlopez@hcg.sld.cu', 'x@who.int'])
    expect(abroad.json).toMatchObject({ version: 1, effect: 'reject', reason: 'scope-send' })
    expect(abroad.json.source).toMatchObject({
      file: 'hospital.yaml',
      line: expect.any(Number),
      column: expect.any(Number),
    })
    expect((await estate.json(['register', 'verify'])).exit).toBe(0)
  })

  test('a saved plan applies once; after the world moved it is stale', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const file = join(estate.folder, 'plan.json')
    expect((await estate.cli(['plan', '--out', file])).exit).toBe(2)
    expect((await estate.cli(['apply', file])).exit).toBe(0)
    expect((await estate.cli(['apply', file])).exit).toBe(4)
    expect((await estate.cli(['plan'])).exit).toBe(0)
  })

  test('without anybody to ask, apply needs --yes', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    expect((await estate.cli(['apply'])).exit).toBe(3)
    expect((await estate.cli(['plan'])).exit).toBe(2)
  })

  test('a manifest that goes is refused until the exact count is given; the neighbour stays', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital(), 'clinica.yaml': clinic() })
    await estate.cli(['apply', '--yes'])
    estate.remove('clinica.yaml')
    const refused = await estate.json(['plan'])
    expect(refused.exit).toBe(3)
    const deletes = refused.json.changes.filter((change: any) => change.action === 'delete').length
    expect(refused.json.changes).toHaveLength(deletes)
    expect(refused.json.refusals.map((refusal: any) => refusal.guard)).toEqual(
      expect.arrayContaining(['deletes', 'zone-removed', 'domain-emptied', 'vital-record']),
    )
    expect((await estate.cli(['apply', '--yes'])).exit).toBe(3)
    expect((await estate.cli(['apply', '--yes', '--accept', `delete=${deletes + 1}`])).exit).toBe(3)
    expect(accounts(estate)).toContain('jperez@clinica.sld.cu')
    expect((await estate.json(['apply', '--yes', '--accept', `delete=${deletes}`])).exit).toBe(0)
    expect(accounts(estate)).toEqual(['admin@hcg.sld.cu', 'jperez@hcg.sld.cu', 'mlopez@hcg.sld.cu'])
    expect((await estate.json(['plan'])).json.changes).toEqual([])
    expect((await estate.json(['status'])).json.domains.map((domain: any) => domain.name)).toEqual(['hcg.sld.cu'])
  })

  test('a broken file reads as no absence, and its mistake is named', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital(), 'clinica.yaml': clinic() })
    await estate.cli(['apply', '--yes'])
    estate.write('clinica.yaml', `${clinic()}\n  : [broken`)
    const invalid = await estate.json(['validate'])
    expect(invalid.exit).toBe(1)
    expect(invalid.json).toMatchObject({ version: 1, valid: false })
    expect(invalid.json.diagnostics.find((one: any) => one.severity === 'error')).toMatchObject({
      severity: 'error',
      file: 'clinica.yaml',
      line: expect.any(Number),
      column: expect.any(Number),
    })
    expect((await estate.json(['plan'])).json.changes).toEqual([])
    estate.write(
      'hospital.yaml',
      institutionText('hospital', {
        domain: 'hcg.sld.cu',
        accounts: ['{ name: jperez }', '{ name: mlopez }', '{ name: nuevo }'],
      }),
    )
    expect((await estate.json(['apply', '--yes'])).json.counts.applied).toBeGreaterThan(0)
    expect(accounts(estate)).toEqual(expect.arrayContaining(['nuevo@hcg.sld.cu', 'jperez@clinica.sld.cu']))
  })

  test('an empty folder prunes nothing', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.cli(['apply', '--yes'])
    rmSync(estate.manifests, { recursive: true })
    expect((await estate.cli(['apply', '--yes'])).exit).not.toBe(70)
    expect(accounts(estate)).toHaveLength(3)
    expect((await estate.json(['status'])).json.domains[0]).toMatchObject({
      name: 'hcg.sld.cu',
      state: 'active',
      accounts: 2,
    })
  })
})

describe('the daemon', () => {
  test('follows an edit: account added, scope widened, YAML broken and mended', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    const wide = { sasl_username: 'mlopez@hcg.sld.cu', sender: 'mlopez@hcg.sld.cu', recipient: 'x@who.int' }
    expect(await askPolicy(estate.policyPort, wide)).toMatch(/^550 5\.7\.1 /)

    estate.write(
      'hospital.yaml',
      institutionText('hospital', {
        domain: 'hcg.sld.cu',
        accounts: ['{ name: jperez, send: international }', '{ name: mlopez, send: international }', '{ name: nuevo }'],
      }),
    )
    await eventually(
      async () =>
        accounts(estate).includes('nuevo@hcg.sld.cu') && (await askPolicy(estate.policyPort, wide)) === 'DUNNO',
      'the world followed',
    )

    estate.write('hospital.yaml', `${hospital()}\n\tbroken: [`)
    const complaint = await daemon.until(
      line => line['level'] === 'error' && line['event'] === 'manifest',
      'the complaint',
    )
    expect(complaint['data']).toMatchObject({ place: expect.stringMatching(/^hospital\.yaml:\d+:\d+$/) })
    expect(accounts(estate)).toContain('nuevo@hcg.sld.cu')
    expect(await askPolicy(estate.policyPort, wide)).toBe('DUNNO')

    estate.write('hospital.yaml', hospital())
    await eventually(
      async () =>
        !accounts(estate).includes('nuevo@hcg.sld.cu') && /^550/.test((await askPolicy(estate.policyPort, wide)) ?? ''),
      'the world followed back',
    )
    expect(await daemon.stop()).toEqual({ exit: 0, signal: null })
  })

  test('follows every save by rename, not only the first', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    const target = join(estate.manifests, 'hospital.yaml')
    for (let save = 1; save <= 5; save += 1) {
      const name = `nuevo${save}`
      const text = institutionText('hospital', {
        domain: 'hcg.sld.cu',
        accounts: ['{ name: jperez }', `{ name: ${name} }`],
      })
      writeFileSync(`${target}.tmp`, text)
      renameSync(`${target}.tmp`, target)
      // Well below the rescan, so that the event itself is what is proved.
      await eventually(async () => accounts(estate).includes(`${name}@hcg.sld.cu`), `save ${save}`, 5_000)
    }
  })

  test('follows what is only taken away, and a file that goes is held back by the guards', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital(), 'clinica.yaml': clinic() })
    const daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    estate.write('hospital.yaml', institutionText('hospital', { domain: 'hcg.sld.cu', accounts: ['{ name: jperez }'] }))
    await eventually(async () => !accounts(estate).includes('mlopez@hcg.sld.cu'), 'the account gone')
    estate.remove('clinica.yaml')
    await daemon.until(line => line['event'] === 'held back by a guard', 'the guard')
    expect(accounts(estate)).toContain('jperez@clinica.sld.cu')
    expect(
      await askPolicy(estate.policyPort, {
        sender: 'a@b.example',
        client_address: '192.0.2.1',
        recipient: 'jperez@clinica.sld.cu',
      }),
    ).toBe('DUNNO')
  })

  test('a second instance is refused and says who holds the lock; commands go through the first', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const daemon = await estate.start()
    const second = await estate.cli(['run'])
    expect(second.exit).toBe(69)
    expect(second.err).toContain(String(daemon.pid))
    expect(await estate.json(['status'])).toMatchObject({ exit: 0, json: { daemon: { pid: daemon.pid } } })
    expect((await estate.json(['plan'])).exit).toBe(0)
  })

  test('a hand edit of the directory is put back', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    editDirectory(estate, "UPDATE account SET allow_nets = NULL WHERE address = 'mlopez@hcg.sld.cu'")
    await daemon.until(line => line['event'] === 'put back what somebody else changed', 'the repair')
    expect((await estate.json(['plan'])).json.changes).toEqual([])
  })
})

describe('suspension', () => {
  const suspend = ['suspend', 'hcg.sld.cu', '--reason', 'spam masivo', '--class', 'spam']

  test('holds at once, through kill -9, a hand edit, the old YAML and yesterday’s store', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const before = await estate.start()
    await before.until(line => line['event'] === 'ready', 'ready')
    expect(await askPolicy(estate.policyPort, { ...jperez, recipient: 'x@who.int' })).toBe('DUNNO')
    const yesterday = join(estate.folder, 'yesterday')
    await before.stop('SIGKILL')
    cpSync(estate.state, yesterday, { recursive: true, filter: file => !file.endsWith('.sock') })

    const daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    const suspended = await estate.json(suspend)
    expect(suspended.exit).toBe(0)
    expect(await askPolicy(estate.policyPort, { ...jperez, recipient: 'x@who.int' })).toMatch(/^550 5\.7\.1 /)
    expect(
      await askPolicy(estate.policyPort, {
        sender: 'a@b.example',
        client_address: '192.0.2.1',
        recipient: 'jperez@hcg.sld.cu',
      }),
    ).toMatch(/^450 4\.2\.1 /)
    expect(loginState(estate, 'hcg.sld.cu')).toBe('suspended')
    expect((await estate.json(['status'])).json.domains[0]).toMatchObject({
      state: 'suspended',
      held: [expect.stringMatching(/^INC-/)],
    })

    await daemon.stop('SIGKILL')
    const again = await estate.start()
    expect(await askPolicy(estate.policyPort, { ...jperez, recipient: 'x@who.int' })).toMatch(/^550 5\.7\.1 /)
    await again.until(line => line['event'] === 'ready', 'ready')

    editDirectory(estate, "UPDATE domain SET login = 'active'")
    await eventually(async () => loginState(estate, 'hcg.sld.cu') === 'suspended', 'the door closed again')
    estate.write('hospital.yaml', `${hospital()}# touched\n`)
    const plan = await estate.json(['plan'])
    expect(plan.json.changes).toEqual([])
    expect(plan.json.held.length).toBeGreaterThan(0)
    const looser = hospital().replace('  defaults:', '  whenSuspended: { inbound: keep }\n  defaults:')
    estate.write('hospital.yaml', looser)
    await again.until(line => line['event'] === 'manifests changed' && line['at'] !== undefined, 'the edit read')
    const inward = { sender: 'a@b.example', client_address: '192.0.2.1', recipient: 'jperez@hcg.sld.cu' }
    expect(await askPolicy(estate.policyPort, inward)).toMatch(/^450 4\.2\.1 /)
    await again.stop('SIGKILL')

    for (const file of readdirSync(estate.state)) if (/^mailwarden\.db/.test(file)) rmSync(join(estate.state, file))
    copyFileSync(join(yesterday, 'mailwarden.db'), join(estate.state, 'mailwarden.db'))
    if (existsSync(join(yesterday, 'mailwarden.db-wal')))
      copyFileSync(join(yesterday, 'mailwarden.db-wal'), join(estate.state, 'mailwarden.db-wal'))
    await estate.start()
    expect(await askPolicy(estate.policyPort, { ...jperez, recipient: 'x@who.int' })).toBeNull()
    expect(loginState(estate, 'hcg.sld.cu')).toBe('suspended')
    expect((await estate.cli(['register', 'verify'])).exit).not.toBe(0)
  })

  test('works with the daemon down and every manifest broken, and says already the second time', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.cli(['apply', '--yes'])
    estate.write('hospital.yaml', '{{{{')
    const first = await estate.json(suspend)
    expect(first).toMatchObject({ exit: 0, json: { already: false } })
    expect(loginState(estate, 'hcg.sld.cu')).toBe('suspended')
    expect(await estate.json(suspend)).toMatchObject({
      exit: 0,
      json: { already: true, incident: first.json.incident },
    })
    await estate.start()
    expect(await askPolicy(estate.policyPort, { ...jperez, recipient: 'x@who.int' })).toMatch(/^550 5\.7\.1 /)
  })

  test('five at once make one incident', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    const daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    const results = await Promise.all([1, 2, 3, 4, 5].map(() => estate.json(suspend)))
    expect(new Set(results.map(({ json }) => json.incident)).size).toBe(1)
    expect(results.filter(({ json }) => !json.already)).toHaveLength(1)
    expect((await estate.json(['status'])).json.incidents).toHaveLength(1)
  })

  test('a removed manifest does not remove a held domain', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital(), 'clinica.yaml': clinic() })
    await estate.cli(['apply', '--yes'])
    await estate.json(suspend)
    estate.remove('hospital.yaml')
    const plan = await estate.json(['plan'])
    expect(plan.json.changes).toEqual([])
    expect(plan.json.held.length).toBeGreaterThan(20)
  })

  test('a dry run and a drill touch nothing', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.start()
    const size = (await estate.json(['status'])).json.register.size
    expect((await estate.json([...suspend, '--dry-run'])).exit).toBe(0)
    expect((await estate.json(['status'])).json.register.size).toBe(size)
    expect((await estate.json([...suspend, '--drill'])).exit).toBe(0)
    expect(await askPolicy(estate.policyPort, { ...jperez, recipient: 'x@who.int' })).toBe('DUNNO')
    expect(loginState(estate, 'hcg.sld.cu')).toBe('active')
  })

  test('the director is told in Spanish, outside the domain', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.cli(['apply', '--yes'])
    await estate.json(suspend)
    const outbox = join(estate.state, 'outbox')
    const messages = readdirSync(outbox)
      .filter(name => name.endsWith('.eml'))
      .map(name => readFileSync(join(outbox, name), 'utf8'))
    expect(messages.some(message => /^To: .*director-hospital@directores\.example/m.test(message))).toBe(true)
  })

  test('a release is refused without report, by one person, by the author; two others release', async () => {
    await using estate = await createEstate({ 'hospital.yaml': hospital() })
    await estate.start()
    const { incident } = (await estate.json(suspend)).json
    const tokenOf = async (person: string) => ({
      MAILWARDEN_TOKEN: (await estate.cli(['token', 'create', person])).out.trim(),
    })
    const ana = await tokenOf('ana')
    const berta = await tokenOf('berta')
    const carla = await tokenOf('carla')
    const as = (env: Record<string, string>, ...args: string[]) => estate.json(['incident', ...args], { env })
    const codes = (result: { json: any }) => result.json.refusals?.map((refusal: any) => refusal.code)

    expect(await estate.json(['incident', 'release', incident])).toMatchObject({ exit: 77 })
    const bare = await as(ana, 'release', incident)
    expect(bare.exit).toBe(3)
    expect(codes(bare)).toEqual(expect.arrayContaining(['E-NO-REPORT', 'E-NO-ACTIONS', 'E-NOT-ROTATED']))

    const fields = join(estate.folder, 'report.json')
    writeFileSync(fields, JSON.stringify({ ...completeReport, author: 'Berta', cause: '' }))
    expect(await as(berta, 'report', incident, '--file', fields)).toMatchObject({
      exit: 65,
      json: { error: expect.stringContaining('cause') },
    })
    writeFileSync(fields, JSON.stringify({ ...completeReport, author: 'Berta' }))
    expect(await as(berta, 'report', incident, '--file', fields)).toMatchObject({ exit: 0 })
    expect((await as(berta, 'accept', incident)).exit).not.toBe(0)
    expect((await as(carla, 'accept', incident)).exit).toBe(0)
    expect(
      (
        await as(
          ana,
          'action',
          incident,
          '--what',
          'contraseñas cambiadas',
          '--who',
          'Luis Mora',
          '--day',
          '2026-11-20',
          '--evidence',
          fields,
        )
      ).exit,
    ).toBe(0)
    expect((await as(carla, 'action', incident, '--verify', '1')).exit).toBe(0)
    expect((await as(ana, 'rotate', incident)).exit).toBe(0)
    expect((await as(carla, 'release', incident)).exit).not.toBe(0)

    expect((await as(ana, 'release', incident)).exit).toBe(3)
    const twice = await as(ana, 'release', incident)
    expect(twice.exit).not.toBe(0)
    expect(codes(twice)).toContain('E-TWO-PERSON')
    const author = await as(berta, 'release', incident)
    expect(codes(author)).toContain('E-TWO-PERSON')
    expect(await askPolicy(estate.policyPort, { ...jperez, recipient: 'x@who.int' })).toMatch(/^550/)
    expect((await as(carla, 'release', incident)).exit).toBe(0)
    expect(await askPolicy(estate.policyPort, { ...jperez, recipient: 'x@who.int' })).toBe('DUNNO')
    expect(loginState(estate, 'hcg.sld.cu')).toBe('active')
    expect((await estate.json(['register', 'verify'])).exit).toBe(0)
  })
})
