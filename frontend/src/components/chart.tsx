"use client";

import { BarChart, LineChart, ScatterChart } from "echarts/charts";
import {
  DataZoomInsideComponent,
  DataZoomSliderComponent,
  GridComponent,
  MarkAreaComponent,
  TooltipComponent,
} from "echarts/components";
import { init, use as withModules, type ECharts } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import type { EChartsOption } from "echarts/types/dist/shared";
import { useEffect, useRef } from "react";

withModules([
  BarChart,
  LineChart,
  ScatterChart,
  GridComponent,
  MarkAreaComponent,
  TooltipComponent,
  DataZoomInsideComponent,
  DataZoomSliderComponent,
  CanvasRenderer,
]);

interface Props {
  label: string;
  option: EChartsOption;
  /** Percent of the axis in sight at first, and again when `zoomKey` changes. */
  zoomEnd?: number;
  zoomKey?: string;
  onPick?: (index: number) => void;
}

/** A canvas that keeps its size and its zoom while the data under it is renewed. */
export function Chart({ label, option, zoomEnd, zoomKey, onPick }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const made = init(element);
    chart.current = made;
    const observer = new ResizeObserver(() => {
      made.resize();
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.dispose();
      chart.current = null;
    };
  }, []);
  useEffect(() => {
    const base = { animation: false, textStyle: { fontFamily: "Inter Variable, sans-serif" } };
    chart.current?.setOption({ ...base, ...option }, { replaceMerge: ["series"] });
  }, [option]);
  useEffect(() => {
    if (zoomEnd !== undefined)
      chart.current?.dispatchAction({ type: "dataZoom", start: 0, end: zoomEnd });
  }, [zoomEnd, zoomKey]);
  useEffect(() => {
    const made = chart.current;
    if (!made || !onPick) return;
    const pick = (event: { dataIndex?: number }) => {
      if (event.dataIndex !== undefined) onPick(event.dataIndex);
    };
    made.on("click", pick as () => void);
    return () => {
      made.off("click", pick as () => void);
    };
  }, [onPick]);
  return <div ref={place} className="chart" role="img" aria-label={label} />;
}

/** A colour token as the canvas needs it: its value in the theme of the moment. */
/** Diagonal lines, for what is not there. */
export function hatch(color: string): { image: HTMLCanvasElement; repeat: "repeat" } {
  const image = document.createElement("canvas");
  image.width = image.height = 8;
  const pen = image.getContext("2d");
  if (pen) {
    pen.strokeStyle = color;
    for (const shift of [-8, 0, 8]) {
      pen.moveTo(shift, 8);
      pen.lineTo(shift + 8, 0);
    }
    pen.stroke();
  }
  return { image, repeat: "repeat" };
}

export function token(name: string): string {
  if (typeof document === "undefined") return "#888";
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888";
}

/** The tooltip's box in the colours of the page; what goes in is text, never HTML. */
export function tooltipBox() {
  return {
    backgroundColor: token("--bg1"),
    borderColor: token("--line2"),
    textStyle: { color: token("--t1"), fontSize: 12 },
  };
}

/** Lines of a tooltip as HTML in which nothing that a sensor is called can be markup. */
export function tooltipLines(lines: string[]): string {
  return lines
    .map((line) => {
      const safe = document.createElement("div");
      safe.textContent = line;
      return safe.outerHTML;
    })
    .join("");
}
