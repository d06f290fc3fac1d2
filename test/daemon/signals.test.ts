/** What a daemon makes of an account that guesses addresses: one signal, on record and in `status`, and in the metrics. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createEstate, eventually, institutionText } from '../support/estate.ts'
import { exchange } from '../wire/client.ts'

test('fifty addresses that nobody has are one sign of one account', async () => {
  const text = institutionText('hospital', { domain: 'hcg.sld.cu', network: '10.20.0.0/16' })
  await using estate = await createEstate({ 'hospital.yaml': text })
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  const login = 'jperez@hcg.sld.cu'
  const asked = (recipient: string, who = login) =>
    `request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=10.20.0.9\nsasl_username=${who}\nsender=${who}\nrecipient=${recipient}\n\n`
  // A flood of another's refusals before them, in the same breath: more than are told one by one.
  const flood = asked('x@who.int', 'mlopez@hcg.sld.cu').repeat(500)
  const misses = Array.from({ length: 60 }, (_, n) => asked(`nadie${n}@hcg.sld.cu`)).join('')
  const answers = await exchange(`127.0.0.1:${estate.policyPort}`, flood + misses)
  // Postfix refuses them by itself: the decision has nothing against.
  expect(answers.endsWith('action=DUNNO\n\n'.repeat(60))).toBe(true)
  expect(answers.match(/550 5\.7\.1 scope-send/g)).toHaveLength(500)
  const signals = await eventually(async () => {
    const { json } = await estate.json(['status'])
    return json.signals.length > 2 && json.signals
  }, 'the signals')
  expect(signals).toMatchObject([
    { code: 'SIG-SCOPE', level: 'alert', count: 20, subject: 'mlopez@hcg.sld.cu' },
    { code: 'SIG-UNKNOWN-RECIPIENTS', level: 'alert', count: 25, subject: login },
    { code: 'SIG-UNKNOWN-RECIPIENTS', level: 'act', count: 50, subject: login },
  ])
  expect(signals.every((one: { institution: string }) => one.institution === 'hospital')).toBe(true)
  const outbox = join(estate.state, 'outbox')
  const letters = () =>
    readdirSync(outbox)
      .filter(name => name.includes('signals'))
      .map(name => readFileSync(join(outbox, name), 'utf8'))
      .map(letter => {
        const [head = '', body = ''] = letter.split(/\r?\n\r?\n/)
        return `${head}\n${Buffer.from(body, 'base64').toString()}`
      })
  await eventually(async () => letters().length >= 2, 'the notices')
  const to = (address: string) => letters().filter(letter => new RegExp(`^To: .*<${address}>`, 'm').test(letter))
  // One to the operator and one to the institution, whatever the number of signs; whom they wrote to is in neither.
  expect([to('seg@operator.example').length, to('rep-hospital@correo.example').length]).toEqual([1, 1])
  for (const letter of letters()) {
    expect(letter).not.toMatch(/nadie\d|who\.int/)
    expect(letter).toContain('SIG-UNKNOWN-RECIPIENTS')
  }
  const shown = (await estate.cli(['status', '--lang', 'es'])).out
  expect(shown).toContain(`señal SIG-UNKNOWN-RECIPIENTS (act): ${login}`)
  // Who was told of is not told again by the next daemon within the hour.
  await daemon.stop()
  const next = await estate.start()
  await next.until(line => line['event'] === 'ready', 'ready again')
  const more = Array.from({ length: 60 }, (_, n) => asked(`otro${n}@hcg.sld.cu`)).join('')
  await exchange(`127.0.0.1:${estate.policyPort}`, more)
  await next.stop()
  const { json } = await estate.json(['register', 'list', '--kind', 'signal.raised'])
  expect(json.entries).toHaveLength(3)
  expect(JSON.stringify(json.entries.map((entry: any) => entry.facts))).not.toMatch(/jperez|mlopez/)
  const metrics = (await estate.cli(['metrics'])).out
  expect(metrics).toContain('mailwarden_signals_recent{code="SIG-UNKNOWN-RECIPIENTS",level="act"} 1')
  expect(metrics).not.toContain('jperez')
})

test('a server of the institution that writes in its name, and for no account, is told of its domain; a stranger is not', async () => {
  const text = institutionText('hospital', { domain: 'hcg.sld.cu', network: '10.20.0.0/16' }).replace(
    '  networks:',
    '  servers: [{ host: mail.hcg.sld.cu, addresses: [10.20.0.5], role: [relay] }]\n  networks:',
  )
  await using estate = await createEstate({ 'hospital.yaml': text })
  expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
  const daemon = await estate.start()
  await daemon.until(line => line['event'] === 'ready', 'ready')
  const asked = (client: string, sender: string) =>
    `request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=${client}\nsender=${sender}\nrecipient=x@minsap.cu\n\n`
  const answers = await exchange(
    `127.0.0.1:${estate.policyPort}`,
    [
      asked('203.0.113.9', 'impresora@hcg.sld.cu'),
      asked('10.20.0.5', 'x@other.example'),
      asked('10.20.0.5', 'jperez@hcg.sld.cu'),
      asked('10.20.0.5', 'impresora@hcg.sld.cu'),
    ].join(''),
  )

  expect(answers.match(/unknown-account/g)).toHaveLength(2)
  const { json } = await eventually(async () => {
    const found = await estate.json(['register', 'list', '--kind', 'signal.raised'])
    return found.json.entries.length > 0 && found
  }, 'the signal')
  expect(json.entries).toMatchObject([
    {
      facts: { code: 'SIG-UNKNOWN-RELAY', level: 'alert', institution: 'hospital' },
      personal: { subject: 'hcg.sld.cu' },
    },
  ])
  expect((await estate.json(['status'])).json.detection.proposals).toEqual([])
  await daemon.stop()
}, 60_000)
