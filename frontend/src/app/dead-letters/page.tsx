import { DeadLetters } from "@/features/dead-letters/dead-letters";

export default function Page() {
  return <DeadLetters />;
}
