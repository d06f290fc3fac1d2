/**
 * The doors that an incident closes in the directory, each by one write, ahead of the pass that does the rest: nobody's
 * login waits for a walk over thousands of accounts (contract section 6). It only ever makes a door narrower, and only where
 * what stands is ours; on record like any change.
 */
import { ProviderFailure } from '../../providers/provider.ts'
import { applyChanges } from '../apply/apply.ts'
import { desiredDirectory } from '../desired/directory.ts'
import type { Incident } from '../incident/incident.ts'
import type { Change } from '../model/change.ts'
import { type DirectoryAccount, type DirectoryDomain, formatRef, type Resource, refOf } from '../model/resource.ts'
import type { World } from '../model/world.ts'
import { markOf } from '../plan/ownership.ts'
import type { Engine } from '../reconcile/engine.ts'
import { daemonActor } from '../reconcile/findings.ts'

export type StandingDoors = {
  /** By kind and key. */
  readonly resources: ReadonlyMap<string, Resource>
  /** Something of it follows elsewhere, which takes a pass. */
  readonly isFollowed: boolean
}
type DoorResource = DirectoryDomain | DirectoryAccount

/** @returns what the entries say afterwards; null where that could not be read, or nobody knows what should stand. */
export async function closeDirectoryDoors(
  engine: Engine,
  { id, scope }: Pick<Incident, 'id' | 'scope'>,
  signal: AbortSignal,
): Promise<StandingDoors | null> {
  const doors = engine.parts.providers.get('directory')?.doors
  if (doors === undefined) return null
  const wanted = doorsOf(engine.world(), scope)
  if (wanted.length === 0) return null
  const refs = wanted.map(refOf)
  try {
    const found = await doors.read(refs, signal)
    const partial = new Set(found.flatMap(({ resource, isWhole }) => (isWhole ? [] : [formatRef(refOf(resource))])))
    const changes = found.flatMap(({ resource, mark }): Change[] => {
      const ref = refOf(resource)
      const isOurs = mark === markOf(engine.parts.installation, ref) && engine.history.owned.has(formatRef(ref))
      const after = isOurs ? narrower(resource as DoorResource, wanted) : undefined
      if (after === undefined) return []
      return [{ action: 'update', ref, before: resource, after, why: 'hold', source: { incident: id } }]
    })
    if (changes.length > 0) await writeDoors(engine, changes, ({ ref }) => partial.has(formatRef(ref)), signal)
    const standing = changes.length === 0 ? found : await doors.read(refs, signal)
    const resources = new Map(standing.map(({ resource }) => [`${resource.kind}:${resource.key}`, resource]))
    return { resources, isFollowed: changes.some(({ ref }) => partial.has(formatRef(ref))) }
  } catch (error) {
    // The pass that follows says what is wrong, and goes on trying.
    if (!(error instanceof ProviderFailure)) throw error
    engine.parts.log.write('warn', 'doors of the directory', { incident: id, error: error.message })
    return null
  }
}

async function writeDoors(
  engine: Engine,
  changes: readonly Change[],
  isPartial: (change: Change) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { installation, providers, clock } = engine.parts
  const directory = providers.get('directory')
  const { doors } = directory ?? {}
  if (directory === undefined || doors === undefined) return
  const writing = { ...directory, apply: doors.write.bind(doors) }
  await applyChanges(
    {
      installation,
      providers: new Map([['directory', writing]]),
      clock,
      actor: daemonActor,
      append: entries => engine.append(entries),
      planDigest: 'doors',
      accepted: false,
      isPartial,
    },
    changes,
    signal,
  )
}

/** The domain with the logins that have a flag of their own, or the one account. */
function doorsOf(world: World, { domain, account }: Incident['scope']): readonly DoorResource[] {
  const entry = world.domains.get(domain)
  if (entry === undefined) return []
  const { administrator, collector } = entry.domain
  const names = account === null ? [administrator, collector] : [account]
  const accounts = new Map(
    names.flatMap(name => {
      const known = name === null ? undefined : world.accounts.get(name)
      return name === null || known === undefined ? [] : [[name, known] as const]
    }),
  )
  const small: World = { ...world, domains: new Map([[domain, entry]]), accounts }
  const of = (resource: DoorResource) => account === null || (resource.kind === 'account' && resource.key === account)
  return desiredDirectory(small).flatMap(({ resource }) => (of(resource) ? [resource] : []))
}

/** In growing strictness. */
const statuses: readonly string[] = ['active', 'suspended', 'closed']
const stricter = (a: string, b: string) => statuses.indexOf(a) > statuses.indexOf(b)

/** What stands with the flags of what is wanted, where those are stricter; undefined where none is. */
function narrower(standing: DoorResource, wanted: readonly DoorResource[]): DoorResource | undefined {
  const goal = wanted.find(({ kind, key }) => kind === standing.kind && key === standing.key)
  if (standing.kind === 'account')
    return goal?.kind === 'account' && stricter(goal.status, standing.status)
      ? { ...standing, status: goal.status }
      : undefined
  if (goal?.kind !== 'domain') return undefined
  const login = stricter(goal.login, standing.login) ? goal.login : standing.login
  const collection = stricter(goal.collection, standing.collection) ? goal.collection : standing.collection
  return login === standing.login && collection === standing.collection ? undefined : { ...standing, login, collection }
}
