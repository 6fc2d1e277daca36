/**
 * HTML as a value: a template escapes all that is put into it, unless that is markup itself. Put
 * parts between tags or into quoted attributes only.
 *
 * @module
 */

/** Text that is HTML already. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What may stand in a hole of a template; lists are put one after another. */
export type Part = Markup | string | number | readonly Part[]

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function textOf(part: Part): string {
  if (part instanceof Markup) return part.text
  if (typeof part === 'object') return part.map(textOf).join('')
  return String(part).replaceAll(/[&<>"']/g, (sign) => entities[sign]!)
}

/** `<p>${text}</p>`, with the text escaped. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(strings.map((one, i) => one + textOf(parts[i] ?? '')).join(''))
}

export const nothing: Markup = new Markup('')

/** Longest text from a file that is shown as a whole. */
export const TEXT_LENGTH_MAX = 400

/** Characters that would hide, or change the order of, what stands beside them. */
const unseen = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu

/** A text from a file, made fit to be seen: in one line, of bounded length, nothing hidden. */
export function plainText(text: string): string {
  const shown = text.slice(0, TEXT_LENGTH_MAX).replaceAll(unseen, '\ufffd')
  return text.length > TEXT_LENGTH_MAX ? `${shown}\u2026` : shown
}
