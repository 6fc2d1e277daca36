/**
 * The figures of a simulation as a picture.
 *
 * @module
 */
import type { PairResult, PolicyResult, Simulation } from '@godwit/catalog'
import { formatCount } from '@godwit/core'
import type { TopLevelSpec } from 'vega-lite'
import { drawSpec } from './chart.ts'

/** Draws without a browser; @returns an SVG document. */
export function drawSimulation(simulation: Simulation): Promise<string> {
  return drawSpec(chartOf(simulation))
}

/** `escdr + random`: placement, then routing. */
export function policyName({ placement, routing }: PolicyResult): string {
  return `${placement} + ${routing}`
}

type Panel = Extract<TopLevelSpec, { hconcat: unknown }>['hconcat'][number]

const PANEL_WIDTH = 170
const ROW_HEIGHT = 20
const WIDE = 400
const HIGH = 200

function chartOf(simulation: Simulation): TopLevelSpec {
  const { options, policies } = simulation
  const { machines, vms, seed, operatingSystems, hypervisors } = options
  const names = policies.map(policyName)
  const bar = (panel: Omit<BarPanel, 'names'>): Panel => barPanel({ ...panel, names })
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    padding: 16,
    title: {
      text: 'Placement + routing: what ESCDR gains over chance and over load alone',
      subtitle: [
        `Simulated: ${formatCount(machines)} machines, ${formatCount(vms)} guests, ` +
          `${operatingSystems} operating systems on ${hypervisors} hypervisors, seed ${seed}.`,
        `Saved bytes: of the non-zero memory of guests that migrated; bar: a sibling shares ` +
          `${percentRange(options.staticShare)} of it at any size;`,
        'line: no guest shares more bytes than the one of 256 MiB that was measured.',
      ],
      anchor: 'start',
      frame: 'group',
      offset: 16,
      subtitlePadding: 6,
    },
    spacing: 28,
    vconcat: [
      {
        spacing: 18,
        hconcat: [
          bar({
            title: ['migrations that', 'find a sibling (%)'],
            values: policies.map(({ siblingShare }) => 100 * siblingShare),
            max: 100,
            hasNames: true,
          }),
          bar({
            title: ['bytes saved', '(% of non-zero memory)'],
            values: policies.map(({ savedShare }) => 100 * savedShare),
            ticks: policies.map(({ savedShareCapped }) => 100 * savedShareCapped),
            max: 100,
          }),
          bar({
            title: ['mean cost of the path', '(sum of link costs)'],
            values: policies.map(({ pathCostMean }) => pathCostMean),
          }),
          bar({
            title: ['unevenness of CPU load', '(standard deviation, % of mean)'],
            values: policies.map(({ end }) => 100 * end.loadVariation),
          }),
        ],
      },
      { spacing: 30, hconcat: [siblingPanel(policies), coveragePanel(policies, machines)] },
    ],
    config: {
      font: 'sans-serif',
      axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal', grid: true },
      legend: { orient: 'bottom', labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal' },
      view: { stroke: null },
    },
  }
}

interface BarPanel {
  readonly names: readonly string[]
  readonly title: readonly string[]
  readonly values: readonly number[]
  /** A second, smaller figure: a line across the bar. */
  readonly ticks?: readonly number[]
  readonly max?: number
  readonly hasNames?: boolean
}

function barPanel({ names, title, values, ticks, max, hasNames = false }: BarPanel): Panel {
  const rows = names.map((name, i) => ({
    name,
    placement: name.split(' ')[0],
    value: values[i]!,
    tick: ticks?.[i] ?? 0,
    label: values[i]!.toFixed(1),
  }))
  const y = {
    field: 'name',
    type: 'nominal',
    sort: [...names],
    axis: hasNames ? { title: null, ticks: false, grid: false, labelLimit: 400 } : null,
  } as const
  const domainMax = max ?? Math.max(...values, 1e-9) * 1.2
  const scale = { domain: [0, domainMax], nice: false }
  const axis = { title: [...title], tickCount: 4 }
  const x = { field: 'value', type: 'quantitative', axis, scale } as const
  return {
    width: PANEL_WIDTH,
    height: ROW_HEIGHT * names.length,
    data: { values: rows },
    layer: [
      { mark: { type: 'bar', height: { band: 0.7 } }, encoding: { y, x, color: placementColor } },
      {
        mark: { type: 'text', align: 'left', dx: 3, fontSize: 10, clip: false },
        encoding: { y, x, text: { field: 'label' } },
      },
      ...(ticks === undefined
        ? []
        : [
            {
              mark: { type: 'tick', color: 'black', thickness: 2 } as const,
              encoding: { y, x: { ...x, field: 'tick' } },
            },
          ]),
    ],
  }
}

/** Colours that those who do not see red and green apart can tell (Okabe and Ito). */
const placementColor = {
  field: 'placement',
  type: 'nominal',
  title: 'placement',
  scale: {
    domain: ['escdr', 'least-loaded', 'random'],
    range: ['#0072b2', '#e69f00', '#999999'],
  },
} as const

const routingDash = {
  field: 'routing',
  type: 'nominal',
  title: 'routing',
  legend: { symbolType: 'stroke', symbolSize: 500, symbolStrokeWidth: 1.5 },
  scale: {
    domain: ['escdr', 'least-loaded', 'random'],
    range: [
      [1, 0],
      [6, 3],
      [2, 2],
    ],
  },
} as const

const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]

const rankAxis = {
  field: 'rank',
  type: 'quantitative',
  title: 'pair of operating system and hypervisor, 1 is the most common',
  scale: { type: 'log', nice: false },
  axis: { format: 'd', values: ticks },
} as const

/** What routing does, pair by pair. */
function siblingPanel(policies: readonly PolicyResult[]): Panel {
  const rows = policies.flatMap(({ placement, routing, pairs }) =>
    groupsOf(pairs).map(({ rank, members }) => {
      const migrations = sum(members, (pair) => pair.migrations)
      const found = sum(members, (pair) => pair.withSibling)
      return {
        rank,
        placement,
        routing,
        value: migrations === 0 ? null : (100 * found) / migrations,
      }
    }),
  )
  return {
    width: WIDE,
    height: HIGH,
    data: { values: rows },
    mark: { type: 'line', strokeWidth: 1.5 },
    encoding: {
      x: rankAxis,
      y: percent('migrations that', 'find a sibling (%)'),
      color: placementColor,
      strokeDash: routingDash,
    },
  }
}

/** What placement does, pair by pair. */
function coveragePanel(policies: readonly PolicyResult[], machines: number): Panel {
  const first = policies.filter(
    ({ placement }, i) => i === policies.findIndex((one) => one.placement === placement),
  )
  const rows = first.flatMap(({ placement, pairs }) =>
    groupsOf(pairs).map(({ rank, members }) => {
      const mean = sum(members, (pair) => pair.machines) / members.length
      return { rank, placement, value: (100 * mean) / machines }
    }),
  )
  return {
    width: WIDE,
    height: HIGH,
    data: { values: rows },
    mark: { type: 'line', strokeWidth: 1.5 },
    encoding: {
      x: rankAxis,
      y: percent('machines that have', 'the pair in the end (%)'),
      color: placementColor,
    },
  }
}

interface Group {
  /** In the middle of its members'. */
  readonly rank: number
  readonly members: readonly PairResult[]
}

/** Two groups for each doubling of the rank, so that rare pairs together have enough migrations. */
function groupsOf(pairs: readonly PairResult[]): readonly Group[] {
  const ranks = pairs.map((_, i) => i + 1)
  const groups = Map.groupBy(ranks, (rank) => Math.floor(2 * Math.log2(rank)))
  return [...groups.values()].map((group) => ({
    rank: Math.sqrt(group[0]! * group.at(-1)!),
    members: group.map((rank) => pairs[rank - 1]!),
  }))
}

function sum(members: readonly PairResult[], value: (pair: PairResult) => number): number {
  return members.reduce((total, pair) => total + value(pair), 0)
}

function percent(...title: string[]) {
  const scale = { domain: [0, 100] as [number, number] }
  return { field: 'value', type: 'quantitative', title, scale } as const
}

function percentRange([low, high]: readonly [number, number]): string {
  const text = (share: number): string => String(Math.round(1000 * share) / 10)
  return low === high ? `${text(low)}%` : `${text(low)}-${text(high)}%`
}
