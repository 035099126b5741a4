import { Sensors } from "@/features/sensors/sensors";

export default function Page() {
  return <Sensors />;
}
