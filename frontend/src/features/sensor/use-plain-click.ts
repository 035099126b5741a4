"use client";

import { useEffect, useRef, type MouseEvent } from "react";

const DOUBLE_CLICK_MS = 300;
const DRAG_PX = 4;

/** Handlers for a click on a canvas that is neither a drag's end nor half of a double click. */
export function usePlainClick(act: () => void) {
  const down = useRef({ x: 0, y: 0 });
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const stop = () => {
    clearTimeout(timer.current);
  };
  useEffect(() => stop, []);
  return {
    onMouseDown: (event: MouseEvent) => {
      down.current = { x: event.clientX, y: event.clientY };
    },
    onClick: (event: MouseEvent) => {
      const { x, y } = down.current;
      const dragged = Math.hypot(event.clientX - x, event.clientY - y) > DRAG_PX;
      if (dragged || event.detail > 1 || !(event.target instanceof HTMLCanvasElement)) return;
      timer.current = setTimeout(act, DOUBLE_CLICK_MS);
    },
    onDoubleClick: stop,
  };
}
