/** What the policy service counts since it started: plain numbers, for `status` and metrics. */

export type PolicyCounters = {
  accepted: number
  /** Beyond the limits of connections. */
  turnedAway: number
  requests: number
  dunno: number
  deferred: number
  rejected: number
  /** Connections closed without an answer, by reason. */
  malformed: number
  unverified: number
  thrown: number
  late: number
  stalePartial: number
  idle: number
  /** Answers were not read. */
  unread: number
  /** `onDecision` threw. */
  listenerThrew: number
}

export function createCounters(): PolicyCounters {
  return {
    accepted: 0,
    turnedAway: 0,
    requests: 0,
    dunno: 0,
    deferred: 0,
    rejected: 0,
    malformed: 0,
    unverified: 0,
    thrown: 0,
    late: 0,
    stalePartial: 0,
    idle: 0,
    unread: 0,
    listenerThrew: 0,
  }
}
