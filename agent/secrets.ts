/** Reads a secret from where the configuration says it stands (K23). Nothing else in the agent reads one; the value never leaves `Secret`. */
import { readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { ProviderFailure } from '../providers/provider.ts'
import { Secret } from './core/secret.ts'
import type { SecretPlace } from './model/providers.ts'

/** A key or a password; anything longer is another file. */
const secretBytesMax = 4_096

/** A secret that can't be had: the system can't be asked, with a sentence for people that shows nothing of it. */
function absent(sentence: string): ProviderFailure {
  return new ProviderFailure('unauthorized', sentence, { retry: 'later' })
}

type Environment = Readonly<Record<string, string | undefined>>

/** @throws ProviderFailure `unauthorized` when it is absent, empty, or readable by everybody. */
export function readSecret(place: SecretPlace, environment: Environment = process.env): Secret {
  if (place.from === 'env') {
    const value = environment[place.name]
    if (value === undefined || value === '') throw absent(`the environment variable ${place.name} is not set`)
    return new Secret(value)
  }
  return readSecretFile(place.from === 'file' ? place.path : credentialFile(place.name, environment))
}

function credentialFile(name: string, environment: Environment): string {
  const folder = environment['CREDENTIALS_DIRECTORY']
  if (folder === undefined)
    throw absent(`the credential ${name} is not there: systemd gives it with LoadCredential=${name}:FILE`)
  return join(folder, basename(name))
}

function readSecretFile(file: string): Secret {
  try {
    const { mode, size } = statSync(file)
    if ((mode & 0o007) !== 0)
      throw absent(`${file} is readable by everybody (mode ${(mode & 0o777).toString(8)}); make it 600`)
    if (size > secretBytesMax) throw absent(`${file} is too long for a secret`)
    const value = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    if (value === '') throw absent(`${file} is empty`)
    return new Secret(value)
  } catch (error) {
    if (error instanceof ProviderFailure) throw error
    throw absent(`${file} can’t be read (${(error as { code?: string }).code ?? 'error'})`)
  }
}

/** Of a certificate authority, PEM, where one is configured; as little a bug as a secret that is absent. */
export function readAuthority(file: string | null): string | null {
  if (file === null) return null
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw absent(`${file} can’t be read (${(error as { code?: string }).code ?? 'error'})`)
  }
}
