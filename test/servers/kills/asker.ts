/** A Postfix that asks the policy port without a pause, about one who is to be held and one who is not, and what it was told. */
import type { Stored } from '../../../agent/register/register.ts'
import { askPolicy } from '../../support/estate.ts'

/** Between two questions, so that a port that refuses is not asked ten thousand times a second. */
const betweenMs = 4

export const directions = ['local', 'national', 'foreign', 'inbound', 'neighbour'] as const
export type Direction = (typeof directions)[number]

export type Answer = {
  readonly direction: Direction
  /** Milliseconds since the epoch, of the one clock that the daemon has, too. */
  readonly asked: number
  readonly answered: number
  readonly text: string
}

export type Asker = {
  /** What was answered since the last call, in order; who was hung up on or refused got no answer. */
  take(): Answer[]
  readonly counts: { asked: number; answered: number; unanswered: number }
  stop(): Promise<void>
}

/** @param held who is to be held; `near` is in the domain of `held`. */
export function startAsker(
  port: number,
  who: { held: string; client: string; near: string; neighbour: { login: string; client: string } },
): Asker {
  const { held, client, near, neighbour } = who
  const sends = (login: string, recipient: string, client_address = client) => ({
    sasl_username: login,
    sender: login,
    recipient,
    client_address,
  })
  const questions: Readonly<Record<Direction, Readonly<Record<string, string>>>> = {
    local: sends(held, near),
    national: sends(held, 'x@minsap.cu'),
    foreign: sends(held, 'x@who.int'),
    inbound: { sasl_username: '', client_address: '203.0.113.9', sender: 'x@who.int', recipient: held },
    neighbour: sends(neighbour.login, neighbour.login, neighbour.client),
  }
  const counts = { asked: 0, answered: 0, unanswered: 0 }
  let answers: Answer[] = []
  let stopped = false
  const working = (async () => {
    for (let next = 0; !stopped; next += 1) {
      const direction = directions[next % directions.length] ?? 'local'
      const asked = Date.now()
      counts.asked += 1
      const text = await askPolicy(port, questions[direction]).catch(() => null)
      if (text === null) counts.unanswered += 1
      else {
        counts.answered += 1
        answers.push({ direction, asked, answered: Date.now(), text })
      }
      await new Promise(resolve => setTimeout(resolve, betweenMs))
    }
  })()
  return {
    counts,
    take() {
      const taken = answers
      answers = []
      return taken
    },
    stop() {
      stopped = true
      return working
    },
  }
}

/** Anything but a refusal or a deferral lets it through. */
export const letsThrough = ({ text }: Answer) => !/^(?:[45]\d\d|reject|defer)/i.test(text)

/** Stages that open this direction. */
const openers: Readonly<Record<Exclude<Direction, 'neighbour'>, readonly string[]>> = {
  local: ['collection', 'national', 'international'],
  national: ['national', 'international'],
  foreign: ['international'],
  inbound: ['international'],
}

/**
 * Answers that let somebody through who was held: asked after the suspension was acknowledged, or after the first answer
 * that knew of it, and answered before an entry of the incident opened that way.
 */
export function wronglyThrough(answers: readonly Answer[], own: readonly Stored[], acknowledged: number): Answer[] {
  const known = answers.find(({ direction, text }) => direction !== 'neighbour' && /suspended/.test(text))
  const closedFrom = Math.min(acknowledged, known?.answered ?? Number.POSITIVE_INFINITY)
  return answers.filter(answer => {
    const { direction, asked, answered } = answer
    if (direction === 'neighbour' || !letsThrough(answer) || asked < closedFrom) return false
    const opened = own.some(({ kind, facts, at }) => {
      const stage = kind === 'service.restored' ? 'international' : kind === 'release.stage' ? facts['stage'] : null
      return openers[direction].includes(String(stage)) && Date.parse(at) <= answered
    })
    return !opened
  })
}

/** Answers that refuse somebody whom nobody suspended. */
export function wronglyHeld(answers: readonly Answer[]): Answer[] {
  return answers.filter(answer => answer.direction === 'neighbour' && !letsThrough(answer))
}
