// npm liquidjs with Novu's options on the templates of templates.json, parsed once: renders a second of processor time.
//   node bench/liquid/liquidjs.mjs --modules DIR      (DIR/node_modules holds @novu/framework@2.13.2, liquidjs, zod)
// Prints one line a template: index, renders a second, length of the output in bytes.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import path from 'node:path';

process.env.TZ = 'UTC';
const at = process.argv.indexOf('--modules');
const require = createRequire(path.resolve(at < 0 ? '.' : process.argv[at + 1], 'x.js'));
const { createLiquidEngine } = require('@novu/framework/internal');
const engine = createLiquidEngine();
const { data, templates } = JSON.parse(readFileSync(new URL('templates.json', import.meta.url), 'utf8'));
const processor = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1000; };
templates.forEach((text, i) => {
  const program = engine.parse(text);
  let bytes = 0;
  const spin = (ms) => {
    let n = 0;
    const start = processor();
    while (processor() - start < ms) {
      for (let k = 0; k < 50; k++) bytes = Buffer.byteLength(engine.renderSync(program, data));
      n += 50;
    }
    return (n * 1000) / (processor() - start);
  };
  spin(150);
  console.log(i, Math.round(spin(500)), bytes);
});
