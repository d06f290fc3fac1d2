/**
 * Many changes: in the planner's order phase by phase, inside a phase as many at once as the connections hold. One
 * outcome for each, as they come. After an abort nothing more is begun, and after the server is gone nothing more is
 * tried.
 */
import type { Outcome } from '../../agent/model/change.ts'
import type { DirectoryDomain } from '../../agent/model/resource.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { Session } from './ask.ts'
import { carryOut, type DirectoryChange, type Surroundings } from './change.ts'
import type { Standing } from './entry.ts'
import { resultCodes } from './failure.ts'
import { toAttributes } from './owned.ts'
import { eachBounded, type Reply } from './pool.ts'
import { readDomain, readForeignHolders } from './read.ts'

/** Names that are looked for in one question. */
const changesAskedAtOnce = 100

export async function* applyAll(
  session: Session,
  changes: readonly DirectoryChange[],
  signal: AbortSignal,
): AsyncGenerator<Outcome> {
  const left = new AbortController()
  const stop = AbortSignal.any([signal, left.signal])
  const server = { lost: false }
  try {
    for (const phase of toPhases(changes))
      yield* applyPhase(session, phase, surroundingsOf(session, phase, server, stop), stop)
  } finally {
    // Whoever stopped listening does not want the rest done.
    left.abort()
  }
}

/** Runs of the same thing to the same kind: nothing in a phase rests on another change of it. */
function toPhases(changes: readonly DirectoryChange[]): DirectoryChange[][] {
  const phases: DirectoryChange[][] = []
  for (const marked of changes) {
    const last = phases.at(-1)
    const first = last?.[0]?.change
    if (first !== undefined && first.action === marked.change.action && first.ref.kind === marked.change.ref.kind)
      last?.push(marked)
    else phases.push([marked])
  }
  return phases
}

async function* applyPhase(
  session: Session,
  phase: readonly DirectoryChange[],
  surroundings: Surroundings,
  signal: AbortSignal,
): AsyncGenerator<Outcome> {
  const ready: Outcome[] = []
  let wake = () => {}
  let ended = false
  const working = eachBounded(phase, session.pool.places, async marked => {
    ready.push(await carryOut(session, marked, surroundings, signal))
    wake()
  }).finally(() => {
    ended = true
    wake()
  })
  // Thrown below, once the outcomes that came before it are told.
  working.catch(() => {})
  while (true) {
    const outcome = ready.shift()
    if (outcome !== undefined) yield outcome
    else if (ended) break
    else
      await new Promise<void>(resolve => {
        wake = resolve
      })
  }
  await working
}

function surroundingsOf(
  session: Session,
  phase: readonly DirectoryChange[],
  server: { lost: boolean },
  signal: AbortSignal,
): Surroundings {
  const domains = new Map<string, Promise<Standing<DirectoryDomain> | undefined>>()
  const holders = new Map<number, Promise<ReadonlyMap<string, string>>>()
  const places = new Map(phase.map((marked, index) => [marked.change.ref.key, Math.floor(index / changesAskedAtOnce)]))
  const made = new Map<string, Promise<Reply<void>>>()

  /** Asked in chunks, by whichever change comes first. */
  const holdersAround = (chunk: number) => {
    const known = holders.get(chunk)
    if (known !== undefined) return known
    const start = chunk * changesAskedAtOnce
    const asking = phase.slice(start, start + changesAskedAtOnce)
    const names = asking.flatMap(namesTaken)
    const marks = new Map(asking.map(({ mark, change }) => [mark, change.ref.key]))
    const asked = names.length === 0 ? Promise.resolve(new Map()) : readForeignHolders(session, names, marks, signal)
    holders.set(chunk, asked)
    return asked
  }

  return {
    domain: name => {
      const known = domains.get(name) ?? readDomain(session, name, signal)
      domains.set(name, known)
      return known
    },
    async foreignHolder(marked) {
      const found = await holdersAround(places.get(marked.change.ref.key) ?? 0)
      for (const name of namesTaken(marked)) {
        const holder = found.get(name)
        // What is being adopted is foreign until then, and in nobody's way.
        const isItself = marked.adopt === true && holder === marked.change.ref.key
        if (holder !== undefined && !isItself) return `${name} belongs to ${holder}, which is not ours`
      }
      return undefined
    },
    makeRoom: resource => {
      const room = resource.kind === 'domain' ? session.tree.domains : session.tree.people(resource.domain)
      const making = made.get(room) ?? makeRoom(session, room, resource.kind, signal)
      made.set(room, making)
      return making
    },
    isLost: () => server.lost,
    lose: () => {
      server.lost = true
    },
  }
}

/** What an account goes by already it takes from nobody: least of all may a stranger's entry keep it from being closed. */
function namesTaken({ change: { before, after }, adopt }: DirectoryChange): string[] {
  if (after?.kind !== 'account') return []
  const held = new Set(before?.kind === 'account' && adopt !== true ? [before.address, ...before.aliases] : [])
  return [after.address, ...after.aliases].filter(name => !held.has(name))
}

async function makeRoom(
  { pool, tree: { naming } }: Session,
  dn: string,
  kind: DirectoryResource['kind'],
  signal: AbortSignal,
): Promise<Reply<void>> {
  const entry = kind === 'domain' ? naming.rootEntry : naming.below?.entry
  // Accounts without a container stand in their domain, which is looked at again.
  if (entry === undefined) return { kind: 'done', value: undefined }
  const reply = await pool.send(client => client.add(dn, toAttributes(entry)), signal)
  const stands = reply.kind === 'refused' && reply.code === resultCodes.entryAlreadyExists
  return stands ? { kind: 'done', value: undefined } : reply
}
