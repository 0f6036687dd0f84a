// Draws a chart: reads the options of one for Apache ECharts from stdin, and writes it to stdout as SVG.
import { init } from "echarts"
import { json } from "node:stream/consumers"

const { height, width, ...option } = await json(process.stdin)
const chart = init(null, null, { renderer: "svg", ssr: true, width, height })
chart.setOption({ animation: false, ...option })
process.stdout.write(chart.renderToSVGString())
chart.dispose()
