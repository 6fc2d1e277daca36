/**
 * A page in a real browser that has no network, for the tests and for pictures.
 *
 * @module
 */
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { chromium } from 'playwright-core'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** The browser; undefined where none is installed. */
export const chromiumPath: string | undefined = places.find((path) => existsSync(path))

/** How a page is looked at. */
export interface Look {
  readonly widthPixels: number
  readonly theme?: 'light' | 'dark'
  readonly medium?: 'screen' | 'print'
}

/** A page that was opened, and what went on meanwhile. */
export interface Opened {
  readonly page: Page
  /** What the console said, errors of the page included. */
  readonly said: readonly string[]
  /** Addresses that were asked for, that of the page first. */
  readonly requests: readonly string[]
}

export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath! })
}

/** Opens a file; close its page's context afterwards. */
export async function open(browser: Browser, file: string, look: Look): Promise<Opened> {
  const { widthPixels, theme = 'light', medium = 'screen' } = look
  const context = await browser.newContext({
    offline: true,
    colorScheme: theme,
    viewport: { width: widthPixels, height: 900 },
  })
  const page = await context.newPage()
  const said: string[] = []
  const requests: string[] = []
  page.on('console', (message) => said.push(message.text()))
  page.on('pageerror', (error) => said.push(error.message))
  page.on('request', (request) => requests.push(request.url()))
  await page.emulateMedia({ media: medium })
  await page.goto(pathToFileURL(file).href)
  return { page, said, requests }
}
