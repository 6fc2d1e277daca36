/**
 * Texts as a terminal may have them. Peers, files and databases say what is printed here: nothing
 * of it is obeyed by a terminal, moves what stands around it, or looks like a line of ours.
 *
 * @module
 */

/** Control characters, and those that turn the direction of writing or begin a line. */
const unsafe = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu
const unsafeInLines = /(?!\n)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu
/** What JSON leaves as it is. */
const unescaped = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

/** One line: line feeds and tabs become spaces, and what else a terminal would obey `?`. */
export function printable(text: string): string {
  return text.replaceAll(/[\n\t]/g, ' ').replaceAll(unsafe, '?')
}

/** The same for several lines of our own, each of which is put together from printable parts. */
export function printableLines(text: string): string {
  return text.replaceAll('\t', ' ').replaceAll(unsafeInLines, '?')
}

/** A value as JSON: escaped, so that it is the same value for who reads it. */
export function printableJson(value: unknown, indent?: number): string {
  return escapeJson(JSON.stringify(value, null, indent))
}

/** JSON that another has written, escaped as {@link printableJson} does. */
export function escapeJson(json: string): string {
  return json.replaceAll(unescaped, (one) => {
    return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
