/** What a daemon does about signals: it says what it would have closed, or closes one account as `suspend` does, and no other. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEstate, type Estate, eventually, institutionText } from '../support/estate.ts'
import { exchange } from '../wire/client.ts'

const login = 'jperez@hcg.sld.cu'
const files = { 'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu', network: '10.20.0.0/16' }) }

const asked = (recipient: string, who: string) =>
  `request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=10.20.0.9\nsasl_username=${who}\nsender=${who}\nrecipient=${recipient}\n\n`

/** Writes to as many addresses that nobody has as let an account be restricted. */
async function guess(estate: Estate, who: string): Promise<void> {
  const misses = Array.from({ length: 60 }, (_, n) => asked(`nadie${n}@hcg.sld.cu`, who)).join('')
  await exchange(`127.0.0.1:${estate.policyPort}`, misses)
}

test('by default nothing is closed: status says what would have been', async () => {
  await using estate = await createEstate(files)
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  await guess(estate, login)
  const { detection, incidents } = await eventually(async () => {
    const { json } = await estate.json(['status'])
    return json.detection.proposals.length > 0 && json
  }, 'a proposal')
  expect(incidents).toEqual([])
  expect(detection).toMatchObject({
    restrict: 'observe',
    storm: null,
    proposals: [{ scope: login, rule: 'account', codes: ['SIG-UNKNOWN-RECIPIENTS'] }],
  })
  expect((await estate.cli(['status', '--lang', 'es'])).out).toContain(`las señales proponen suspender ${login}`)
  expect(await exchange(`127.0.0.1:${estate.policyPort}`, asked('mlopez@hcg.sld.cu', login))).toContain('DUNNO')
  // Nobody's name where it could not be erased.
  const { json } = await estate.json(['register', 'list', '--kind', 'detection.proposed'])
  expect(json.entries).toHaveLength(1)
  expect(JSON.stringify(json.entries[0].facts)).not.toContain('jperez')
  const resumed = await estate.cli(['detection', 'resume', '--reason', 'x'])
  expect(resumed.exit).toBe(77)
})

test('where it is enforced, the account alone is closed, in the way of suspend, and by no person', async () => {
  await using estate = await createEstate(files, { config: '  detection: { restrict: enforce }\n' })
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  await guess(estate, login)
  const incident = await eventually(async () => {
    const { json } = await estate.json(['incident', 'list'])
    return json.incidents[0]?.levers?.login === 'verified' && json.incidents[0]
  }, 'a verified lever')
  expect(incident).toMatchObject({ class: 'spam', domain: 'hcg.sld.cu' })
  const { address, port } = { address: '127.0.0.1', port: estate.policyPort }
  expect(await exchange(`${address}:${port}`, asked('mlopez@hcg.sld.cu', login))).toMatch(/550 5\.7\.1 suspended/)
  const other = asked('jperez@hcg.sld.cu', 'mlopez@hcg.sld.cu').replaceAll('recipient=jperez', 'recipient=admin')
  expect(await exchange(`${address}:${port}`, other)).toContain('DUNNO')
  const { json } = await estate.json(['register', 'list', '--kind', 'incident.declared'])
  expect(json.entries).toMatchObject([
    {
      actor: { person: 'daemon', role: 'daemon' },
      facts: { scope: 'account', breakGlass: false, trigger: { rule: 'account', codes: ['SIG-UNKNOWN-RECIPIENTS'] } },
    },
  ])
  // A restart declares nothing again, and the hold stands without the daemon's help.
  await daemon.stop()
  const next = await estate.start()
  await next.until(line => line['event'] === 'ready', 'ready again')
  expect(await exchange(`${address}:${port}`, asked('mlopez@hcg.sld.cu', login))).toMatch(/550 5\.7\.1 suspended/)
  await next.stop()
  const after = await estate.json(['register', 'list', '--kind', 'incident.declared'])
  expect(after.json.entries).toHaveLength(1)
  expect((await estate.cli(['register', 'verify'])).exit).toBe(0)
  // The way back is the one of every incident: not by whoever sits at the host.
  expect((await estate.cli(['incident', 'release', incident.id])).exit).toBe(77)
})

/** As a reader shows it (RFC 2047). */
function subjectOf(letter: string): string {
  const [, words = ''] = /^Subject: ((?:.*\r?\n )*.*)/m.exec(letter) ?? []
  const encoded = [...words.matchAll(/=\?UTF-8\?B\?([^?]*)\?=/g)]
  return encoded.length === 0
    ? words
    : Buffer.concat(encoded.map(([, text = '']) => Buffer.from(text, 'base64'))).toString()
}

test('many domains at once: nothing is closed, one event, one page, and a responder ends it', async () => {
  const domains = Array.from({ length: 15 }, (_, n) => `d${n}.sld.cu`)
  const accounts = ['{ name: jperez }']
  const texts = domains.map((domain, n) => [`d${n}.yaml`, institutionText(`d${n}`, { domain, accounts })] as const)
  await using estate = await createEstate(Object.fromEntries(texts), { config: '  detection: { restrict: enforce }\n' })
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  const misses = domains.flatMap(domain =>
    Array.from({ length: 60 }, (_, n) => asked(`nadie${n}@${domain}`, `jperez@${domain}`)),
  )
  await exchange(`127.0.0.1:${estate.policyPort}`, misses.join(''))
  const status = await eventually(async () => {
    const { json } = await estate.json(['status'])
    return json.detection.storm !== null && json
  }, 'the storm')
  expect(status.detection.storm).toMatchObject({ domains: 15, accounts: 15 })
  expect(status.incidents).toEqual([])
  const outbox = join(estate.folder, 'var', 'outbox')
  // Beside it each institution is told of its own signals, and the operator of all in one.
  const pages = () =>
    readdirSync(outbox, { withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(({ name }) => readFileSync(join(outbox, name), 'utf8'))
      .filter(text => subjectOf(text).includes('tormenta de señales'))
  await eventually(async () => pages().length > 0, 'the page')
  expect(pages()).toHaveLength(1)
  expect(pages()[0]).toContain('seg@operator.example')
  expect((await estate.cli(['status', '--lang', 'es'])).out).toContain('tormenta de señales: 15 dominios')

  const { out } = await estate.cli(['token', 'create', 'ana'])
  const env = { MAILWARDEN_TOKEN: out.trim() }
  const resumed = await estate.cli(['detection', 'resume', '--reason', 'visto'], { env })
  expect(resumed).toMatchObject({ exit: 0, out: expect.stringContaining('signals act again') })
  expect((await estate.json(['status'])).json.detection.storm).toBeNull()
  await daemon.stop()
  expect((await estate.json(['register', 'list', '--kind', 'detection.storm'])).json.entries).toHaveLength(1)
  expect((await estate.json(['incident', 'list'])).json.incidents).toEqual([])
})
