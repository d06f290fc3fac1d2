/**
 * The evidence store: files named by their SHA-256, written once, durable before anything names them, never changed and
 * never removed. Only the daemon's own user reads it (files 0600, folders 0700). It knows nothing of what is in them.
 */
import { randomUUID } from 'node:crypto'
import { chmod, link, mkdir, open, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, sha256 } from '../core/digest.ts'
import { replaceFile, syncFolder } from '../register/files.ts'

export type EvidenceStore = {
  /** Durable when it resolves; the same bytes twice are one file. */
  put(bytes: Uint8Array): Promise<Digest>
  /** @throws when it is not there, or is not what its name says. */
  get(digest: Digest): Promise<Buffer>
  /** The proof of a bundle's entry, kept so that an export has the same bytes each time; undefined before it was made. */
  readProof(manifest: Digest): Promise<string | undefined>
  keepProof(manifest: Digest, text: string): Promise<void>
}

export class EvidenceDamaged extends Error {
  override readonly name = 'EvidenceDamaged'
  readonly digest: Digest
  constructor(digest: Digest, cause: unknown) {
    super(`the evidence ${digest} is missing or was changed`, { cause })
    this.digest = digest
  }
}

export function evidenceStore(stateFolder: string): EvidenceStore {
  const root = join(stateFolder, 'evidence')
  const folderOf = (digest: Digest) => join(root, digest.slice(0, 2))
  const proofOf = (manifest: Digest) => join(root, 'proofs', `${manifest}.json`)

  async function makeFolder(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    // Whatever the umask was, and whoever made it before.
    await chmod(root, 0o700)
    await chmod(folder, 0o700)
    await syncFolder(root)
    await syncFolder(stateFolder)
  }

  return {
    async put(bytes) {
      const digest = sha256(bytes)
      const folder = folderOf(digest)
      await makeFolder(folder)
      const aside = join(folder, `.${randomUUID()}`)
      const handle = await open(aside, 'wx', 0o600)
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
      try {
        // Never over one that stands: what was recorded is not written again.
        await link(aside, join(folder, digest)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error
        })
      } finally {
        await unlink(aside)
      }
      await syncFolder(folder)
      return digest
    },
    async get(digest) {
      let bytes: Buffer
      try {
        bytes = await readFile(join(folderOf(digest), digest))
      } catch (error) {
        throw new EvidenceDamaged(digest, error)
      }
      if (sha256(bytes) !== digest) throw new EvidenceDamaged(digest, undefined)
      return bytes
    },
    readProof: manifest => readFile(proofOf(manifest), 'utf8').catch(() => undefined),
    async keepProof(manifest, text) {
      await makeFolder(join(root, 'proofs'))
      await replaceFile(proofOf(manifest), text, 0o600)
    },
  }
}
