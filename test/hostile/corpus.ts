/** Manifests that mean harm: each must be refused with a place, quickly, without throwing. Made here, not stored. */

export type Hostile = { readonly name: string; readonly text: string; readonly code?: string }

const repeat = (text: string, times: number) => text.repeat(times)
const lines = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n')
const document = (spec: string) => `apiVersion: mailwarden/v1\nkind: Waiver\nmetadata: { name: w }\nspec:\n${spec}\n`

const bombs: readonly Hostile[] = [
  ...['[', '{', '- ', '? ', '[{', '{a: ', 'a: [', '[[], '].flatMap(open =>
    [100, 5000, 30_000, 80_000].map(times => ({ name: `${times} × ${open}`, text: repeat(open, times) })),
  ),
  { name: 'a million brackets', text: repeat('[', 1_000_000), code: 'E-FILE-SIZE' },
  { name: 'a million closing brackets', text: repeat(']', 1_000_000) },
  { name: '32,000 keys', text: lines(32_000, index => `k${index}: 1`), code: 'E-FILE-SIZE' },
  { name: '20,000 keys', text: lines(20_000, index => `k${index}: 1`), code: 'E-YAML-KEYS' },
  { name: 'a quarter of a million brackets', text: repeat('[', 250_000), code: 'E-YAML-DEPTH' },
  { name: '20,000 keys in braces', text: `{${lines(20_000, index => `k${index}: 1,`)}}`, code: 'E-YAML-KEYS' },
  { name: '2,001 keys below', text: `a:\n${lines(2001, index => ` k${index}: 1`)}`, code: 'E-YAML-KEYS' },
  { name: 'deep blocks', text: lines(600, index => `${' '.repeat(index)}a:`), code: 'E-YAML-DEPTH' },
  {
    name: 'billion laughs',
    text: `a: &a [x,x]\n${lines(30, index => `b${index}: &b${index} [*a,*a]`)}`,
    code: 'E-YAML-ALIAS',
  },
  { name: 'many documents', text: repeat('---\n', 20_000), code: 'E-YAML-DOCUMENTS' },
  { name: 'many items', text: repeat('- a\n', 20_000), code: 'E-YAML-ITEMS' },
  { name: 'commas', text: `[${repeat(',', 200_000)}]`, code: 'E-YAML-TOKENS' },
  { name: 'blank lines', text: repeat('\n', 250_000), code: 'E-YAML-LINES' },
  { name: 'quotes', text: repeat('"', 200_000) },
  { name: 'a quote without end', text: `a: "${repeat('x', 200_000)}` },
  {
    name: 'thousands of mistakes in thousands of accounts',
    text: `apiVersion: mailwarden/v1\nkind: AccountList\nmetadata: { name: w }\nspec:\n  domain: a.cu\n  accounts:\n${lines(1900, index => `    - { name: u${index}, ${lines(10, key => `k${key}: 1`).replaceAll('\n', ', ')} }`)}\n`,
    code: 'E-FIELD-UNKNOWN',
  },
  {
    name: 'thousands of mistakes in one request',
    text: `apiVersion: mailwarden/v1\nkind: AccountList\nmetadata: { name: w }\nspec:\n  domain: a.cu\n  requests:\n    - { number: x, ${lines(1900, key => `k${key}: 1`).replaceAll('\n', ', ')} }\n  accounts:\n${lines(1900, index => `    - { name: u${index}, request: x }`)}\n`,
    code: 'E-FIELD-UNKNOWN',
  },
  { name: 'many accounts of nothing', text: document(`  x: [${repeat('{},', 1999)}]`) },
]

const characters: readonly Hostile[] = [
  ...Array.from({ length: 32 }, (_, code) => code)
    .filter(code => code !== 9 && code !== 10)
    .concat(0x7f, 0x85, 0x9b)
    .flatMap(code => [
      {
        name: `control ${code} in text`,
        text: document(`  reason: a${String.fromCharCode(code)}b`),
        code: 'E-YAML-CONTROL',
      },
      {
        name: `control ${code} as an escape`,
        text: document(`  reason: "a\\x${code.toString(16).padStart(2, '0')}b"`),
        code: 'E-YAML-CONTROL',
      },
    ]),
  ...[0x61c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069].flatMap(code => [
    {
      name: `bidi ${code.toString(16)} in text`,
      text: document(`  reason: a${String.fromCharCode(code)}b`),
      code: 'E-YAML-BIDI',
    },
    {
      name: `bidi ${code.toString(16)} in a comment`,
      text: `# ${String.fromCharCode(code)}\n${document('  x: 1')}`,
      code: 'E-YAML-BIDI',
    },
    {
      name: `bidi ${code.toString(16)} as an escape`,
      text: document(`  reason: "\\u${code.toString(16).padStart(4, '0')}"`),
      code: 'E-YAML-BIDI',
    },
    {
      name: `bidi ${code.toString(16)} in an escaped key`,
      text: document(`  "\\u${code.toString(16).padStart(4, '0')}": 1`),
      code: 'E-YAML-BIDI',
    },
  ]),
  ...['\\ud800', '\\udfff', '\\ud800\\ud800', '\\ufeff', '\\u2028'].map(sequence => ({
    name: `escape ${sequence}`,
    text: document(`  reason: "${sequence}"`),
    code: 'E-YAML-CONTROL',
  })),
  { name: 'lone surrogate', text: document('  reason: \ud800'), code: 'E-YAML-CONTROL' },
  { name: 'CR only', text: 'a: 1\rb: 2\r', code: 'E-YAML-CONTROL' },
  { name: 'BOM inside', text: `a: \ufeff1`, code: 'E-YAML-CONTROL' },
  { name: 'NUL', text: '\0', code: 'E-YAML-CONTROL' },
]

const constructs: readonly Hostile[] = [
  ...['%YAML 1.1', '%YAML 1.2', '%YAML 9.9', '%TAG ! tag:evil,2000:', '%FOO bar'].map(directive => ({
    name: directive,
    text: `${directive}\n---\n${document('  control: NO')}`,
    code: 'E-YAML-DIRECTIVE',
  })),
  {
    name: 'a directive after a document',
    text: `${document('  x: 1')}...\n%YAML 1.1\n---\na: NO\n`,
    code: 'E-YAML-DIRECTIVE',
  },
  ...[
    '!!binary aGk=',
    '!!js/function x',
    '!!python/object:os.system x',
    '! x',
    '!<tag:yaml.org,2002:str> x',
    '!!set {a}',
    '!!omap [a: 1]',
    '!!timestamp 2026-01-01',
    '!e!x y',
    '!!merge <<',
    '!!float 1',
  ].flatMap(value => [
    { name: `tag ${value}`, text: document(`  reason: ${value}`), code: 'E-YAML-TAG' },
    { name: `tag in a list ${value}`, text: document(`  reason: [${value}]`), code: 'E-YAML-TAG' },
  ]),
  ...['&a x', '*a', '&a [*a]', '&a {b: *a}', '&a\n    b: 1'].map(value => ({
    name: `alias ${value}`,
    text: document(`  reason: ${value}`),
    code: 'E-YAML-ALIAS',
  })),
  ...['<<: {a: 1}', '<<: [{a: 1}]', '<<:'].map(value => ({
    name: `merge ${value}`,
    text: document(`  ${value}`),
    code: 'E-YAML-MERGE',
  })),
  ...['__proto__', '"__proto__"', "'__proto__'", '"__pro\\x74o__"', '? __proto__\n  '].flatMap(key => [
    { name: `proto ${key}`, text: document(`  ${key}: { polluted: true }`), code: 'E-YAML-PROTO' },
    { name: `proto at the root ${key}`, text: `${key}: { polluted: true }\n`, code: 'E-YAML-PROTO' },
  ]),
  ...['constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__', 'valueOf'].map(key => ({
    name: `key ${key}`,
    text: document(`  ${key}: { prototype: { polluted: true } }`),
    code: 'E-FIELD-UNKNOWN',
  })),
  { name: 'duplicate key', text: document('  control: a\n  control: b'), code: 'E-YAML-DUPLICATE' },
  { name: 'duplicate key, quoted', text: document('  control: a\n  "control": b'), code: 'E-YAML-DUPLICATE' },
  { name: 'duplicate key, escaped', text: document('  control: a\n  "\\x63ontrol": b'), code: 'E-YAML-DUPLICATE' },
  { name: 'duplicate key in braces', text: document('  { control: a, control: b }'), code: 'E-YAML-DUPLICATE' },
  { name: 'duplicate number', text: document('  1: a\n  1: b'), code: 'E-YAML-DUPLICATE' },
  ...['[a]: b', '{a: 1}: b', '? [a]\n  : b', '? {a: 1}\n  : b'].map(key => ({
    name: `key ${key}`,
    text: document(`  ${key}`),
    code: 'E-YAML-KEY',
  })),
  ...[
    'a: b: c',
    'a: "\\z"',
    'a: "x',
    "a: 'x",
    'a: [1',
    'a: {b',
    'a: @x',
    'a: `x`',
    'a: %x',
    '\ta: 1',
    'a:\n\t- b',
    'a: |x',
    'a: >9x',
    '- a\nb: 1',
    'a: 1\n  b: 2',
    'a: b\n c: d',
    '}',
    ']',
    ', a',
    '"a" "b": c',
  ].map(text => ({
    name: `syntax ${JSON.stringify(text)}`,
    text: `x:\n  y: 1\n${text}\n`,
  })),
]

const values: readonly Hostile[] = [
  ...[
    '1e999',
    '-1e999',
    '99999999999999999999999999',
    '.inf',
    '-.inf',
    '.nan',
    '0x7fffffffffffffffff',
    '1.5',
    '1e3000',
    '0o777777777777777777777777777',
    '-0',
    '1_000',
  ].map(number => ({
    name: `number ${number}`,
    text: `apiVersion: mailwarden/v1\nkind: MailDomain\nmetadata: { name: a.cu }\nspec: { institution: x, delivery: mailboxes, administrator: { login: admin }, limits: { accounts: ${number}, storage: 1GiB } }\n`,
  })),
  ...['null', '~', '', '[]', '{}', 'true', '1', '""', '[[]]'].map(value => ({
    name: `spec ${value}`,
    text: `apiVersion: mailwarden/v1\nkind: AccountList\nmetadata: { name: w }\nspec: ${value}\n`,
  })),
  ...['null', '~', '', '[]', '{}', '""', '[a]'].map(value => ({
    name: `name ${value}`,
    text: `apiVersion: mailwarden/v1\nkind: Waiver\nmetadata: { name: ${value} }\nspec: { control: C-DNS-02 }\n`,
  })),
  ...['null', '', '[]', 'Agent', 'constructor', '__proto__', 'Waiver ', '"Wai\\u0301ver"'].map(kind => ({
    name: `kind ${kind}`,
    text: `apiVersion: mailwarden/v1\nkind: ${kind}\nmetadata: { name: w }\nspec: { control: C-DNS-02 }\n`,
  })),
  ...['a', '1', '"a"', '[]', '- a', '~', '|\n  a', '"\\"'].map(text => ({ name: `no map: ${text}`, text })),
]

/** Every hostile manifest there is. */
export const corpus: readonly Hostile[] = [...bombs, ...characters, ...constructs, ...values]
