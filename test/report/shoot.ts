/**
 * Pictures of a page: `node test/report/shoot.ts report.html DIRECTORY` writes how it looks wide
 * and narrow, light, dark and printed. With a height, only as much of the top.
 *
 * @module
 */
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Look } from './browser.ts'
import { open, startBrowser } from './browser.ts'

const looks: Readonly<Record<string, Look>> = {
  light: { widthPixels: 1040 },
  dark: { widthPixels: 1040, theme: 'dark' },
  narrow: { widthPixels: 360 },
  print: { widthPixels: 794, medium: 'print' },
}

const [file, directory, height] = process.argv.slice(2)
if (file === undefined || directory === undefined) {
  throw new Error('node test/report/shoot.ts report.html DIRECTORY [HEIGHT]')
}
mkdirSync(directory, { recursive: true })
const browser = await startBrowser()
for (const [name, look] of Object.entries(looks)) {
  const { page } = await open(browser, resolve(file), look)
  const clip = { x: 0, y: 0, width: look.widthPixels, height: Number(height) }
  await page.screenshot({
    path: join(directory, `${name}.png`),
    fullPage: true,
    ...(height === undefined ? {} : { clip }),
  })
  await page.context().close()
}
await browser.close()
