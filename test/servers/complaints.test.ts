/**
 * Abuse reports, whole: mail that really left by Postfix, reports of it in a mailbox of Dovecot, and what the daemon makes
 * of them. The field of our own server stands on top of each report as its filter would put it there.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sampleReport } from '../detection/arf-samples.ts'
import { createEstate, type Estate, eventually, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import { type MailServers, startMailServers, whyNoServers } from './mail-servers.ts'
import { describeServers } from './suite.ts'
import { sendMail } from './wire.ts'

const home = '127.0.0.1'
const password = 'una-clave-larga-de-prueba'
const jperez = 'jperez@hcg.sld.cu'
const abuse = 'quejas@hcg.sld.cu'
const hospital = institutionText('hospital', {
  domain: 'hcg.sld.cu',
  network: '127.0.0.0/8',
  accounts: ['{ name: jperez }', '{ name: mlopez }', '{ name: quejas }'],
})
const proved = ['Authentication-Results: mx.test.example; dkim=pass header.d=reporter.example']

describeServers('abuse reports, on Postfix and Dovecot', whyNoServers, () => {
  let servers: MailServers
  let estate: Estate

  beforeAll(async () => {
    const policyPort = await freePort()
    servers = await startMailServers({ policy: `${home}:${policyPort}` })
    const secret = join(servers.folder, 'abuse-password')
    writeFileSync(secret, `${password}\n`, { mode: 0o600 })
    estate = await createEstate(
      { 'hospital.yaml': hospital },
      {
        policyPort,
        directory: servers.directoryFile,
        config: `  evidence: { logs: [${servers.folder}/pf/maillog] }
  detection:
    restrict: enforce
    reports:
      mailbox: { server: "${home}:${servers.ports.imap}", tls: none, user: ${abuse}, password: { file: ${secret} } }
      authservId: mx.test.example
      reporters: [reporter.example]
`,
      },
    )
  }, 60_000)
  afterAll(async () => {
    await estate?.[Symbol.asyncDispose]()
    await servers?.stop()
  })

  /** A message that leaves by submission, and is logged. */
  const submit = async (id: string) => {
    const text = `From: ${jperez}\nMessage-ID: ${id}\nSubject: oferta\n\nHola`
    const sent = await sendMail(
      { port: servers.ports.submission, from: home },
      { sender: jperez, recipients: ['mlopez@hcg.sld.cu'], text },
      { user: jperez, password },
    )
    expect(sent.end).toMatch(/^250/)
  }
  const report = async (options: Parameters<typeof sampleReport>[0]) => {
    const text = sampleReport({ received: 'none', ...options }).replaceAll('\r\n', '\n')
    const to = { port: servers.ports.smtp, from: '127.0.0.77' }
    const sent = await sendMail(to, { sender: 'feedback@reporter.example', recipients: [abuse], text })
    expect(sent.end).toMatch(/^250/)
  }
  const kinds = async (kind: string) => (await estate.json(['register', 'list', '--kind', kind])).json.entries as any[]

  test('forged ones do nothing; three that are proved and of our own mail restrict the account', async () => {
    const first = await estate.start()
    await first.until(line => line['event'] === 'ready', 'ready')
    for (const user of [jperez, 'mlopez@hcg.sld.cu', abuse])
      expect((await estate.cli(['password', user, '--stdin'], { input: password })).exit).toBe(0)
    for (const n of [1, 2, 3]) await submit(`<m${n}@hcg.sld.cu>`)
    await report({ head: proved, messageId: '<never@hcg.sld.cu>' })
    await report({ messageId: '<m1@hcg.sld.cu>' })
    await report({ head: proved.map(line => line.replace('mx.test', 'mx.evil')), messageId: '<m1@hcg.sld.cu>' })
    await report({
      head: proved,
      messageId: '<m1@hcg.sld.cu>',
      feedback: 'Feedback-Type: not-spam\nUser-Agent: x\nVersion: 1',
    })
    await report({ head: proved, messageId: '<m1@hcg.sld.cu>', contentType: 'text/plain' })
    // The same message, complained about twice, is one.
    await report({ head: proved, messageId: '<m1@hcg.sld.cu>' })
    await report({ head: proved, messageId: '<m1@hcg.sld.cu>' })
    await arrived(7)
    await first.stop()

    const second = await estate.start()
    await eventually(async () => (await kinds('abuse.passed')).length === 1, 'the reports read')
    await second.until(line => line['event'] === 'abuse reports that do not count', 'the count')
    expect((await kinds('abuse.passed'))[0].facts).toEqual({
      'never-sent': 1,
      'source-unproved': 2,
      'no-complaint': 1,
      'no-report': 1,
    })
    const counted = await kinds('abuse.report')
    expect(counted.map(({ facts }) => facts)).toMatchObject([
      { feedbackType: 'abuse', source: 'reporter.example', matchedBy: 'message-id' },
      { feedbackType: 'abuse', source: 'reporter.example', matchedBy: 'message-id' },
    ])
    expect(JSON.stringify(counted.map(({ facts }) => facts))).not.toContain('jperez')
    expect((await kinds('signal.raised')).map(({ facts }) => [facts.code, facts.level, facts.count])).toEqual([
      ['SIG-ABUSE-REPORT', 'alert', 1],
      ['SIG-ABUSE-REPORT', 'alert', 1],
    ])
    expect((await estate.json(['incident', 'list'])).json.incidents).toEqual([])
    await second.stop()

    // Two more messages, and what was read is not read again.
    const third = await estate.start()
    await third.until(line => line['event'] === 'ready', 'ready')
    for (const n of [2, 3]) await report({ head: proved, messageId: `<m${n}@hcg.sld.cu>` })
    await arrived(9)
    await third.stop()
    const fourth = await estate.start()
    const incident = await eventually(async () => {
      const { json } = await estate.json(['incident', 'list'])
      return json.incidents[0]
    }, 'the incident')
    expect(incident).toMatchObject({ class: 'spam', domain: 'hcg.sld.cu' })
    const [declared] = await kinds('incident.declared')
    expect(declared).toMatchObject({
      actor: { person: 'daemon' },
      facts: { scope: 'account', trigger: { rule: 'account', codes: ['SIG-ABUSE-REPORT'] } },
    })
    expect(await kinds('abuse.report')).toHaveLength(4)
    expect(await kinds('abuse.passed')).toHaveLength(1)
    await fourth.stop()
  }, 120_000)

  /** So many deliveries to the mailbox of reports are logged. */
  const arrived = (count: number) =>
    eventually(async () => {
      const delivered = servers.log().match(/to=<quejas@hcg\.sld\.cu>.*status=sent/g)
      return (delivered?.length ?? 0) >= count
    }, `${count} reports delivered`)
})
