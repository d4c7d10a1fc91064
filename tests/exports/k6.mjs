// Runs an exported k6 script without k6: its scenarios are known, its functions send requests that live services answer.
// Usage: node k6.mjs SCRIPT TARGET
import { mkdirSync, mkdtempSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';

const [script, target] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'k6-'));
const library = join(folder, 'node_modules', 'k6');
mkdirSync(library, { recursive: true });
writeFileSync(join(library, 'package.json'), '{"name":"k6","type":"module","exports":{".":"./index.js","./http":"./http.js"}}');
writeFileSync(join(library, 'index.js'), 'export function sleep(seconds) { if (!(seconds >= 0)) throw new Error(`sleeps ${seconds}`); }\n');
writeFileSync(
  join(library, 'http.js'),
  'export default { request(method, url, body, settings) { globalThis.sent.push({ method, url, body, settings }); } };\n',
);
copyFileSync(script, join(folder, 'script.mjs'));
globalThis.__ENV = { TARGET: target };
globalThis.sent = [];
const exported = await import(pathToFileURL(join(folder, 'script.mjs')).href);

const EXECUTORS = ['constant-vus', 'ramping-vus', 'constant-arrival-rate', 'ramping-arrival-rate'];
const scenarios = Object.entries(exported.options.scenarios);
if (scenarios.length === 0) throw new Error('no scenario');
for (const [name, scenario] of scenarios) {
  if (!EXECUTORS.includes(scenario.executor)) throw new Error(`${name}: ${scenario.executor} is no executor`);
  for (let round = 0; round < 200; round += 1) exported[scenario.exec]();
}
const kinds = new Map(globalThis.sent.map((request) => [`${request.method} ${request.url}`, request]));
for (const { method, url, body, settings } of kinds.values()) {
  const answer = await fetch(url, { method, body: method === 'GET' ? undefined : body, headers: settings.headers });
  if (answer.status !== 200) throw new Error(`${method} ${url}: ${answer.status}`);
}
console.log(`k6: ${scenarios.length} scenarios, ${globalThis.sent.length} requests of ${kinds.size} kinds, each answered`);
