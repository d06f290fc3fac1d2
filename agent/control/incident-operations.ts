/**
 * `suspend`, `incident …` and `withdraw` as operations: the acts judge, the register records, the engine closes or opens
 * the doors in the incident lane. A hold is in force, and witnessed, before anything is answered.
 */

import { setTimeout } from 'node:timers/promises'
import { ProviderFailure } from '../../providers/provider.ts'
import type { Instant } from '../core/clock.ts'
import { hit } from '../core/failpoint.ts'
import { wordsOf } from '../core/messages.ts'
import type { ActContext, ActResult, Done } from '../incident/acting.ts'
import { acknowledge, close, duplicate } from '../incident/closing.ts'
import { annul, release, withdraw } from '../incident/ending.ts'
import type { Incident } from '../incident/incident.ts'
import { heldMailOf } from '../incident/mail-doors.ts'
import { fileReport, recordAction, reviewReport, verifyAction } from '../incident/papers.ts'
import { provesPerson, type Token } from '../incident/people.ts'
import { rotate } from '../incident/recovery.ts'
import { parseReport } from '../manifest/report.ts'
import { suggest } from '../manifest/suggest.ts'
import type { HoldScope } from '../model/incident.ts'
import { type DomainName, domainOf, parseAddress, parseDomainName } from '../model/name.ts'
import type { ProviderName } from '../model/resource.ts'
import type { Acceptance } from '../plan/guards.ts'
import { generatePassword, hashPassword } from '../standards/password.ts'
import { afterPass, type Closed, closeAtOnce } from './after-pass.ts'
import { criticalIn } from './blast-radius.ts'
import { evidenceView, incidentSummaries, incidentView } from './incident-views.ts'
import type { Operation, OperationContext, OperationRow } from './operation.ts'
import type { OperationResult } from './protocol.ts'
import { scopesOf } from './scopes-of.ts'
import { diagnosticsView, refuse, refusedResult } from './views.ts'

/** With manifests that can't be read, a name that nobody knows may be right; a hold on a wrong one harms nobody. */
export function unknownScope({ engine }: OperationContext, text: string): HoldScope | undefined {
  const { unreadable, blocked } = engine.checked
  const domain = parseDomainName(text)
  const address = domain === undefined ? parseAddress(text) : undefined
  const account = address === undefined ? null : { domain: domainOf(address), account: address }
  const scope = domain === undefined ? account : { domain, account: null }
  if (scope === null) return undefined
  const named = blocked.has(`domain:${scope.domain}`) || blocked.has(`account:${scope.account}`)
  return unreadable.length > 0 || named ? scope : undefined
}

export function actContext(context: OperationContext): ActContext {
  const { engine, caller } = context
  const { clock, config } = engine.parts
  const world = engine.world()
  return {
    actor: caller.actor,
    token: caller.token !== null,
    ...(caller.token === null ? {} : tokenFacts(caller.token)),
    people: config.operator.people,
    at: clock.now(),
    timeZone: config.operator.timeZone,
    resolveScope: scopesOf(world),
    unknownScope: text => unknownScope(context, text),
    suggest,
    scopeNames: () => [...world.domains.keys(), ...world.accounts.keys(), ...world.institutions.keys()],
    heldMailOf,
    terms: config.incidents,
    isTestDomain: domain => config.testDomains.includes(domain),
    inboundOf: domain => world.domains.get(domain)?.domain.inboundWhenSuspended,
  }

  function tokenFacts(token: Token): Pick<ActContext, 'proves' | 'tokenBy'> {
    const proves = (since: Instant) => provesPerson(engine.history.tokens, token, since, clock.now())
    return { proves, tokenBy: token.madeBy }
  }
}

export const life = (context: OperationContext) => context.engine.history.incidents

/** The text of a person's argument. */
export function word(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A witness that has not answered by then is said to be behind; the daemon goes on trying. */
const witnessMsMax = 3_000

/** A plan over thousands of accounts is work for this thread, and the mail hosts are closed in less; nobody waits for a slow one. */
const headStartMs = 500

/** Whether the work was done within that time; it goes on either way. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const late = new AbortController()
  const inTime = work.then(
    () => true,
    () => false,
  )
  try {
    return await Promise.race([inTime, setTimeout(ms, false, { signal: late.signal })])
  } finally {
    late.abort()
  }
}

/** The number of an incident, as people type it. */
export function idOf(args: Readonly<Record<string, unknown>>): string {
  return word(args['id']).trim().toUpperCase()
}

/** Judges and records an act in one turn and, where doors are to move, closes or opens them in the most urgent lane. */
export async function carryOut(
  judge: () => ActResult,
  context: OperationContext,
  doors: 'move' | 'stay',
): Promise<OperationResult> {
  const { engine, witness, caller } = context
  const result = await engine.serially(async () => {
    const judged = judge()
    if (!judged.ok) return judged
    hit('act.beforeRecorded')
    await engine.append(judged.entries)
    hit('act.afterRecorded')
    return judged
  })
  if (!result.ok) return refusedResult(result.exit, result.refusals, caller.language)
  const moves = doors === 'move' && result.note !== 'first'
  // Doors first: a witness on a disk that hangs must not keep them open. The answer waits for both, within reason.
  const { trouble, beside } = moves ? await moveDoors(result, context) : unmoved
  const witnessed = await within(witnessMsMax, witness())
  // Never before the levers were asked. The daemon collects beside the answer; a command by itself ends after it.
  if (moves) {
    context.evidence.later()
    if (context.daemon === null) await context.evidence.idle()
  }
  hit('act.beforeAnswered')
  const incident = result.incident === null ? undefined : engine.history.incidents.byId.get(result.incident)
  return {
    exit: trouble === undefined ? result.exit : 1,
    json: {
      version: 1,
      ...(trouble === undefined ? {} : { trouble }),
      ...(beside === undefined ? {} : { beside }),
      incident: result.incident,
      already: result.note === 'already',
      needsSecond: result.note === 'first',
      message: wordsOf({ severity: 'warning', ...result.message }, caller.language).summary,
      warnings: diagnosticsView(
        witnessed ? result.warnings : [...result.warnings, { severity: 'warning', code: 'W-WITNESS', values: {} }],
        caller.language,
      ),
      ...(incident === undefined ? {} : incidentView(incident, engine.parts.clock.now())),
    },
  }
}

type Moved = { readonly trouble: string | undefined; readonly beside: string | undefined }
const unmoved: Moved = { trouble: undefined, beside: undefined }

/**
 * Closes or opens the doors of an act. A provider that fails leaves them as they are: the act stands, the answer says
 * so, and the daemon tries again soon.
 * @returns what stood in the way. `trouble`: of a door. `beside`: of a system that has no part in it, as the name server.
 */
async function moveDoors({ incident: id, domain }: Pick<Done, 'incident' | 'domain'>, context: OperationContext) {
  const { engine, signal } = context
  const incident = id === null ? undefined : engine.history.incidents.byId.get(id)
  // Nobody's session waits for the turn of the directory, which may have a walk over thousands of accounts before it.
  const isClosing = incident?.ended === null && !incident.drill
  const closed = isClosing
    ? closeAtOnce(context, incident, signal)
    : Promise.resolve({ isProved: false, isFollowed: false })
  closed.catch(() => {}) // It is thrown where it is waited for.
  const pass = engine.parts.queue.add('incident', () =>
    passOver(incident, incident?.scope.domain ?? domain, closed, context),
  )
  if (context.daemon === null || !isClosing) return pass
  // With every lever proved, nobody waits for flags to follow on thousands of accounts; the daemon sees to them.
  const soon = closed.then(({ isProved, isFollowed }) => (isProved && isFollowed ? unmoved : pass))
  pass.then(
    ({ trouble }) => {
      if (trouble !== undefined) engine.parts.log.write('error', 'doors', { incident: incident.id, trouble })
    },
    (error: unknown) => engine.parts.log.write('error', 'doors', { incident: incident.id, error: String(error) }),
  )
  return Promise.race([pass, soon])
}

async function passOver(
  incident: Incident | undefined,
  touched: DomainName | undefined,
  closed: Promise<Closed>,
  context: OperationContext,
): Promise<Moved> {
  const { engine, caller, signal } = context
  let trouble: string | undefined
  let beside: string | undefined
  const isDoor = (provider: ProviderName) => incident === undefined || provider === 'directory'
  const note = (provider: ProviderName, detail: string) => {
    if (isDoor(provider)) trouble ??= detail
    else beside ??= `${provider}: ${detail}`
  }
  try {
    if (incident?.drill !== true) {
      await within(headStartMs, closed)
      const scope = { domains: touched === undefined ? [] : [touched] }
      const acceptance = acceptanceOf(incident)
      hit('doors.beforeMoved')
      const report = await engine.reconcile({ lane: 'incident', scope, actor: caller.actor, signal, acceptance })
      hit('doors.afterMoved')
      for (const { ref, result, detail } of report.outcomes)
        if (result !== 'applied') note(ref.provider, `${ref.kind} ${ref.key}: ${detail ?? result}`)
      for (const { provider, detail } of report.unreached) note(provider, detail)
    }
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    trouble = error.message
  }
  // The mail hosts are closed, and looked at, whatever became of the directory.
  await closed
  const failures = await afterPass(context, signal)
  trouble ??= failures[0]
  if (touched !== undefined && incident?.drill !== true) context.verifyLater([touched])
  // What waited for the end of the incident is due now, elsewhere too.
  if (trouble !== undefined || beside !== undefined || incident?.ended != null || incident?.release != null)
    context.retry()
  return { trouble, beside }
}

/** Opening the doors of one incident was approved by two people: that is more than an exact count. */
function acceptanceOf(incident: Incident | undefined): Acceptance {
  const opens = incident !== undefined && (incident.ended !== null || incident.release !== null)
  return opens ? { update: 'any' } : {}
}

const list: Operation = async (args, { engine }) => ({
  exit: 0,
  json: { version: 1, incidents: incidentSummaries(engine, args['all'] === true) },
})

const show: Operation = async (args, { engine, caller }) => {
  const { byId } = engine.history.incidents
  const id = idOf(args)
  const incident = byId.get(id)
  if (incident === undefined)
    return refuse(65, 'E-INCIDENT-UNKNOWN', { incident: id }, caller.language, suggest(id, byId.keys()))
  const critical = criticalIn(incident.scope, engine.world().domains.get(incident.scope.domain)?.domain)
  const json = { ...incidentView(incident, engine.parts.clock.now()), ...evidenceView(engine, id), critical }
  return { exit: 0, json: { version: 1, ...json } }
}

type Attachment = { readonly name: string; readonly digest: string; readonly base64: string }

const report: Operation = async (args, context) => {
  const attached = args['fields'] as Attachment | undefined
  const fields = attached === undefined ? {} : parseReport(Buffer.from(attached.base64, 'base64').toString('utf8'))
  if (fields === undefined) return refuse(65, 'E-REPORT-FORM', { file: attached?.name ?? '' }, context.caller.language)
  const document = (args['document'] as Attachment | undefined)?.digest ?? attached?.digest
  const incident = idOf(args)
  const request = { incident, fields: { incident, ...fields }, document }
  return carryOut(() => fileReport(life(context), request, actContext(context)), context, 'stay')
}

const action: Operation = async (args, context) => {
  const incident = idOf(args)
  const number = args['verify']
  if (typeof number === 'number')
    return carryOut(
      () => verifyAction(life(context), { incident, action: number }, actContext(context)),
      context,
      'stay',
    )
  const evidence = (args['evidence'] as Attachment | undefined)?.digest
  const text = (key: string) => word(args[key]) || undefined
  const request = { incident, what: text('what'), who: text('who'), day: text('day'), evidence }
  return carryOut(() => recordAction(life(context), request, actContext(context)), context, 'stay')
}

/** Every password in the scope is replaced by one that nobody has seen; holders get new ones by `password`. */
const rotateOperation: Operation = async (args, context) => {
  const { engine, credentials, random } = context
  const { incidents } = engine.history
  const id = idOf(args)
  const judged = rotate(incidents, { incident: id }, actContext(context))
  const incident = incidents.byId.get(id)
  if (!judged.ok || incident === undefined) return carryOut(() => judged, context, 'stay')
  const proof = incident.drill ? { expected: 0, rotated: 0 } : await rotateScope(incident)
  return carryOut(() => rotate(life(context), { incident: id, proof }, actContext(context)), context, 'stay')

  async function rotateScope({ scope }: Incident): Promise<{ expected: number; rotated: number }> {
    const started = engine.parts.clock.now()
    const known = await credentials.credentialChanges(scope.domain)
    const scoped = [...known.keys()].filter(address => scope.account === null || address === scope.account)
    for (const address of scoped) {
      await credentials.setCredential(address, await hashPassword(generatePassword(random)), engine.parts.clock.now())
      hit('rotate.afterPassword')
    }
    // Read back: a secret counts as rotated when the directory says so, not because it was written.
    const changed = await credentials.credentialChanges(scope.domain)
    return { expected: scoped.length, rotated: scoped.filter(address => (changed.get(address) ?? 0) >= started).length }
  }
}

/** An act that needs nothing but an incident's number and a word or two. */
function act(
  judge: (context: OperationContext, incident: string, args: Readonly<Record<string, unknown>>) => ActResult,
  doors: 'move' | 'stay',
): Operation {
  return (args, context) => carryOut(() => judge(context, idOf(args), args), context, doors)
}

const accept = act(
  (context, incident) => reviewReport(life(context), { incident, result: 'accepted' }, actContext(context)),
  'stay',
)
const giveBack = act((context, incident, args) => {
  const points = word(args['points'])
  return reviewReport(life(context), { incident, result: 'returned', points }, actContext(context))
}, 'move')
const releaseOperation = act((context, incident) => release(life(context), { incident }, actContext(context)), 'move')
const annulOperation = act(
  (context, incident, args) => annul(life(context), { incident, reason: word(args['reason']) }, actContext(context)),
  'move',
)
const duplicateOperation = act(
  (context, incident, args) =>
    duplicate(life(context), { incident, of: word(args['of']).trim().toUpperCase() }, actContext(context)),
  'move',
)
const acknowledgeOperation = act(
  (context, incident) => acknowledge(life(context), { incident }, actContext(context)),
  'stay',
)
const closeOperation: Operation = (args, context) => {
  const document = args['document'] as Attachment | undefined
  const text = word(args['text'])
  const lessons = document === undefined ? { text } : { document: document.digest }
  return carryOut(() => close(life(context), { incident: idOf(args), lessons }, actContext(context)), context, 'stay')
}
const withdrawOperation = act((context, _, args) => {
  const request = { domain: word(args['domain']), grounds: word(args['grounds']), reason: word(args['reason']) }
  return withdraw(life(context), request, actContext(context))
}, 'move')

const writes = () => true
const reads = () => false

export const incidentOperations: readonly (readonly [string, OperationRow])[] = [
  ['incident.list', { run: list, changes: reads }],
  ['incident.show', { run: show, changes: reads }],
  ['incident.report', { run: report, changes: writes }],
  ['incident.action', { run: action, changes: writes }],
  ['incident.rotate', { run: rotateOperation, changes: writes }],
  ['incident.accept', { run: accept, changes: writes }],
  ['incident.return', { run: giveBack, changes: writes }],
  ['incident.release', { run: releaseOperation, changes: writes }],
  ['incident.annul', { run: annulOperation, changes: writes }],
  ['incident.duplicate', { run: duplicateOperation, changes: writes }],
  ['incident.acknowledge', { run: acknowledgeOperation, changes: writes }],
  ['incident.close', { run: closeOperation, changes: writes }],
  ['withdraw', { run: withdrawOperation, changes: writes }],
]
