/** Edits of distribution lists by hand, the same on every list server but for what only one of them has. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Address } from '../../../agent/model/name.ts'
import { formatMarks, type MemberMark, parseMarks } from '../../../agent/standards/list-resource.ts'
import { changes, incidents } from '../../lists/sample.ts'
import { institutionText } from '../../support/estate.ts'
import type { Edit } from './fleet.ts'

/** Somebody else at one list server. */
export type ListHand = {
  leave(list: Address, address: string): Promise<void> | void
  join(list: Address, address: string): Promise<void> | void
  /** The member wants the digest, or no mail. */
  prefer(list: Address, address: string, what: 'digest' | 'no-mail'): Promise<void> | void
  /** As the server itself writes each member, with what it keeps of them. */
  members(list: Address): Promise<readonly string[]> | readonly string[]
  marksFile(list: Address): string
}

/** People whose addresses are of the domain, so that each edit has people of its own. */
export function peopleText(domain: string): string {
  const name = domain.split('.')[0] ?? domain
  return institutionText(name, { domain, accounts: ['{ name: mlopez }'] })
    .replace(/director-[a-z]+@directores\.example/, `director@${domain}`)
    .replace(/rep-[a-z]+@correo\.example/, `${domain === 'archivo.cu' ? 'zoe' : 'rep'}@${domain}`)
}

const seat = (list: Address, address: string) => `member ${list}/${address}`
const otherMark = `mw1:${'0'.repeat(32)}`

export function listEdits(hand: () => ListHand): readonly Edit[] {
  const listEdit = (label: string, name: string, edit: (domain: string) => Omit<Edit, 'domain' | 'name'>): Edit => {
    const domain = `${label}.cu`
    return { domain, name, ...edit(domain) }
  }
  const expectMember = async (list: Address, text: string) => {
    const members = await hand().members(list)
    if (!members.some(line => line.includes(text))) throw new Error(`${text} is not among ${members.length} of ${list}`)
  }
  const note = (list: Address, address: string, edit: (found: MemberMark) => MemberMark | null, to = address) => {
    const file = hand().marksFile(list)
    const marks = new Map(parseMarks(readFileSync(file, 'utf8')))
    const found = marks.get(address as Address)
    if (found === undefined) throw new Error(`${address} has no mark`)
    const edited = edit(found)
    if (edited === null) marks.delete(to as Address)
    else marks.set(to as Address, edited)
    writeFileSync(file, formatMarks(marks))
  }
  return [
    listEdit('baja', 'a director is taken off a list', domain => ({
      act: () => hand().leave(changes, `director@${domain}`),
      drift: () => [`create ${seat(changes, `director@${domain}`)}`],
      check: () => expectMember(changes, `director@${domain}`),
    })),
    listEdit('bajas', 'a representative is taken off both lists', domain => ({
      async act() {
        for (const list of [changes, incidents]) await hand().leave(list, `rep@${domain}`)
      },
      drift: () => [changes, incidents].map(list => `create ${seat(list, `rep@${domain}`)}`),
      check: () => expectMember(incidents, `rep@${domain}`),
    })),
    listEdit('resumen', 'a member takes the digest', domain => ({
      act: () => hand().prefer(changes, `rep@${domain}`, 'digest'),
      check: () => expectMember(changes, `digest rep@${domain}`),
    })),
    listEdit('callada', 'a member takes no mail', domain => ({
      act: () => hand().prefer(incidents, `rep@${domain}`, 'no-mail'),
      check: () => expectMember(incidents, `no-mail rep@${domain}`),
    })),
    listEdit('vecina', 'somebody joins by themselves', domain => ({
      act: () => hand().join(changes, `otra@${domain}`),
      foreign: () => [seat(changes, `otra@${domain}`)],
      check: () => expectMember(changes, `otra@${domain}`),
    })),
    listEdit('relevo', 'a member is replaced by somebody else', domain => ({
      async act() {
        await hand().leave(incidents, `director@${domain}`)
        await hand().join(incidents, `relevo@${domain}`)
      },
      drift: () => [`create ${seat(incidents, `director@${domain}`)}`],
      foreign: () => [seat(incidents, `relevo@${domain}`)],
    })),
    listEdit('nota', 'the note beside our mark is edited', domain => ({
      act: () => note(changes, `director@${domain}`, found => ({ ...found, institutions: ['otra'] })),
      drift: () => [`update ${seat(changes, `director@${domain}`)}`],
    })),
    listEdit('sinmarca', 'our mark is taken away', domain => ({
      act: () => note(changes, `director@${domain}`, () => null),
      contested: () => [seat(changes, `director@${domain}`)],
      check: () => expectMember(changes, `director@${domain}`),
    })),
    listEdit('marca', 'our mark is altered', domain => ({
      act: () => note(incidents, `rep@${domain}`, found => ({ ...found, mark: otherMark })),
      contested: () => [seat(incidents, `rep@${domain}`)],
    })),
    listEdit('copia', 'our mark is put on somebody else', domain => ({
      async act() {
        await hand().join(changes, `copia@${domain}`)
        note(changes, `director@${domain}`, found => found, `copia@${domain}`)
      },
      foreign: () => [seat(changes, `copia@${domain}`)],
      check: () => expectMember(changes, `copia@${domain}`),
    })),
  ]
}
