import { Compare } from "@/features/compare/compare";

export default function Page() {
  return <Compare />;
}
