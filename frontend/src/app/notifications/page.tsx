import { Notifications } from "@/features/notifications/notifications";

export default function Page() {
  return <Notifications />;
}
