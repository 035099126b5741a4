"use client";

import { useCallback, useEffect, useState } from "react";

import type { AverageItem } from "@/api/types";
import { Overview, type WindowName } from "@/features/overview/overview";
import { SensorPanel } from "@/features/sensor/sensor-panel";

/** The chosen sensor and the window stand in the address, so that a view can be sent on. */
export default function Page() {
  const [window_, setWindow] = useState<WindowName>("24h");
  const [id, setId] = useState<string | null>(null);
  useEffect(() => {
    const query = new URLSearchParams(location.search);
    setId(query.get("id"));
    const wanted = query.get("window");
    if (wanted === "48h" || wanted === "7d" || wanted === "30d") setWindow(wanted);
  }, []);
  useEffect(() => {
    const query = new URLSearchParams();
    if (window_ !== "24h") query.set("window", window_);
    if (id !== null) query.set("id", id);
    const text = query.toString();
    history.replaceState(null, "", text ? `?${text}` : location.pathname);
  }, [window_, id]);
  const choose = useCallback((chosen: AverageItem | null) => {
    setId(chosen?.equipmentId ?? null);
  }, []);
  return (
    <Overview window={window_} onWindow={setWindow} selected={id} onSelect={choose}>
      {id !== null && (
        <SensorPanel
          key={id}
          id={id}
          window={window_}
          onClose={() => {
            choose(null);
          }}
        />
      )}
    </Overview>
  );
}
