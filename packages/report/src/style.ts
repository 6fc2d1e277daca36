/**
 * The page's style.
 *
 * @module
 */
import { colorStyle } from './palette.ts'

const text = `
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body {
  margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.5rem 4rem; background: var(--ground);
  color: var(--text);
  font: 15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;
  overflow-wrap: break-word;
}
h1 {
  font-size: 1.5rem; line-height: 1.25; font-weight: 650; margin: 0 0 .5rem;
  letter-spacing: -.01em;
}
h2, h3 { font-size: 1.0625rem; font-weight: 650; margin: 0 0 .75rem }
article>h2 { font-size: 1.25rem; margin: 0 0 .5rem }
p { margin: 0 0 .75rem }
a { color: var(--accent); text-underline-offset: .15em }
a:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
section { margin: 2.5rem 0 0 }
article { margin: 4rem 0 0; padding: 2rem 0 0; border-top: 2px solid var(--text) }
.verdict { font-size: 1.0625rem; max-width: 46rem }
.note, .about, .missing, footer, nav { color: var(--soft) }
.note { font-size: .8125rem; max-width: 46rem; margin: .75rem 0 0 }
.about { display: block; font-size: .8125rem; font-weight: 400 }
.good { color: var(--good) }
.bad { color: var(--bad) }
.mixed { color: var(--bad) }
.error {
  border-left: 3px solid var(--bad); background: var(--panel); padding: .6rem .9rem;
  margin: 1rem 0;
}
nav ol {
  display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0;
  margin: 1rem 0 0;
}
footer {
  margin-top: 4rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .8125rem;
}
.tag { font-size: .75rem; font-weight: 400; color: var(--bad); white-space: nowrap }
`

const tables = `
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--soft); font-size: .8125rem; padding: 0 0 .25rem }
th, td {
  text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; font-weight: 400;
  border-bottom: 1px solid var(--line);
}
th:last-child, td:last-child { padding-right: 0 }
thead th, thead td { color: var(--soft); font-size: .8125rem; vertical-align: bottom }
.number { text-align: right; white-space: nowrap }
.facts { table-layout: fixed }
.facts th { width: 48% }
.figures .facts { table-layout: auto }
.figures .facts th { width: auto }
.facts td { text-align: right }
.unseen {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
caption:has(.unseen) { padding: 0 }
.facts th { color: var(--soft) }
.total th, .total td { font-weight: 600 }
.left-out th, .left-out td { color: var(--soft) }
.best { font-weight: 650; color: var(--best) }
.sign { font-size: .75rem; font-weight: 400 }
.number:has(.text), thead .number { white-space: normal }
.number .about { min-width: 0 }
.scroll { overflow-x: auto }
.scroll .about { white-space: normal }
.scroll th .about { min-width: 10rem }
.columns {
  display: grid; grid-template-columns: repeat(auto-fit,minmax(min(100%,17rem),1fr));
  gap: 1.5rem 2.5rem; align-items: start;
}
.columns.wide {
  grid-template-columns: repeat(auto-fit,minmax(min(100%,24rem),1fr)); gap: 0 2.5rem;
}
.panels {
  display: grid; grid-template-columns: repeat(auto-fit,minmax(min(100%,24rem),1fr));
  gap: 1.5rem 2.5rem; margin: 1rem 0 1.5rem;
}
.tiles {
  display: grid; grid-template-columns: repeat(4,1fr); gap: 1px; margin: 1.75rem 0 0;
  background: var(--line); border: 1px solid var(--line); border-radius: 6px; overflow: hidden;
}
.tiles div { background: var(--ground); padding: .8rem 1rem }
.tiles dt { font-size: .8125rem; color: var(--soft) }
.tiles dd { margin: 0; font-size: .8125rem }
.tiles .value {
  font-size: 1.6rem; line-height: 1.3; font-weight: 600; letter-spacing: -.01em;
  font-variant-numeric: tabular-nums;
}
.tiles .missing { font-size: 1rem; font-weight: 400 }
`

const plots = `
svg { display: block; width: 100%; overflow: visible }
svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums }
.grid { stroke: var(--line); stroke-width: 1; shape-rendering: crispEdges }
.tracks { table-layout: auto }
.tracks td, .tracks th {
  padding-top: 0; padding-bottom: 0; vertical-align: middle; line-height: 1.35;
}
.tracks tbody th {
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 13rem;
}
.tracks .plot { width: 56%; padding-right: 1.5rem }
.tracks tbody th, .tracks tbody td { border-bottom: 0 }
.number .track { min-width: 7rem }
.panels table { table-layout: fixed }
.panels th { width: 34% }
.panels .plot { width: 42% }
.tracks + .scroll, .key + .scroll { margin-top: 1rem }
.tracks .plot:last-child { width: 90%; padding-right: 0 }
.plot:last-child .track { height: 2.25rem }
.track { height: 1.75rem; min-width: 4rem }
.ticks { height: 1.5rem; min-width: 4rem }
.mark { stroke-width: 1 }
.divided .mark { stroke: var(--ground) }
.thin { transform-box: fill-box; transform-origin: center; transform: scaleY(.35) }
.swatch {
  display: inline-block; width: .75em; height: .75em; margin-right: .5em; border-radius: 2px;
  vertical-align: baseline;
}
.key {
  display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .8125rem; color: var(--soft);
  margin: 0 0 .75rem;
}
.chart {
  display: grid; grid-template-columns: 4.75rem 1fr; column-gap: .5rem; margin: 0 0 1.5rem;
}
.chart .bars, .chart .left { height: 12rem }
.chart .bottom { grid-column: 2; height: 1.5rem }
`

const media = `
@media screen and (max-width:40rem) {
  body { padding: 1.25rem 1rem 3rem }
  .minor { display: none }
  h1 { font-size: 1.3rem }
  .tracks, .tracks caption, .tracks thead,
  .tracks tbody {
    display: block;
  }
  .tracks tr { display: flex; align-items: baseline; gap: 0 1rem; flex-wrap: wrap }
  .tracks tbody th { max-width: none }
  .tracks th:first-child { flex: 1 }
  .tracks .plot { order: 1; flex: 0 0 100%; padding: 0 }
  .tracks th, .tracks td { padding-right: 0 }
  .tracks thead th, .tracks thead td { border: 0 }
  .tiles { grid-template-columns: 1fr 1fr }
  .tiles .value { font-size: 1.35rem }
  .tiles div { padding: .6rem .75rem }
}
@media print {
  @page { margin: 15mm }
  body { max-width: none; padding: 0; font-size: 9pt }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
  table, .chart, .tiles, .key, .error { break-inside: avoid }
  section { margin-top: 1.5rem }
  .panels, .columns.wide { grid-template-columns: 1fr 1fr; gap: 1rem 1.5rem }
  .columns { grid-template-columns: repeat(3,1fr); gap: 1rem 1.5rem }
  h2, h3, .key, caption { break-after: avoid }
  article { break-before: page; border: 0; margin: 0 }
  .scroll { overflow: visible }
  .scroll table { font-size: 8pt }
  .scroll th, .scroll td { padding-right: .4rem; white-space: normal }
  nav { display: none }
  a { color: inherit; text-decoration: none }
}
`

/** All of it; the page has no other. */
export const style: string = `${colorStyle}${text}${tables}${plots}${media}`
