/**
 * The manifests' schema: the single source of the TypeScript types, the JSON Schema files in `config/schema/` and the
 * reference page. Each field is described once, here. Shapes only; what needs other fields or files is in `check.ts`. Loaded to
 * make those files (`generate.ts`): what runs reads them, in a tenth of the time.
 */
import Type, { type Static } from 'typebox'
import { accesses, categories, scopes } from '../model/entity.ts'
import { dayPattern, sizePattern } from './forms.ts'
import { DetectionSpec } from './schema-detection.ts'
import { closed, duration, oneOf, text } from './schema-parts.ts'
import { ProvidersSpec } from './schema-providers.ts'
import { SignalsSpec } from './schema-signals.ts'
import { VerifySpec } from './schema-verify.ts'

const day = (description: string) => Type.String({ pattern: dayPattern, description, examples: ['2026-03-02'] })

export const Day = day('A day, YYYY-MM-DD, in the operator’s time zone.')
const Metadata = closed(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 253,
      description: 'The key of the object.',
      examples: ['hospital-calixto-garcia'],
    }),
  },
  'Names the object.',
)
const Contact = closed(
  {
    name: text('Full name.', 'Ana Ruiz Pérez'),
    email: Type.Optional(text('An address outside the institution’s own domains.', 'aruiz@directores.example')),
    phone: Type.Optional(text('Telephone.', '+53 7 8000000')),
  },
  'A person and how to reach them.',
)
const Room = closed(
  {
    capacity: Type.Integer({ minimum: 0, description: 'Mailboxes that the servers can hold.' }),
    used: Type.Integer({ minimum: 0, description: 'Mailboxes in use.' }),
  },
  'Room on the central servers of one level.',
)

export const InstitutionSpec = closed(
  {
    title: text('Official name.', 'Hospital Universitario General Calixto García'),
    province: text('Province.', 'La Habana'),
    language: Type.Optional(oneOf(['es', 'en'], 'Language of notices to its people; es by default.')),
    director: Contact,
    representatives: Type.Optional(
      Type.Array(
        closed(
          {
            name: text('Full name.', 'Luis Mora'),
            id: text('Staff number.', 'HCG-0042'),
            email: Type.Optional(text('An address outside the institution’s own domains.')),
            phone: Type.Optional(text('Telephone.')),
            from: day('First day as representative.'),
          },
          'A representative, named by the director in Supplement 3 (S9).',
        ),
        { description: 'In order of `from`; one is current on any day.' },
      ),
    ),
    contract: Type.Optional(
      closed(
        {
          number: text('Number of the contract.', '118/2026'),
          signedOn: day('Day of signature.'),
          validUntil: day('Last valid day.'),
          document: text('The signed contract, a path relative to this file.', 'evidence/contrato-118.pdf'),
          supplements: Type.Optional(
            Type.Array(
              closed(
                {
                  type: Type.Integer({ minimum: 1, description: 'Type of supplement; a mail domain needs 3.' }),
                  signedOn: day('Day of signature.'),
                  document: text('The signed supplement, a path relative to this file.'),
                },
                'A supplement to the contract (S8).',
              ),
            ),
          ),
        },
        'The service contract (S7).',
      ),
    ),
    capacity: Type.Optional(
      closed(
        {
          determinedOn: day('Day of the determination.'),
          validUntil: day('Last valid day.'),
          national: Type.Optional(Room),
          provincial: Type.Optional(Room),
          document: text('The signed determination, a path relative to this file.'),
        },
        'Why central mailboxes do not serve this institution (S29, S30).',
      ),
    ),
    networks: Type.Optional(
      Type.Array(text('A network in CIDR form.', '10.20.0.0/16'), { description: 'Its local network (S20).' }),
    ),
    servers: Type.Optional(
      Type.Array(
        closed(
          {
            host: text('Host name.', 'mail.hcg.sld.cu'),
            addresses: Type.Array(text('An address or network.', '10.20.0.5'), { minItems: 1 }),
            role: Type.Array(oneOf(['collect', 'relay'], 'What the server does.'), { minItems: 1 }),
          },
          'A mail server that the institution runs (S26).',
        ),
      ),
    ),
    roster: Type.Optional(
      text('Staff list as CSV with the columns id,name,post,until; a path relative to this file.', 'rosters/hcg.csv'),
    ),
  },
  'An institution of the health system.',
)
export type InstitutionSpec = Static<typeof InstitutionSpec>

export const MailDomainSpec = closed(
  {
    institution: text('`metadata.name` of its one owner (S1).', 'hospital-calixto-garcia'),
    delivery: oneOf(
      ['multipop', 'mailboxes', 'relay'],
      'multipop: one POP mailbox collects the whole domain; mailboxes: one each; relay: SMTP to its server.',
    ),
    administrator: closed(
      { login: text('Local part.', 'admin') },
      'The delegated administration user; postmaster@ and abuse@ reach it.',
    ),
    collector: Type.Optional(
      closed(
        { login: text('Local part.', 'multipop') },
        'With delivery multipop: the POP login, usable only from servers with role collect.',
      ),
    ),
    limits: closed(
      {
        accounts: Type.Integer({ minimum: 0, description: 'Accounts at most (S18).' }),
        storage: Type.String({
          pattern: sizePattern,
          description: 'Storage at most.',
          examples: ['2GiB'],
        }),
      },
      'Limits of the domain.',
    ),
    defaults: Type.Optional(
      closed(
        {
          send: Type.Optional(oneOf(scopes, 'How far its accounts may send.')),
          receive: Type.Optional(oneOf(scopes, 'From how far its accounts receive.')),
          access: Type.Optional(oneOf(accesses, 'From where its accounts log in.')),
        },
        'For accounts that do not say otherwise; national, international and institution when absent.',
      ),
    ),
    whenSuspended: Type.Optional(
      closed(
        {
          inbound: Type.Optional(oneOf(['keep', 'defer', 'reject'], 'Inbound mail during a hold; defer by default.')),
          critical: Type.Optional(
            Type.Array(text('A name in the domain.', 'urgencias'), {
              uniqueItems: true,
              maxItems: 200,
              description: 'Mailboxes that care depends on: named before a suspension, and by `incident handover`.',
            }),
          ),
        },
        'During a hold.',
      ),
    ),
    dns: Type.Optional(
      closed(
        {
          ttl: Type.Optional(Type.Integer({ minimum: 60, maximum: 604800, description: 'Seconds; 3600 by default.' })),
          extra: Type.Optional(
            Type.Array(
              closed(
                {
                  name: text('Owner name relative to the domain; @ is the domain itself.', 'www'),
                  type: oneOf(['A', 'AAAA', 'CNAME', 'TXT', 'SRV', 'CAA', 'MX', 'NS', 'PTR'], 'Record type.'),
                  values: Type.Array(text('Value in presentation form.', '192.0.2.10'), { minItems: 1 }),
                  ttl: Type.Optional(Type.Integer({ minimum: 60, maximum: 604800, description: 'Seconds.' })),
                },
                'One more RRset of the zone.',
              ),
            ),
          ),
        },
        'The zone; MX, SPF, DKIM, DMARC, MTA-STS, TLS-RPT, SRV are derived.',
      ),
    ),
  },
  'A mail domain of one institution.',
)
export type MailDomainSpec = Static<typeof MailDomainSpec>

/** Counted one by one for each message, so it has an end. */
const allowanceMax = 50_000
const allowance = (description: string) => Type.Integer({ minimum: 1, maximum: allowanceMax, description })

const ExceptionSpec = closed(
  {
    send: Type.Optional(text('A domain or address that may be written to.', 'who.int')),
    receive: Type.Optional(text('A domain or address that may be heard from.', 'who.int')),
    access: Type.Optional(oneOf(accesses, 'From where a login is accepted meanwhile.')),
    rate: Type.Optional(
      closed(
        {
          recipientsPerHour: allowance('Distinct recipients outside the institution in an hour.'),
          recipientsPerDay: allowance('The same in a day.'),
        },
        'What a declared sender may send meanwhile, over the limits of the operator.',
      ),
    ),
    until: day('Last valid day.'),
    request: text('The request that it rests on.', 'SC-2026-014'),
  },
  'A dated exception under a signed request: exactly one of send, receive, access, rate.',
)

export const AccountSpec = closed(
  {
    name: text('Local part.', 'jperez'),
    state: Type.Optional(
      oneOf(['active', 'withdrawn'], 'withdrawn closes the account for good; removal follows after retention.'),
    ),
    holder: Type.Optional(
      closed(
        {
          name: text('Full name.', 'Juan Pérez'),
          id: text('Staff number, on the roster.', 'HCG-0117'),
          post: text('Post.', 'Cirujano'),
          purpose: Type.Optional(
            Type.String({ maxLength: 2000, description: 'What the account is for (S19).', examples: ['docencia'] }),
          ),
          category: oneOf(categories, 'Category, in priority order (S50 to S55).'),
        },
        'Who holds the account (S19).',
      ),
    ),
    request: Type.Optional(text('The request that it rests on (S10).', 'SC-2026-014')),
    send: Type.Optional(oneOf(scopes, 'How far it may send.')),
    receive: Type.Optional(oneOf(scopes, 'From how far it receives.')),
    access: Type.Optional(oneOf(accesses, 'From where it logs in.')),
    quota: Type.Optional(
      Type.String({
        pattern: sizePattern,
        description: 'Storage of this account.',
        examples: ['200MiB'],
      }),
    ),
    aliases: Type.Optional(Type.Array(text('One more local part of the same mailbox.', 'juan.perez'))),
    except: Type.Optional(Type.Array(ExceptionSpec)),
  },
  'An account.',
)
export type AccountSpec = Static<typeof AccountSpec>

export const AccountListSpec = closed(
  {
    domain: text('The domain.', 'hcg.sld.cu'),
    requests: Type.Optional(
      Type.Array(
        closed(
          {
            number: text('Number of the request.', 'SC-2026-014'),
            agreement: Type.Optional(
              closed(
                {
                  number: text('Number.', '41'),
                  date: day('Day of the agreement.'),
                  body: Type.Optional(text('The body that agreed; the directing council by default.')),
                },
                'The directing council’s agreement (S32, S34).',
              ),
            ),
            filedBy: Type.Optional(text('Staff number of the representative who filed it (S14).', 'HCG-0042')),
            approvedBy: Type.Optional(
              text('Who approved it: `director`, or a staff number with a recorded delegation (S11).', 'director'),
            ),
            delegation: Type.Optional(text('Document that delegates the approval, a path relative to this file.')),
            signed: Type.Optional(Type.Boolean({ description: 'Signed by the director (S33).' })),
            stamped: Type.Optional(Type.Boolean({ description: 'Stamped with the institution’s seal (S33).' })),
            document: Type.Optional(text('The signed request, a path relative to this file.')),
          },
          'A Solicitud de Cuentas, signed and stamped (S33).',
        ),
      ),
    ),
    accounts: Type.Array(AccountSpec, { maxItems: 1900, description: 'The accounts.' }),
  },
  'Accounts of one domain; a domain may have several lists.',
)
export type AccountListSpec = Static<typeof AccountListSpec>

export const WaiverSpec = closed(
  {
    control: text('The control that is waived.', 'C-DNS-02'),
    subject: text('What it is waived for.', 'hcg.sld.cu'),
    reason: Type.Optional(text('Why.')),
    owner: Type.Optional(text('Who answers for it.')),
    approvedBy: Type.Optional(text('Who approved it.')),
    from: day('First day.'),
    until: Type.Optional(day('Last day.')),
  },
  'An exception to one control; never for S35 or S39 (S22).',
)
export type WaiverSpec = Static<typeof WaiverSpec>

const document = <K extends string, S extends ReturnType<typeof closed>>(kind: K, spec: S) =>
  closed(
    { apiVersion: Type.Literal('mailwarden/v1'), kind: Type.Literal(kind), metadata: Metadata, spec },
    (spec as { description?: string }).description ?? kind,
  )

export const InstitutionDocument = document('Institution', InstitutionSpec)
export const MailDomainDocument = document('MailDomain', MailDomainSpec)
export const AccountListDocument = document('AccountList', AccountListSpec)
export const WaiverDocument = document('Waiver', WaiverSpec)

// ---- the agent's own configuration (contract section 3)

export const roles = ['gau-agent', 'sysadmin', 'responder', 'security-lead', 'auditor'] as const
export type Role = (typeof roles)[number]

export const policyNames = [
  'withdrawn',
  'suspended',
  'suspended-inbound',
  'unknown-account',
  'sender-mismatch',
  'off-network',
  'scope-send',
  'scope-receive',
  'spoofed-sender',
  'rate',
] as const
export type PolicyName = (typeof policyNames)[number]

const ModesSpec = Type.Partial(
  Type.Record(
    Type.Enum([...policyNames]),
    oneOf(['off', 'observe', 'enforce'], 'off: not asked; observe: only logged; enforce: it decides.'),
  ),
  { additionalProperties: false, description: 'Mode of each policy; enforce by default.' },
)

export const AgentSpec = closed(
  {
    manifests: text('Folder of the manifests, relative to this file.', './manifests'),
    state: text('Folder of register, keys, outbox and sockets, relative to this file.', './var'),
    store: Type.Optional(
      text('Where the register stands; sqlite:<state>/mailwarden.db by default.', 'sqlite:./var/mailwarden.db'),
    ),
    witnesses: Type.Optional(
      Type.Array(text('One more file that keeps the newest signed head of the register, best on another disk.')),
    ),
    operator: closed(
      {
        name: text('Name of the operator.', 'Infomed'),
        language: Type.Optional(oneOf(['es', 'en'], 'Language of notices to the operator; es by default.')),
        timeZone: Type.Optional(text('IANA name; days are days there. America/Havana by default.', 'America/Havana')),
        officeHours: Type.Optional(text('Office hours.', 'mon-fri 08:00-17:00')),
        contacts: Type.Optional(
          closed(
            {
              support: Type.Optional(text('Address of user support.')),
              security: Type.Optional(text('Address of security.')),
            },
            'Where people write to.',
          ),
        ),
        onCall: Type.Optional(
          Type.Array(text('Address.', 'guardia@operator.example'), {
            maxItems: 20,
            description:
              'Who is told, one after the other, of doors that stay open and incidents that nobody takes up.',
          }),
        ),
        people: Type.Optional(
          Type.Array(
            closed(
              { name: text('Short name.', 'ana'), role: oneOf(roles, 'Role (mission section 10).') },
              'A person who acts.',
            ),
          ),
        ),
      },
      'Who runs mailwarden.',
    ),
    national: Type.Optional(
      closed(
        {
          suffixes: Type.Optional(Type.Array(text('A domain suffix, whole labels.', 'cu'))),
          domains: Type.Optional(Type.Array(text('One more national domain.'))),
          networks: Type.Optional(Type.Array(text('A national network, CIDR.'))),
          countryData: Type.Optional(
            Type.Union([
              Type.Null(),
              text('Statistics file of the internet registries, or folder of them.', './country'),
              closed(
                {
                  files: text('The same.', './country'),
                  countries: Type.Optional(Type.Array(text('A national country, two letters.', 'cu'), { minItems: 1 })),
                },
                'Country data and the countries that are national; those of the suffixes by default.',
              ),
            ]),
          ),
        },
        'What is national (S21).',
      ),
    ),
    mail: closed(
      {
        mx: Type.Array(
          closed(
            {
              host: text('Host name.', 'mx1.operator.example'),
              priority: Type.Integer({ minimum: 0, maximum: 65535 }),
            },
            'A mail exchanger.',
          ),
          { minItems: 1 },
        ),
        nameServers: Type.Array(text('Host name.', 'ns1.operator.example'), { minItems: 1 }),
        hostmaster: text('Address of the hostmaster.', 'hostmaster@operator.example'),
        submission: Type.Optional(text('Host for submission, IMAP and POP; the first MX by default.')),
        web: Type.Optional(
          text('Host that serves MTA-STS policies and autoconfiguration; the submission host by default.'),
        ),
        reports: Type.Optional(text('Address for DMARC and TLS reports; the hostmaster by default.')),
      },
      'The operator’s mail servers.',
    ),
    providers: Type.Optional(ProvidersSpec),
    verify: Type.Optional(VerifySpec),
    listen: Type.Optional(
      closed(
        {
          policy: Type.Optional(
            Type.Array(
              Type.Union([
                text('host:port, unix:PATH, or systemd:NAME for a socket that systemd holds open.', '127.0.0.1:10031'),
                closed(
                  {
                    on: text('host:port, unix:PATH or systemd:NAME.', '127.0.0.1:10032'),
                    modes: Type.Optional(ModesSpec),
                  },
                  'An address with modes of its own, over those of `modes`.',
                ),
              ]),
            ),
          ),
          api: Type.Optional(text('host:port, or unix:PATH.', '127.0.0.1:8080')),
        },
        'Where mailwarden listens.',
      ),
    ),
    modes: Type.Optional(ModesSpec),
    evidence: Type.Optional(
      closed(
        {
          logs: Type.Optional(
            Type.Array(
              text('A mail log that this host can read, with what was rotated beside it.', '/var/log/mail.log'),
              {
                maxItems: 50,
              },
            ),
          ),
          keepDays: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 36_500,
              description: 'Days after the end of an incident; then forecast names its evidence. Nothing removes it.',
            }),
          ),
        },
        'What is collected when an incident is declared, and how long it is kept.',
      ),
    ),
    schedule: Type.Optional(
      closed(
        {
          reconcile: Type.Optional(text('Cron expression.', '*/5 * * * *')),
          audit: Type.Optional(text('Cron expression.', '0 6 * * *')),
        },
        'When.',
      ),
    ),
    limits: Type.Optional(
      closed(
        {
          deletes: Type.Optional(
            Type.Integer({ minimum: 0, description: 'Deletes in a run and in 24 hours; 5 by default.' }),
          ),
          updatePercent: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 100,
              description: 'Updates in percent of what stands; 30 by default.',
            }),
          ),
          recipientsPerHour: Type.Optional(
            Type.Integer({ minimum: 1, description: 'External recipients per login and hour; 200 by default.' }),
          ),
          recipientsPerDay: Type.Optional(
            Type.Integer({ minimum: 1, description: 'External recipients per login and day; 500 by default.' }),
          ),
        },
        'Blast radius and rates.',
      ),
    ),
    signals: Type.Optional(SignalsSpec),
    incidents: Type.Optional(
      closed(
        {
          release: Type.Optional(
            closed(
              {
                nationalAfter: Type.Optional(
                  duration('From collection and mail inside the institution to national mail; 0s by default.', '2h'),
                ),
                internationalAfter: Type.Optional(
                  duration('From national to international mail; 0s by default.', '1d'),
                ),
              },
              'Stages of a release; without waits all of them come at once.',
            ),
          ),
          probation: Type.Optional(
            closed(
              {
                days: Type.Optional(
                  Type.Integer({ minimum: 0, maximum: 365, description: 'After a release; 7 by default, 0 for none.' }),
                ),
                percent: Type.Optional(
                  Type.Integer({
                    minimum: 1,
                    maximum: 100,
                    description: 'Of recipientsPerHour and recipientsPerDay meanwhile; 50 by default.',
                  }),
                ),
              },
              'Tighter limits after a release.',
            ),
          ),
          testDomains: Type.Optional(
            Type.Array(text('A domain where nobody works.', 'prueba.cu'), {
              uniqueItems: true,
              description: 'Domains whose levers `drill --live` may move; none by default.',
            }),
          ),
        },
        'How suspended services come back, and where that is practised.',
      ),
    ),
    detection: Type.Optional(DetectionSpec),
  },
  'The agent’s own configuration.',
)
export type AgentSpec = Static<typeof AgentSpec>
export const AgentDocument = closed(
  {
    apiVersion: Type.Literal('mailwarden/v1'),
    kind: Type.Literal('Agent'),
    metadata: Type.Optional(Metadata),
    spec: AgentSpec,
  },
  'The agent’s own configuration.',
)
