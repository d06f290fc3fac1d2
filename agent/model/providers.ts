/** Which systems obey, as the configuration says: resolved, paths absolute, secrets still references. */
import type { Address } from './name.ts'
import type { ListTopic } from './resource.ts'

/** Where a secret stands; read only when the provider is opened (K23). */
export type SecretPlace =
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'credential'; readonly name: string }
  | { readonly from: 'env'; readonly name: string }

export type DirectoryConfig =
  | { readonly kind: 'embedded'; readonly file: string }
  | {
      readonly kind: 'ldap'
      readonly url: string
      readonly base: string
      readonly bindDn: string
      readonly password: SecretPlace
      readonly startTls: boolean
      readonly caFile: string | null
      /** Whose attribute names: `own`, or of a mail schema that stood there before. */
      readonly profile: 'own' | 'postfix-book' | 'iredmail'
    }

/** How zones come to be and go: UPDATE alone makes none. Commands are argument vectors, never a shell's. */
export type ZoneMakingConfig =
  | { readonly kind: 'none' }
  | { readonly kind: 'bind'; readonly folder: string; readonly include: string; readonly command: readonly string[] }
  | { readonly kind: 'knot'; readonly folder: string; readonly command: readonly string[] }

export type DnsConfig =
  | { readonly kind: 'embedded'; readonly file: string; readonly listen: string }
  | {
      readonly kind: 'powerdns'
      readonly url: string
      readonly apiKey: SecretPlace
      readonly serverId: string
      readonly zoneKind: 'Native' | 'Primary'
    }
  | {
      readonly kind: 'rfc2136'
      readonly host: string
      readonly port: number
      readonly key: {
        readonly name: string
        readonly algorithm: 'hmac-sha256' | 'hmac-sha512'
        readonly secret: SecretPlace
      }
      readonly zones: ZoneMakingConfig
    }

export type MailHostConfig =
  | {
      readonly kind: 'dovecot'
      readonly name: string
      readonly api: { readonly url: string; readonly key: SecretPlace; readonly caFile: string | null } | null
      /** Instead of the API; `['/usr/bin/doveadm']` where neither is given. */
      readonly command: readonly string[]
      /** Of the passdb that refuses whole domains; null where there is none. */
      readonly denyFile: string | null
    }
  | { readonly kind: 'postfix'; readonly name: string; readonly configFolder: string }

/** Topic to list address; a topic without a list has no subscribers. */
export type ListsOfTopics = { readonly [topic in ListTopic]?: Address }

export type ListsConfig =
  | { readonly kind: 'none' }
  /** `folder`: where the folders of the lists stand. */
  | { readonly kind: 'mlmmj'; readonly folder: string; readonly topics: ListsOfTopics }
  | {
      readonly kind: 'mailman'
      /** Of the REST API, with its version: `http://127.0.0.1:8001/3.1`. */
      readonly url: string
      readonly user: string
      readonly password: SecretPlace
      readonly caFile: string | null
      /** Mailman has no place for our marks; they stand here, one file for each list. */
      readonly marksFolder: string
      readonly topics: ListsOfTopics
    }

export type NotifyConfig = { readonly folder: string } & (
  | { readonly kind: 'spool' }
  | {
      readonly kind: 'smtp'
      readonly host: string
      readonly port: number
      readonly tls: 'tls' | 'starttls' | 'none'
      readonly caFile: string | null
      readonly login: { readonly user: string; readonly password: SecretPlace } | null
    }
)

export type ProvidersConfig = {
  readonly directory: DirectoryConfig
  readonly dns: DnsConfig
  readonly mail: readonly MailHostConfig[]
  readonly lists: ListsConfig
  readonly notify: NotifyConfig
}
