/** To whom accounts may write: `scope-send`, for whoever can act at all. Pure. */
import { type Block, type Landscape, type PlacedBlock, partition } from './blocks.ts'
import {
  type Case,
  type Comparison,
  type Doors,
  directions,
  type Found,
  firstClient,
  isOpen,
  isWitness,
  question,
} from './case.ts'
import { type Fleet, isRefusedBy, permits, type Question, type Traits } from './fleet.ts'

/** How the account brings mail, in a fleet: by login, or through a relay; null where it can't at all. */
export function createActing({ relays }: Pick<Comparison, 'relays'>) {
  const byInstitution = new Map<string, string[]>()
  for (const { before, after, example } of relays.classes)
    for (const name of new Set([...before, ...after]))
      byInstitution.set(name, [...(byInstitution.get(name) ?? []), example])
  return (fleet: Fleet, { institution }: Traits, address: string, doors: Doors): Partial<Question> | null => {
    if (isOpen(doors)) return { login: address, sender: address, clientAddress: firstClient(doors) }
    for (const clientAddress of byInstitution.get(institution ?? '') ?? [])
      if (permits(fleet, question({ sender: address, clientAddress }))) return { sender: address, clientAddress }
    return null
  }
}

export function institutionsKey(land: Landscape, { one, other }: Case, targets: readonly string[]): string {
  if (targets.length === 0 && land.unstable.size === 0 && one.institution === other.institution)
    return (land.ofInstitution.get(one.institution ?? '') ?? []).length > 0 ? '~' : '-'
  return `${one.institution} ${other.institution}`
}

export function createWrites(comparison: Comparison) {
  const { land, collect } = comparison
  const acting = createActing(comparison)
  const judged = new Map<string, Found<Block>>()
  return (one: Case, doors: readonly [Doors, Doors]) => {
    const { address } = one.principal
    const acts = [
      acting(land.before, one.one, address, doors[0]),
      acting(land.after, one.other, address, doors[1]),
    ] as const
    const targets = [...new Set([...one.one.send, ...one.other.send])].sort()
    const how = acts.map(act => (act === null ? '-' : act.login === undefined ? 'relay' : 'login')).join(' ')
    const key = `${how}|${institutionsKey(land, one, targets)}|${one.one.write}|${one.other.write}`
    let found = judged.get(key)
    if (found === undefined) {
      const blocks = partition(land, [one.one.institution, one.other.institution], targets)
      found = directions(land).flatMap(way => {
        const act = acts[way.index]
        if (act === null) return []
        const cells = blocks.flatMap(placed => {
          // One example tells whether the right changes for the block; only a proof may need another.
          if (!changesSending(question({ ...act, recipient: placed.example }), acts[1 - way.index]!, way)) return []
          const witness = recipientsOf(land, placed)
            .map(recipient => question({ ...act, recipient }))
            .find(asked => isWitness(asked, way))
          return witness === undefined ? [] : [{ block: placed.block, witness }]
        })
        const [first] = cells
        if (first === undefined) return []
        return [{ direction: way.direction, items: cells.map(({ block }) => block), witness: first.witness }]
      })
      judged.set(key, found)
    }
    for (const { direction, items, witness } of found)
      collect.add({ direction, right: 'write', blocks: items }, one.principal.name, witness)
  }
}

/** True when it is the writer's own right that changes: a recipient's is told where the recipient is. */
export function changesSending(
  asked: Question,
  other: Partial<Question> | null,
  { from, to }: { readonly from: Fleet; readonly to: Fleet },
): boolean {
  if (asked.recipient === '' || isRefusedBy(to, asked, ['scope-send'])) return false
  return other === null || isRefusedBy(from, asked, ['scope-send'])
}

export function* recipientsOf({ nobody }: Landscape, { example, domains }: PlacedBlock) {
  if (domains === undefined) yield example
  else for (const domain of domains) yield `${nobody}@${domain}`
}
