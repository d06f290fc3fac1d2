/**
 * Writes a store as an export (`export.ts` has the format). It verifies while it reads and gives out nothing that does
 * not verify: an export is evidence, and a damaged store is handed over as a copy of its file instead.
 */
import { createHash } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { originOf } from './checkpoint.ts'
import { type ExportHeader, formatCheckpointLine, formatClosing, formatEntryLine, formatHeader } from './export.ts'
import { RegisterFailure, toFailure } from './failure.ts'
import { syncFolder } from './files.ts'
import { formatFinding } from './finding.ts'
import { inStore, type StorePlace, takePublicKey } from './offline.ts'
import { checkOrphans, prepareHead, readHead, type StoreItem, storePages } from './rows.ts'
import { checkSchema, readLogId } from './store.ts'
import {
  beginVerification,
  endVerification,
  type Verdict,
  type Verification,
  verifyCheckpoint,
  verifyEntry,
} from './verify.ts'

export type ExportOptions = StorePlace & {
  readonly personal: ExportHeader['personal']
}

/** Text is gathered to this before it is written, so that short entries do not cost a call each. */
const chunkCharsMax = 262_144

/**
 * Hands the export to `write`, piece by piece. Throws `distrusted` at the first finding; what was written until then has
 * no closing line and verifies nowhere.
 */
export async function streamExport(options: ExportOptions, write: (text: string) => Promise<void>): Promise<Verdict> {
  const publicKey = await takePublicKey(options)
  return inStore(options.file, async db => {
    const origin = originOf(readLogId(db))
    const walk = beginVerification({ origin, publicKey, witnesses: [], personal: 'stored' })
    checkSchema(db, walk)
    const digest = createHash('sha256')
    let lines = 1
    let text = formatHeader({
      origin,
      publicKey: publicKey.pem,
      size: readHead(prepareHead(db)).rows,
      personal: options.personal,
    })
    const flush = async () => {
      digest.update(text)
      await write(text)
      text = ''
    }
    let personal = 0
    for (const page of storePages(db)) {
      for (const item of page) {
        if (item.entry?.personal != null) personal += 1
        text += takeLine(walk, item, options.personal)
        lines += 1
        if (text.length > chunkCharsMax) await flush()
      }
      demandClean(walk)
      await nextTurn()
    }
    checkOrphans(db, walk, personal)
    const verdict = endVerification(walk)
    demandClean(walk)
    await flush()
    await write(formatClosing(digest.digest('hex'), lines))
    return verdict
  })
}

function takeLine(walk: Verification, item: StoreItem, personal: ExportHeader['personal']): string {
  if (item.checkpoint !== undefined) {
    verifyCheckpoint(walk, item.checkpoint)
    return formatCheckpointLine(item.checkpoint)
  }
  const { bytes, leaf, personal: part } = item.entry
  verifyEntry(walk, item.entry)
  demandClean(walk)
  // What is null here was a finding above.
  if (bytes === null || leaf === null) return ''
  return formatEntryLine(bytes, leaf, personal === 'included' ? part : null)
}

function demandClean(walk: Verification): void {
  const [first] = walk.findings
  if (first === undefined) return
  throw new RegisterFailure(
    'distrusted',
    `The register is not exported because it does not verify: ${formatFinding(first.finding)} Keep a copy of the store's file as it is.`,
  )
}

/** To a file that appears only when it is whole, readable for its owner alone. */
export async function exportRegister(options: ExportOptions & { readonly target: string }): Promise<Verdict> {
  const { target } = options
  const aside = `${target}.new`
  try {
    const handle = await open(aside, 'w', 0o600)
    let verdict: Verdict
    try {
      verdict = await streamExport(options, async text => {
        await handle.writeFile(text)
      })
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(aside, target)
    await syncFolder(dirname(target))
    return verdict
  } catch (error) {
    // Where it could not be made it can't be removed either; what went wrong is told, not this.
    await rm(aside, { force: true }).catch(() => {})
    throw toFailure(error, `export to ${target}`)
  }
}
