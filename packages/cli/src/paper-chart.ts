/**
 * The figures of a paper's grid as pictures.
 *
 * @module
 */
import type { Chart } from '@godwit/benchmarks'
import type { TopLevelSpec } from 'vega-lite'
import { drawSpec } from './chart.ts'

const PLACE_WIDTH = 18
const HEIGHT = 240

/** Draws without a browser; @returns an SVG document. */
export function drawChart(chart: Chart): Promise<string> {
  return drawSpec(specOf(chart))
}

/** Bars of medians, with a line from the least to the most. */
function specOf({ title, axis, places, ways, bars }: Chart): TopLevelSpec {
  const encoding = {
    x: {
      field: 'at',
      type: 'nominal',
      sort: [...places] as string[],
      title: null,
      axis: { labelAngle: 0 },
    },
    xOffset: { field: 'way', sort: [...ways] as string[] },
  } as const
  const color = {
    field: 'way',
    type: 'nominal',
    sort: [...ways],
    title: null,
    scale: { domain: [...ways], range: [...colors] },
  } as const
  const y = { type: 'quantitative', title: axis } as const
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    padding: 16,
    title: { text: title, subtitle: 'Median, least and most', anchor: 'start', offset: 12 },
    width: Math.max(240, places.length * (ways.length + 1) * PLACE_WIDTH),
    height: HEIGHT,
    data: { values: [...bars] },
    layer: [
      { mark: 'bar', encoding: { ...encoding, y: { ...y, field: 'value' }, color } },
      {
        mark: { type: 'rule', color: 'black' },
        encoding: { ...encoding, y: { ...y, field: 'low' }, y2: { field: 'high' } },
      },
    ],
    config: {
      font: 'sans-serif',
      axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal', grid: true },
      legend: { orient: 'bottom', labelFontSize: 11, columns: 5 },
      view: { stroke: null },
    },
  }
}

/** Colours that those who do not see red and green apart can tell (Okabe and Ito; Tol). */
const colors = [
  '#999999',
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#d55e00',
  '#f0e442',
  '#332288',
  '#882255',
  '#117733',
] as const
