/**
 * What people decide on held mail (S41, P6): all of it, or messages by name. Pure. Mail is purged by two people alone, who
 * saw the same evidence; after the end of an incident it takes two to let go what was kept, since two decided to keep it.
 */
import { type Digest, digestOf, type Json } from '../core/digest.ts'
import {
  type ActContext,
  type ActResult,
  done,
  entryOf,
  finding,
  forbidden,
  isRefused,
  openIncident,
  refused,
} from './acting.ts'
import { type HeldName, type Incident, type Incidents, type MailDecision, mailDecisions } from './incident.ts'
import { first, incidentPair, tokenMaker, turnOf, twoPersons } from './two-people.ts'

/** How the messages were chosen, without what names a person; the messages themselves stand beside the tree. */
export type Choice = { readonly rule: Readonly<Record<string, Json>>; readonly messages: readonly HeldName[] }

export type MailDecisionArguments = {
  readonly incident: string
  readonly decision: string
  /** Absent: all that is held and not decided by name. */
  readonly choice?: Choice
}

/** More names make an entry that is no longer read; a longer list is decided in parts. */
export const chosenMax = 10_000

export function decideMail(incidents: Incidents, args: MailDecisionArguments, context: ActContext): ActResult {
  const no = forbidden('mail', context)
  if (no !== undefined) return no
  const known = incidents.byId.get(args.incident)
  const decision = mailDecisions.find(one => one === args.decision)
  if (known?.ended != null && args.choice !== undefined && decision === 'release')
    return releaseAfterEnd(known, args.choice, context)
  const incident = openIncident(incidents, args.incident, context)
  if (isRefused(incident)) return incident
  if (decision === undefined) {
    const suggestion = context.suggest(args.decision, mailDecisions)
    return refused(65, [
      finding('E-MAIL-DECISION', { word: args.decision, known: mailDecisions.join(', ') }, suggestion),
    ])
  }
  const wrong = args.choice === undefined ? undefined : checkChoice(args.choice)
  if (wrong !== undefined) return wrong
  return done(incident.id, [decided(incident, decision, args.choice, context)], {
    code: args.choice === undefined ? 'M-MAIL-DECIDED' : 'M-MAIL-CHOSEN',
    values: { incident: incident.id, decision, count: String(args.choice?.messages.length ?? 0) },
  })
}

function checkChoice({ messages }: Choice): ActResult | undefined {
  if (messages.length === 0) return refused(65, [finding('E-MAIL-NONE')])
  const values = { count: String(messages.length), max: String(chosenMax) }
  return messages.length > chosenMax ? refused(65, [finding('E-MAIL-MANY', values)]) : undefined
}

function decided(
  { id }: Incident,
  decision: MailDecision,
  choice: Choice | undefined,
  context: ActContext,
  more: Readonly<Record<string, Json>> = {},
) {
  if (choice === undefined)
    return entryOf(context, 'mail.decided', id, { rule: 'S41', facts: { incident: id, decision } })
  const { rule, messages } = choice
  const facts = { incident: id, decision, messages: messages.length, by: rule, ...more }
  return entryOf(context, 'mail.decided', id, { rule: 'P6', facts, personal: { messages } })
}

function namesDigest(act: string, incident: string, messages: readonly HeldName[]): Digest {
  const names = messages.map(({ host, id, arrivedAt }) => `${host} ${id} ${arrivedAt}`).toSorted()
  return digestOf({ act, incident, names })
}

function releaseAfterEnd(incident: Incident, choice: Choice, context: ActContext): ActResult {
  const wrong = checkChoice(choice)
  if (wrong !== undefined) return wrong
  const { id } = incident
  const digest = namesDigest('release-mail', id, choice.messages)
  const turn = turnOf(incident.approvals.mail, { digest, pair: incidentPair, incident }, context)
  if (turn.turn === 'none') return refused(3, [twoPersons(turn, context)])
  if (turn.turn === 'first') {
    const facts = { incident: id, digest, messages: choice.messages.length, by: choice.rule, ...tokenMaker(context) }
    const parts = { rule: 'P6', facts, personal: { messages: choice.messages } }
    return first(id, turn, entryOf(context, 'mail.release-approved', id, parts), {
      subject: id,
      second: incidentPair.second,
    })
  }
  const more = { digest, approvedBy: [turn.first, context.actor.person] }
  return done(id, [decided(incident, 'release', choice, context, more)], {
    code: 'M-MAIL-CHOSEN',
    values: { incident: id, decision: 'release', count: String(choice.messages.length) },
  })
}

/** A message as both people saw it, its headers as a digest. */
export type SeenMessage = HeldName & {
  readonly bytes: number
  readonly sender: string
  readonly recipients: readonly string[]
  readonly headers: Digest
}

/** What the approval of a purge is bound to: every envelope and every header of what is to be deleted. */
export function evidenceDigest(incident: string, messages: readonly SeenMessage[]): Digest {
  const seen = messages.toSorted((a, b) => (`${a.host} ${a.id}` < `${b.host} ${b.id}` ? -1 : 1))
  return digestOf({ act: 'purge', incident, messages: seen })
}

/**
 * Orders the deletion of held messages. The entry comes before the deed and keeps envelope and digest of each message; what
 * was really deleted is told by another.
 */
export function purgeMail(
  incidents: Incidents,
  args: { readonly incident: string; readonly seen: readonly SeenMessage[]; readonly rule: Choice['rule'] },
  context: ActContext,
): ActResult {
  const no = forbidden('mail', context)
  if (no !== undefined) return no
  const known = incidents.byId.get(args.incident)
  const incident = known?.ended != null ? known : openIncident(incidents, args.incident, context)
  if (isRefused(incident)) return incident
  const { seen, rule } = args
  const wrong = checkChoice({ rule, messages: seen })
  if (wrong !== undefined) return wrong
  const { id } = incident
  const digest = evidenceDigest(id, seen)
  const turn = turnOf(incident.approvals.mail, { digest, pair: incidentPair, incident }, context)
  if (turn.turn === 'none') return refused(3, [twoPersons(turn, context)])
  const facts = { incident: id, digest, messages: seen.length, by: rule }
  if (turn.turn === 'first') {
    const parts = { rule: 'P6', facts: { ...facts, ...tokenMaker(context) }, personal: { messages: seen } }
    return first(id, turn, entryOf(context, 'mail.purge-approved', id, parts), {
      subject: `${id}, ${digest.slice(0, 12)}`,
      second: incidentPair.second,
    })
  }
  const orderedBy = [turn.first, context.actor.person]
  const parts = { rule: 'P6', facts: { ...facts, orderedBy }, personal: { messages: seen } }
  return done(id, [entryOf(context, 'mail.purge-ordered', id, parts)], {
    code: 'M-MAIL-PURGED',
    values: { incident: id, count: String(seen.length) },
  })
}
