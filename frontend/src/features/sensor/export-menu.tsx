"use client";

import type { ECharts } from "echarts/core";

import { api } from "@/api/client";
import { Icon } from "@/components/icons";
import { Menu, MenuItem } from "@/components/menu";
import { useSpeech } from "@/i18n/language";
import { token } from "@/lib/colours";
import { csv, save, savePicture } from "@/lib/save";
import type { LinePoint } from "@/lib/line";

interface Props {
  id: string;
  points: readonly LinePoint[];
  from: number;
  to: number;
  chart: ECharts | null;
}

const PAGE = 10_000;
const READINGS_MAX = 500_000;

/** The chart as picture and as figures, and every reading behind it. */
export function ExportMenu({ id, points, from, to, chart }: Props) {
  const { texts } = useSpeech();
  const name = id.replace(/[^\w.-]/g, "_");
  const readings = async () => {
    const rows: [string, string, number, string][] = [];
    let cursor = "";
    do {
      const page = await api.readings(
        id,
        new Date(from).toISOString(),
        new Date(to).toISOString(),
        PAGE,
        cursor,
      );
      for (const one of page.items)
        rows.push([one.equipmentId, one.timestamp, one.value, one.origin]);
      cursor = page.nextCursor ?? "";
    } while (cursor && rows.length < READINGS_MAX);
    save(csv(["equipmentId", "timestamp", "value", "origin"], rows), `${name}-readings.csv`);
  };
  return (
    <Menu
      label={texts.export}
      trigger={
        <>
          <Icon name="download" /> {texts.export}
        </>
      }
    >
      <MenuItem
        icon="picture"
        onSelect={() => {
          const url = chart?.getDataURL({
            type: "png",
            pixelRatio: 2,
            backgroundColor: token("--bg1"),
          });
          if (url) savePicture(url, `${name}.png`);
        }}
      >
        {texts.chartPng}
      </MenuItem>
      <MenuItem
        icon="chart"
        onSelect={() => {
          save(
            csv(
              ["timestamp", "mean", "min", "max", "count", "imported"],
              points.map((one) => [
                new Date(one.time).toISOString(),
                one.mean,
                one.min,
                one.max,
                one.count,
                one.imported,
              ]),
            ),
            `${name}-chart.csv`,
          );
        }}
      >
        {texts.chartCsv}
      </MenuItem>
      <MenuItem icon="table" onSelect={() => void readings()}>
        {texts.readingsCsv}
      </MenuItem>
    </Menu>
  );
}
