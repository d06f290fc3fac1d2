/**
 * `suspend`: one person, no approval, at once (S37, K4, P3, P12, P13). Pure. A mistake in what was typed is refused; a
 * second call is never an error; nothing here can make a hold smaller.
 */
import { dayOf } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import type { Json } from '../core/digest.ts'
import { type HoldScope, type IncidentClass, incidentClasses, type Lever, levers } from '../model/incident.ts'
import {
  type ActContext,
  type ActResult,
  type Done,
  entryOf,
  finding,
  forbidden,
  givenText,
  refused,
  warning,
} from './acting.ts'
import type { Incident, Incidents } from './incident.ts'
import { coveringIncident, nextIncidentId } from './lifecycle.ts'

export type SuspendArguments = {
  /** A domain or an address, as typed. */
  readonly scope: string
  readonly reason: string
  readonly class: string
  /** Levers by name; absent: all of them. */
  readonly only?: readonly string[]
  readonly drill: boolean
  /** Of a domain that is marked for it; absent: none. Levers move, and nobody outside is told. */
  readonly liveDrill?: boolean
  /** Of the daemon: what it acts on (`agent/detection/`). */
  readonly trigger?: Json
}

type Wanted = {
  readonly scope: HoldScope
  readonly class: IncidentClass
  readonly levers: readonly Lever[]
  readonly reason: string
  readonly drill: boolean
  readonly liveDrill: boolean
  readonly warnings: readonly Diagnostic[]
  readonly trigger: Json | undefined
}

export function suspend(incidents: Incidents, args: SuspendArguments, context: ActContext): ActResult {
  const no = forbidden('suspend', context)
  if (no !== undefined) return no
  const wanted = parse(args, context)
  if ('refusals' in wanted) return wanted
  const shown = args.scope.trim()
  const withdrawn = incidents.withdrawals.has(wanted.scope.domain)
  if (withdrawn && !wanted.drill) {
    const said = { code: 'M-WITHDRAWN-ALREADY', values: { domain: wanted.scope.domain } }
    return { ...already(null, [], said, wanted), domain: wanted.scope.domain }
  }
  const covering = coveringIncident(incidents, wanted)
  if (covering === undefined) return declare(incidents, wanted, shown, context)
  return joinIncident(covering.incident, covering.widens, { wanted, shown }, context)
}

function parse(args: SuspendArguments, context: ActContext): Wanted | ReturnType<typeof refused> {
  const refusals: Diagnostic[] = []
  const warnings: Diagnostic[] = isBreakGlass(context)
    ? [warning('W-BREAK-GLASS', { person: context.actor.person })]
    : []
  const text = args.scope.trim()
  const known = context.resolveScope(text)
  const scope = known ?? context.unknownScope(text)
  if (scope === undefined) {
    const suggestion = context.suggest(text, context.scopeNames())
    refusals.push(finding('E-SCOPE-UNKNOWN', { scope: text }, suggestion))
  } else if (known === undefined) warnings.push(warning('W-SCOPE-UNKNOWN', { scope: text }))
  // Levers of a domain where people work are never moved for practice.
  if (args.liveDrill === true && scope !== undefined && context.isTestDomain?.(scope.domain) !== true)
    refusals.push(finding('E-DRILL-DOMAIN', { domain: scope.domain }))
  const named = incidentClasses.find(name => name === args.class)
  if (named === undefined) refusals.push(unknownWord('E-CLASS', args.class, incidentClasses, context))
  const chosen = args.only ?? levers
  for (const word of chosen)
    if (!levers.includes(word as Lever)) refusals.push(unknownWord('E-LEVER', word, levers, context))
  if (chosen.length === 0) refusals.push(unknownWord('E-LEVER', '', levers, context))
  const reason = givenText(args.reason)
  if (reason === undefined) refusals.push(finding('E-REASON'))
  if (scope === undefined || named === undefined || reason === undefined || refusals.length > 0)
    return refused(65, refusals)
  const ordered = levers.filter(lever => chosen.includes(lever))
  const { drill, liveDrill = false, trigger } = args
  return { scope, class: named, levers: ordered, reason, drill, liveDrill, warnings, trigger }
}

/** Somebody without a token, where the daemon has no need of one. */
function isBreakGlass({ token, actor }: ActContext): boolean {
  return !token && actor.role !== 'daemon'
}

function unknownWord(code: string, word: string, known: readonly string[], context: ActContext): Diagnostic {
  return finding(code, { word, known: known.join(', ') }, context.suggest(word, known))
}

function declare(incidents: Incidents, wanted: Wanted, shown: string, context: ActContext): Done {
  const id = nextIncidentId(incidents, dayOf(context.at, context.timeZone).slice(0, 4))
  const { scope, drill, liveDrill, reason } = wanted
  const entry = entryOf(context, 'incident.declared', id, {
    rule: 'S37',
    facts: {
      incident: id,
      class: wanted.class,
      domain: scope.domain,
      scope: scope.account === null ? 'domain' : 'account',
      levers: wanted.levers,
      inbound: context.inboundOf?.(scope.domain) ?? null,
      drill,
      ...(liveDrill ? { liveDrill } : {}),
      breakGlass: isBreakGlass(context),
      ...(wanted.trigger === undefined ? {} : { trigger: wanted.trigger }),
    },
    personal: scope.account === null ? { reason } : { reason, account: scope.account },
  })
  const code = drill ? 'M-DRILL' : liveDrill ? 'M-LIVE-DRILL' : 'M-SUSPENDED'
  const message = { code, values: { incident: id, scope: shown } }
  return { ok: true, entries: [entry], incident: id, note: 'done', message, warnings: wanted.warnings, exit: 0 }
}

function joinIncident(
  incident: Incident,
  widened: boolean,
  { wanted, shown }: { readonly wanted: Wanted; readonly shown: string },
  context: ActContext,
): Done {
  const addedLevers = wanted.levers.filter(lever => !incident.levers.includes(lever))
  const facts = {
    incident: incident.id,
    class: wanted.class,
    domain: incident.scope.domain,
    widened,
    addedLevers,
    breakGlass: isBreakGlass(context),
    ...(wanted.trigger === undefined ? {} : { trigger: wanted.trigger }),
  }
  const entry = entryOf(context, 'incident.joined', incident.id, {
    rule: 'S37',
    facts,
    personal: { reason: wanted.reason },
  })
  // During a release `suspend` takes back what was open already.
  const grew = widened || addedLevers.length > 0 || incident.release !== null
  const values = { incident: incident.id, scope: shown }
  if (!grew) return already(incident.id, [entry], { code: 'M-SUSPENDED-ALREADY', values }, wanted)
  const message = { code: incident.release === null ? 'M-WIDENED' : 'M-RELEASE-STOPPED', values }
  return {
    ok: true,
    entries: [entry],
    incident: incident.id,
    note: 'done',
    message,
    warnings: wanted.warnings,
    exit: 0,
  }
}

function already(incident: string | null, entries: Done['entries'], message: Done['message'], wanted: Wanted): Done {
  return { ok: true, entries, incident, note: 'already', message, warnings: wanted.warnings, exit: 0 }
}
