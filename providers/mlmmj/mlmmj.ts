/**
 * Members of lists of mlmmj: files of one address a line below the folder of each list. No program of mlmmj is started
 * for it; what is written here, its own programs read with the next message.
 */
import type { Address } from '../../agent/model/name.ts'
import type { ListMember } from '../../agent/model/resource.ts'
import { checkListMember } from '../../agent/standards/list-resource.ts'
import { createListProvider } from '../list-members.ts'
import type { Provider } from '../provider.ts'
import { findList, marksFileOf } from './folder.ts'
import { readMembers, writeMembers } from './members.ts'

export type MlmmjOptions = {
  /** Where the folders of the lists stand: `/var/spool/mlmmj`. */
  readonly folder: string
  /** The lists of the configured topics. */
  readonly lists: readonly Address[]
}

/** Nothing is read before the first look, so it can't fail. */
export function openMlmmj({ folder, lists: given }: MlmmjOptions): Provider<ListMember> {
  const lists = [...new Set(given)].sort()
  return createListProvider({
    target: `mlmmj:${folder} ${lists.join(',')}`,
    lists,
    // The file is named after the first letter.
    check: member =>
      member.address.startsWith('/')
        ? [{ severity: 'error', code: 'E-LIST-MEMBER', values: { address: member.address, list: member.list } }]
        : checkListMember(member),
    server: {
      marksFile: async list => marksFileOf(await findList(folder, list)),
      read: async (list, _signal) => readMembers(await findList(folder, list)),
      write: async (list, seats) => writeMembers(() => findList(folder, list), seats),
    },
  })
}
