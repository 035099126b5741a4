import { Balance } from "@/features/balance/balance";

export default function Page() {
  return <Balance />;
}
