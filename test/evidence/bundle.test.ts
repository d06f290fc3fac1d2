/**
 * Evidence on a real installation: a daemon and its command line, mail logs plain and rotated, secrets planted where they
 * must not be found again, archives with one byte changed, a cut between collecting and recording.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readTar } from '../../agent/evidence/tar.ts'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'

const hospital = institutionText('hospital', { domain: 'hcg.sld.cu' })
const clinic = institutionText('clinica', { domain: 'clinica.sld.cu', network: '10.30.0.0/16' })
const secrets = [
  'hunter2-plain',
  'c2VjcmV0by1iYXNlNjQ=',
  'QWxhZGRpbg',
  '$argon2id$v=19$planted',
  'mw1_plantedplantedplanted',
]
const hourMs = 3_600_000

const tomorrow = () => new Date(Date.now() + 24 * hourMs).toISOString().slice(0, 10)
const stamp = (hoursAgo: number) => new Date(Date.now() - hoursAgo * hourMs).toISOString()
const line = (hoursAgo: number, text: string) => `${stamp(hoursAgo)} mx1 ${text}`

const plainLines = [
  line(
    3,
    'postfix/smtpd[7]: 4F3A1C0D9E: client=unknown[10.20.0.9], sasl_method=PLAIN, sasl_username=jperez@hcg.sld.cu',
  ),
  line(3, 'postfix/cleanup[8]: 4F3A1C0D9E: message-id=<uno@remote.example>'),
  line(3, 'postfix/qmgr[9]: 4F3A1C0D9E: from=<jperez@hcg.sld.cu>, size=900, nrcpt=1 (queue active)'),
  line(3, 'postfix/smtp[9]: 5AAAAAAAAA: to=<x@clinica.sld.cu>, relay=none, status=sent'),
  line(3, 'postfix/smtp[9]: 6BBBBBBBBB: to=<x@sub.hcg.sld.cu>, relay=none, status=sent'),
  line(3, 'postfix/smtp[9]: 7CCCCCCCCC: to=<x@evil-hcg.sld.cu>, relay=none, status=sent'),
  line(2, `dovecot: auth: passwd-file(mlopez@hcg.sld.cu,10.20.0.9): Password mismatch (given password: ${secrets[0]})`),
  line(2, `dovecot: auth: Debug: client in: AUTH PLAIN user=mlopez@hcg.sld.cu resp=${secrets[1]}`),
  line(2, `dovecot: mlopez@hcg.sld.cu Authorization: Bearer ${secrets[2]}`),
  line(2, `dovecot: mlopez@hcg.sld.cu hash {ARGON2ID}${secrets[3]} and ${secrets[4]}`),
]
const rotatedLines = [
  line(30, 'postfix/qmgr[9]: 8DDDDDDDDD: from=<ayer@hcg.sld.cu>, size=900, nrcpt=1 (queue active)'),
  line(90, 'postfix/qmgr[9]: 9EEEEEEEEE: from=<antes@hcg.sld.cu>, size=900, nrcpt=1 (queue active)'),
]

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))

async function estateWithLogs(): Promise<Estate> {
  const estate = await createEstate({ 'hospital.yaml': hospital, 'clinica.yaml': clinic })
  const logs = join(estate.folder, 'log')
  mkdirSync(logs)
  writeFileSync(join(logs, 'mail.log'), `${plainLines.join('\n')}\n`)
  writeFileSync(join(logs, 'mail.log.2.gz'), gzipSync(`${rotatedLines.join('\n')}\n`))
  utimesSync(join(logs, 'mail.log.2.gz'), new Date(), new Date(Date.now() - 29 * hourMs))
  const config = join(estate.folder, 'mailwarden.yaml')
  writeFileSync(
    config,
    `${readFileSync(config, 'utf8')}  evidence: { logs: [./log/mail.log, ./log/absent.log], keepDays: 1 }\n`,
  )
  return estate
}

describe('a bundle of evidence', () => {
  let estate: Estate
  let daemon: Daemon
  let ana: Record<string, string>
  let berta: Record<string, string>
  let aida: Record<string, string>
  const tokenOf = async (person: string) => ({
    MAILWARDEN_TOKEN: (await estate.cli(['token', 'create', person])).out.trim(),
  })
  const bundles = async () => (await estate.json(['incident', 'show', id])).json.evidence
  let id = ''
  const out = (name: string) => join(estate.folder, name)

  beforeAll(async () => {
    estate = await estateWithLogs()
    expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
    daemon = await estate.start()
    ;[ana, berta, aida] = [await tokenOf('ana'), await tokenOf('berta'), await tokenOf('aida')]
    const declared = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'correo masivo'], {
      env: ana,
    })
    id = declared.json.incident
    await eventually(async () => (await bundles()).length === 1, 'the first bundle')
  })
  afterAll(async () => {
    await daemon?.stop()
    await estate?.[Symbol.asyncDispose]()
  })

  test('is collected by itself, after the levers were asked, and named in the register without personal data', async () => {
    const { out: listed } = await estate.cli(['register', 'list', '--subject', id])
    expect(listed.indexOf('incident.declared')).toBeLessThan(listed.indexOf('incident.evidence'))
    const [bundle] = await bundles()
    expect(bundle).toMatchObject({ version: 1, gaps: 1, open: 1 })
    const { json } = await estate.json(['register', 'proof', String(bundle.index)])
    expect(json.entry.facts).toMatchObject({ incident: id, version: 1, manifest: bundle.manifest })
    expect(JSON.stringify(json.entry)).not.toMatch(/@|log/)
  })

  test('stands in files of their digests that only their owner reads', () => {
    const root = join(estate.state, 'evidence')
    expect(statSync(root).mode & 0o777).toBe(0o700)
    for (const file of filesBelow(root)) expect([file, statSync(file).mode & 0o777]).toEqual([file, 0o600])
    for (const folder of readdirSync(root)) expect(statSync(join(root, folder)).mode & 0o777).toBe(0o700)
  })

  test('is exported as the same bytes each time, verified anywhere, and the export is on record', async () => {
    for (const name of ['a.tar', 'b.tar'])
      expect(await estate.json(['incident', 'evidence', id, '--out', out(name)], { env: aida })).toMatchObject({
        exit: 0,
      })
    expect(readFileSync(out('a.tar')).equals(readFileSync(out('b.tar')))).toBe(true)
    expect(statSync(out('a.tar')).mode & 0o777).toBe(0o600)
    expect((await estate.cli(['incident', 'evidence', id, '--out', out('a.tar')], { env: aida })).exit).toBe(65)
    const key = join(estate.state, 'keys/register.pub')
    const verified = await estate.json(['incident', 'evidence', '--verify', out('a.tar'), '--key', key])
    expect(verified).toMatchObject({ exit: 0, json: { ok: true, incident: id, keyFrom: 'given', findings: [] } })
    expect(verified.json.gaps).toMatchObject([{ path: 'logs/2-absent.log', reason: 'ENOENT', retry: true }])
    const { out: listed } = await estate.cli(['register', 'list', '--kind', 'incident.evidence-exported'])
    expect(listed.match(/aida/g)?.length).toBeGreaterThanOrEqual(2)
  })

  test('has the lines of the scope in their order, from rotated files too, and no secret', () => {
    const { members } = readTar(readFileSync(out('a.tar')))
    const text = (name: string) => Buffer.from(members.find(member => member.name === name)?.bytes ?? []).toString()
    const log = text('logs/1-mail.log').trimEnd().split('\n')
    expect(log.slice(0, 4)).toEqual([rotatedLines[0], ...plainLines.slice(0, 3)])
    expect(log).toHaveLength(8)
    const whole = members.map(member => Buffer.from(member.bytes).toString('latin1')).join('\n')
    for (const secret of secrets) expect(whole).not.toContain(secret)
    for (const { MAILWARDEN_TOKEN: token } of [ana, berta, aida] as { MAILWARDEN_TOKEN: string }[])
      expect(whole).not.toContain(token)
    expect(whole).not.toContain('PRIVATE KEY')
    for (const name of ['state/accounts.jsonl', 'state/decisions.jsonl', 'state/scope.json', 'state/directory.jsonl'])
      expect(text(name)).toContain('hcg.sld.cu')
    expect(text('state/decisions.jsonl')).toContain('suspended')
    expect(JSON.parse(text('manifests.json')).files).toMatchObject([{ file: 'hospital.yaml' }])
    expect(text('register/entries.jsonl')).toContain('incident.declared')
    // The neighbour is not in it.
    expect(whole).not.toContain('clinica.sld.cu')
  })

  test('any byte that is changed is found, with the file that it is in', async () => {
    const whole = readFileSync(out('a.tar'))
    const { members } = readTar(whole)
    let at = 0
    for (const { name, bytes } of members) {
      for (const where of [at, at + 130, at + 512, at + 512 + bytes.length - 1]) {
        if (where >= at + 512 + bytes.length) continue
        const copy = Buffer.from(whole)
        copy[where] = (copy[where] ?? 0) ^ 1
        writeFileSync(out('changed.tar'), copy)
        const { verifyBundle } = await import('../../agent/evidence/bundle.ts')
        const { ok, findings } = verifyBundle(copy)
        expect([name, where - at, ok]).toEqual([name, where - at, false])
        if (where > at + 511 && name !== 'MANIFEST.json') expect(findings.map(({ file }) => file)).toContain(name)
      }
      at += 512 + Math.ceil(bytes.length / 512) * 512
    }
    const { exit, err, out: said } = await estate.cli(['incident', 'evidence', '--verify', out('changed.tar')])
    expect([exit, `${said}${err}`]).toEqual([1, expect.stringContaining(members.at(-1)?.name ?? '')])
  })

  test('every byte of the small members and of the padding counts', async () => {
    const { verifyBundle } = await import('../../agent/evidence/bundle.ts')
    const whole = readFileSync(out('a.tar'))
    for (let where = 0; where < whole.length; where += 97) {
      const copy = Buffer.from(whole)
      copy[where] = (copy[where] ?? 0) ^ 0x20
      expect([where, verifyBundle(copy).ok]).toEqual([where, false])
    }
    expect(verifyBundle(whole.subarray(0, -512)).ok).toBe(false)
    expect(verifyBundle(Buffer.concat([whole, Buffer.alloc(512)])).ok).toBe(false)
    expect(verifyBundle(Buffer.alloc(0)).ok).toBe(false)
    expect(verifyBundle(whole).ok).toBe(true)
  })

  test('another register’s key does not vouch for it', async () => {
    await using other = await createEstate({ 'hospital.yaml': hospital })
    expect((await other.cli(['apply', '--yes'])).exit).toBe(0)
    const key = join(other.state, 'keys/register.pub')
    expect((await estate.cli(['incident', 'evidence', '--verify', out('a.tar'), '--key', key])).exit).toBe(1)
  })

  test('is collected again on demand, beside the old one; who may is told apart', async () => {
    writeFileSync(join(estate.folder, 'log/absent.log'), '')
    expect(await estate.json(['incident', 'evidence', id], { env: ana })).toMatchObject({
      exit: 0,
      json: { bundle: { version: 2, gaps: 0 } },
    })
    expect((await estate.json(['incident', 'evidence', id], { env: aida })).exit).toBe(77)
    expect((await estate.cli(['incident', 'evidence', id, '--out', out('n.tar')])).exit).toBe(77)
    expect(existsSync(out('n.tar'))).toBe(false)
    const old = await estate.json(['incident', 'evidence', id, '--bundle', '1', '--out', out('c.tar')], { env: berta })
    expect(old.exit).toBe(0)
    expect(readFileSync(out('c.tar')).equals(readFileSync(out('a.tar')))).toBe(true)
  })

  test('what was changed in the store is not handed over', async () => {
    const [, bundle] = await bundles()
    const file = join(estate.state, 'evidence', bundle.manifest.slice(0, 2), bundle.manifest)
    const before = readFileSync(file)
    chmodSync(file, 0o600)
    writeFileSync(file, before.toString().replace('hcg', 'hcx'))
    expect((await estate.cli(['incident', 'evidence', id, '--out', out('d.tar')], { env: ana })).exit).toBe(1)
    expect(existsSync(out('d.tar'))).toBe(false)
    writeFileSync(file, before)
  })

  test('a legal hold has owner, reason and review day, and ends by two people', async () => {
    const hold = (review: string) => [
      'incident',
      'hold',
      id,
      '--owner',
      'Asesoría',
      '--reason',
      'fiscalía',
      '--review',
      review,
    ]
    expect((await estate.cli(hold('mañana'), { env: ana })).exit).toBe(65)
    expect((await estate.cli(hold('2031-01-01'), { env: ana })).exit).toBe(0)
    expect((await estate.json(['incident', 'show', id])).json.legalHold).toMatchObject({
      owner: 'Asesoría',
      review: '2031-01-01',
    })
    const foreseen = async (until: string) => (await estate.json(['forecast', '--until', until])).json.evidence
    expect(await foreseen('1d')).toEqual([])
    expect((await estate.cli(hold(tomorrow()), { env: ana })).exit).toBe(0)
    expect(await foreseen('3d')).toEqual([{ day: tomorrow(), incident: id, why: 'legal-hold' }])
    expect((await estate.cli(['incident', 'unhold', id], { env: berta })).exit).toBe(3)
    expect((await estate.cli(['incident', 'unhold', id], { env: ana })).exit).toBe(3)
    expect((await estate.cli(['incident', 'unhold', id], { env: ana })).exit).toBe(3)
    expect((await estate.json(['incident', 'show', id])).json.legalHold).not.toBeNull()
    expect((await estate.cli(['incident', 'unhold', id], { env: berta })).exit).toBe(0)
    expect((await estate.json(['incident', 'show', id])).json.legalHold).toBeNull()
  })

  test('the case is handed over as IODEF and as a report, the same each time', async () => {
    const take = async (format: string, env = ana) =>
      estate.json(['incident', 'export', id, '--format', format], { env })
    for (const format of ['iodef-json', 'iodef-xml', 'report']) {
      const { exit, json } = await take(format)
      expect([format, exit]).toEqual([format, 0])
      expect((await take(format, aida)).json.text).toBe(json.text)
    }
    expect((await take('pdf')).exit).toBe(65)
  })
})

test('cut between collecting and recording, no entry claims what is not there, and it is collected again', async () => {
  await using estate = await estateWithLogs()
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const first = await estate.start({ MAILWARDEN_FAILPOINT: 'evidence.beforeEntry' })
  await estate.cli(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'correo masivo'])
  await eventually(async () => !isAlive(first.pid), 'the cut')
  expect((await first.stop()).signal).toBe('SIGKILL')
  expect((await estate.cli(['register', 'list', '--kind', 'incident.evidence'])).out).not.toContain('incident.evidence')
  const daemon = await estate.start()
  await eventually(
    async () =>
      (await estate.cli(['register', 'list', '--kind', 'incident.evidence'])).out.includes('incident.evidence'),
    'another try',
  )
  await daemon.stop()
  expect((await estate.cli(['register', 'verify'])).exit).toBe(0)
})
