import { expect, it } from 'vitest'
import { countText } from './figure.ts'
import { seriesChart } from './series-chart.ts'

const series = {
  name: 'a run',
  metric: 'operations',
  unit: '1/s',
  points: [
    [-1, 100],
    [0, 300],
    [1, 50],
    [2, 150],
  ],
  marks: [
    { name: 'it moves', atS: 0 },
    { name: '<there>', atS: 1.2 },
  ],
} satisfies Parameters<typeof seriesChart>[0]

it('draws a bar back to the point before, coloured by what had happened', () => {
  const page = seriesChart(series, countText).text
  const bars = [...page.matchAll(/mark (\w+)" x="([\d.]+)%" width="([\d.]+)%" y="([\d.]+)%"/g)]
  expect(bars.map(([, ...parts]) => parts.join(' '))).toEqual([
    'follow 0 25 66.67',
    'follow 25 25 0',
    'live 50 25 83.33',
    'stopped 75 25 50',
  ])
})

it('tells the mean and the most of each phase', () => {
  const page = seriesChart(series, countText).text
  const text = page.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
  expect(text).toContain('before mean 200 , most 300')
  expect(text).toContain('from: it moves mean 50 , most 50')
  expect(text).toContain('from: &lt;there&gt; mean 150 , most 150')
})

it('draws one point as a second', () => {
  const page = seriesChart({ ...series, points: [[5, 7]], marks: [] }, countText).text
  expect(page).toContain('width="100%"')
})
