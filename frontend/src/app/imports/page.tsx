import { Imports } from "@/features/imports/imports";

export default function Page() {
  return <Imports />;
}
