import { Gaps } from "@/features/gaps/gaps";

export default function Page() {
  return <Gaps />;
}
