/**
 * The colours of the page, for light and dark. Those of encodings can be told apart by people who
 * do not see all colours; a test proves it, and that everything stands out from its ground.
 *
 * @module
 */

export interface Color {
  readonly light: string
  readonly dark: string
}

/** Colours by the names that styles and marks use. */
export type Palette = Readonly<Record<string, Color>>

/** Ground, lines and text. */
export const base: Palette = {
  ground: { light: '#ffffff', dark: '#14171b' },
  panel: { light: '#f5f6f8', dark: '#1c2127' },
  line: { light: '#dcdfe4', dark: '#343a43' },
  text: { light: '#171a1f', dark: '#e6e9ee' },
  soft: { light: '#545b66', dark: '#a5adb9' },
  accent: { light: '#0b5cad', dark: '#7db8f5' },
  good: { light: '#17714a', dark: '#5fcf9a' },
  bad: { light: '#b3123b', dark: '#ff8fa5' },
}

/** What pages were sent as; each always has its own, wherever it is shown. */
export const encodings: Palette = {
  raw: { light: '#8b3f0a', dark: '#cf521e' },
  compressed: { light: '#5e91dc', dark: '#94bbfa' },
  delta: { light: '#612366', dark: '#9a4ca0' },
  same: { light: '#055941', dark: '#67f5ba' },
  reference: { light: '#5127a1', dark: '#575fde' },
  static: { light: '#b58903', dark: '#f9d35e' },
  unchanged: { light: '#889196', dark: '#93969d' },
  // Nothing of it travels: an empty box, with a border.
  zero: { light: '#ffffff', dark: '#14171b' },
}

/** What the guest, the link and the agents do. */
export const roles: Palette = {
  setup: { light: '#8a929e', dark: '#7a838f' },
  live: { light: '#4a617f', dark: '#94abc9' },
  stopped: { light: '#b3123b', dark: '#ff6b88' },
  follow: { light: '#7a5aa6', dark: '#b79ae0' },
  after: { light: '#8a929e', dark: '#7a838f' },
  link: { light: '#4a617f', dark: '#94abc9' },
  dirty: { light: '#0c808c', dark: '#45c4d0' },
  sent: { light: '#343b46', dark: '#d5dae2' },
  best: { light: '#0b5cad', dark: '#7db8f5' },
  other: { light: '#8a929e', dark: '#7a838f' },
}

const groups: readonly Palette[] = [base, encodings, roles]

function variables(theme: keyof Color): string {
  return groups
    .flatMap((group) => Object.entries(group))
    .map(([name, color]) => `--${name}:${color[theme]}`)
    .join(';')
}

/** Variables and classes, for the page's style. Paper is light. */
export const colorStyle: string = `
:root{color-scheme:light dark;${variables('light')}}
@media screen and (prefers-color-scheme:dark){:root{${variables('dark')}}}
${[encodings, roles]
  .flatMap((group) => Object.keys(group))
  .map((name) => `.${name}{--own:var(--${name})}`)
  .join('\n')}

.mark{fill:var(--own);stroke:var(--own)}
.swatch{background:var(--own)}
.mark.zero,.divided .mark.zero{stroke:var(--soft)}
.swatch.zero{box-shadow:inset 0 0 0 1px var(--soft)}
`
