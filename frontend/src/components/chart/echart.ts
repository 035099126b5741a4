/** The one place that knows ECharts, with only the parts in use; loaded when a chart is shown. */
import { LineChart, ScatterChart } from "echarts/charts";
import {
  DataZoomInsideComponent,
  DataZoomSliderComponent,
  GridComponent,
  MarkAreaComponent,
  MarkLineComponent,
} from "echarts/components";
import { init, use as withModules, type ECharts } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

withModules([
  LineChart,
  ScatterChart,
  GridComponent,
  MarkAreaComponent,
  MarkLineComponent,
  DataZoomInsideComponent,
  DataZoomSliderComponent,
  CanvasRenderer,
]);

export function makeChart(element: HTMLElement): ECharts {
  return init(element, null, { renderer: "canvas" });
}
