/**
 * LDIF (RFC 2849) for what an operator loads into slapd: plain values only, which is what `renderLdapSnippets` lets
 * through. And lines of slapd.conf as the changes of cn=config that say the same (slapd-config(5)). Pure.
 */

export function formatEntry(dn: string, attributes: Readonly<Record<string, readonly string[]>>): string {
  const lines = Object.entries(attributes).flatMap(([name, values]) => values.map(value => `${name}: ${value}`))
  return `${[`dn: ${dn}`, ...lines].join('\n')}\n`
}

type Directive = { readonly word: string; readonly rest: string }

/** A directive goes on in lines that begin with a blank. */
function directivesOf(conf: string): Directive[] {
  const lines = conf.split('\n').filter(line => line.trim() !== '' && !line.startsWith('#'))
  return lines
    .join('\n')
    .replaceAll(/\n\s+/g, ' ')
    .split('\n')
    .map(line => {
      const [, word = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? []
      return { word, rest }
    })
}

/**
 * Limits and rights come first, before those that stand: the first that fits counts. Each index is a change of its own,
 * so that one that stands already (Debian has objectClass) keeps none of the others out.
 */
export function toConfigLdif(conf: string, configDn: string): string {
  const directives = directivesOf(conf)
  const of = (word: string) => directives.filter(directive => directive.word === word).map(({ rest }) => rest)
  const change = (attribute: string, values: readonly string[]) =>
    `dn: ${configDn}\nchangetype: modify\nadd: ${attribute}\n${values.map(value => `${attribute}: ${value}\n`).join('')}`
  const ordered = (values: readonly string[]) => values.map((value, index) => `{${index}}${value}`)
  const indexes = of('index').flatMap(value => {
    const [names = '', kind = ''] = value.split(' ')
    return names.split(',').map(name => `${name} ${kind}`)
  })
  return [
    '# The same as mailwarden.conf beside it, for cn=config: ldapmodify -c -Y EXTERNAL -H ldapi:/// -f database.ldif\n' +
      '# -c: an index that stands already is no mistake. Load it once: a second time the rights would stand there twice.\n' +
      `# ${configDn} is Debian's first database; which is yours says\n` +
      '#   ldapsearch -Q -Y EXTERNAL -H ldapi:/// -LLL -b cn=config "(olcSuffix=*)" olcSuffix',
    change('olcLimits', ordered(of('limits'))),
    change('olcAccess', ordered(of('access'))),
    ...indexes.map(index => change('olcDbIndex', [index])),
  ].join('\n')
}
