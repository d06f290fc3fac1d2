/** The files of Postfix and Dovecot over the embedded directory; templates in `config/postfix` and `config/dovecot`. */
import {
  checkValues,
  debianMail,
  fill,
  type MailValues,
  mailPlaceholders,
  mailTemplates,
  readTemplate,
  type Snippet,
} from '../snippets.ts'

export type SnippetValues = MailValues & {
  /** The directory's file, absolute. */
  readonly directory: string
  /** Absolute path that `mailwarden-sql.conf.ext` is put at. */
  readonly sql: string
  /** The group that may read the directory's file. */
  readonly group: string
}

/** Of a Debian installation; what depends on the site has no default. */
const debianValues = {
  ...debianMail,
  sql: '/etc/dovecot/mailwarden-sql.conf.ext',
  group: 'postfix',
} as const satisfies Omit<SnippetValues, 'directory' | 'policy'>

const templates = [
  ...mailTemplates,
  'postfix/main.cf',
  'postfix/virtual-mailbox-domains.cf',
  'postfix/virtual-mailbox-maps.cf',
  'postfix/virtual-alias-maps.cf',
  'postfix/relay-domains.cf',
  'postfix/relay-recipients.cf',
  'postfix/transport.cf',
  'dovecot/mailwarden.conf',
  'dovecot/mailwarden-sql.conf.ext',
] as const

/** @throws ProviderFailure `unsupported` for a value that one of the files could not hold. */
export function renderSnippets(site: Pick<SnippetValues, 'directory' | 'policy'> & Partial<SnippetValues>): Snippet[] {
  const values: SnippetValues = { ...debianValues, ...site }
  const { relays: _, ...texts } = values
  checkValues(texts)
  const placeholders = {
    ...mailPlaceholders(values),
    DIRECTORY: values.directory,
    SQL: values.sql,
    GROUP: values.group,
  }
  return templates.map(path => ({ path, text: fill(readTemplate(path), placeholders) }))
}
