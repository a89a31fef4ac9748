import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHcl } from '../base/hcl/read-hcl.ts';
import { Problems } from '../base/problems.ts';
import { Settings } from '../base/settings.ts';
import { KeyAudit } from '../base/unknown-keys.ts';
import { type PluginSection, readPlugins, withDataFile } from './plugin-sections.ts';
import { whyPluginUnsupported } from './unsupported-plugin.ts';

function read(text: string) {
  const problems = new Problems('x.conf');
  const audit = new KeyAudit();
  const sections = readPlugins(Settings.of(readHcl(text), problems), audit);
  return { sections, problems: problems.all.map((problem) => problem.text), audit };
}

const short = ({ type, name, data }: PluginSection): string =>
  `${type}/${name}:${data?.string('a') ?? 'none'}`;

const forms: readonly (readonly [string, string])[] = [
  ['labels', 'plugins { T "n" { plugin_data { a = 1 } } }'],
  ['a block by assignment', 'plugins { T "n" { plugin_data = { a = 1 } } }'],
  ['nested blocks', 'plugins { T { n { plugin_data { a = 1 } } } }'],
  ['three labels', 'plugins { T "n" plugin_data { a = 1 } }'],
  ['JSON with lists', '{"plugins": {"T": [{"n": {"plugin_data": {"a": 1}}}]}}'],
  ['JSON with objects', '{"plugins": {"T": {"n": {"plugin_data": {"a": 1}}}}}'],
  ['JSON with a list of sections', '{"plugins": [{"T": [{"n": {"plugin_data": [{"a": 1}]}}]}]}'],
];
for (const [form, text] of forms) {
  test(`a plugin is read from ${form}`, () => {
    const { sections, problems } = read(text);
    assert.deepEqual(sections?.map(short), ['T/n:1']);
    assert.deepEqual(problems, []);
  });
}

for (const [form, text] of [
  ['no data', 'plugins { T "n" {} }'],
  ['an empty block', 'plugins { T "n" { plugin_data {} } }'],
  ['null', '{"plugins": {"T": {"n": {"plugin_data": null}}}}'],
] as const) {
  test(`${form} is none`, () => {
    assert.deepEqual(read(text).sections?.map(short), ['T/n:none']);
  });
}

test('the order of the file is kept', () => {
  const { sections } = read('plugins { B "b" {} A "a" {} B "a" {} }');
  assert.deepEqual(sections?.map(short), ['B/b:none', 'A/a:none', 'B/a:none']);
});

test('of several sections the first counts, and the others are told as ignored', () => {
  const { sections, problems, audit } = read('plugins { A "a" {} } plugins { B "b" {} }');
  assert.deepEqual(sections?.map(short), ['A/a:none']);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    audit.tolerated().map(({ section, keys }) => [section, keys.map(({ name }) => name)]),
    [['plugins (only the first such section counts)', ['B']]],
  );
});

test('data and a file of data exclude each other, even where the data is empty', () => {
  for (const data of ['a = 1', '']) {
    const { problems } = read(
      `plugins { T "n" { plugin_data { ${data} } plugin_data_file = "f" } }`,
    );
    assert.deepEqual(problems, [
      'failed to create plugin config for "T"/"n": only one of [plugin_data, plugin_data_file] can be used',
    ]);
  }
});

test('no section and an empty one are told apart', () => {
  assert.equal(read('other {}').sections, undefined);
  assert.deepEqual(read('plugins {}').sections, []);
});

test('everything else that can be said of a plugin', () => {
  const { sections } = read(
    'plugins { T "n" { plugin_cmd = "/bin/n" plugin_args = ["-x"] plugin_checksum = "ab" plugin_data_file = "d.conf" enabled = false } }',
  );
  const [{ position: _, ...section } = {} as PluginSection] = sections ?? [];
  assert.deepEqual(section, {
    type: 'T',
    name: 'n',
    command: '/bin/n',
    args: ['-x'],
    checksum: 'ab',
    dataFile: 'd.conf',
    enabled: false,
    data: undefined,
  });
});

const refused: readonly (readonly [string, string])[] = [
  ['plugins { T "n" {} T "n" {} }', 'plugin "T"/"n" declared more than once'],
  [
    'plugins { T "n" { plugin_data { a = 1 } plugin_data_file = "x" } }',
    'failed to create plugin config for "T"/"n": only one of [plugin_data, plugin_data_file] can be used',
  ],
  [
    'plugins { T "n" { plugin_data = 5 } }',
    'failed to create plugin config for "T"/"n": plugin_data must be a block',
  ],
  [
    'plugins { T "n" { enabled = "no" } }',
    'failed to create plugin config for "T"/"n": At 1:29: root.enabled: unknown type *ast.LiteralType',
  ],
  [
    'plugins { T = 5 }',
    'failed to decode plugins config: expected a type and a name for each plugin',
  ],
  ['plugins = 5', 'expected plugins node type *ast.ObjectList but got *ast.LiteralType'],
  ['plugins = [5]', 'expected plugins node type *ast.ObjectList but got *ast.ListType'],
  [
    'plugins {}\nplugins = true',
    'expected plugins node type *ast.ObjectList but got *ast.LiteralType',
  ],
];
for (const [text, complaint] of refused) {
  test(`refuses ${text}`, () => {
    assert.deepEqual(read(text).problems, [complaint]);
  });
}

test('unknown keys of a plugin are no more than noticed', () => {
  const { audit, problems } = read('plugins { T "n" { plugin_dta {} } }');
  assert.deepEqual(problems, []);
  assert.deepEqual(
    audit.tolerated().map(({ section, keys }) => [section, ...keys.map(({ name }) => name)]),
    [['plugin "T"/"n"', 'plugin_dta']],
  );
});

const fromFile = (content: string | Error) => {
  const [section] = read('plugins { T "n" { plugin_data_file = "d.conf" } }').sections ?? [];
  assert.ok(section);
  const readFile = async () => {
    if (content instanceof Error) throw content;
    return new TextEncoder().encode(content);
  };
  return withDataFile(section, readFile);
};

test('the data may stand in a file', async () => {
  assert.equal(short(await fromFile('a = 1')), 'T/n:1');
  assert.equal(short(await fromFile(' \n')), 'T/n:none');
});

test('a file that is not there or is no HCL is refused', async () => {
  const missing = Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), {
    code: 'ENOENT',
  });
  await assert.rejects(fromFile(missing), {
    message: 'open d.conf: no such file or directory',
  });
  await assert.rejects(fromFile('a = '), {
    kind: 'invalid',
    message: /^unable to decode configuration at "d\.conf": /,
  });
});

test('plugins that cannot run yet say so, unknown ones do not', () => {
  const kind = { available: ['have'], later: ['later'] };
  const why = (name: string, more = '') => {
    const [section] = read(`plugins { T "${name}" { ${more} } }`).sections ?? [];
    assert.ok(section);
    return whyPluginUnsupported(section, kind);
  };
  assert.equal(why('have'), undefined);
  assert.equal(why('nosuch'), undefined);
  assert.equal(why('later'), 'T "later" is not supported yet');
  assert.equal(
    why('have', 'plugin_cmd = "/x"'),
    'T "have" with plugin_cmd (an external plugin) is not supported yet',
  );
});
