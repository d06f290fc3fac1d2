/**
 * The institution's side of an incident: its analysis report and its actions (S39, S40; mission section 9, "Informe de
 * análisis"). Pure. Nothing here weighs what a report says: it finds the fields that are missing, all of them at once,
 * and sees to it that nobody judges their own work.
 */
import { dayOf, isDay, parseInstant } from '../core/clock.ts'
import { canonicalJson, digestOf, type Json } from '../core/digest.ts'
import {
  type ActContext,
  type ActResult,
  done,
  entryOf,
  finding,
  forbidden,
  givenText,
  isDigest,
  isRefused,
  openIncident,
  refused,
} from './acting.ts'
import { isAuthor, isSamePerson, staffNamed } from './gate.ts'
import type { Incident, Incidents } from './incident.ts'

/** The fields of an analysis report. A report is long, a register entry is read by people: 64 KB are some 30 pages. */
export const reportBytesMax = 65_536
/** Field names to a line of a refusal, so that no line is cut where it is shown. */
const namesPerFindingMax = 12

type Check = (value: unknown) => readonly string[]

const isText: Check = value => (typeof value === 'string' && value.trim() !== '' ? [] : [''])
const isWhen: Check = value =>
  typeof value === 'string' && (isDay(value) || parseInstant(value) !== undefined) ? [] : ['']
const isTrue: Check = value => (value === true ? [] : [''])
const isList =
  (item: Check, lengthMin: number): Check =>
  value =>
    Array.isArray(value) && value.length >= lengthMin && value.every(one => item(one).length === 0) ? [] : ['']
const either =
  (...checks: readonly Check[]): Check =>
  value =>
    checks.some(check => check(value).length === 0) ? [] : ['']

/** A list of rows of which each has all of these members. */
const rows =
  (members: Readonly<Record<string, Check>>): Check =>
  value => {
    if (!Array.isArray(value) || value.length === 0) return ['']
    return value.flatMap((row: unknown, index) =>
      Object.entries(members)
        .filter(([name, check]) => check(memberOf(row, name)).length > 0)
        .map(([name]) => `[${index}].${name}`),
    )
  }

/** In the order of the form. `accounts` and `computers` may be an empty list: none is an answer, silence is not. */
export const reportFields: Readonly<Record<string, Check>> = {
  author: isText,
  commission: either(isText, isList(isText, 1)),
  days: either(isWhen, isList(isWhen, 1)),
  whatHappened: isText,
  start: isWhen,
  detection: isWhen,
  end: isWhen,
  accounts: either(isText, isList(isText, 0)),
  computers: either(isText, isList(isText, 0)),
  cause: isText,
  dataTouched: isText,
  impact: isText,
  evidence: rows({ what: isText, digest: value => (isDigest(value) ? [] : ['']) }),
  actions: rows({ what: isText, who: isText, day: isWhen, proof: isText }),
  prevention: rows({ what: isText, day: isWhen }),
  signed: isTrue,
  stamped: isTrue,
}

function memberOf(value: unknown, name: string): unknown {
  return value !== null && typeof value === 'object' && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
}

function missingFields(fields: unknown, id: string, hasDocument: boolean): string[] {
  const missing = Object.entries(reportFields).flatMap(([name, check]) =>
    check(memberOf(fields, name)).map(part => name + part),
  )
  if (memberOf(fields, 'incident') !== id) missing.unshift('incident')
  return hasDocument ? missing : [...missing, 'document']
}

export type ReportArguments = {
  readonly incident: string
  /** An object of the members of `reportFields`, and `incident`; from YAML or JSON. */
  readonly fields: unknown
  /** SHA-256 of the signed document. */
  readonly document: string | undefined
}

export function fileReport(incidents: Incidents, args: ReportArguments, context: ActContext): ActResult {
  const no = forbidden('report', context)
  if (no !== undefined) return no
  const incident = openIncident(incidents, args.incident, context)
  if (isRefused(incident)) return incident
  const missing = missingFields(args.fields, incident.id, isDigest(args.document))
  if (missing.length > 0) {
    const lines = missing.length / namesPerFindingMax
    const parts = Array.from({ length: Math.ceil(lines) }, (_, line) =>
      missing.slice(line * namesPerFindingMax, (line + 1) * namesPerFindingMax),
    )
    return refused(
      65,
      parts.map(part => finding('E-REPORT-INCOMPLETE', { incident: incident.id, missing: part.join(', ') })),
    )
  }
  const bytes = Buffer.byteLength(canonicalJson(args.fields))
  if (bytes > reportBytesMax)
    return refused(65, [finding('E-REPORT-SIZE', { bytes: String(bytes), max: String(reportBytesMax) })])
  // The institution writes it, and somebody here files it: the filer is its author only where it says so.
  const author = String(memberOf(args.fields, 'author'))
  const written = staffNamed(context.people, author)
  const operatorAuthors = written === null ? [] : [written]
  const n = incident.reports.length + 1
  const entry = entryOf(context, 'report.received', incident.id, {
    rule: 'S39',
    facts: {
      incident: incident.id,
      report: n,
      document: args.document ?? '',
      fields: digestOf(args.fields),
      operatorAuthors,
    },
    personal: { author, fields: args.fields as Json },
  })
  return done(incident.id, [entry], { code: 'M-REPORT-RECEIVED', values: { incident: incident.id, report: String(n) } })
}

export type ReviewArguments = { readonly incident: string } & (
  | { readonly result: 'accepted' }
  | { readonly result: 'returned' /** What is to be mended. */; readonly points: string }
)

export function reviewReport(incidents: Incidents, args: ReviewArguments, context: ActContext): ActResult {
  const no = forbidden('review', context)
  if (no !== undefined) return no
  const incident = openIncident(incidents, args.incident, context)
  if (isRefused(incident)) return incident
  const waiting = incident.reports.findLast(({ review }) => review === 'waiting')
  if (waiting === undefined) return refused(3, [finding('E-NO-REPORT', { incident: incident.id })])
  if (isAuthor(incident, context.actor.person))
    return refused(3, [finding('E-TWO-PERSON', { person: context.actor.person, reason: 'own-report' })])
  if (isSamePerson(waiting.filedBy, context.actor.person))
    return refused(3, [finding('E-TWO-PERSON', { person: context.actor.person, reason: 'own-filing' })])
  const facts = { incident: incident.id, report: waiting.n, document: waiting.document }
  const values = { incident: incident.id, report: String(waiting.n) }
  if (args.result === 'accepted')
    return done(incident.id, [entryOf(context, 'report.accepted', incident.id, { rule: 'S39', facts })], {
      code: 'M-REPORT-ACCEPTED',
      values,
    })
  const points = givenText(args.points)
  if (points === undefined) return refused(65, [finding('E-POINTS')])
  const entry = entryOf(context, 'report.returned', incident.id, { rule: 'S39', facts, personal: { points } })
  return done(incident.id, [entry], { code: 'M-REPORT-RETURNED', values })
}

export type ActionArguments = {
  readonly incident: string
  readonly what: string | undefined
  readonly who: string | undefined
  readonly day: string | undefined
  /** SHA-256 of the proof. */
  readonly evidence: string | undefined
}

export function recordAction(incidents: Incidents, args: ActionArguments, context: ActContext): ActResult {
  const no = forbidden('action', context)
  if (no !== undefined) return no
  const incident = openIncident(incidents, args.incident, context)
  if (isRefused(incident)) return incident
  const { what, who } = { what: givenText(args.what), who: givenText(args.who) }
  const day =
    args.day !== undefined && isDay(args.day) && args.day <= dayOf(context.at, context.timeZone) ? args.day : undefined
  const evidence = isDigest(args.evidence) ? args.evidence : undefined
  const missing = Object.entries({ what, who, day, evidence }).flatMap(([name, value]) =>
    value === undefined ? [name] : [],
  )
  if (what === undefined || who === undefined || day === undefined || evidence === undefined)
    return refused(65, [finding('E-ACTION-INCOMPLETE', { incident: incident.id, missing: missing.join(', ') })])
  const n = incident.actions.length + 1
  const facts = { incident: incident.id, action: n, day, evidence, operatorWho: staffNamed(context.people, who) }
  const entry = entryOf(context, 'action.recorded', incident.id, { rule: 'S40', facts, personal: { what, who } })
  return done(incident.id, [entry], { code: 'M-ACTION-RECORDED', values: { incident: incident.id, action: String(n) } })
}

export type VerifyArguments = {
  readonly incident: string
  readonly action: number
  /** An automatic check that the caller ran; then no person is needed. `digest` is of what it saw. */
  readonly check?: { readonly name: string; readonly passed: boolean; readonly digest: string }
}

export function verifyAction(incidents: Incidents, args: VerifyArguments, context: ActContext): ActResult {
  const isCheck = args.check !== undefined && context.actor.role === 'daemon'
  const no = isCheck ? undefined : forbidden('verify', context)
  if (no !== undefined) return no
  const incident = openIncident(incidents, args.incident, context)
  if (isRefused(incident)) return incident
  const action = incident.actions[args.action - 1]
  const values = { incident: incident.id, action: String(args.action) }
  if (action === undefined)
    return refused(65, [finding('E-ACTION-UNKNOWN', { ...values, known: String(incident.actions.length) })])
  if (action.verifiedBy !== null)
    return { ...done(incident.id, [], { code: 'M-ACTION-VERIFIED', values }), note: 'already' }
  if (args.check?.passed === false)
    return refused(3, [finding('E-CHECK-FAILED', { ...values, check: args.check.name })])
  if (!isCheck && didIt(action, context.actor.person))
    return refused(3, [finding('E-TWO-PERSON', { person: context.actor.person, reason: 'own-action' })])
  const check = args.check === undefined ? {} : { check: args.check.name, checkDigest: args.check.digest }
  const facts = { incident: incident.id, action: args.action, evidence: action.evidence, ...check }
  return done(incident.id, [entryOf(context, 'action.verified', incident.id, { rule: 'S40', facts })], {
    code: 'M-ACTION-VERIFIED',
    values,
  })
}

function didIt(action: Incident['actions'][number], person: string): boolean {
  return action.operatorWho !== null && isSamePerson(action.operatorWho, person)
}
