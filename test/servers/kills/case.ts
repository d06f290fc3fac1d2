/**
 * One run: somebody is suspended and comes back, while daemon, directory and command are killed and stopped at the steps
 * that the plan names. What must hold is checked from outside: answers of the policy port, logins, the register's entries.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import type { OperationResult } from '../../../agent/control/protocol.ts'
import { sha256 } from '../../../agent/core/digest.ts'
import { listEntries, verifyStore } from '../../../agent/register/offline.ts'
import type { Stored } from '../../../agent/register/register.ts'
import { faultsOfRelease } from '../../incident/right.ts'
import type { CliResult, Command, Estate } from '../../support/estate.ts'
import { eventually } from '../../support/estate.ts'
import { completeReport } from '../../support/report.ts'
import type { Slapd } from '../slapd.ts'
import { type Answer, letsThrough, startAsker, wronglyHeld, wronglyThrough } from './asker.ts'
import { isStopped, type KeptDaemon } from './kept-daemon.ts'
import { formatPoint, type Order, type Plan, passedWhileClosing } from './plan.ts'

export type Site = {
  readonly estate: Estate
  readonly slapd: Slapd
  readonly kept: KeptDaemon
  readonly login: (address: string, password: string) => boolean
  readonly tokens: Readonly<Record<'ana' | 'saul' | 'berta' | 'carla', string>>
}

export type Tally = {
  asked: number
  answered: number
  unanswered: number
  /** Answered about whom was held, after the acknowledgement and before the end. */
  refusedWhileHeld: number
  through: number
  neighbourThrough: number
  neighbourHeld: number
  logins: number
  loginsWhileHeld: number
  releasesRefused: number
  entries: number
  readonly kinds: Map<string, number>
}

export const emptyTally = (): Tally => ({
  asked: 0,
  answered: 0,
  unanswered: 0,
  refusedWhileHeld: 0,
  through: 0,
  neighbourThrough: 0,
  neighbourHeld: 0,
  logins: 0,
  loginsWhileHeld: 0,
  releasesRefused: 0,
  entries: 0,
  kinds: new Map(),
})

const storeOf = (estate: Estate) => join(estate.state, 'mailwarden.db')

async function readEntries(estate: Estate, from = 0): Promise<Stored[]> {
  const entries: Stored[] = []
  for await (const entry of listEntries(storeOf(estate), { from })) entries.push(entry)
  return entries
}

const attach = (name: string, text: string) => ({
  name,
  digest: sha256(text),
  base64: Buffer.from(text).toString('base64'),
})

/** A domain, and an address from which its people write. */
export type Place = { readonly domain: string; readonly client: string }

/** @param domain who is suspended, or whose account; `other` is left alone. */
export async function runCase(
  { estate, slapd, kept, login, tokens }: Site,
  plan: Plan,
  { domain, client, other }: Place & { readonly other: Place },
  tally: Tally,
): Promise<void> {
  const { random, closing, opening } = plan
  const [held, near] = [`jperez@${domain}`, `mlopez@${domain}`]
  const neighbour =
    plan.scope === 'account' ? { login: near, client } : { login: `jperez@${other.domain}`, client: other.client }
  const scope = plan.scope === 'account' ? held : domain
  const known: Stored[] = []
  const note = (what: string) => tally.kinds.set(what, (tally.kinds.get(what) ?? 0) + 1)
  note(`closing: ${closing.kind}`)
  note(`opening: ${opening.kind}`)

  let isDirectoryDown = false
  const stopDirectory = async () => {
    await slapd.stop('SIGKILL')
    isDirectoryDown = true
  }
  let starting: Promise<void> | null = null
  /** Asked for from two sides at once, it is started once. */
  const startDirectory = (): Promise<void> => {
    const start = async () => {
      if (isDirectoryDown) await slapd.start()
      isDirectoryDown = false
    }
    starting ??= start().finally(() => {
      starting = null
    })
    return starting
  }

  /** The daemon stands still at its step: the directory is killed, and they come back in this order. */
  async function killDirectory(order: Order): Promise<void> {
    await stopDirectory()
    if (order === 'directory, daemon') return startDirectory()
    if (order === 'daemon, directory') return
    await kept.kill()
    if (order === 'directory, new daemon') await startDirectory()
  }

  // --- asking the daemon ---

  /** An operation that records this kind for the incident: asked for until it was answered, or stands in the register. */
  async function act(
    person: keyof typeof tokens,
    operation: string,
    args: Readonly<Record<string, unknown>>,
    records: { readonly kinds: readonly string[]; readonly incident: string },
  ): Promise<OperationResult | 'recorded'> {
    const from = (await readEntries(estate)).length
    for (;;) {
      await kept.revive()
      const result = await kept.ask(operation, args, tokens[person])
      if (result !== undefined && result.exit !== 69) {
        for (const entry of await readEntries(estate, from)) if (entry.subject === records.incident) known.push(entry)
        return result
      }
      await kept.revive()
      const fresh = await readEntries(estate, from)
      const isRecorded = fresh.some(({ kind, subject }) => records.kinds.includes(kind) && subject === records.incident)
      if (isRecorded) return 'recorded'
      if (result?.exit === 69) await startDirectory()
    }
  }

  async function setPassword(address: string): Promise<string> {
    const password = randomBytes(12).toString('hex')
    for (;;) {
      await kept.revive()
      const result = await kept.ask('password.set', { address, password })
      if (result?.exit === 0) return password
    }
  }

  const mayLogin = (address: string, password: string) => {
    tally.logins += 1
    return login(address, password)
  }

  // --- before ---

  const acts = ['daemon killed', 'daemon stopped', 'directory killed', 'command killed']
  const isArmedAtOnce = acts.includes(closing.kind)
  // The daemon that suspends lives on, where it is not killed: what it passed then is counted again.
  const goesOn =
    ['daemon stopped', 'command killed'].includes(closing.kind) ||
    (closing.kind === 'directory killed' && !closing.order.includes('new'))
  const openingPoint = goesOn ? { ...opening, count: opening.count + passedWhileClosing(plan) } : opening
  const openingPoints = opening.kind === 'directory down' ? [] : [formatPoint(openingPoint)]
  await kept.kill()
  kept.arm(isArmedAtOnce ? [formatPoint(closing), ...(goesOn ? openingPoints : [])] : [])
  await kept.revive()
  const tree = () =>
    slapd
      .search(`dc=${domain},ou=domains,${slapd.base}`, 'sub', '(objectClass=*)', '*')
      .filter(line => !/^(?:userPassword|mwPasswordChangedMs):/.test(line))
      .toSorted()
  const before = tree()
  let password = await setPassword(held)
  const neighbourPassword = await setPassword(neighbour.login)
  expect([mayLogin(held, password), mayLogin(neighbour.login, neighbourPassword)]).toEqual([true, true])
  const asker = startAsker(estate.policyPort, { held, client, near, neighbour })
  const answers: Answer[] = []
  await eventually(async () => {
    answers.push(...asker.take())
    return answers.some(one => one.direction === 'local' && letsThrough(one))
  }, 'mail going before anything happens')

  // --- suspended ---

  const env: Record<string, string> = plan.by === 'local' ? {} : { MAILWARDEN_TOKEN: tokens[plan.by] }
  const words = ['suspend', scope, '--class', 'spam', '--reason', 'correo masivo', '--json']
  let command: Command | null = null
  let acknowledged = Number.POSITIVE_INFINITY
  let incident = ''
  const suspend = (points?: string): Command => {
    command = estate.command(words, { ...env, ...(points === undefined ? {} : { MAILWARDEN_FAILPOINT: points }) })
    return command
  }
  /** Acknowledged is what ended with 0 or 1 and told the incident's number. */
  const take = ({ exit, out }: CliResult): boolean => {
    if (exit !== 0 && exit !== 1) return false
    const told: { incident?: string } = out === '' ? {} : JSON.parse(out)
    if (typeof told.incident !== 'string') return false
    acknowledged = Math.min(acknowledged, Date.now())
    incident = told.incident
    return true
  }
  const suspendUntilTold = async (with_: 'daemon' | 'nobody') => {
    for (let first = true; incident === ''; first = false) {
      if (with_ === 'daemon') await kept.revive()
      take(await suspend().ended)
      if (!first && incident === '' && kept.counts.starts > 10_000) throw new Error('never suspended')
    }
  }

  let isReached = false
  kept.whileStopped(async () => {
    isReached = true
    await pause(closing.pauseMs)
    if (closing.kind === 'directory killed') await killDirectory(closing.order)
    if (closing.kind === 'command killed' && command !== null) {
      process.kill(command.pid, 'SIGKILL')
      await command.ended
    }
  })
  const stepsBefore = kept.counts.killedAtSteps
  switch (closing.kind) {
    case 'daemon killed':
    case 'daemon stopped':
    case 'directory killed':
    case 'command killed':
      take(await suspend().ended)
      isReached ||= kept.counts.killedAtSteps > stepsBefore
      break
    case 'break-glass killed': {
      await kept.kill()
      const ended = await suspend(formatPoint(closing)).ended
      isReached = ended.signal === 'SIGKILL'
      take(ended)
      if (random.chance(0.5)) await suspendUntilTold('nobody')
      break
    }
    case 'break-glass stopped': {
      await kept.kill()
      const standing = suspend(formatPoint(closing))
      let isGone = false
      void standing.ended.then(() => {
        isGone = true
      })
      await eventually(async () => isGone || isStopped(standing.pid), 'the command standing still')
      if (isStopped(standing.pid)) {
        isReached = true
        // One process at a time: the daemon does not start over a command that holds the register.
        expect(await kept.tryStart()).toMatch(/daemon ended before/)
        process.kill(standing.pid, 'SIGCONT')
      }
      expect(take(await standing.ended)).toBe(true)
      break
    }
    case 'directory down at start':
      await kept.kill()
      await stopDirectory()
      await kept.revive()
      isReached = true
      break
    case 'all down':
      await kept.kill()
      await stopDirectory()
      isReached = true
      await suspendUntilTold('nobody')
      if (random.chance(0.5)) await startDirectory()
  }
  note(`closing ${isReached ? 'reached' : 'passed by'}`)
  if (isReached && isArmedAtOnce) note(`at ${closing.point}`)
  // What comes next is armed at a start: one more kill, right after the acknowledgement, where there was none.
  kept.arm(openingPoints)
  if (closing.kind === 'daemon killed' && !isReached) await kept.kill()
  await suspendUntilTold('daemon')
  await kept.revive()
  // It answers, and no more to whom was suspended; the directory may be away still.
  answers.push(...asker.take())
  await eventually(async () => {
    answers.push(...asker.take())
    return answers.some(one => one.direction === 'local' && one.asked >= acknowledged && !letsThrough(one))
  }, 'a refusal after the acknowledgement')
  known.push(...(await readEntries(estate)).filter(({ subject }) => subject === incident))
  expect(known.some(({ kind }) => kind === 'incident.declared')).toBe(true)
  await startDirectory()

  const show = async (): Promise<Record<string, any> | undefined> => {
    await kept.revive()
    return (await kept.ask('incident.show', { id: incident }))?.json
  }
  await eventually(
    async () => {
      const shown = await show()
      return shown !== undefined && !['containing'].includes(String(shown['state']))
    },
    `every lever of ${incident} verified`,
    60_000,
  )
  const triesLogin = () => {
    const isIn = mayLogin(held, password)
    if (isIn) tally.loginsWhileHeld += 1
    expect({ incident, isIn }).toEqual({ incident, isIn: false })
  }
  triesLogin()

  // --- the way back ---

  isReached = false
  const killedBefore = kept.counts.killedAtSteps
  kept.whileStopped(async () => {
    isReached = true
    await pause(opening.pauseMs)
    if (opening.kind === 'directory killed') await killDirectory(opening.order)
  })
  const report = attach('report.json', JSON.stringify({ ...completeReport, incident }))
  const id = { id: incident }
  const what = { what: 'claves', who: 'Luis Mora', day: '2026-11-20', evidence: attach('acta.txt', 'acta 7') }
  const done = new Set<string>()
  const steps: Readonly<Record<string, () => Promise<OperationResult | 'recorded'>>> = {
    'report.received': () =>
      act('ana', 'incident.report', { ...id, fields: report }, { kinds: ['report.received'], incident }),
    'report.accepted': () => act('carla', 'incident.accept', id, { kinds: ['report.accepted'], incident }),
    'action.recorded': () =>
      act('ana', 'incident.action', { ...id, ...what }, { kinds: ['action.recorded'], incident }),
    'action.verified': () =>
      act('berta', 'incident.action', { ...id, verify: 1 }, { kinds: ['action.verified'], incident }),
    'secrets.rotated': () => act('ana', 'incident.rotate', id, { kinds: ['secrets.rotated'], incident }),
  }
  const needs: Readonly<Record<string, string>> = {
    'report.accepted': 'report.received',
    'action.verified': 'action.recorded',
  }
  const codes: Readonly<Record<string, string>> = {
    'report.accepted': 'E-NO-REPORT',
    'action.verified': 'E-NO-ACTIONS',
    'secrets.rotated': 'E-NOT-ROTATED',
  }
  const releasing = { kinds: ['release.approved', 'release.ordered', 'service.restored'], incident }
  /** Refused, and for each thing that is missing. */
  const tryRelease = async (person: 'ana' | 'carla') => {
    const result = await act(person, 'incident.release', id, releasing)
    const refusals = typeof result === 'string' ? [] : ((result.json['refusals'] ?? []) as { code: string }[])
    const missing = Object.entries(codes).flatMap(([kind, code]) => (done.has(kind) ? [] : [code]))
    const told = refusals.map(({ code }) => code).filter(code => code !== 'E-TWO-PERSON')
    expect({ incident, told }).toEqual({ incident, told: missing })
    expect(typeof result === 'string' ? result : result.exit).toBe(3)
    tally.releasesRefused += 1
  }
  while (done.size < Object.keys(steps).length) {
    if (random.chance(0.3)) await tryRelease(random.pick(['ana', 'carla']))
    const ready = Object.keys(steps).filter(kind => !done.has(kind) && (needs[kind] ?? kind) !== '' && isReady(kind))
    const kind = random.pick(ready)
    const result = await steps[kind]?.()
    expect({ kind, result: typeof result === 'object' ? result.exit : result }).toEqual({
      kind,
      result: expect.toSatisfy(value => value === 0 || value === 'recorded'),
    })
    done.add(kind)
    if (random.chance(0.3)) triesLogin()
  }
  function isReady(kind: string): boolean {
    const need = needs[kind]
    return need === undefined || done.has(need)
  }
  // New passwords were made by the rotation: a holder gets one, and is kept out with it all the same.
  await startDirectory()
  password = await setPassword(held)
  triesLogin()

  const first = await act('ana', 'incident.release', id, releasing)
  expect(typeof first === 'string' ? 'recorded' : [first.exit, first.json['needsSecond']]).toEqual(
    typeof first === 'string' ? 'recorded' : [3, true],
  )
  const same = await act('ana', 'incident.release', id, releasing)
  expect(typeof same === 'string' ? same : [same.exit, same.json['refusals']]).toMatchObject([
    3,
    [{ code: 'E-TWO-PERSON' }],
  ])
  tally.releasesRefused += 1
  triesLogin()
  if (opening.kind === 'directory down') {
    isReached = true
    await stopDirectory()
  }
  const second = await act('carla', 'incident.release', id, releasing)
  expect(typeof second === 'string' ? 'recorded' : second.exit).toSatisfy(
    exit => exit === 'recorded' || exit === 0 || exit === 1,
  )
  /** A stage that opens by itself may be where the directory is killed. */
  const withAll = async () => {
    await kept.revive()
    await startDirectory()
  }
  await eventually(async () => {
    await withAll()
    return (await show())?.['state'] === 'released'
  }, `the end of ${incident}`)
  isReached ||= kept.counts.killedAtSteps > killedBefore
  note(`opening ${isReached ? 'reached' : 'passed by'}`)
  if (isReached && opening.kind !== 'directory down') note(`at ${opening.point}`)

  // --- as its manifests say ---

  await eventually(async () => {
    await withAll()
    const planned = await kept.ask('plan', {})
    return planned?.exit === 0 && (planned.json['changes'] as unknown[]).length === 0
  }, `an empty plan after ${incident}`)
  expect(tree()).toEqual(before)
  expect(mayLogin(held, password)).toBe(true)
  await eventually(async () => {
    answers.push(...asker.take())
    const last = (direction: string) => answers.findLast(one => one.direction === direction)
    return ['local', 'national', 'foreign', 'inbound'].every(direction => {
      const answer = last(direction)
      return answer !== undefined && letsThrough(answer)
    })
  }, 'mail going again')
  await asker.stop()
  answers.push(...asker.take())

  // --- what the register has of it ---

  const verdict = await verifyStore({
    file: storeOf(estate),
    keysFolder: join(estate.state, 'keys'),
    witnessFiles: [join(estate.state, 'register.witness')],
  })
  expect(verdict.findings).toEqual([])
  const entries = await readEntries(estate)
  for (const entry of known) expect(entries[entry.index]).toEqual(entry)
  const own = entries.filter(({ facts }) => facts['incident'] === incident)
  expect(own.filter(({ kind }) => kind === 'incident.declared')).toHaveLength(1)
  const end = own.find(({ kind }) => kind === 'release.ordered' || kind === 'service.restored')
  expect(end === undefined ? ['no end'] : faultsOfRelease(own, end, false)).toEqual([])

  const through = wronglyThrough(answers, own, acknowledged)
  const restored = Date.parse(own.find(({ kind }) => kind === 'service.restored')?.at ?? '')
  tally.asked += asker.counts.asked
  tally.answered += asker.counts.answered
  tally.unanswered += asker.counts.unanswered
  tally.refusedWhileHeld += answers.filter(
    one => one.direction !== 'neighbour' && one.asked >= acknowledged && one.answered < restored && !letsThrough(one),
  ).length
  tally.through += through.length
  tally.neighbourThrough += answers.filter(one => one.direction === 'neighbour' && letsThrough(one)).length
  tally.neighbourHeld += wronglyHeld(answers).length
  tally.entries += own.length
  expect({ through, held: wronglyHeld(answers) }).toEqual({ through: [], held: [] })
}
