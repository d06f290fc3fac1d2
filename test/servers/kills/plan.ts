/** What is done to the processes in one run, drawn from its seed: at which step of closing and of opening, to whom, in which order. */
import type { Failpoint } from '../../../agent/core/failpoint.ts'
import { createRandom, type Random } from '../../decision/generate.ts'

/** While a domain or an account is being closed. */
export const closingKinds = [
  'daemon killed',
  'daemon stopped',
  'directory killed',
  'command killed',
  'break-glass killed',
  'break-glass stopped',
  'directory down at start',
  'all down',
] as const
/** On the way back. */
export const openingKinds = ['daemon killed', 'daemon stopped', 'directory killed', 'directory down'] as const

/** Who is there again first, once the directory was killed while the daemon stood still at a step. */
export const orders = [
  'directory, daemon',
  'daemon, directory',
  'directory, new daemon',
  'new daemon, directory',
] as const
export type Order = (typeof orders)[number]

export type Blow<Kind extends string> = {
  readonly kind: Kind
  readonly point: Failpoint
  /** The how manieth time the step is passed. */
  readonly count: number
  readonly order: Order
  readonly pauseMs: number
}

export type Plan = {
  readonly random: Random
  readonly scope: 'domain' | 'account'
  readonly release: 'at once' | 'staged'
  /** Who suspends; `local` has no token. */
  readonly by: 'ana' | 'saul' | 'local'
  readonly closing: Blow<(typeof closingKinds)[number]>
  readonly opening: Blow<(typeof openingKinds)[number]>
}

type Step = readonly [Failpoint, countMax: number]

/** Every step of `suspend`, in its order. */
const closingSteps: readonly Step[] = [
  ['act.beforeRecorded', 1],
  ['act.afterRecorded', 1],
  ['levers.beforeRecorded', 2],
  ['levers.afterRecorded', 2],
  ['doors.beforeMoved', 1],
  ['apply.beforeIntent', 1],
  ['apply.afterIntent', 1],
  ['apply.beforeBatch', 1],
  ['apply.afterChange', 3],
  ['apply.afterBatch', 1],
  ['apply.afterOutcome', 1],
  ['doors.afterMoved', 1],
  ['levers.beforeLooked', 1],
  ['notify.afterSpool', 2],
  ['act.beforeAnswered', 1],
  ['evidence.beforeEntry', 1],
]

/** And of the way back: its seven acts first. */
const openingSteps: readonly Step[] = [
  ['act.beforeRecorded', 7],
  ['act.afterRecorded', 7],
  ['act.beforeAnswered', 7],
  ['act.beforeRecorded', 7],
  ['act.afterRecorded', 7],
  ['rotate.afterPassword', 2],
  ['doors.beforeMoved', 1],
  ['apply.beforeIntent', 1],
  ['apply.afterIntent', 1],
  ['apply.beforeBatch', 1],
  ['apply.afterChange', 3],
  ['apply.afterBatch', 1],
  ['apply.afterOutcome', 1],
  ['doors.afterMoved', 1],
  ['levers.afterRecorded', 1],
  ['notify.afterSpool', 1],
]

const stageSteps: readonly Step[] = [
  ['stage.beforeOpened', 2],
  ['stage.afterOpened', 2],
]

const pauseMsMax = 150

export function makePlan(seed: number): Plan {
  const random = createRandom(seed)
  const release = random.chance(0.2) ? 'staged' : 'at once'
  const closing = blow(random, random.pick(closingKinds), closingSteps)
  const isAtStage = release === 'staged' && random.chance(0.6)
  const kind = random.pick(
    isAtStage ? (['daemon killed', 'daemon stopped', 'directory killed'] as const) : openingKinds,
  )
  return {
    random,
    scope: random.chance(0.7) ? 'domain' : 'account',
    release,
    by: random.pick(['ana', 'saul', 'local']),
    closing,
    opening: blow(random, kind, isAtStage ? stageSteps : openingSteps),
  }
}

function blow<Kind extends string>(random: Random, kind: Kind, steps: readonly Step[]): Blow<Kind> {
  const [point, countMax] = random.pick(steps)
  return {
    kind,
    point,
    count: 1 + random.below(countMax),
    order: random.pick(orders),
    pauseMs: random.below(pauseMsMax),
  }
}

/** As `MAILWARDEN_FAILPOINT` has it. */
export function formatPoint({ kind, point, count }: Blow<string>): string {
  const isKilled = kind === 'daemon killed' || kind === 'break-glass killed'
  return `${point}:${count}:${isKilled ? 'SIGKILL' : 'SIGSTOP'}`
}

/** How often an uncut `suspend` passes the step that the way back is to be cut at. */
export function passedWhileClosing({ scope, opening: { point } }: Plan): number {
  if (point === 'apply.afterChange') return scope === 'domain' ? 4 : 1
  // Director, representative, operator.
  if (point === 'notify.afterSpool') return 3
  return /^(?:act|doors|apply)\./.test(point) ? 1 : 0
}
