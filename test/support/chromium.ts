import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const defaultPaths = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The system's Chromium: that of CHROMIUM_PATH, or of the usual places. */
export function launchChromium(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH ?? defaultPaths.find(existsSync);
  if (!executablePath) throw new Error('Install chromium, or say in CHROMIUM_PATH where a Chromium or Chrome is.');
  // Chromium does not start its sandbox as root.
  const chromiumSandbox = process.getuid?.() !== 0;
  return chromium.launch({ executablePath, chromiumSandbox });
}
