/** Members that every list provider walks through, and the hand of a third party in our file of marks. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Address } from '../../agent/model/name.ts'
import type { ListMember, ListTopic } from '../../agent/model/resource.ts'
import { formatMarks, parseMarks } from '../../agent/standards/list-resource.ts'
import type { Sample } from '../conformance/provider.suite.ts'

export const changes = 'cambios@lists.example' as Address
export const incidents = 'incidentes@lists.example' as Address
export const lists = [changes, incidents]

export function member(list: Address, address: string, over: Partial<ListMember> = {}): ListMember {
  const topics: ListTopic[] = list === changes ? ['changes', 'modifications'] : ['incidents']
  return {
    provider: 'lists',
    kind: 'member',
    key: `${list}/${address}`,
    list,
    address: address as Address,
    institutions: ['hcg'],
    topics,
    ...over,
  }
}

/** Somebody who came in by themselves. */
export const foreigner = (list: Address, address: string) => member(list, address, { institutions: [], topics: [] })

const onBoth = (address: string, over: Partial<ListMember> = {}) => lists.map(list => member(list, address, over))

export const listSample: Sample<ListMember> = {
  states: [
    onBoth('ana@hcg.example'),
    [
      ...onBoth('ana@hcg.example', { institutions: ['hcg', 'policlinico'] }),
      ...onBoth('alba+listas@otro.example'),
      ...onBoth("o'higgins@otro.example", { institutions: ['escuela'] }),
      ...onBoth('9lives@xn--caja-9qa.cu', { institutions: ['escuela'] }),
    ],
    [member(changes, 'alba+listas@otro.example'), ...onBoth('berta@hcg.example')],
  ],
  foreign: [foreigner(changes, 'afuera@third.example'), foreigner(incidents, 'ana.ajena@third.example')],
  // A seat has nothing to edit; what somebody may do is take our note away, or write one.
  edit: resource =>
    resource.institutions.length > 0
      ? { ...resource, institutions: [], topics: [] }
      : { ...resource, institutions: ['elsewhere'], topics: ['changes'] },
}

/** Edits the note beside our mark by hand, which keeps the mark; false when there is none. */
export function editNote(file: string, { address, institutions, topics }: ListMember): boolean {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return false
  }
  const marks = new Map(parseMarks(text))
  const found = marks.get(address)
  if (found === undefined) return false
  marks.set(address, { mark: found.mark, institutions, topics })
  writeFileSync(file, formatMarks(marks))
  return true
}
