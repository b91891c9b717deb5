// Compares the Liquid engine with npm liquidjs and @novu/framework on random templates.
//
//   node tests/fuzz/liquid_differential.mjs --driver PATH --modules DIR [--runs N | --seconds N] [--seed N] [--only filters|tags|dates|syntax]
//
// PATH is tests/fuzz/tools/liquid_driver.c linked with room_content; DIR/node_modules holds liquidjs@10.30.1,
// @novu/framework@2.13.2 and zod. Prints every difference and exits 1 if there was one.
import { createRequire } from 'node:module';
import { spawn } from 'node:child_process';
import readline from 'node:readline';
import path from 'node:path';

process.env.TZ = 'UTC';
const option = (name, otherwise) => {
  const at = process.argv.indexOf('--' + name);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const require = createRequire(path.resolve(option('modules', '.'), 'x.js'));
const { Liquid } = require('liquidjs');
const { createLiquidEngine } = require('@novu/framework/internal');
const engines = { stock: new Liquid(), json: createLiquidEngine() };

let state = Number(option('seed', Date.now() % 1e9)) || 1;
const seed = state;
const random = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * n);
};
const pick = (list) => list[random(list.length)];
const maybe = (text, chance = 2) => (random(chance) ? '' : text);

const data = {
  s: 'Hello, World', e: '', n: 5, f: 2.75, neg: -3.5, z: 0, t: true, fl: false, nul: null, big: 12345678901234567890,
  a: [3, 1, 2], sa: ['b', 'a', 'C', 'é', 'Z'], ea: [], eo: {}, mix: [1, 'x', null, true, { k: 'v' }, [1, 2]],
  o: { x: 1, y: { z: 'deep' }, 'a-b': 2, length: 7, size: 'own', first: 'f' }, u: 'żółć 🎉 ß İ Σς', q: `it's "q" <b>&amp;</b> \\`,
  l: 'line1\nline2\r\n\ttab  end ', ns: '12.50', h: '0x1F', date: '2025-03-04T05:06:07.089Z', ts: 1741064767,
  os: [{ n: 'b', v: 2, d: { k: 1 } }, { n: 'a', v: 1 }, { n: 'c' }, { n: 'a', v: null }, { n: 'B', v: '10' }],
  html: '<p class="x">a<!-- c --><script>x<y</script> b</p><br', url: 'a b+c%20d/é?x=1&y=[2]', 10: 'ten', idx: { 2: 'b', 1: 'a', k: 'c' },
  events: [{ payload: { name: 'Ann', o: {} } }, { payload: { name: 'Bob' } }, { payload: {} }, { payload: { name: 'Cid' } }],
  dates: ['2024-02-29', '1999-12-31 23:59:59', 'Tue, 04 Mar 2025 05:06:07 GMT', 'March 4, 2025', '2025-07-01T12:00:00+05:30', 'x', ''],
};
const names = [...Object.keys(data), 'missing', 'o.x', 'o.y.z', 'a[0]', 'a[-1]', 'sa.first', 'o["a-b"]', 'mix[4].k', 'os[0].n', 'os.last.v',
  's.size', 'a.size', 'o.size', 'u.length', 'a.first', 'forloop.index', 'o[missing]', 'idx[1]', 's[1]', 'a["0"]', 'size'];
const literals = ["'x'", '"a,b"', "''", "'a'", '1', '0', '-2', '2.5', '3', 'nil', 'true', 'false', 'empty', 'blank', "'n'", "'v'", '(1..3)', '(2..f)',
  "','", "' '", "'d.k'", "'é'", "'\\n'", "'%Y'", '10', "'k'", '1e3', '-1', '007', '.5', "'\\u00e9\\x'"];
const value = () => (random(3) ? pick(names) : pick(literals));
const filters = ('escape xml_escape escape_once newline_to_br strip_html abs at_least at_most ceil divided_by floor minus plus modulo times round ' +
  'url_decode url_encode cgi_escape uri_escape slugify join last first reverse sort sort_natural size map sum compact concat push unshift pop ' +
  'shift slice where reject group_by has find_index find uniq append prepend lstrip downcase upcase remove remove_first remove_last rstrip ' +
  'split strip strip_newlines squish capitalize replace replace_first replace_last truncate truncatewords normalize_whitespace number_of_words ' +
  'array_to_sentence_string base64_encode base64_decode sha256 hmac_sha256 default jsonify to_integer json inspect date nosuch raw ' +
  'date_to_xmlschema date_to_string date_to_long_string date_to_rfc822').split(' ');
const novu = ['toSentence', 'digest', 'pluralize'];
const expFilters = ['where_exp', 'reject_exp', 'find_exp', 'has_exp', 'group_by_exp', 'find_index_exp'];

function filter(mode) {
  if (!random(12)) return ` | ${pick(expFilters)}: 'i', '${pick(['i', 'i.n', 'i.v > 1', 'i == 2', "i.n contains 'a'", 'i.n | upcase', 'not i.v'])}'`;
  const name = mode === 'json' && !random(8) ? pick(novu) : pick(filters);
  const n = pick([0, 0, 1, 1, 1, 2, 2, 3]);
  if (name === 'date') return ` | date: '${dateFormat()}'${maybe(", '" + pick(['Asia/Tokyo', 'America/New_York', 'Europe/Warsaw', 'utc', 'asia/kolkata']) + "'")}`;
  const args = Array.from({ length: n }, value).join(', ') + maybe(', allow_false: true', 12);
  return ` | ${name}${n ? ': ' + args : ''}`;
}
const dateFormat = () => Array.from({ length: 1 + random(4) }, () =>
  '%' + maybe(pick(['-', '_', '0', '^', '#', ':', '-^']), 3) + maybe(String(random(12)), 5) + pick([...'aAbBCdeHIjklLmMNpPqsSuUwWxXcyYzZtn%hQ'])).join(pick([' ', '-', ':']));
const expression = (mode) => value() + Array.from({ length: pick([0, 1, 1, 2, 3]) }, () => filter(mode)).join('');
const condition = () => Array.from({ length: 1 + random(3) }, () => maybe('not ', 6) + value() + maybe(` ${pick(['==', '!=', '<', '>', '<=', '>=', 'contains'])} ${value()}`, 2))
  .join(pick([' and ', ' or ']));
const dash = () => maybe('-', 6);

function node(mode, depth) {
  const body = () => nodes(mode, depth - 1);
  switch (random(depth > 0 ? 16 : 7)) {
    case 0: case 1: return pick(['text ', ' \n ', '"q"', 'é🎉', '\t', '{', '}', ' ']);
    case 2: case 3: return `{{${dash()} ${expression(mode)} ${dash()}}}`;
    case 4: return `{%${dash()} assign ${pick(['s', 'x', 'a', 'n'])} = ${expression(mode)} %}`;
    case 5: return `{% ${pick(['increment', 'decrement'])} ${pick(['n', 'c', 'x'])} %}`;
    case 6: return `{% cycle ${maybe("'g': ", 3)}${value()}, ${value()}${maybe(', 3')} %}`;
    case 7: case 8: return `{%${dash()} if ${condition()} ${dash()}%}${body()}${maybe('{% elsif ' + condition() + ' %}' + body())}${maybe('{% else %}' + body())}{% endif %}`;
    case 9: return `{% unless ${condition()} %}${body()}${maybe('{% else %}' + body())}{% endunless %}`;
    case 10: case 11: return `{% for i in ${value()}${maybe(' limit: ' + value(), 3)}${maybe(' offset: ' + pick(['1', 'continue', 'n', "'1'"]), 3)}${maybe(' reversed', 3)} %}{{ forloop.${pick(['index', 'first', 'last', 'rindex', 'length', 'name'])} }}{{ i }}${body()}${maybe('{% ' + pick(['break', 'continue']) + ' %}', 6)}${maybe('{% else %}' + body(), 4)}{% endfor %}`;
    case 12: return `{% case ${value()} %}${maybe('junk', 6)}{% when ${value()}${maybe(', ' + value())}${maybe(' or ' + value(), 3)} %}${body()}{% else %}${body()}{% endcase %}`;
    case 13: return `{% capture ${pick(['s', 'y'])} %}${body()}{% endcapture %}`;
    case 14: return `{% tablerow i in ${value()}${maybe(' cols: 2')}${maybe(' limit: 2', 4)}${maybe(' offset: 1', 4)} %}{{ i }}{{ tablerowloop.${pick(['col', 'row', 'col_last', 'index'])} }}{% endtablerow %}`;
    default: return pick(['{% raw %}{{ x }}{% endraw %}', '{% comment %}x{% endcomment %}', '{% # c %}', '{% echo s | upcase %}', '{% liquid\n assign x = 3\n echo x\n%}',
      '{% include "f" %}', '{% render s %}', '{% layout none %}', '{% block b %}x{{ block.super }}{% endblock %}', '{{ forloop }}']);
  }
}
const nodes = (mode, depth) => Array.from({ length: 1 + random(3) }, () => node(mode, depth)).join('');

// Damages a template, for the parser's sake.
function damage(whole) {
  let text = [...whole];
  for (let k = 0; k < 1 + random(2); k++) {
    const at = random(text.length + 1);
    const cut = random(3);
    text = [...text.slice(0, at), pick(['', '{%', '%}', '{{', '}}', '|', ':', ',', "'", '"', '.', '[', ']', '(', ')', '-', ' ', '\n', 'é', '..', '=', '#', '\\']), ...text.slice(at + cut)];
  }
  return text.join('');
}

const dateBits = ['2025', '03', '4', '12', '31', '-', '-', '/', ' ', ' ', ':', ':', '.', ',', 'T', 'Z', 'Mar', 'march', 'pm', 'AM', 'GMT', 'UTC', 'EST', '+', '+02:00', '-0530',
  '(c)', 'Tue', '05:06', '05:06:07', '.123', 'of', '25', '99', '1999', '000001', '٣'];
const only = option('only', '');
function template(mode) {
  const kind = only || pick(['filters', 'filters', 'tags', 'tags', 'dates', 'syntax']);
  if (kind === 'filters') return `{{ ${expression(mode)} }}`;
  if (kind === 'dates') {
    const text = Array.from({ length: 1 + random(9) }, () => pick(dateBits)).join('');
    return `{{ '${text}' | date: '%Y-%m-%dT%H:%M:%S.%L' }}|{{ dates[${random(7)}] | date: '${dateFormat()}'${maybe(", '" + pick(['Asia/Tokyo', 'America/New_York', 'x/y']) + "'", 3)} }}`;
  }
  return kind === 'tags' ? nodes(mode, 3) : damage(nodes(mode, 2));
}

// Not compared: run-time texts of the JavaScript machine, and what depends on its clock or memory.
const incomparable = (text) => /is not a function|Cannot (read|convert|mix)|Invalid (time value|array length|count value)|call stack|not iterable|Unexpected|\bundefined\b.*reading/.test(text);

async function main() {
  const driver = spawn(option('driver', 'liquid_driver'), [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = readline.createInterface({ input: driver.stdout })[Symbol.asyncIterator]();
  let different = 0;
  const until = Date.now() + 1000 * Number(option('seconds', 0));
  const most = Number(option('runs', 20000));
  let runs = 0;
  for (; option('seconds', '') ? Date.now() < until : runs < most; runs++) {
    const mode = pick(['stock', 'json']);
    const source = template(mode);
    const copy = JSON.parse(JSON.stringify(data));
    let want;
    try {
      want = { output: Buffer.from(engines[mode].parseAndRenderSync(source, copy), 'utf8').toString('utf8') };
    } catch (e) {
      want = { error: e.message.split('\n')[0] };
    }
    driver.stdin.write(JSON.stringify({ template: source, data, mode }) + '\n');
    const line = (await lines.next()).value;
    if (line === undefined) { console.log('driver died on', JSON.stringify(source)); process.exit(1); }
    const got = JSON.parse(line);
    // Halves of surrogate pairs are U+FFFD with us (tests/data/liquidjs/KNOWN_DIFFERENCES.md).
    if (want.error?.startsWith('URI malformed') && /%EF%BF%BD|\uFFFD/.test(got.output ?? got.error)) continue;
    if (want.error && /[\uD800-\uDFFF]/.test(want.error.replace(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g, '')) && got.error?.includes('\uFFFD')) continue;
    if (JSON.stringify(got) === JSON.stringify(want) || (want.error && incomparable(want.error))) continue;
    different++;
    if (different <= 40) console.log(mode, JSON.stringify(source), '\n  want', JSON.stringify(want).slice(0, 400), '\n  got ', JSON.stringify(got).slice(0, 400));
  }
  console.log(`seed ${seed}: ${different} of ${runs} differ`);
  driver.stdin.end();
  process.exitCode = different ? 1 : 0;
}
await main();
