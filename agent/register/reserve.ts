/**
 * A reserve on the disk (R17): a file of zeros beside the store that is given up when the disk is full, so that a
 * suspension can still be recorded while everything else is refused. It is made again once there is room.
 */
import { statSync, truncateSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { toFailure } from './failure.ts'

/** A thousand entries of a suspension, each a commit of its own, with the write-ahead log that they go through. */
export const reserveBytes = 8 * 1_048_576
const blockBytes = 1_048_576

export const reserveFileOf = (storeFile: string): string => `${storeFile}.reserve`

/** @returns why there is no whole reserve, or undefined. */
export async function fillReserve(file: string): Promise<string | undefined> {
  try {
    if (isWhole(file)) return undefined
    const handle = await open(file, 'w', 0o600)
    try {
      const block = Buffer.alloc(blockBytes)
      for (let written = 0; written < reserveBytes; written += blockBytes) await handle.writeFile(block)
      await handle.sync()
    } catch (error) {
      // Half a reserve would only take the last room from the register.
      await handle.truncate(0)
      throw error
    } finally {
      await handle.close()
    }
    return undefined
  } catch (error) {
    return `The reserve for a full disk could not be made: ${toFailure(error, 'write it').message}`
  }
}

function isWhole(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) >= reserveBytes
}

/** Synchronous: the commit that needs it is. @returns false when there is none to give up. */
export function giveUpReserve(file: string): boolean {
  if (!isWhole(file)) return false
  truncateSync(file, 0)
  return true
}
