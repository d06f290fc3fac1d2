/**
 * Two keys to ownership: the register says we made the object, and the object carries our mark. The mark names the
 * installation and the object itself, so a copy of a marked object is not ours, nor is another installation's.
 */
import { sha256 } from '../core/digest.ts'
import type { Ref } from '../model/resource.ts'
import { formatRef } from '../model/resource.ts'

/** @param installation the register's log id. */
export function markOf(installation: string, ref: Ref): string {
  return `mw1:${sha256(`${installation}\n${formatRef(ref)}`).slice(0, 32)}`
}
