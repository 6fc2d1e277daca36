/**
 * What a benchmark measured over time, as a picture.
 *
 * @module
 */
import type { Series } from '@godwit/benchmarks'
import type { TopLevelSpec } from 'vega-lite'
import { drawSpec } from './chart.ts'

const HEIGHT = 240
/** For the name of a mark. */
const NAME_ROOM = 60

/** Draws without a browser; @returns an SVG document. */
export function drawSeries(series: Series): Promise<string> {
  return drawSpec(specOf(series))
}

/** A step for each point, and a line with its name for each mark. */
function specOf({ name, metric, unit, points, marks }: Series): TopLevelSpec {
  const x = { field: 'atS', type: 'quantitative', title: 's' } as const
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    padding: 16,
    title: { text: name, subtitle: metric, anchor: 'start', offset: 12 },
    width: 640,
    height: HEIGHT,
    layer: [
      {
        data: { values: points.map(([atS, value]) => ({ atS, value })) },
        mark: { type: 'line', interpolate: 'step-before', color: '#0072b2' },
        encoding: {
          x,
          y: { field: 'value', type: 'quantitative', title: unit, scale: { zero: true } },
        },
      },
      {
        // One below the other: what happens at a hand-over is close together.
        data: { values: marks.map((mark, i) => ({ ...mark, y: HEIGHT - (i % 3) * NAME_ROOM })) },
        layer: [
          { mark: { type: 'rule', color: '#d55e00' }, encoding: { x } },
          {
            mark: { type: 'text', align: 'left', angle: 270, dx: 4, dy: -4, color: '#d55e00' },
            encoding: {
              x,
              y: { field: 'y', type: 'quantitative', scale: null, axis: null },
              text: { field: 'name' },
            },
          },
        ],
      },
    ],
    config: {
      font: 'sans-serif',
      axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal', grid: true },
      view: { stroke: null },
    },
    resolve: { scale: { y: 'independent' } },
  }
}
