/**
 * With its sockets in the hands of systemd the daemon is started anew under a stream of mail, and no client sees anything of
 * it: each message gets its final answer at the first attempt. A Postfix that is refused a connection would say 451.
 * `RESTARTS=50 MESSAGES=5000` makes it as long as one likes.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEstate, type Estate, eventually, institutionText, launcher } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import { exchange } from '../wire/client.ts'
import { type MailServers, startMailServers, whyNoServers } from './mail-servers.ts'
import { describeServers } from './suite.ts'
import { sendMail } from './wire.ts'

const restarts = Number(process.env['RESTARTS'] ?? 5)
const messages = Number(process.env['MESSAGES'] ?? 200)
const senders = 6
const perl = '/usr/bin/perl'
const smtpSource = '/usr/sbin/smtp-source'
const holder = fileURLToPath(new URL('socket-holder.pl', import.meta.url))
const question =
  'request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=127.0.0.77\nsender=a@extranjero.example\nrecipient=jperez@hcg.sld.cu\n\n'

const accounts = ['{ name: jperez }', '{ name: mlopez, receive: national }']
const hospital = institutionText('hospital', { domain: 'hcg.sld.cu', network: '127.0.0.1/32', accounts })

/**
 * Postfix asks twice, the second time a second later (`smtpd_policy_service_retry_delay`). Whoever kills both daemons that it
 * asked leaves it without an answer, whoever holds the sockets: the next one comes when the second time is over.
 */
const retryMs = 1_000
const isTriedAgain = (killedAt: number) => performance.now() - killedAt > 3 * retryMs

function whyNot(): string | null {
  return whyNoServers() ?? (existsSync(perl) ? null : `not installed: ${perl}`)
}

describeServers('a daemon whose sockets systemd holds', whyNot, () => {
  let servers: MailServers
  let estate: Estate
  let systemd: ChildProcess
  let policyPort: number
  const pids: number[] = []

  const isAnswered = async () => (await exchange(`127.0.0.1:${policyPort}`, question)) === 'action=DUNNO\n\n'

  beforeAll(async () => {
    policyPort = await freePort()
    servers = await startMailServers({ policy: `127.0.0.1:${policyPort}` })
    estate = await createEstate({ 'hospital.yaml': hospital }, { directory: servers.directoryFile, policyPort })
    const config = join(estate.folder, 'mailwarden.yaml')
    const text = readFileSync(config, 'utf8')
    writeFileSync(config, text.replace(`policy: ["127.0.0.1:${policyPort}"]`, 'policy: [systemd:policy]'))
    expect((await estate.cli(['apply', '--yes'])).exit).toBe(0)
    systemd = spawn(perl, [holder, String(policyPort), process.execPath, launcher, 'run'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, MAILWARDEN_CONFIG: config },
    })
    createInterface({ input: systemd.stdout! }).on('line', line => {
      const [, pid] = /^holder: (\d+)$/.exec(line) ?? []
      if (pid !== undefined) pids.push(Number(pid))
    })
    await eventually(() => isAnswered().catch(() => false), 'answers')
  }, 120_000)
  afterAll(async () => {
    const ended = new Promise(resolve => systemd?.once('exit', resolve))
    systemd?.kill()
    if (systemd?.exitCode === null) await ended
    await estate?.[Symbol.asyncDispose]()
    await servers?.stop()
  })

  test('no client is put off while it is started anew', { timeout: 60_000 + restarts * 10_000 }, async () => {
    const answers = new Map<string, number>()
    let next = 0
    let answered = 0
    let finished = false
    const endpoint = { port: servers.ports.smtp, from: '127.0.0.77' }
    const send = async (): Promise<void> => {
      for (let number = next; !finished; number = next) {
        next += 1
        const isOpen = number % 3 !== 0
        const recipient = isOpen ? 'jperez@hcg.sld.cu' : 'mlopez@hcg.sld.cu'
        const text = `Subject: ${number}\n\n${number}\n`
        const sent = await sendMail(endpoint, { sender: 'a@extranjero.example', recipients: [recipient], text })
        const answer = sent.end ?? sent.recipients[0] ?? ''
        answered += 1
        const key = `${isOpen ? 'open' : 'closed'} ${answer.slice(0, 3)}`
        answers.set(key, (answers.get(key) ?? 0) + 1)
      }
    }
    const restart = async (): Promise<void> => {
      for (let count = 0; count < restarts; count += 1) {
        const [before, running, killedAt] = [answered, pids.length, performance.now()]
        process.kill(pids.at(-1) ?? 0, count % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
        await eventually(async () => pids.length > running, 'the next process')
        await eventually(async () => answered > before + senders && isTriedAgain(killedAt), 'mail going on')
      }
      await eventually(async () => answered >= messages, 'enough mail')
      finished = true
    }
    await Promise.all([restart(), ...Array.from({ length: senders }, send)])
    console.log({ restarts, answers: Object.fromEntries(answers) })
    expect([...answers.keys()].toSorted()).toEqual(['closed 550', 'open 250'])
    expect(pids.length).toBe(restarts + 1)
  })

  test('smtp-source, which gives up at the first answer that puts it off, sees its mail through', {
    timeout: 60_000 + restarts * 10_000,
  }, async () => {
    const sourced = messages * 10
    const to = ['-f', 'fuente@extranjero.example', '-t', 'jperez@hcg.sld.cu', `127.0.0.1:${servers.ports.smtp}`]
    const source = spawn(smtpSource, ['-s', '4', '-m', String(sourced), '-l', '300', ...to], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    source.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const exit = new Promise(resolve => source.once('exit', resolve))
    const arrived = () => servers.log().match(/from=<fuente@extranjero\.example>/g)?.length ?? 0
    const before = pids.length
    while (source.exitCode === null) {
      const [running, killedAt] = [pids.length, performance.now()]
      process.kill(pids.at(-1) ?? 0, running % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
      await eventually(async () => pids.length > running, 'the next process')
      const taken = arrived()
      const goesOn = () => arrived() > taken + senders && isTriedAgain(killedAt)
      await eventually(async () => source.exitCode !== null || goesOn(), 'mail going on')
    }
    expect({ exit: await exit, said }).toEqual({ exit: 0, said: '' })
    console.log({ messages: sourced, restarts: pids.length - before })
    expect(pids.length).toBeGreaterThan(before)
  })
})
