/**
 * `incident mail` and `incident purge` as operations: the hosts tell what they hold, a choice is turned into exact
 * messages before anybody decides on it, and what two people ordered is deleted. Senders and recipients go to whoever may
 * see them and beside the tree of the register, never into it.
 */
import { type MailHost, type MessageEvidence, ProviderFailure, type QueuedMessage } from '../../providers/provider.ts'
import { formatInstant, parseInstant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import { findParty } from '../decision/party.ts'
import { classOf, moreForeign } from '../decision/scope.ts'
import { buildSnapshot } from '../decision/snapshot.ts'
import { decisionOn } from '../incident/held.ts'
import { type Incident, mailDirections } from '../incident/incident.ts'
import { type Choice, decideMail, evidenceDigest, purgeMail, type SeenMessage } from '../incident/mail-acts.ts'
import { doorEntries } from '../incident/mail-doors.ts'
import { suggest } from '../manifest/suggest.ts'
import { type Scope as AddressClass, scopes } from '../model/entity.ts'
import { daemonActor } from '../reconcile/findings.ts'
import { scopeTest } from '../standards/hold-scope.ts'
import { actContext, carryOut, idOf, life, word } from './incident-operations.ts'
import type { Operation, OperationContext, OperationRow } from './operation.ts'
import type { OperationResult } from './protocol.ts'
import { refuse } from './views.ts'

/** A page of messages is read; who wants more narrows the choice. */
const listedMax = 1_000

type Held = QueuedMessage & { readonly host: string }
type Found = { readonly held: readonly Held[]; readonly failures: readonly string[] }

/** What the hosts hold that is this incident's: what an earlier one keeps in the same scope is not. */
async function heldOf(incident: Incident, { engine, hosts, signal }: OperationContext): Promise<Found> {
  const failures: string[] = []
  const lists = await Promise.all(
    hosts.map(async ({ name: host, heldMail }) => {
      try {
        const listed = (await heldMail?.list(incident.scope, signal)) ?? []
        const own = new Set<string>()
        for (const { id, arrivedAt, incidents } of engine.history.heldMail.get(host)?.values() ?? [])
          if (incidents.includes(incident.id)) own.add(`${id} ${arrivedAt}`)
        return listed.filter(({ id, arrivedAt }) => own.has(`${id} ${arrivedAt}`)).map(one => ({ ...one, host }))
      } catch (error) {
        if (!(error instanceof ProviderFailure)) throw error
        failures.push(`${host}: ${error.message}`)
        return []
      }
    }),
  )
  const held = lists.flat().toSorted((a, b) => a.arrivedAt - b.arrivedAt || (a.id < b.id ? -1 : 1))
  return { held, failures }
}

type Wanted = { readonly matches: (message: Held) => boolean; readonly rule: Choice['rule']; readonly isAll: boolean }
type Wrong = { readonly option: string; readonly value: string; readonly wanted: string }

/** The options of a choice; all that are given must fit. */
function readChoice(
  args: Readonly<Record<string, unknown>>,
  incident: Incident,
  context: OperationContext,
): Wanted | Wrong {
  const tests: ((message: Held) => boolean)[] = []
  const rule: Record<string, Json> = {}
  const names = Array.isArray(args['messages']) ? args['messages'].map(String) : []
  const odd = names.find(name => !/^[^/]+\/[0-9A-Za-z]+$/.test(name))
  if (odd !== undefined) return { option: '--message', value: odd, wanted: 'mail-name' }
  if (names.length > 0) {
    const chosen = new Set(names)
    tests.push(({ host, id }) => chosen.has(`${host}/${id}`))
    rule['named'] = names.length
  }
  const sender = word(args['sender']).trim().toLowerCase()
  if (sender !== '') {
    const wanted = sender === '<>' ? '' : sender
    // `@domain` means everybody there.
    tests.push(one => {
      const from = one.sender.toLowerCase()
      return wanted.startsWith('@') ? from.endsWith(wanted) : from === wanted
    })
    rule['sender'] = 'one'
  }
  const before = word(args['before']).trim()
  if (before !== '') {
    const instant = parseInstant(before)
    if (instant === undefined) return { option: '--before', value: before, wanted: 'mail-instant' }
    tests.push(({ arrivedAt }) => arrivedAt < instant)
    rule['before'] = formatInstant(instant)
  }
  const direction = word(args['direction']).trim()
  if (direction !== '') {
    if (!mailDirections.some(known => known === direction))
      return { option: '--direction', value: direction, wanted: 'mail-direction' }
    const inScope = scopeTest(incident.scope)
    tests.push(one => inScope(one.sender) === (direction === 'out'))
    rule['direction'] = direction
  }
  const named = word(args['recipientClass']).trim()
  if (named !== '') {
    const wanted = scopes.find(scope => scope === named)
    if (wanted === undefined) return { option: '--recipient-class', value: named, wanted: 'mail-class' }
    const classOfAll = classReader(incident, context)
    tests.push(one => classOfAll(one) === wanted)
    rule['recipientClass'] = wanted
  }
  return { matches: one => tests.every(test => test(one)), rule, isAll: tests.length === 0 }
}

/** The most foreign class of a message's recipients, as seen from the institution of the incident. */
function classReader({ scope }: Incident, { engine }: OperationContext): (message: Held) => AddressClass {
  const snapshot = buildSnapshot(engine.world())
  const institution = snapshot.domains.get(scope.domain)?.institution
  return ({ recipients }) =>
    recipients
      .map(({ address }) => classOf(findParty(snapshot, address), institution))
      .reduce<AddressClass>(moreForeign, 'local')
}

/** The incident, what of its held mail was chosen, and whether every host could be asked. */
async function choose(
  args: Readonly<Record<string, unknown>>,
  context: OperationContext,
): Promise<OperationResult | (Found & Omit<Wanted, 'matches'> & { readonly incident: Incident; readonly of: number })> {
  const { engine, caller } = context
  const { byId } = engine.history.incidents
  const id = idOf(args)
  const incident = byId.get(id)
  if (incident === undefined)
    return refuse(65, 'E-INCIDENT-UNKNOWN', { incident: id }, caller.language, suggest(id, byId.keys()))
  const wanted = readChoice(args, incident, context)
  if ('wanted' in wanted) return refuse(65, 'E-MAIL-FILTER', wanted, caller.language)
  const { held, failures } = await heldOf(incident, context)
  const { matches, rule, isAll } = wanted
  return { held: held.filter(matches), of: held.length, failures, rule, isAll, incident }
}

const list: Operation = async (args, context) => {
  const found = await choose(args, context)
  if ('exit' in found) return found
  const { held, of, failures, incident } = found
  const messages = held.slice(0, listedMax).map(one => ({
    message: `${one.host}/${one.id}`,
    sender: one.sender,
    recipients: one.recipients.length,
    bytes: one.bytes,
    arrivedAt: formatInstant(one.arrivedAt),
    decision: incident.mail === null && incident.messages.size === 0 ? null : decisionOn(incident, one),
  }))
  const json = { version: 1, incident: incident.id, held: of, matching: held.length, messages, failures }
  // A list without a host that holds mail is no list of all that is held.
  return { exit: failures.length > 0 ? 69 : 0, json }
}

const nameOf = ({ host, id, arrivedAt }: Held) => ({ host, id, arrivedAt })

const decide: Operation = async (args, context) => {
  const found = await choose(args, context)
  if ('exit' in found) return found
  const { held, rule, isAll, failures, incident } = found
  const request = {
    incident: incident.id,
    decision: word(args['decision']),
    // What is decided on all is decided on hosts that are away, too.
    ...(isAll && incident.ended === null ? {} : { choice: { rule, messages: held.map(nameOf) } }),
  }
  if ('choice' in request && failures.length > 0)
    return refuse(69, 'E-PROVIDER', { detail: failures.join('; ') }, context.caller.language)
  return carryOut(
    () => decideMail(life(context), request, actContext(context)),
    context,
    incident.ended === null ? 'stay' : 'move',
  )
}

const purge: Operation = async (args, context) => {
  const { caller, hosts, signal } = context
  const found = await choose(args, context)
  if ('exit' in found) return found
  const { held, rule, isAll, failures, incident } = found
  if (isAll) return refuse(65, 'E-MAIL-PURGE-ALL', {}, caller.language)
  if (failures.length > 0) return refuse(69, 'E-PROVIDER', { detail: failures.join('; ') }, caller.language)
  const evidence = new Map<MailHost, readonly MessageEvidence[]>()
  for (const host of hosts) {
    const chosen = held.filter(one => one.host === host.name)
    if (chosen.length > 0 && host.heldMail !== undefined)
      evidence.set(host, await host.heldMail.evidence(incident.scope, chosen, signal))
  }
  const seen = [...evidence].flatMap(([{ name }, messages]) => messages.map(one => toSeen(name, one)))
  const request = { incident: incident.id, seen, rule }
  const result = await carryOut(() => purgeMail(life(context), request, actContext(context)), context, 'stay')
  const json = { ...result.json, messages: seen.length, evidence: evidenceDigest(incident.id, seen) }
  if (result.exit !== 0) return { ...result, json: 'refusals' in result.json ? result.json : json }
  // In its turn: a pass that looks at the queue meanwhile would miss what is being deleted.
  const purged = await context.engine.parts.queue.add('incident', () => carryOutPurge(incident, evidence, context))
  return { exit: purged === seen.length ? 0 : 1, json: { ...json, purged } }
}

function toSeen(host: string, { id, arrivedAt, bytes, sender, recipients, headers }: MessageEvidence): SeenMessage {
  return {
    host,
    id,
    arrivedAt,
    bytes,
    sender,
    recipients: recipients.map(({ address }) => address).toSorted(),
    headers,
  }
}

/** Host by host: what was deleted is on record, with how the queue stands, before the next is asked. */
async function carryOutPurge(
  { id, scope }: Incident,
  evidence: ReadonlyMap<MailHost, readonly MessageEvidence[]>,
  { engine, signal }: OperationContext,
): Promise<number> {
  let purged = 0
  for (const [host, messages] of evidence) {
    const done = await host.heldMail?.purge(scope, messages, signal)
    if (done === undefined) continue
    purged += done.purged.length
    const at = engine.parts.clock.now()
    const by = { actor: daemonActor, at }
    const facts = { incident: id, host: host.name, ordered: messages.length, purged: done.purged.length }
    const personal = { messages: done.purged as unknown as Json }
    const { door, open, held } = done.state
    const states = [{ incident: id, host: host.name, door, open, held, failed: false }]
    await engine.append([
      { kind: 'mail.purged', actor: daemonActor, at: formatInstant(at), subject: id, rule: 'P6', facts, personal },
      // Else the next pass would take what is gone for somebody's edit.
      ...doorEntries(engine.history.incidents, states, by),
    ])
  }
  return purged
}

const writes = () => true
const reads = () => false

export const heldMailOperations: readonly (readonly [string, OperationRow])[] = [
  ['incident.held', { run: list, changes: reads }],
  ['incident.mail', { run: decide, changes: writes }],
  ['incident.purge', { run: purge, changes: writes }],
]
