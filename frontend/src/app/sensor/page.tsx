import { Sensor } from "@/features/sensor/sensor";

export default function Page() {
  return <Sensor />;
}
