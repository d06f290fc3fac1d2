/** Real lists of mlmmj in a folder of their own, and mlmmj's programs as the other hand. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Address, domainOf, localpartOf } from '../../agent/model/name.ts'
import { run } from '../servers/mail-servers.ts'
import { absentOf } from '../servers/suite.ts'

const program = (name: string) => `/usr/bin/mlmmj-${name}`

export const whyNoMlmmj = () => absentOf(['make-ml', 'list', 'sub', 'unsub'].map(program))

export type MlmmjLists = {
  readonly root: string
  folderOf(list: Address): string
  /** As mlmmj itself sees them; who takes digests or no mail included. */
  members(list: Address): readonly string[]
  /** @param kind `-d` for digests, `-n` for no mail. */
  subscribe(list: Address, address: string, kind?: '-d' | '-n'): void
  unsubscribe(list: Address, address: string): void
  remove(): void
}

export function makeLists(lists: readonly Address[]): MlmmjLists {
  const root = mkdtempSync('/tmp/mw-ml-')
  const folderOf = (list: Address) => join(root, localpartOf(list))
  // Its programs insist on a full path, and write a line about their user.
  const call = (name: string, list: Address, ...args: string[]) => {
    const { status, stdout, stderr } = run(program(name), ['-L', folderOf(list), ...args])
    if (status !== 0) throw new Error(`mlmmj-${name} ended with ${status}: ${stderr}`)
    return stdout
  }
  for (const list of lists) {
    const answers = `${domainOf(list)}\nowner@${domainOf(list)}\nen\n`
    const { status, stderr } = run(program('make-ml'), ['-L', localpartOf(list), '-s', root], answers)
    if (status !== 0) throw new Error(`mlmmj-make-ml ended with ${status}: ${stderr}`)
  }
  return {
    root,
    folderOf,
    members: list =>
      ['-s', '-d', '-n']
        .flatMap(kind => call('list', list, kind).split('\n'))
        .filter(Boolean)
        .sort(),
    subscribe: (list, address, kind) =>
      void call('sub', list, '-a', address, '-f', '-s', '-q', ...(kind ? [kind] : [])),
    unsubscribe: (list, address) => void call('unsub', list, '-a', address, '-s', '-q'),
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}
