import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const defaultPaths = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Launches the system's Chromium: CHROMIUM_PATH, or the first of the usual paths. */
export function launchChromium(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? defaultPaths.find(existsSync);
  if (!executablePath)
    throw new Error('Chromium was not found. Install chromium, or set CHROMIUM_PATH to a Chromium or Chrome.');
  // Chromium does not start its sandbox as root.
  const chromiumSandbox = process.getuid?.() !== 0;
  return chromium.launch({ executablePath, chromiumSandbox });
}
