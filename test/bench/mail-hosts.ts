/**
 * Two hundred live sessions ended and a thousand of five thousand queued messages held, ours against the commands that an
 * operator would type, on one real Dovecot and one real Postfix, in turns within one run. A kick by hand counts nothing;
 * the queue by hand is listed as often as ours, until two listings give nothing to hold. Needs the servers and root; runs
 * alone: `node test/bench/mail-hosts.ts`.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import { openDovecot } from '../../providers/dovecot/host.ts'
import { openPostfix } from '../../providers/postfix/host.ts'
import {
  type Bench,
  closeSessions,
  enqueue,
  never,
  openSessions,
  postfixCommands,
  postsuper,
  scopeOf,
  startBench,
} from '../mail-hosts/bench.ts'
import { run, whyNoServers } from '../servers/mail-servers.ts'
import type { BenchResult } from './validate.ts'

const rounds = 5
/** Two hundred logins take much longer than their end. */
const sessionRounds = 3
const sessionsCount = 200
const queuedCount = 5_000
const heldCount = 1_000
const ours = scopeOf('hcg.example')

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

async function timed(work: () => Promise<unknown> | unknown): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

/** Milliseconds from the command until every client has seen its end. */
async function endSessions(bench: Bench, kick: () => Promise<unknown>): Promise<number> {
  const sessions = await openSessions(bench, Array(sessionsCount).fill('ana@hcg.example'))
  try {
    return await timed(async () => {
      await kick()
      await Promise.all(sessions.map(({ end }) => end))
    })
  } finally {
    closeSessions(sessions)
  }
}

async function benchSessions(bench: Bench): Promise<BenchResult> {
  const { folder, ports } = bench.servers
  const config = join(folder, 'dv/dovecot.conf')
  const apiKey = new Secret(readFileSync(join(folder, 'dv/doveadm-key'), 'utf8'))
  const open = (doveadm: Parameters<typeof openDovecot>[0]['doveadm']) =>
    openDovecot({ name: 'imap1', doveadm, clock: systemClock })
  const ways = {
    http: open({ url: `http://127.0.0.1:${ports.doveadm}`, apiKey, ca: null }),
    command: open({ argv: ['/usr/bin/doveadm', '-c', config] }),
  }
  const found: Record<'typed' | 'http' | 'command', number[]> = { typed: [], http: [], command: [] }
  for (let round = 0; round < sessionRounds; round += 1) {
    found.typed.push(
      await endSessions(bench, async () => run('/usr/bin/doveadm', ['-c', config, 'kick', '*@hcg.example'])),
    )
    for (const way of ['http', 'command'] as const)
      found[way].push(
        await endSessions(bench, async () => {
          const [state] = await ways[way].close(ours, ['sessions'], never)
          if (state?.open !== 0) throw new Error(`${state?.open} sessions are open`)
        }),
      )
  }
  const ratio = median(found.http.map((ms, round) => ms / (found.typed[round] ?? 1)))
  const command = median(found.command.map((ms, round) => ms / (found.typed[round] ?? 1)))
  const flushes: number[] = []
  for (let round = 0; round < rounds; round += 1)
    flushes.push(await timed(() => ways.http.close(ours, ['caches'], never)))
  const detail =
    `${sessionsCount} sessions all closed and counted: HTTP ${median(found.http).toFixed(0)} ms, command ${median(found.command).toFixed(0)} ms ` +
    `(${command.toFixed(2)}), doveadm kick uncounted ${median(found.typed).toFixed(0)} ms; flush of the whole cache ${median(flushes).toFixed(0)} ms`
  return { name: 'sessions', ratio, detail }
}

async function benchQueue(bench: Bench): Promise<BenchResult> {
  await enqueue(bench, { from: 's@remote.example', to: 'ana@hcg.example', count: heldCount })
  await enqueue(bench, { from: 's@remote.example', to: 'ana@evil-hcg.example', count: queuedCount - heldCount })
  const commands = postfixCommands(bench)
  const host = openPostfix({ name: 'mx1', clock: systemClock, commands })
  const folder = join(bench.servers.folder, 'pf/etc')
  // As the manual of postqueue has it, whole domain and every recipient included.
  const filter = `select(any(.recipients[]; .address | endswith("@hcg.example")) or (.sender | endswith("@hcg.example"))) | select(.queue_name != "hold") | .queue_id`
  const typed = `postqueue -c ${folder} -j | jq -r '${filter}' | postsuper -c ${folder} -h -`
  const found: Record<'typed' | 'until' | 'close' | 'list', number[]> = { typed: [], until: [], close: [], list: [] }
  const type = () => {
    const { status } = spawnSync('/bin/sh', ['-c', typed], { stdio: 'ignore' })
    if (status !== 0) throw new Error('the operator’s commands failed')
  }
  const release = async () => {
    const held = run('/usr/sbin/postqueue', ['-c', folder, '-j']).stdout.matchAll(/"hold", "queue_id": "(\w+)"/g)
    const ids = [...held].map(([, id = '']) => id)
    if (ids.length !== heldCount) throw new Error(`${ids.length} of ${heldCount} were held`)
    postsuper(bench, ['-H', '-'], ids)
  }
  for (let round = 0; round < rounds; round += 1) {
    const once = await timed(type)
    // Typed again until two listings in a row give nothing to hold, which is what ours waits for.
    found.typed.push(once)
    found.until.push(once + (await timed(type)) + (await timed(type)))
    await release()
    found.list.push(await timed(() => host.observe(ours, never)))
    found.close.push(
      await timed(async () => {
        const [state] = await host.close(ours, ['queue'], never)
        if (state?.open !== 0 || state.held !== heldCount) throw new Error(JSON.stringify(state))
      }),
    )
    await release()
  }
  const ratio = median(found.close.map((ms, round) => ms / (found.until[round] ?? 1)))
  const detail =
    `${heldCount} of ${queuedCount} held: ours ${median(found.close).toFixed(0)} ms with two empty passes afterwards (one pass ` +
    `${median(found.list).toFixed(0)} ms); postqueue, jq and postsuper likewise three times ${median(found.until).toFixed(0)} ms, once ` +
    `${median(found.typed).toFixed(0)} ms`
  return { name: 'queue', ratio, detail }
}

export async function benchMailHosts(): Promise<readonly BenchResult[]> {
  const whyNot = whyNoServers()
  if (whyNot !== null) {
    console.log(`mail hosts: not measured, ${whyNot}`)
    return []
  }
  const bench = await startBench({ dovecotConf: ['service imap {', '  process_limit = 400', '}'] })
  try {
    const results = [await benchSessions(bench), await benchQueue(bench)]
    for (const { name, ratio, detail } of results)
      console.log(
        `mail hosts: ${name}: ${ratio.toFixed(2)} of the operator’s commands; ${detail} (median of ${name === 'queue' ? rounds : sessionRounds})`,
      )
    return results
  } finally {
    await bench.servers.stop()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await benchMailHosts()
