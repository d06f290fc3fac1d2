/** The folder of a list of mlmmj, found by what it says of itself. Reads only. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Address, domainOf, localpartOf } from '../../agent/model/name.ts'
import { ProviderFailure } from '../provider.ts'

/** @returns the folder whose `control/listaddress` begins with the address. @throws ProviderFailure */
export async function findList(root: string, list: Address): Promise<string> {
  const local = localpartOf(list)
  // As mlmmj-make-ml makes them, and as operators with several domains lay them out.
  for (const folder of [join(root, local), join(root, domainOf(list), local), join(root, list)]) {
    const text = await readFile(join(folder, 'control/listaddress'), 'utf8').catch((cause: { code?: string }) => {
      if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return ''
      throw new ProviderFailure('unauthorized', `the list folder ${folder} cannot be read`, { retry: 'later', cause })
    })
    // The first line is the list's own address, further ones are other names of it.
    if (text.split('\n', 1)[0]?.trim().toLowerCase() === list) return folder
  }
  throw new ProviderFailure('rejected', `there is no list ${list} below ${root}; make it first`, { retry: 'later' })
}

/** mlmmj reads files of `control` by name and ignores this one. */
export const marksFileOf = (folder: string) => join(folder, 'control/mailwarden-marks')
/** Not beside the file that it replaces: every file of `subscribers.d` counts as subscribers. */
export const asideFileOf = (folder: string) => join(folder, 'control/mailwarden-aside')
