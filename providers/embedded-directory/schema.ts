/**
 * The tables of the embedded directory, and the views that Postfix and Dovecot read. A view is the contract with the
 * mail servers: the rule of who gets in, and where mail goes, stands here once, and the snippets only ask it. Every rule
 * asks for the good value (`= 'active'`), so a status that somebody misspelt closes a door and never opens one.
 *
 * Statuses carry no CHECK on purpose: what a person writes by hand must be seen as drift and put right, in words that
 * name it, and the rules above keep it harmless until then. Readers may be as old as SQLite 3.40 (Debian 12).
 */

/** Kept in `PRAGMA user_version`; a file of a later version is refused. */
export const schemaVersion = 1

export const schema = `
CREATE TABLE domain (
  name        TEXT PRIMARY KEY NOT NULL,
  institution TEXT NOT NULL,
  delivery    TEXT NOT NULL,          -- multipop, mailboxes, relay
  login       TEXT NOT NULL,          -- active, suspended, closed: one write closes every login of the domain
  collection  TEXT NOT NULL,          -- the same for the collector
  next_hop    TEXT,                   -- host or [address], with delivery relay
  mark        TEXT                    -- NULL: not made by mailwarden
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
  address     TEXT PRIMARY KEY NOT NULL,
  localpart   TEXT NOT NULL GENERATED ALWAYS AS (substr(address, 1, instr(address, '@') - 1)) STORED,
  domain      TEXT NOT NULL GENERATED ALWAYS AS (substr(address, instr(address, '@') + 1)) STORED,
  role        TEXT NOT NULL,          -- user, administrator, collector
  status      TEXT NOT NULL,          -- active, suspended, closed
  allow_nets  TEXT,                   -- CIDR, comma between; NULL from anywhere, '' from nowhere
  quota_bytes INTEGER NOT NULL,       -- 0: no limit of its own
  mark        TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX account_domain ON account (domain, role);

CREATE TABLE alias (
  address     TEXT NOT NULL,
  target      TEXT NOT NULL,          -- account.address
  PRIMARY KEY (address, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_target ON alias (target);

-- Apart from the account: passwords belong to their holders, are written and never compared or observed.
CREATE TABLE credential (
  address     TEXT PRIMARY KEY NOT NULL,
  hash        TEXT NOT NULL,          -- with its {SCHEME}
  changed_at  INTEGER NOT NULL        -- milliseconds since 1970
) STRICT, WITHOUT ROWID;

-- Logins that are open. Who isn't here has no password to match, on any protocol.
CREATE VIEW open_login AS
SELECT account.address, credential.hash, account.allow_nets,
       -- Users of multipop and relay domains have their mailboxes at the institution: here they only submit.
       (account.role <> 'user' OR domain.delivery = 'mailboxes') AS reads,
       -- The collector fetches and never sends.
       (account.role IN ('user', 'administrator')) AS submits
FROM account
JOIN domain ON domain.name = account.domain
JOIN credential ON credential.address = account.address
WHERE account.status = 'active'
  AND domain.login = 'active'
  AND (account.role <> 'collector' OR domain.collection = 'active')
  AND (account.allow_nets IS NULL OR account.allow_nets <> '');

-- Whose folder takes the mail of an address: the collector's for every user of a multipop domain. A hold changes
-- nothing here: what is in the queue when it begins is held there, and what was accepted isn't bounced.
CREATE VIEW mailbox AS
SELECT routed.address, owner.address AS owner, owner.localpart, owner.domain, owner.quota_bytes
FROM (
  SELECT account.address,
    CASE WHEN domain.delivery = 'multipop' AND account.role = 'user' THEN coalesce(
      (SELECT collector.address FROM account AS collector
       WHERE collector.domain = account.domain AND collector.role = 'collector'
       ORDER BY collector.mark IS NULL, collector.address LIMIT 1), account.address)
    ELSE account.address END AS owner
  FROM account JOIN domain ON domain.name = account.domain
) AS routed
JOIN account AS owner ON owner.address = routed.owner;

-- Addresses that mail is accepted for. A suspended one stays: whether its mail waits is the live decision's to say.
CREATE VIEW recipient AS
SELECT account.address, domain.delivery
FROM account JOIN domain ON domain.name = account.domain
WHERE account.status <> 'closed' AND account.role <> 'collector';

-- An account goes before an alias of the same name, and an alias without an account leads nowhere.
CREATE VIEW alias_route AS
SELECT alias.address, alias.target
FROM alias JOIN recipient ON recipient.address = alias.target
WHERE NOT EXISTS (SELECT 1 FROM recipient AS holder WHERE holder.address = alias.address);

-- Routes that differ from the delivery into our own mailboxes; NULL means exactly that delivery.
CREATE VIEW transport AS
SELECT name,
  CASE
    -- Without a next hop Postfix would ask the DNS, find itself and bounce. In doubt, mail waits.
    WHEN next_hop IS NULL OR next_hop = '' THEN 'retry:4.4.1 no next hop is declared'
    WHEN substr(next_hop, 1, 1) = '[' THEN 'relay:' || next_hop
    ELSE 'relay:[' || next_hop || ']'
  END AS route
FROM domain WHERE delivery = 'relay'
UNION ALL
-- The administrator's mailbox stands at the operator, also where the institution keeps all others.
SELECT account.address, NULL
FROM account JOIN domain ON domain.name = account.domain
WHERE domain.delivery = 'relay' AND account.role = 'administrator' AND account.status <> 'closed';
`
