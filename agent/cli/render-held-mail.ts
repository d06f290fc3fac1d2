/** Held mail for people: what waits, from whom, and what was decided on it; never what it says. */
import type { Paint } from './paint.ts'
import { table } from './render.ts'
import { printable, type Say } from './texts.ts'

type Json = Readonly<Record<string, unknown>>

function text(value: unknown): string {
  return printable(value === null || value === undefined ? '–' : String(value))
}

export function renderHeldMail(json: Json, say: Say): string[] {
  const messages = (json['messages'] ?? []) as readonly Json[]
  const rows = messages.map(one => [
    text(one['message']),
    one['sender'] === '' ? '<>' : text(one['sender']),
    text(one['recipients']),
    text(one['bytes']),
    text(one['arrivedAt']),
    text(one['decision']),
  ])
  const failures = (json['failures'] ?? []) as readonly string[]
  const summary = say('heldMail', { held: Number(json['held']), matching: Number(json['matching']) })
  return [summary, ...table(rows), ...failures.map(text)]
}

export function renderPurge(json: Json, say: Say, paint: Paint): string[] {
  const values = { count: Number(json['messages']), digest: text(json['evidence']) }
  if (json['needsSecond'] === true) return [say('purgeSeen', values), paint('warn', say('needsSecond'))]
  return [say('purged', { ...values, purged: Number(json['purged']) })]
}
