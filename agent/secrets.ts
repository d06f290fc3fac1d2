/** Reads a secret from where the configuration says it stands (K23). Nothing else in the agent reads one; the value never leaves `Secret`. */
import { readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Secret } from './core/secret.ts'
import type { SecretPlace } from './model/providers.ts'

/** A key or a password; anything longer is another file. */
const secretBytesMax = 4_096

/** A secret that can't be had, with a sentence for people that shows nothing of it. */
export class SecretFailure extends Error {
  override readonly name = 'SecretFailure'
}

type Environment = Readonly<Record<string, string | undefined>>

/** @throws SecretFailure when it is absent, empty, or readable by everybody. */
export function readSecret(place: SecretPlace, environment: Environment = process.env): Secret {
  if (place.from === 'env') {
    const value = environment[place.name]
    if (value === undefined || value === '')
      throw new SecretFailure(`the environment variable ${place.name} is not set`)
    return new Secret(value)
  }
  return readSecretFile(place.from === 'file' ? place.path : credentialFile(place.name, environment))
}

function credentialFile(name: string, environment: Environment): string {
  const folder = environment['CREDENTIALS_DIRECTORY']
  if (folder === undefined)
    throw new SecretFailure(`the credential ${name} is not there: systemd gives it with LoadCredential=${name}:FILE`)
  return join(folder, basename(name))
}

function readSecretFile(file: string): Secret {
  try {
    const { mode, size } = statSync(file)
    if ((mode & 0o007) !== 0)
      throw new SecretFailure(`${file} is readable by everybody (mode ${(mode & 0o777).toString(8)}); make it 600`)
    if (size > secretBytesMax) throw new SecretFailure(`${file} is too long for a secret`)
    const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    if (value === '') throw new SecretFailure(`${file} is empty`)
    return new Secret(value)
  } catch (error) {
    if (error instanceof SecretFailure) throw error
    throw new SecretFailure(`${file} can’t be read (${(error as { code?: string }).code ?? 'error'})`)
  }
}
