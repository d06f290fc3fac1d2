/** Lines put together: accounts that gain or lose the same stand on one. Sorted, so that equal fleets give equal texts. Pure. */
import type { Question } from './fleet.ts'
import type { Direction, Line, Subject } from './lines.ts'

type Open = Subject & { readonly direction: Direction; readonly accounts: string[]; readonly witness: Question }

export interface Collector {
  add(what: Subject & { readonly direction: Direction }, account: string | null, witness: Question): void
  lines(): Line[]
}

const rights = ['log-in', 'write', 'hear', 'sign', 'relay', 'speak', 'name'] as const

export function createCollector(): Collector {
  const open = new Map<string, Open>()
  // Long lists are given again and again, the same objects: their text is made once.
  const texts = new WeakMap<object, string>()
  const textOf = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return String(value)
    const known = texts.get(value)
    if (known !== undefined) return known
    const text = JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? item.toString(36) : item))
    texts.set(value, text)
    return text
  }
  return {
    add(what, account, witness) {
      const key = Object.values(what).map(textOf).join('|')
      const known = open.get(key)
      if (known === undefined) open.set(key, { ...what, accounts: account === null ? [] : [account], witness })
      else if (account !== null) known.accounts.push(account)
    },
    lines: () =>
      [...open.entries()]
        .map(([key, line]) => ({ key, line: { ...line, accounts: [...new Set(line.accounts)].sort() } as Line }))
        .sort((a, b) => compareLines(a.line, b.line) || (a.key < b.key ? -1 : 1))
        .map(({ line }) => line),
  }
}

function compareLines(a: Line, b: Line): number {
  return (
    a.direction.localeCompare(b.direction) ||
    rights.indexOf(a.right) - rights.indexOf(b.right) ||
    b.accounts.length - a.accounts.length
  )
}
