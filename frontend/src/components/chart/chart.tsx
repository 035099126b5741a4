"use client";

import type { ECharts } from "echarts/core";
import type { EChartsOption } from "echarts/types/dist/shared";
import { useEffect, useRef, useState, type ReactNode } from "react";

import { Skeleton } from "@/components/states";
import { FONT } from "@/lib/colours";

/** Asked for beside the data that it will draw, not after them. */
const drawing = typeof window === "undefined" ? null : import("./echart");

interface Props {
  label: string;
  option: EChartsOption;
  onReady?: (chart: ECharts | null) => void;
  /** Told after each drawing and change of size: what lies over the canvas is placed anew. */
  onDrawn?: (chart: ECharts) => void;
  onZoom?: (from: number, to: number) => void;
  className?: string;
  children?: ReactNode;
}

/** A canvas that keeps its size and its zoom while the data under it is renewed. */
export function Chart(props: Props) {
  const { label, option, onReady, onDrawn, onZoom, className, children } = props;
  const place = useRef<HTMLDivElement>(null);
  const [chart, setChart] = useState<ECharts | null>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    let made: ECharts | null = null;
    let gone = false;
    const observer = new ResizeObserver(() => made?.resize());
    void drawing?.then(({ makeChart }) => {
      if (gone) return;
      made = makeChart(element);
      observer.observe(element);
      setChart(made);
    });
    return () => {
      gone = true;
      observer.disconnect();
      made?.dispose();
      setChart(null);
    };
  }, []);
  useEffect(() => {
    onReady?.(chart);
    if (!chart) return;
    const drawn = () => onDrawn?.(chart);
    chart.on("finished", drawn);
    return () => {
      chart.off("finished", drawn);
    };
  }, [chart, onReady, onDrawn]);
  useEffect(() => {
    const base = { animation: false, textStyle: { fontFamily: FONT, fontSize: 11 } };
    chart?.setOption(
      { ...base, ...option },
      { replaceMerge: ["series", "grid", "xAxis", "yAxis"] },
    );
  }, [chart, option]);
  useEffect(() => {
    if (!chart || !onZoom) return;
    const zoom = () => {
      const [found] = (chart.getOption().dataZoom ?? []) as {
        startValue: number;
        endValue: number;
      }[];
      if (found) onZoom(found.startValue, found.endValue);
    };
    chart.on("datazoom", zoom);
    return () => {
      chart.off("datazoom", zoom);
    };
  }, [chart, onZoom]);
  return (
    <div className={`chart ${className ?? ""}`}>
      <div ref={place} className="canvas" role="img" aria-label={label} />
      {chart ? (
        children
      ) : (
        <div className="chart-waits">
          <Skeleton lines={9} />
        </div>
      )}
    </div>
  );
}
