import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TEXT_LENGTH_MAX, html, plainText } from './markup.ts'

describe('html', () => {
  it('escapes what is put into it, and markup not again', () => {
    const inner = html`<b title="${'"\'&'}">${'<i>'}</b>`
    expect(html`<p>${[inner, 1, ' ', '2']}</p>`.text).toBe(
      '<p><b title="&quot;&#39;&amp;">&lt;i&gt;</b>1 2</p>',
    )
  })

  it('leaves no text a sign that HTML gives a meaning', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { text: escaped } = html`${text}`
        expect(escaped).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/)
      }),
    )
  })
})

describe('plainText', () => {
  it.each([
    ['a\u0000b\nc', 'a\ufffdb\ufffdc'],
    ['\u202eevil', '\ufffdevil'],
    ['\u001b[31mred', '\ufffd[31mred'],
    ['Ä ö 漢', 'Ä ö 漢'],
  ])('hides nothing: %j', (text, shown) => {
    expect(plainText(text)).toBe(shown)
  })

  it('is bounded', () => {
    expect(plainText('a'.repeat(TEXT_LENGTH_MAX))).toHaveLength(TEXT_LENGTH_MAX)
    expect(plainText('a'.repeat(TEXT_LENGTH_MAX + 1))).toBe(`${'a'.repeat(TEXT_LENGTH_MAX)}…`)
  })
})
