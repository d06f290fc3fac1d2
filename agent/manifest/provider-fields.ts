/** Which fields each kind of system takes and needs in `spec.providers`. Data only. */

type Fields = { readonly needs: readonly string[]; readonly takes: readonly string[] }

/** By place and kind: fields that must be there, and those that may. */
export const providerFields: Readonly<Record<string, Readonly<Record<string, Fields>>>> = {
  directory: {
    embedded: { needs: [], takes: ['file'] },
    ldap: { needs: ['url', 'base', 'bindDn', 'password'], takes: ['startTls', 'ca', 'profile'] },
  },
  dns: {
    embedded: { needs: [], takes: ['listen', 'file'] },
    powerdns: { needs: ['url', 'apiKey'], takes: ['serverId', 'zoneKind'] },
    rfc2136: { needs: ['server', 'key'], takes: ['zones'] },
  },
  'dns.zones': {
    none: { needs: [], takes: [] },
    bind: { needs: ['folder', 'include'], takes: ['command'] },
    knot: { needs: ['folder'], takes: ['command'] },
  },
  mail: {
    dovecot: { needs: ['name'], takes: ['url', 'apiKey', 'command', 'ca', 'denyFile'] },
    postfix: { needs: ['name'], takes: ['configFolder'] },
  },
  lists: {
    none: { needs: [], takes: [] },
    embedded: { needs: [], takes: [] },
    mlmmj: { needs: ['topics'], takes: ['folder'] },
    mailman: { needs: ['url', 'password', 'topics'], takes: ['user', 'ca', 'marks'] },
  },
  notify: {
    spool: { needs: [], takes: ['folder'] },
    smtp: { needs: ['server'], takes: ['folder', 'tls', 'ca', 'user', 'password'] },
  },
}
