import { expect, it } from "vitest";

import { originOf } from "./origin";

it("an origin is its door and a name, whatever stands in the name", () => {
  expect(originOf("http:a:b")).toEqual({ kind: "http", name: "a:b", receivedTime: false });
  expect(originOf("mqtt-broker:plant.example")).toMatchObject({ kind: "mqtt-broker" });
  expect(originOf("import:12")).toMatchObject({ kind: "import", name: "12" });
  expect(originOf("mqtt:edge+received-time")).toEqual({
    kind: "mqtt",
    name: "edge",
    receivedTime: true,
  });
});

it("an origin of a later version is shown as it stands", () => {
  expect(originOf("opcua:a")).toEqual({ kind: null, name: "opcua:a", receivedTime: false });
  expect(originOf("")).toEqual({ kind: null, name: "", receivedTime: false });
});
