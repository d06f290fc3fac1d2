/**
 * The daemon as a supervisor keeps it: started again when it is gone. A stop that it makes by itself at a failpoint is
 * noticed, what the test wants done meanwhile is done, and then it goes on.
 */
import { readFileSync } from 'node:fs'
import { callDaemon } from '../../../agent/control/client.ts'
import { controlSocketPath, type OperationResult } from '../../../agent/control/protocol.ts'
import type { Daemon, Estate } from '../../support/estate.ts'

/** How often it is looked whether a process stands still. */
const lookMs = 5
/** A daemon that is killed at one step does not get there again without being armed anew. */
const startsMax = 5

export type KeptDaemon = {
  /** Starts and kills so far, and steps at which it stood still. */
  readonly counts: { starts: number; stops: number; killedAtSteps: number }
  /** Failpoints of its next start, and of that one alone. */
  arm(points: readonly string[]): void
  /** What is done while it stands still at a step. */
  whileStopped(work: () => Promise<void>): void
  /** Starts it where it does not run. Null: so it would not start, as while somebody else holds the lock. */
  revive(): Promise<void>
  /** One attempt to start it; gives what it ended with. */
  tryStart(): Promise<string | null>
  kill(): Promise<void>
  /** An operation as a command would ask for it; undefined when the daemon was gone before it had answered. */
  ask(operation: string, args: Readonly<Record<string, unknown>>, token?: string): Promise<OperationResult | undefined>
  close(): void
}

/** Whether the kernel says that this process is stopped. */
export function isStopped(pid: number): boolean {
  try {
    return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

export function keepDaemon(estate: Estate): KeptDaemon {
  const counts = { starts: 0, stops: 0, killedAtSteps: 0 }
  let points: readonly string[] = []
  let work: () => Promise<void> = async () => {}
  let running: Daemon | null = null
  let pid = 0
  let standing: Promise<void> | null = null
  let troubles: unknown

  const look = setInterval(() => {
    const stopped = pid
    if (standing !== null || stopped === 0 || !isStopped(stopped)) return
    counts.stops += 1
    standing = work()
      .catch((error: unknown) => {
        troubles ??= error
      })
      .finally(() => {
        if (pid === stopped) process.kill(stopped, 'SIGCONT')
        standing = null
      })
  }, lookMs)

  async function tryStart(): Promise<string | null> {
    const env: Record<string, string> = points.length > 0 ? { MAILWARDEN_FAILPOINT: points.join(',') } : {}
    points = []
    counts.starts += 1
    try {
      const started = await estate.start(env, spawned => {
        pid = spawned
      })
      running = started
      void started.ended.then(({ signal }) => {
        if (running !== started) return
        running = null
        pid = 0
        if (signal === 'SIGKILL') counts.killedAtSteps += 1
      })
      return null
    } catch (error) {
      pid = 0
      return String(error)
    }
  }

  const kept: KeptDaemon = {
    counts,
    arm(wanted) {
      points = wanted
    },
    whileStopped(wanted) {
      work = wanted
    },
    tryStart,
    async revive() {
      if (troubles !== undefined) throw troubles
      for (let attempt = 1; running === null; attempt += 1) {
        const trouble = await tryStart()
        if (trouble !== null && attempt >= startsMax) throw new Error(`the daemon does not start: ${trouble}`)
      }
    },
    async kill() {
      const killed = running
      running = null
      pid = 0
      await killed?.stop('SIGKILL')
    },
    async ask(operation, args, token) {
      const request = { operation, args, user: 'root', ...(token === undefined ? {} : { token }) }
      return callDaemon(controlSocketPath(estate.state), request, () => {}).catch(() => undefined)
    },
    close: () => clearInterval(look),
  }
  return kept
}
