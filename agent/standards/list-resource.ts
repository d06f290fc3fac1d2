/**
 * Members of distribution lists in the one form in which they compare, and the text in which our marks on them are kept:
 * no list server has a place for a mark, so a small file stands beside each list. Pure; the file's I/O is not here.
 */
import type { Diagnostic } from '../core/diagnostic.ts'
import { type Address, parseAddress } from '../model/name.ts'
import { type ListMember, type ListTopic, listTopics } from '../model/resource.ts'

export function listMemberKey(list: Address, address: Address): string {
  return `${list}/${address}`
}

/** Sorted and without doubles. Idempotent. */
export function canonicalListMember(member: ListMember): ListMember {
  return {
    ...member,
    institutions: [...new Set(member.institutions)].sort(),
    topics: [...new Set(member.topics)].sort(),
  }
}

/**
 * The address as it is compared: both list servers hold what people typed, and compare without regard to case. What a
 * manifest could not hold (a quoted local part) stays as it is, in lower case: it is somebody, and it is not ours.
 */
export function toMemberAddress(text: string): Address {
  return parseAddress(text) ?? (text.toLowerCase() as Address)
}

export function checkListMember({ list, address }: ListMember): readonly Diagnostic[] {
  if (parseAddress(address) === address && address !== list) return []
  return [{ severity: 'error', code: 'E-LIST-MEMBER', values: { address, list } }]
}

/** Our mark on a member, and why they are one. */
export type MemberMark = {
  readonly mark: string
  readonly institutions: readonly string[]
  readonly topics: readonly ListTopic[]
}
export type MemberMarks = ReadonlyMap<Address, MemberMark>

/** What stands in the file before its lines. */
const heading = 'mailwarden marks 1'

/** One line of JSON for each member, after a heading; sorted, so that a comparison by eye is possible. */
export function formatMarks(marks: MemberMarks): string {
  const lines = [...marks]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([address, { mark, institutions, topics }]) => JSON.stringify({ address, mark, institutions, topics }))
  return `${[heading, ...lines].join('\n')}\n`
}

/** Undefined when the text is no such file: then nobody knows who is ours, which is not the same as nobody being it. */
export function parseMarks(text: string): MemberMarks | undefined {
  const [first, ...lines] = text.split('\n')
  if (first !== heading || lines.pop() !== '') return undefined
  const marks = new Map<Address, MemberMark>()
  for (const line of lines) {
    const entry = parseLine(line)
    if (entry === undefined) return undefined
    marks.set(...entry)
  }
  return marks
}

function parseLine(line: string): [Address, MemberMark] | undefined {
  try {
    const { address, mark, institutions, topics } = JSON.parse(line) as Record<string, unknown>
    const sound =
      typeof address === 'string' &&
      typeof mark === 'string' &&
      Array.isArray(institutions) &&
      institutions.every(name => typeof name === 'string') &&
      Array.isArray(topics) &&
      topics.every(topic => (listTopics as readonly unknown[]).includes(topic))
    return sound ? [address as Address, { mark, institutions, topics }] : undefined
  } catch {
    return undefined
  }
}
