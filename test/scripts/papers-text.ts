/**
 * `docs/PAPERS.md` with the results in `docs/results` put where they belong.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import type { PaperResult } from '@godwit/benchmarks'
import { paperMarkdown } from '@godwit/benchmarks'

export const papersUrl: URL = new URL('../../docs/PAPERS.md', import.meta.url)

/** As it is to be: between its marks each grid has its result. */
export function papersText(): string {
  return fillResults(readFileSync(papersUrl, 'utf8'), (grid) => {
    const url = new URL(`results/${grid}.json`, papersUrl)
    if (!existsSync(url)) return undefined
    return JSON.parse(readFileSync(url, 'utf8')) as PaperResult
  })
}

/** Replaces what is between `<!-- result NAME -->` and `<!-- end -->`. */
export function fillResults(text: string, read: (grid: string) => PaperResult | undefined): string {
  return text.replace(/(<!-- result (\w+) -->\n)[^]*?(<!-- end -->)/g, (_, begin, grid, end) => {
    const result = read(String(grid))
    const body = result === undefined ? 'No result of it is kept yet.' : paperMarkdown(result)
    return `${begin}\n${body}\n\n${end}`
  })
}
