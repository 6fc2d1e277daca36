/**
 * The page: one file that needs nothing else, and runs nothing.
 *
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { GodwitError } from '@godwit/core'
import { benchPart } from './bench-part.ts'
import { comparison, comparisonVerdict } from './comparison.ts'
import type { Document } from './document.ts'
import { DOCUMENTS_MAX } from './document.ts'
import { countText } from './figure.ts'
import type { Markup } from './markup.ts'
import { Markup as Raw, html, nothing, plainText } from './markup.ts'
import { runParts, verdictPart } from './run-part.ts'
import type { Run } from './run.ts'
import { runsOf } from './run.ts'
import { style } from './style.ts'
import { guestText } from './verdict.ts'

/**
 * All of it as one HTML file.
 *
 * @param documents - from 1 to {@link DOCUMENTS_MAX}
 * @throws {GodwitError} `USAGE`: there are none, or too many
 */
export function renderPage(documents: readonly Document[]): string {
  if (documents.length === 0 || documents.length > DOCUMENTS_MAX) {
    const text = `A page has from 1 to ${DOCUMENTS_MAX} reports, not ${documents.length}`
    throw new GodwitError('USAGE', text)
  }
  const runs = runsOf(documents)
  const benches = documents.filter((one) => one.kind === 'benchmark')
  const title = titleOf(runs, benches.length)
  const isOne = runs.length === 1 && benches.length === 0
  const names = documents.map(({ name }) => plainText(name)).join(', ')
  const body = html`<header><h1>${title}</h1>
${isOne ? verdictPart(runs[0]!.main) : nothing}${
  runs.length > 1 ? html`<p class="verdict">${comparisonVerdict(runs)}</p>` : nothing
}
${isOne ? nothing : contents(runs, benches)}</header>
<main>${runs.length > 1 ? comparison(runs) : nothing}
${isOne ? runParts(runs[0]!, 2) : runs.map(article)}
${benches.map(({ result }, i) => benchPart(result, `bench-${i + 1}`))}</main>
<footer>Made by godwit report of ${names}.</footer>`
  return page(title, body)
}

function titleOf(runs: readonly Run[], benchCount: number): string {
  if (runs.length === 1 && benchCount === 0) {
    const { report } = runs[0]!.main
    const mode = report.mode === undefined ? '' : `, ${report.mode}`
    return `Migration of ${guestText(report).replace(/^A/, 'a')}${mode}`
  }
  const counted = (count: number, one: string): string =>
    count === 0 ? '' : `${countText(count)} ${one}${count === 1 ? '' : 's'}`
  const parts = [counted(runs.length, 'migration'), counted(benchCount, 'benchmark')]
  return parts.filter((part) => part !== '').join(' and ')
}

function contents(
  runs: readonly Run[],
  benches: readonly (Document & { kind: 'benchmark' })[],
): Markup {
  const links = [
    ...runs.map(({ label }, i) => html`<li><a href="#run-${i + 1}">${plainText(label)}</a></li>`),
    ...benches.map(
      ({ result }, i) =>
        html`<li><a href="#bench-${i + 1}">benchmark ${plainText(result.name)}</a></li>`,
    ),
  ]
  return html`<nav aria-label="Contents"><ol>${links}</ol></nav>`
}

function article(run: Run, index: number): Markup {
  return html`<article id="run-${index + 1}"><h2>${plainText(run.label)}</h2>
${verdictPart(run.main)}${runParts(run, 3)}</article>
`
}

/** Neither scripts nor anything from elsewhere; the one style by its hash. */
function page(title: string, body: Markup): string {
  const hash = btoa(String.fromCharCode(...sha256(new TextEncoder().encode(style))))
  const own = `style-src 'sha256-${hash}'`
  const policy = `default-src 'none'; ${own}; base-uri 'none'; form-action 'none'`
  const whole = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Raw(policy)}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Raw(style)}</style>
</head>
<body>
${body}
</body>
</html>
`
  return whole.text
}
