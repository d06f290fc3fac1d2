/**
 * Mail goes in without a pause while the agent is killed and started again: nothing is lost, nothing is bounced, nothing that
 * should be refused is let through, and all that may come in has come in at the end. `RESTARTS=100 MESSAGES=20000` makes
 * it as long as one likes.
 */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEstate, type Daemon, type Estate, eventually, institutionText } from '../support/estate.ts'
import { freePort } from '../support/free-port.ts'
import { type MailServers, startMailServers, whyNoServers } from './mail-servers.ts'
import { describeServers } from './suite.ts'
import { sendMail } from './wire.ts'

const restarts = Number(process.env['RESTARTS'] ?? 6)
const messages = Number(process.env['MESSAGES'] ?? 240)
const senders = 8
const swaks = '/usr/bin/swaks'
const whyNot = () => whyNoServers() ?? (existsSync(swaks) ? null : `not installed: ${swaks}`)
const timeoutMs = 60_000 + restarts * 15_000 + messages * 100

const open = 'jperez@hcg.sld.cu'
const closed = 'mlopez@hcg.sld.cu' // hears nobody from abroad
const accounts = ['{ name: jperez }', '{ name: mlopez, receive: national }']
const hospital = institutionText('hospital', { domain: 'hcg.sld.cu', network: '127.0.0.1/32', accounts })

describeServers('an agent that is restarted all the time', whyNot, () => {
  let servers: MailServers
  let estate: Estate
  let daemon: Daemon
  beforeAll(async () => {
    const policyPort = await freePort()
    servers = await startMailServers({ policy: `127.0.0.1:${policyPort}` })
    estate = await createEstate({ 'hospital.yaml': hospital }, { directory: servers.directoryFile, policyPort })
    daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
  }, 120_000)
  afterAll(async () => {
    await estate?.[Symbol.asyncDispose]()
    await servers?.stop()
  })

  /** Every message that lies in somebody's mailbox, by the number in its subject. */
  function delivered(): string[] {
    const files = readdirSync(servers.folder, { recursive: true, encoding: 'utf8' })
    return files
      .filter(name => /Maildir\/(new|cur)\/[^/]+$/.test(name))
      .map(name => /^Subject: (.*)$/m.exec(readFileSync(join(servers.folder, name), 'utf8'))?.[1] ?? name)
  }

  test('loses nothing, bounces nothing and lets nothing through', { timeout: timeoutMs }, async () => {
    const answers = new Map<string, number>()
    let next = 0
    let accepted = 0
    let finished = false
    const endpoint = { port: servers.ports.smtp, from: '127.0.0.77' }

    /** The same by a client that is not ours: the last answer but the one to QUIT. */
    const swaksAttempt = (number: number, recipient: string): Promise<string> =>
      new Promise(resolve => {
        const to = ['--server', '127.0.0.1', '--port', String(endpoint.port), '--local-interface', endpoint.from]
        const mail = ['--from', 'a@extranjero.example', '--to', recipient, '--header', `Subject: ${number}`]
        execFile(swaks, [...to, ...mail, '--body', String(number), '--timeout', '60s'], (_, transcript) => {
          const answers = [...transcript.matchAll(/^<(?:-|\*\*) +(\d{3} .*)$/gm)].map(([, answer = '']) => answer)
          resolve(answers.filter(answer => !answer.startsWith('221')).at(-1) ?? `broken off: ${transcript.slice(-200)}`)
        })
      })
    /** What became of one attempt: the answer to RCPT, or to the message when it came to that. */
    const attempt = async (number: number, client: number): Promise<string> => {
      const recipient = number % 3 === 0 ? closed : open
      if (client === 0) return swaksAttempt(number, recipient)
      const text = `Subject: ${number}\n\n${number}\n`
      try {
        const sent = await sendMail(endpoint, { sender: 'a@extranjero.example', recipients: [recipient], text })
        return sent.end ?? sent.recipients[0] ?? ''
      } catch (error) {
        return `broken off: ${error instanceof Error ? error.message : String(error)}`
      }
    }
    const bySwaks = new Map<string, number>()
    const sender = async (_: unknown, client: number): Promise<void> => {
      for (let number = next; number < messages; number = next) {
        next += 1
        for (;;) {
          const answer = await attempt(number, client)
          const code = answer.slice(0, 3)
          if (client === 0) bySwaks.set(code, (bySwaks.get(code) ?? 0) + 1)
          answers.set(code, (answers.get(code) ?? 0) + 1)
          const isOpen = number % 3 !== 0
          if (isOpen && code === '250') accepted += 1
          if (code === '250' || code === '550') {
            // The one answer that is final for this recipient, and no other.
            expect([number, code]).toEqual([number, isOpen ? '250' : '550'])
            break
          }
          expect(code).toMatch(/^4/)
        }
      }
    }
    const restarter = async (): Promise<number> => {
      for (let count = 0; count < restarts; count += 1) {
        if (finished) return count
        await daemon.stop(count % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
        daemon = await estate.start()
        // Some mail goes through between two restarts, so that they fall into all of its steps.
        const before = accepted
        await eventually(async () => finished || accepted > before, 'mail going on')
      }
      return restarts
    }
    const sending = Promise.all(Array.from({ length: senders }, sender)).finally(() => {
      finished = true
    })
    const [done] = await Promise.all([restarter(), sending])
    const told = { answers: Object.fromEntries(answers), bySwaks: Object.fromEntries(bySwaks) }
    console.log({ restarts: done, messages, ...told })
    expect(bySwaks.get('250')).toBeGreaterThan(0)
    expect(done).toBeGreaterThan(0)
    const wanted = Array.from({ length: messages }, (_, number) => number).filter(number => number % 3 !== 0)
    await eventually(async () => delivered().length >= wanted.length, 'all mail being delivered')
    expect(
      delivered()
        .map(Number)
        .toSorted((a, b) => a - b),
    ).toEqual(wanted)
    // Nothing was sent back to anybody either.
    expect(servers.log()).not.toMatch(/status=bounced/)
  })
})
