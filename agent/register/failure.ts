/** What the register can fail with on purpose. The message is a sentence for people; `cause` is for the log. */

export type RegisterFailureKind =
  /** No room on the disk; nothing of the call was written, reading still works. */
  | 'full'
  /** Another process holds the store. */
  | 'held'
  /** Does not verify, or is behind a witnessed head: it is read, never written. */
  | 'distrusted'
  | 'unreadable'
  | 'key'
  /** Beyond a stated limit. */
  | 'too-large'
  | 'closed'
  /** SQLite or format of another age. */
  | 'unsupported'
  | 'not-found'
  /** Any other refusal of disk or SQLite; nothing of the call was written. */
  | 'rejected'

export class RegisterFailure extends Error {
  override readonly name = 'RegisterFailure'
  readonly kind: RegisterFailureKind

  constructor(kind: RegisterFailureKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
  }
}

const kinds: Readonly<Record<RegisterFailureKind, string>> = {
  full: 'el disco está lleno; no se anotó nada',
  held: 'otro proceso tiene el almacén',
  distrusted: 'el registro no se verifica; vea register verify',
  unreadable: 'el almacén no se puede leer',
  key: 'falta la clave del registro o no es válida',
  'too-large': 'pasa de un límite',
  closed: 'el registro está cerrado',
  unsupported: 'SQLite o el formato son de otra versión',
  'not-found': 'no está',
  rejected: 'el disco o SQLite lo rechazó',
}

/** The failure for people: in Spanish what kind it is, then the sentence as it was thrown. */
export function formatFailure({ kind, message }: RegisterFailure, language: 'es' | 'en'): string {
  return language === 'es' ? `Registro: ${kinds[kind]}. (${message})` : message
}

const sqlite = { busy: 5, locked: 6, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 }

/** Whether SQLite or the file system threw it; anything else is a bug and not for catching. */
export function isOutside(error: unknown): boolean {
  if (error instanceof RegisterFailure) return true
  if (!(error instanceof Error)) return false
  const { errcode, code, syscall } = error as { errcode?: number; code?: string; syscall?: string }
  // A number beyond 2^53 in a damaged row comes as ERR_OUT_OF_RANGE.
  return errcode !== undefined || syscall !== undefined || code === 'ERR_OUT_OF_RANGE' || code === 'ERR_SQLITE_ERROR'
}

/** A plain sentence for what SQLite or the file system threw, a bug as it is. `doing` completes "could not". */
export function toFailure(error: unknown, doing: string): Error {
  if (error instanceof RegisterFailure) return error
  if (!isOutside(error)) return error instanceof Error ? error : new Error(String(error))
  const { errcode, code } = error as { errcode?: number; code?: string }
  // Extended codes keep the primary one in the low byte.
  const primary = errcode === undefined ? undefined : errcode % 256
  const failed = `mailwarden could not ${doing}`
  switch (primary) {
    case sqlite.full:
      return new RegisterFailure('full', `${failed}: the disk is full. Nothing of it was recorded.`, error)
    case sqlite.busy:
    case sqlite.locked:
      return new RegisterFailure('held', `${failed}: another process holds the store.`, error)
    case sqlite.corrupt:
    case sqlite.notADatabase:
      return new RegisterFailure('unreadable', `${failed}: the store is damaged.`, error)
    case sqlite.readOnly:
      return new RegisterFailure('rejected', `${failed}: the store or its folder is read-only.`, error)
    case sqlite.cantOpen:
      return new RegisterFailure('unreadable', `${failed}: the store cannot be opened.`, error)
    case sqlite.ioError:
      return new RegisterFailure('rejected', `${failed}: the disk reported an error.`, error)
  }
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new RegisterFailure('full', `${failed}: the disk is full. Nothing of it was recorded.`, error)
  return new RegisterFailure('rejected', `${failed}: ${error instanceof Error ? error.message : String(error)}`, error)
}
