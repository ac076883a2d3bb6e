import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { root } from '../../common/root.ts';
import { launchChromium } from './chromium.ts';

// `npm run screenshots`: runs the prover and saves a screenshot of its report for the README.
const report = join(root, '.data', 'screenshot.html');
await mkdir(join(root, '.data'), { recursive: true });
await promisify(execFile)(process.execPath, [join(root, 'isolation', 'main.ts'), '--html', report], { cwd: root });
const browser = await launchChromium();
const page = await browser.newPage({ viewport: { width: 1000, height: 760 } });
await page.goto(pathToFileURL(report).href);
await page.screenshot({ path: join(root, 'docs', 'images', 'isolation.png') });
await browser.close();
