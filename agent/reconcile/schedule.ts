/** Cron expressions tick here (node-cron, the operator's time zone); what is due is decided by whoever is ticked. */
import { schedule, validate } from 'node-cron'

export function isCronExpression(text: string): boolean {
  return validate(text)
}

/** Calls `tick` at each time of the expression until the signal aborts. A tick that still runs is not started again. */
export function every(expression: string, timeZone: string, tick: () => Promise<void>, signal: AbortSignal): void {
  // Whoever is told to stop while it starts would tick for ever.
  if (signal.aborted) return
  const task = schedule(expression, tick, { timezone: timeZone, noOverlap: true })
  signal.addEventListener('abort', () => void task.stop())
}
