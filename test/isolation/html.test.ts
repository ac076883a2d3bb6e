import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { htmlReport } from '../../isolation/report/html.ts';
import { launchChromium } from '../support/chromium.ts';
import { hostile, madeUp } from './madeUpReport.ts';

let browser: Browser;
let folder: string;
let page: Page;
/** Console messages, exceptions and requests of the page. A correct page has none. */
let troubles: string[];

beforeAll(async () => {
  browser = await launchChromium();
  folder = await mkdtemp(join(tmpdir(), 'hedgerow-report-'));
});
afterAll(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

async function open(size: Parameters<typeof madeUp>[0], options: Parameters<Browser['newPage']>[0] = {}) {
  const file = join(folder, `${Object.values(size).join('-')}.html`);
  await writeFile(file, await htmlReport(madeUp(size)));
  const url = pathToFileURL(file).href;
  page = await browser.newPage(options);
  troubles = [];
  page.on('console', (message) => troubles.push(message.text()));
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('request', (request) => {
    if (request.url() !== url) troubles.push(request.url());
  });
  await page.goto(url);
}
afterEach(async () => {
  await page.close();
  expect(troubles).toEqual([]);
});

/** The page's texts with too little contrast; see contrast.js. */
async function lowContrast(): Promise<unknown> {
  return page.evaluate(await readFile(new URL('contrast.js', import.meta.url), 'utf8'));
}

const some = { tables: 5, leaks: 3, mutants: 30 };

test('a cell shows the statement, the answer and the evidence, with hostile text escaped', async () => {
  await open(some);
  await page.locator('button[data-outcome=leaked]').first().click();
  const dialog = page.getByRole('dialog');
  expect(await dialog.getByRole('heading', { level: 2 }).textContent()).toBe('select by scan');
  expect(await dialog.locator('.evidence').textContent()).toContain("B was given A's row");
  expect(await dialog.locator('pre').allTextContents()).toEqual([
    expect.stringContaining(hostile),
    expect.stringContaining(hostile),
  ]);
  await dialog.getByRole('button', { name: 'Close' }).click();
  expect(await dialog.isVisible()).toBe(false);

  expect(await page.locator('.finding').first().textContent()).toContain(hostile);
  expect(await page.title()).toBe('Isolation of a scratch copy of the migrations');
  expect(await page.locator('img').count()).toBe(0);
});

test('filters narrow the matrix by text, table, path and outcome', async () => {
  await open(some);
  const cells = page.locator('#matrix button:visible');
  expect(await cells.count()).toBe(60);
  const filter = page.getByRole('search');
  await filter.getByLabel('Outcome').selectOption('leaked');
  expect(await cells.count()).toBe(3);
  await filter.getByLabel('Outcome').selectOption('all');
  await filter.getByLabel('Path').selectOption('http');
  expect(await cells.count()).toBe(15);
  await filter.getByRole('combobox', { name: 'Table' }).selectOption('app_public.todos');
  expect(await cells.count()).toBe(3);
  await filter.getByLabel('Table or attack').fill('node(id');
  expect(await cells.count()).toBe(1);
  expect(await filter.getByRole('status').textContent()).toBe('1 of 60 cells');
  await filter.getByLabel('Table or attack').fill('no such thing');
  expect(await cells.count()).toBe(0);
});

test('the matrix works with the keyboard alone', async () => {
  await open(some);
  await page.getByLabel('Outcome').focus();
  await page.keyboard.press('Tab');
  for (const key of ['ArrowRight', 'ArrowDown', 'ArrowRight']) await page.keyboard.press(key);
  expect(await page.locator(':focus').getAttribute('aria-label')).toMatch(/^select by key on app_public\.notes: /);
  await page.keyboard.press('Enter');
  expect(await page.getByRole('dialog').locator('#dialog-about').textContent()).toBe('app_public.notes, sql');
  await page.keyboard.press('Escape');
  expect(await page.locator(':focus').getAttribute('aria-label')).toMatch(/^select by key on app_public\.notes: /);
});

test('the kill matrix shows which attacks killed a mutant, and which mutants survived or are equivalent', async () => {
  await open(some);
  const kills = page.locator('#kills');
  expect(await kills.getByRole('img', { name: 'survived' }).count()).toBe(1);
  expect(await page.locator('.proofs dd').count()).toBe(1);
  await kills.getByRole('button').first().click();
  const dialog = page.getByRole('dialog');
  expect(await dialog.getByRole('heading', { level: 2 }).textContent()).toMatch(/^widen USING: policy/);
  expect(await dialog.textContent()).toContain(hostile);
});

test('a report without leaks and mutants has no findings section', async () => {
  await open({ tables: 1, leaks: 0, mutants: 0 });
  expect(await page.locator('h1').textContent()).toBe('No attempt leaked.');
  expect(await page.locator('h2:visible').allTextContents()).toEqual(['Attacks on tables']);
});

test.each([
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['print, from a dark screen', { colorScheme: 'dark', media: 'print' }],
] as const)('text has enough contrast: %s', async (_name, media) => {
  await open(some);
  await page.emulateMedia(media);
  expect(await lowContrast()).toEqual([]);
  if ('media' in media) return;
  await page.locator('button[data-outcome=leaked]').first().click();
  expect(await lowContrast()).toEqual([]);
});

test.each([
  ['a narrow screen', { tables: 40, leaks: 50, mutants: 200 }, 400, 'screen'],
  ['paper', { tables: 40, leaks: 50, mutants: 200 }, 1030, 'print'],
] as const)('no element overflows the page: %s', async (_name, size, width, media) => {
  await open(size, { viewport: { width, height: 700 } });
  await page.emulateMedia({ media });
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
});
