/** The embedded directory: the conformance suite, and what is its own: odd rows, neighbours, aliases, passwords, readers. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../agent/core/system-clock.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import { type DirectoryAccount, type DirectoryDomain, refOf } from '../../agent/model/resource.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import { type EmbeddedDirectory, openEmbeddedDirectory } from '../../providers/embedded-directory/directory.ts'
import { testDoors } from '../conformance/doors.suite.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { account, directorySample, domain, names } from '../conformance/samples.ts'

type DirectoryResource = DirectoryDomain | DirectoryAccount

const never = new AbortController().signal

/** As a person at the `sqlite3` prompt would. */
function byHand(file: string, resource: DirectoryResource, value: DirectoryResource | null): void {
  const database = new DatabaseSync(file, { timeout: 5000 })
  try {
    if (value === null) {
      const [table, key] = resource.kind === 'domain' ? ['domain', 'name'] : ['account', 'address']
      database.prepare(`DELETE FROM ${table} WHERE ${key} = ?`).run(resource.key)
      database.prepare('DELETE FROM alias WHERE target = ?').run(resource.key)
    } else if (value.kind === 'domain') {
      const { login, collection, nextHop, delivery, institution } = value
      database
        .prepare(
          `INSERT INTO domain (name, institution, delivery, login, collection, next_hop) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET institution = excluded.institution, delivery = excluded.delivery,
           login = excluded.login, collection = excluded.collection, next_hop = excluded.next_hop`,
        )
        .run(value.key, institution, delivery, login, collection, nextHop)
    } else {
      database
        .prepare(
          `INSERT INTO account (address, role, status, allow_nets, quota_bytes) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET role = excluded.role, status = excluded.status,
           allow_nets = excluded.allow_nets, quota_bytes = excluded.quota_bytes`,
        )
        .run(value.key, value.role, value.status, value.allowNets?.join(',') ?? null, value.quotaBytes)
      database.prepare('DELETE FROM alias WHERE target = ?').run(value.key)
      for (const alias of value.aliases)
        database.prepare('INSERT INTO alias (address, target) VALUES (?, ?)').run(alias, value.key)
    }
  } finally {
    database.close()
  }
}

const open: { folder: string; file: string }[] = []

async function openNew() {
  const folder = mkdtempSync(join(tmpdir(), 'mw-directory-'))
  const file = join(folder, 'directory.db')
  open.push({ folder, file })
  return {
    provider: await openEmbeddedDirectory({ file, clock: systemClock }),
    writeBehind: async (resource: DirectoryResource, value: DirectoryResource | null) => byHand(file, resource, value),
    close: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

testDoors('the embedded directory', openNew)

testProvider<DirectoryResource>({
  name: 'the embedded directory',
  skip: [],
  open: openNew,
  reopen: async () => openEmbeddedDirectory({ file: open.at(-1)?.file ?? '', clock: systemClock }),
  sample: directorySample,
})

describe('the embedded directory by itself', () => {
  let folder: string
  let file: string
  let directory: EmbeddedDirectory

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mw-directory-'))
    file = join(folder, 'directory.db')
    directory = await openEmbeddedDirectory({ file, clock: systemClock })
  })
  afterEach(async () => {
    await directory[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  async function apply(changes: readonly Change<DirectoryResource>[], signal = never): Promise<Outcome[]> {
    const marked = changes.map(change => ({ change, mark: markOf('here', change.ref) }))
    return Array.fromAsync(directory.apply(marked, signal))
  }
  const cause = { why: 'manifest', source: null } as const
  const create = (after: DirectoryResource): Change<DirectoryResource> => ({
    action: 'create',
    ref: refOf(after),
    before: null,
    after,
    ...cause,
  })
  const update = <R extends DirectoryResource>(before: R, over: Partial<R>): Change<DirectoryResource> => ({
    action: 'update',
    ref: refOf(before),
    before,
    after: { ...before, ...over },
    ...cause,
  })
  const remove = (before: DirectoryResource): Change<DirectoryResource> => ({
    action: 'delete',
    ref: refOf(before),
    before,
    after: null,
    ...cause,
  })
  const results = (outcomes: readonly Outcome[]) => outcomes.map(({ result }) => result)
  const sql = (text: string) => {
    const database = new DatabaseSync(file, { timeout: 5000 })
    database.exec(text)
    database.close()
  }
  const observe = async (key: string) =>
    (await directory.observe('all', never)).find(({ resource }) => resource.key === key)

  test('a status that somebody misspelt is reported, closes the door, and is put right', async () => {
    const hcg = domain('hcg.example')
    const juan = account('jperez@hcg.example')
    await apply([create(hcg), create(juan)])
    await directory.setCredential(juan.address, '{PLAIN}x', 1)
    sql(
      `UPDATE domain SET login = 'Active ', delivery = ''; UPDATE account SET status = 'opne', quota_bytes = ${2n ** 62n}`,
    )
    const found = [await observe('hcg.example'), await observe('jperez@hcg.example')]
    expect(found.map(entry => entry?.resource)).toMatchObject([
      { login: 'Active ', delivery: '' },
      { status: 'opne', quotaBytes: 2 ** 62 },
    ])
    const reader = new DatabaseSync(file, { readOnly: true })
    expect(reader.prepare('SELECT * FROM open_login').all()).toEqual([])
    reader.close()
    const repairs = found.map(entry => ({
      ...update(entry!.resource, {}),
      after: entry!.resource.kind === 'domain' ? hcg : juan,
    }))
    expect(results(await apply(repairs as Change<DirectoryResource>[]))).toEqual(['applied', 'applied'])
    expect((await observe('hcg.example'))?.resource).toEqual(hcg)
    expect((await observe('jperez@hcg.example'))?.resource).toEqual(juan)
  })

  test('networks that somebody put in another order are drift that can be repaired', async () => {
    const juan = account('jperez@hcg.example', { allowNets: ['10.0.0.0/8', '192.0.2.0/24'] })
    await apply([create(domain('hcg.example')), create(juan)])
    sql(`UPDATE account SET allow_nets = '192.0.2.0/24,10.0.0.0/8'`)
    const found = (await observe(juan.key))?.resource as DirectoryAccount
    expect(found.allowNets).toEqual(['192.0.2.0/24', '10.0.0.0/8'])
    expect(results(await apply([update(found, { allowNets: juan.allowNets })]))).toEqual(['applied'])
    expect((await observe(juan.key))?.resource).toEqual(juan)
  })

  test('a domain with accounts of others is not deleted, its neighbour is', async () => {
    const [hcg, other] = [domain('hcg.example'), domain('other.example')]
    await apply([create(hcg), create(other)])
    byHand(file, account('x@hcg.example'), account('x@hcg.example'))
    expect(results(await apply([remove(hcg), remove(other)]))).toEqual(['conflict', 'applied'])
    expect((await observe('hcg.example'))?.resource).toEqual(hcg)
    expect(await observe('other.example')).toBeUndefined()
  })

  test('no account is put into a domain that is absent or of others', async () => {
    byHand(file, domain('foreign.example'), domain('foreign.example'))
    const outcomes = await apply([create(account('a@foreign.example')), create(account('a@absent.example'))])
    expect(outcomes.map(({ result, detail }) => [result, detail])).toEqual([
      ['conflict', 'its domain is not ours'],
      ['conflict', 'its domain does not stand'],
    ])
  })

  test('a name that a foreign account goes by is not taken from it', async () => {
    await apply([create(domain('hcg.example'))])
    byHand(file, account('x@hcg.example'), account('x@hcg.example', { aliases: names('y') }))
    const outcomes = await apply([
      create(account('a@hcg.example', { aliases: names('x') })),
      create(account('b@hcg.example', { aliases: names('y') })),
      create(account('y@hcg.example')),
      create(account('c@hcg.example', { aliases: names('z') })),
    ])
    expect(results(outcomes)).toEqual(['conflict', 'conflict', 'conflict', 'applied'])
  })

  test('a foreign account that goes by the name of ours keeps nobody from suspending it', async () => {
    const ours = account('a@hcg.example', { aliases: names('x') })
    await apply([create(domain('hcg.example')), create(ours)])
    byHand(file, account('b@hcg.example'), account('b@hcg.example', { aliases: names('a', 'x') }))
    expect(results(await apply([update(ours, { status: 'suspended' })]))).toEqual(['applied'])
    expect(results(await apply([update({ ...ours, status: 'suspended' }, { aliases: names('x', 'b') })]))).toEqual([
      'conflict',
    ])
  })

  test('an alias moves between two accounts of ours in either order', async () => {
    const [a, b] = [account('a@hcg.example', { aliases: names('x') }), account('b@hcg.example')]
    await apply([create(domain('hcg.example')), create(a), create(b)])
    expect(results(await apply([update(b, { aliases: names('x') }), update(a, { aliases: [] })]))).toEqual([
      'applied',
      'applied',
    ])
    expect((await observe(b.key))?.resource).toMatchObject({ aliases: names('x') })
    expect((await observe(a.key))?.resource).toMatchObject({ aliases: [] })
  })

  test('a password survives every change of its account but its removal, and is never observed', async () => {
    const juan = account('jperez@hcg.example')
    await apply([create(domain('hcg.example')), create(juan)])
    await directory.setCredential(juan.address, '{PLAIN}canary-0', 1_700_000_000_000)
    await apply([update(juan, { quotaBytes: 5 })])
    expect(await directory.credentialChanges('hcg.example')).toEqual(new Map([[juan.address, 1_700_000_000_000]]))
    expect(JSON.stringify(await directory.observe('all', never))).not.toContain('canary')
    await apply([remove({ ...juan, quotaBytes: 5 }), create(juan)])
    expect(await directory.credentialChanges('hcg.example')).toEqual(new Map())
    await expect(directory.setCredential('nobody@hcg.example', '{PLAIN}x', 1)).rejects.toMatchObject({
      kind: 'rejected',
    })
  })

  test('writes of other processes are hinted at, our own are not', async () => {
    const stop = new AbortController()
    const hints = directory.foreignWrites(stop.signal)[Symbol.asyncIterator]()
    const first = hints.next()
    await apply([create(domain('hcg.example'))])
    const early = await Promise.race([first, new Promise(resolve => setTimeout(resolve, 600, 'nothing'))])
    expect(early).toBe('nothing')
    byHand(file, domain('hcg.example'), domain('hcg.example', { login: 'closed' }))
    expect(await first).toEqual({ done: false, value: undefined })
    const next = hints.next()
    stop.abort()
    expect((await next).done).toBe(true)
  })

  test('a lock of another process is waited for; an abort ends the wait with nothing done', async () => {
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    const stop = new AbortController()
    const waiting = apply([create(domain('hcg.example'))], stop.signal)
    await new Promise(resolve => setTimeout(resolve, 60))
    stop.abort()
    expect(results(await waiting)).toEqual(['skipped'])
    const again = apply([create(domain('hcg.example'))])
    await new Promise(resolve => setTimeout(resolve, 60))
    other.exec('COMMIT')
    other.close()
    expect(results(await again)).toEqual(['applied'])
  })

  test('two processes may have it open', async () => {
    await using second = await openEmbeddedDirectory({ file, clock: systemClock })
    await apply([create(domain('hcg.example'))])
    expect((await second.observe('all', never)).map(({ resource }) => resource.key)).toEqual(['hcg.example'])
  })

  test('a row that a trigger refuses fails alone', async () => {
    sql(
      `CREATE TRIGGER no BEFORE INSERT ON domain WHEN new.name = 'b.example' BEGIN SELECT raise(ABORT, 'not here'); END`,
    )
    const outcomes = await apply([
      create(domain('a.example')),
      create(domain('b.example')),
      create(domain('c.example')),
    ])
    expect(results(outcomes)).toEqual(['applied', 'failed', 'applied'])
    expect(outcomes[1]?.detail).toContain('not here')
  })

  test('10,000 accounts are written and seen again', { timeout: 60_000 }, async () => {
    const accounts = Array.from({ length: 10_000 }, (_, index) => account(`u${index}@hcg.example`))
    expect(new Set(results(await apply([domain('hcg.example'), ...accounts].map(create))))).toEqual(
      new Set(['applied']),
    )
    expect((await directory.observe({ domains: ['hcg.example'] }, never)).length).toBe(10_001)
  })

  test('hostile names stay data', async () => {
    const hostile = [`'; DROP TABLE account; --@hcg.example`, `"%s' OR 1=1@hcg.example`, `-x;id@hcg.example`]
    await apply([create(domain('hcg.example'))])
    const resources = hostile.map(address => account(address))
    expect(new Set(results(await apply(resources.map(create))))).toEqual(new Set(['applied']))
    expect((await directory.observe('all', never)).length).toBe(4)
  })

  test('it refuses a file of a later version', async () => {
    sql('PRAGMA user_version = 99')
    await expect(openEmbeddedDirectory({ file, clock: systemClock })).rejects.toMatchObject({ kind: 'unsupported' })
  })

  test('nobody outside its group reads it, and the log stays for readers after it is closed', async () => {
    await apply([create(domain('hcg.example'))])
    expect([file, `${file}-wal`, `${file}-shm`].map(path => statSync(path).mode & 0o777)).toEqual([0o640, 0o640, 0o640])
    await directory[Symbol.asyncDispose]()
    expect([`${file}-wal`, `${file}-shm`].map(path => existsSync(path))).toEqual([true, true])
  })

  const debian = spawnSync('sqlite3', ['--version'], { encoding: 'utf8' }).stdout ?? ''
  test.skipIf(debian === '')(
    "Debian's SQLite reads it while a transaction is open, and after mailwarden has gone",
    async () => {
      await apply([create(domain('hcg.example'))])
      const read = () =>
        execFileSync('sqlite3', [`file:${file}?mode=ro`, 'SELECT name, login FROM domain'], { encoding: 'utf8' }).trim()
      const writer = new DatabaseSync(file)
      writer.exec(`BEGIN EXCLUSIVE; UPDATE domain SET login = 'suspended'`)
      expect(read()).toBe('hcg.example|active')
      writer.exec('COMMIT')
      writer.close()
      expect(read()).toBe('hcg.example|suspended')
      await directory[Symbol.asyncDispose]()
      expect(read()).toBe('hcg.example|suspended')
      expect(existsSync(`${file}-wal`)).toBe(true)
    },
  )

  const writer = join(import.meta.dirname, 'writer.ts')
  const write = (name: string, count: number, failpoint?: string) =>
    new Promise<{ signal: string | null; output: string }>(resolve => {
      const env = { ...process.env, ...(failpoint === undefined ? {} : { MAILWARDEN_FAILPOINT: failpoint }) }
      const child = spawn(process.execPath, [writer, file, name, String(count)], { env })
      let output = ''
      child.stdout.on('data', bytes => (output += bytes))
      child.stderr.on('data', bytes => (output += bytes))
      child.on('close', (_, signal) => resolve({ signal, output }))
    })

  test.each([
    ['directory.insideTransaction', 0],
    ['directory.afterCommit', 21],
  ] as const)('killed at %s, a batch stands whole or not at all', async (failpoint, standing) => {
    expect((await write('hcg.example', 20, `${failpoint}:1`)).signal).toBe('SIGKILL')
    const observed = await directory.observe('all', never)
    expect(observed.length).toBe(standing)
    // Cut anywhere and run again, it ends in the same state.
    expect(await write('hcg.example', 20)).toEqual({ signal: null, output: '' })
    expect((await directory.observe('all', never)).length).toBe(21)
  })

  test('four processes make the file and write to it at once', async () => {
    await directory[Symbol.asyncDispose]()
    file = join(folder, 'new', 'directory.db')
    const writers = ['a.example', 'b.example', 'c.example', 'd.example'].map(name => write(name, 300))
    expect(await Promise.all(writers)).toEqual(Array(4).fill({ signal: null, output: '' }))
    directory = await openEmbeddedDirectory({ file, clock: systemClock })
    expect((await directory.observe('all', never)).length).toBe(4 * 301)
  })

  test('a list of networks that Dovecot could not answer with is found before', () => {
    const networks = Array.from({ length: 600 }, (_, index) => `10.${index >> 8}.${index & 255}.0/24`)
    const found = directory.check(account('a@hcg.example', { allowNets: networks }))
    expect(found).toMatchObject([{ severity: 'error', code: 'E-NETWORKS-MAX', subject: 'account:a@hcg.example' }])
    expect(directory.check(account('a@hcg.example', { allowNets: networks.slice(0, 400) }))).toEqual([])
  })
})
