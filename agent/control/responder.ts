/**
 * Carries out what signals make due (`agent/detection/respond.ts`): what is to be closed goes the way of `suspend`, by the
 * daemon; what is for people goes on record, from where they are told. It runs beside the queue and never holds up a decision.
 */

import { proposalEntry, reasonOf, stormEntry, triggerOf } from '../detection/entries.ts'
import { dueAnswers } from '../detection/respond.ts'
import { suspend } from '../incident/suspend.ts'
import type { Lever } from '../model/incident.ts'
import type { DomainName } from '../model/name.ts'
import type { Engine } from '../reconcile/engine.ts'
import { daemonActor } from '../reconcile/findings.ts'
import type { Stored } from '../register/register.ts'
import { actContext, carryOut } from './incident-operations.ts'
import type { OperationContext } from './operation.ts'
import { scopesOf } from './scopes-of.ts'

/** What of one account is closed: it goes on receiving, since nobody is harmed by that. */
const accountLevers: readonly Lever[] = ['send', 'login', 'submission', 'collection', 'administrator']

/** Each round answers what the one before made due: an account, then its domain. More than these is a bug. */
const roundsMax = 20

/** Entries after which something may be due. */
const moves = new Set(['signal.raised', 'incident.declared', 'detection.resumed'])

export type Responder = {
  /** Looks at what is due, soon. */
  later(): void
  /** To hang on the register. */
  entries(entries: readonly Stored[]): void
  idle(): Promise<void>
}

export function createResponder(context: OperationContext): Responder {
  const { engine, signal } = context
  const { log, clock, config } = engine.parts
  const { language } = config.operator
  let running: Promise<void> | null = null
  let isAsked = false

  async function work(): Promise<void> {
    const refused = new Set<string>()
    for (let round = 0; round < roundsMax && !signal.aborted; round += 1) {
      isAsked = false
      const due = dueAnswers(standingOf(engine), clock.now()).filter(one => !refused.has(keyOf(one)))
      if (due.length === 0) return
      for (const one of due) {
        if (signal.aborted) return
        refused.add(keyOf(one))
        await answer(one)
      }
      // People are told now, and not with the next pass.
      await context.courier.deliver()
    }
  }

  type Due = ReturnType<typeof dueAnswers>[number]
  const keyOf = (one: Due) => (one.kind === 'storm' ? 'storm' : `${one.kind} ${one.scope.account ?? one.scope.domain}`)

  async function answer(one: Due): Promise<void> {
    const by = { actor: daemonActor, at: clock.now() }
    switch (one.kind) {
      case 'storm':
        log.write('error', 'a storm of signals: nothing more is closed without a person', one.counts)
        await engine.append([stormEntry(one, by)])
        return
      case 'propose':
        log.write('warn', 'signals propose', {
          domain: one.scope.domain,
          rule: one.rule,
          mode: config.detection.restrict,
        })
        await engine.append([proposalEntry(one, config.detection.restrict, by)])
        return
      case 'close': {
        const { scope, rule } = one
        log.write('warn', 'closed without a person', { domain: scope.domain, rule })
        const request = {
          scope: scope.account ?? scope.domain,
          reason: reasonOf(one, language),
          class: one.class,
          drill: false,
          trigger: triggerOf(one),
          ...(scope.account === null ? {} : { only: accountLevers }),
        }
        const result = await carryOut(
          () => suspend(engine.history.incidents, request, actContext(context)),
          context,
          'move',
        )
        if (result.exit !== 0)
          log.write('error', 'not closed as signals asked', { domain: scope.domain, exit: result.exit, ...result.json })
      }
    }
  }

  function begin(): void {
    if (signal.aborted) return
    isAsked = true
    running ??= work()
      .catch((error: unknown) => {
        isAsked = false
        log.write('error', 'signals were not answered', { error: error instanceof Error ? error.stack : String(error) })
      })
      .finally(() => {
        running = null
        // What came in at the last moment.
        if (isAsked) begin()
      })
  }

  return {
    later: begin,
    entries(entries) {
      if (entries.some(({ kind }) => moves.has(kind))) begin()
    },
    idle: async () => {
      while (running !== null) await running
    },
  }
}

export function standingOf(engine: Engine): Parameters<typeof dueAnswers>[0] {
  const world = engine.world()
  return {
    book: engine.history.detection,
    incidents: engine.history.incidents,
    config: engine.parts.config.detection,
    scopeOf: scopesOf(world),
    administratorOf: (domain: DomainName) => world.domains.get(domain)?.domain.administrator,
    domains: world.domains.size,
  }
}
