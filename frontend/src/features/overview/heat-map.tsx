"use client";

import { useRouter } from "next/navigation";
import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type MouseEvent,
} from "react";

import type { AverageItem, WindowName } from "@/api/types";
import { useTheme } from "@/components/theme";
import { useFormat, useSpeech } from "@/i18n/language";
import { heatLayout, OTHER, type Placed } from "@/lib/heat-layout";
import { meanCoverage } from "@/lib/shape";
import type { Tint } from "@/lib/tints";
import { sensorLink } from "@/lib/view";

import { HeatCard } from "./heat-card";
import { drawHeat } from "./heat-draw";
import { neighbour } from "./heat-move";

interface Props {
  items: readonly AverageItem[];
  tints: ReadonlyMap<string, Tint>;
  window: WindowName;
  /** Dimmed are those that a filter leaves out. */
  shown: ReadonlySet<string> | null;
  onPick: (id: string) => void;
  onCanvas: (canvas: HTMLCanvasElement | null) => void;
}

const TALL = 300;
const WALL = 340;
const WALL_WIDTH = 1_600;
const LABELS = 104;

/** Every sensor has its place and keeps it; what is missing shows. One tab stop. */
export function HeatMap({ items, tints, window, shown, onPick, onCanvas }: Props) {
  const { texts } = useSpeech();
  const format = useFormat();
  const { dark } = useTheme();
  const router = useRouter();
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(place);
  const [at, setAt] = useState<{ cell: Placed; focused: boolean } | null>(null);
  const ids = useMemo(
    () =>
      items
        .map((item) => ({
          id: item.equipmentId,
          source: item.source ?? "",
          kind: item.kind ?? "",
          location: item.location ?? "",
        }))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    [items],
  );
  // The places follow from names alone: new figures never move a cell.
  const names = ids
    .map((one) => `${one.id}\0${one.kind}\0${one.location}\0${one.source}`)
    .join("\n");
  const layout = useMemo(
    () => heatLayout(ids, width, width > WALL_WIDTH ? WALL : TALL),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [names, width],
  );
  const byId = useMemo(() => new Map(items.map((item) => [item.equipmentId, item])), [items]);
  const cells = useMemo(() => layout.blocks.flatMap((block) => block.cells), [layout]);
  const focused = at?.focused ? at.cell.id : null;
  useEffect(() => {
    if (canvas.current) drawHeat(canvas.current, layout, tints, shown, focused);
  }, [layout, tints, shown, focused, dark]);
  useEffect(() => {
    onCanvas(canvas.current);
  }, [onCanvas]);

  const under = (event: MouseEvent): Placed | null => {
    const box = canvas.current?.getBoundingClientRect();
    if (!box) return null;
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    const pitch = layout.pitch;
    return (
      cells.find(
        (cell) => x >= cell.x && x < cell.x + pitch && y >= cell.y && y < cell.y + pitch,
      ) ?? null
    );
  };
  const press = (event: KeyboardEvent) => {
    const cell = at?.cell ?? cells[0];
    if (!cell) return;
    const next = neighbour(cells, cell, event.key, event.shiftKey ? 10 : 1, layout.pitch);
    if (next) setAt({ cell: next, focused: true });
    else if (event.key === "Enter") router.push(sensorLink(cell.id, window));
    else if (event.key === " " || event.key === "c") onPick(cell.id);
    else if (event.key === "Escape") setAt(null);
    else return;
    event.preventDefault();
  };
  const item = at ? byId.get(at.cell.id) : undefined;
  const nameOf = (name: string) => (name === OTHER ? texts.others : name || texts.noName);
  const groups = useMemo(() => {
    const found = new Map<string, AverageItem[]>();
    for (const one of items) {
      const group = found.get(one.location ?? "");
      if (group) group.push(one);
      else found.set(one.location ?? "", [one]);
    }
    return found;
  }, [items]);
  const units = useMemo(() => {
    const found = new Map<string, string>();
    for (const one of items) if (one.unit) found.set(one.kind ?? "", one.unit);
    return found;
  }, [items]);
  return (
    <div className="heat" ref={place}>
      <div className="heat-columns" aria-hidden="true">
        {layout.locations.map((location) => {
          const share = meanCoverage(groups.get(location.name) ?? []);
          const room = location.width + 34;
          return (
            <span key={location.name} style={{ left: LABELS + location.x, maxWidth: room }}>
              <b className="clip">{nameOf(location.name)}</b>{" "}
              <small className={share !== null && share < 0.975 ? "warn" : undefined}>
                {format.percent(share)}
              </small>
            </span>
          );
        })}
      </div>
      <div className="heat-rows" aria-hidden="true" style={{ height: layout.height }}>
        {layout.kinds.map((kind) => (
          <span key={kind.name} style={{ top: kind.y + kind.height / 2 }}>
            {nameOf(kind.name)} <small>{units.get(kind.name)}</small>
          </span>
        ))}
      </div>
      <div
        className="heat-map"
        role="application"
        tabIndex={0}
        aria-label={texts.mapHelp}
        aria-roledescription={texts.map}
        onKeyDown={press}
        onFocus={(event) => {
          const first = at?.cell ?? cells[0];
          if (first && event.currentTarget.matches(":focus-visible"))
            setAt({ cell: first, focused: true });
        }}
        onBlur={() => {
          setAt(null);
        }}
        onMouseMove={(event) => {
          const cell = under(event);
          if (cell?.id !== at?.cell.id) setAt(cell && { cell, focused: false });
        }}
        onMouseLeave={() => {
          setAt(null);
        }}
        onClick={(event) => {
          const cell = under(event);
          if (cell) router.push(sensorLink(cell.id, window));
        }}
      >
        <canvas ref={canvas} />
        {at && item && (
          <HeatCard
            item={item}
            window={window}
            x={at.cell.x}
            y={at.cell.y}
            within={layout.width}
            pitch={layout.pitch}
          />
        )}
        <span className="visually-hidden" aria-live="polite">
          {at?.focused && item && <Read item={item} />}
        </span>
      </div>
    </div>
  );
}

function Read({ item }: { item: AverageItem }) {
  const { texts } = useSpeech();
  const format = useFormat();
  const words = { ok: texts.reporting, late: texts.late, silent: texts.silent, new: texts.isNew };
  return [
    item.equipmentId,
    item.name,
    item.location,
    format.percent(item.coverage),
    words[item.state],
  ]
    .filter(Boolean)
    .join(", ");
}

function useWidth(place: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0);
  // Measured before it is painted: laid out for no width, the map would be very tall for a moment.
  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return;
    setWidth(Math.max(0, element.clientWidth - LABELS));
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.max(0, Math.floor(entry.contentRect.width) - LABELS));
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, [place]);
  return width;
}
