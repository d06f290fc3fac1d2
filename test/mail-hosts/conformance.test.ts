/** The suite of mail hosts over real servers: Dovecot by its HTTP API and by its command, Postfix by its commands. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import { openDovecot } from '../../providers/dovecot/host.ts'
import { openPostfix } from '../../providers/postfix/host.ts'
import { testMailHost } from '../conformance/mail-host.suite.ts'
import { waitUntil, whyNoServers } from '../servers/mail-servers.ts'
import { describeServers } from '../servers/suite.ts'
import {
  type Bench,
  closeSessions,
  enqueue,
  openSessions,
  postfixCommands,
  postsuper,
  queueOf,
  type Session,
  startBench,
} from './bench.ts'

describeServers('mail hosts', whyNoServers, () => {
  let bench: Bench
  let apiKey: string
  let sessions: Session[] = []
  beforeAll(async () => {
    bench = await startBench()
    apiKey = readFileSync(join(bench.servers.folder, 'dv/doveadm-key'), 'utf8')
  })
  afterAll(() => bench?.servers.stop())

  const byHttp = () => ({
    url: `http://127.0.0.1:${bench.servers.ports.doveadm}`,
    apiKey: new Secret(apiKey),
    ca: null,
  })
  const byCommand = () => ({ argv: ['/usr/bin/doveadm', '-c', join(bench.servers.folder, 'dv/dovecot.conf')] })
  const ways = [
    ['Dovecot over HTTP', byHttp, () => ({ ...byHttp(), url: `http://127.0.0.1:${bench.sinkPort}` })],
    ['Dovecot by command', byCommand, () => ({ argv: ['/usr/bin/doveadm', '-c', '/nonexistent'] })],
  ] as const
  for (const [name, doveadm, absent] of ways)
    testMailHost({
      name,
      gives: 'nothing',
      secret: () => apiKey,
      open: async () => ({
        host: openDovecot({ name: 'imap1', doveadm: doveadm(), clock: systemClock }),
        away: openDovecot({ name: 'imap1', doveadm: absent(), clock: systemClock }),
        door: 'sessions',
        async fill(account, count) {
          const half = Math.floor(count / 2)
          sessions.push(...(await openSessions(bench, Array(count - half).fill(account))))
          sessions.push(...(await openSessions(bench, Array(half).fill(account), 'pop')))
        },
        goesOn: async account => sessions.filter(({ user, ended }) => user === account && !ended).length,
        async empty() {
          closeSessions(sessions)
          sessions = []
          const host = openDovecot({ name: 'imap1', doveadm: doveadm(), clock: systemClock })
          await waitUntil('the end of all sessions', async () => (await liveSessions(host)) === 0)
        },
      }),
    })

  testMailHost({
    name: 'Postfix',
    gives: 'back',
    secret: () => apiKey,
    open: async () => ({
      host: openPostfix({ name: 'mx1', clock: systemClock, commands: postfixCommands(bench) }),
      away: openPostfix({ name: 'mx1', clock: systemClock, commands: postfixCommands(bench, '/nonexistent') }),
      door: 'queue',
      async fill(account, count) {
        await enqueue(bench, { from: 'sender@remote.example', to: account, count: count - 1 })
        await enqueue(bench, { from: account, to: 'recipient@remote.example', count: 1 })
      },
      goesOn: async account =>
        queueOf(bench).filter(
          ({ queue_name: queue, sender, recipients }) =>
            queue !== 'hold' && (sender === account || recipients.some(({ address }) => address === account)),
        ).length,
      async empty() {
        postsuper(bench, ['-d', 'ALL'], [])
      },
    }),
  })
})

async function liveSessions(host: ReturnType<typeof openDovecot>): Promise<number> {
  const { domains, never, scopeOf } = await import('./bench.ts')
  const counts = await Promise.all(domains.map(domain => host.sessions(scopeOf(domain), never)))
  return counts.reduce((sum, users) => sum + [...users.values()].reduce((a, b) => a + b, 0), 0)
}
