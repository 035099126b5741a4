"use client";

import * as Dropdown from "@radix-ui/react-dropdown-menu";
import Link from "next/link";
import type { ReactNode } from "react";

import { Icon, type IconName } from "@/components/icons";

interface Props {
  label: string;
  className?: string;
  trigger: ReactNode;
  children: ReactNode;
  side?: "top" | "bottom";
}

/** A button with a menu under it. Not modal: nothing of the page is held or covered. */
export function Menu({ label, className, trigger, children, side = "bottom" }: Props) {
  return (
    <Dropdown.Root modal={false}>
      <Dropdown.Trigger className={className} aria-label={label} title={label}>
        {trigger}
      </Dropdown.Trigger>
      <Dropdown.Portal>
        <Dropdown.Content className="menu" align="end" side={side} sideOffset={6}>
          {children}
        </Dropdown.Content>
      </Dropdown.Portal>
    </Dropdown.Root>
  );
}

export function MenuLink(props: { href: string; icon: IconName; children: ReactNode }) {
  return (
    <Dropdown.Item asChild>
      <Link href={props.href}>
        <Icon name={props.icon} />
        {props.children}
      </Link>
    </Dropdown.Item>
  );
}

export function MenuItem(props: { icon?: IconName; onSelect: () => void; children: ReactNode }) {
  return (
    <Dropdown.Item onSelect={props.onSelect}>
      {props.icon && <Icon name={props.icon} />}
      {props.children}
    </Dropdown.Item>
  );
}

export function MenuChoice<T extends string>(props: {
  title: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}) {
  return (
    <Dropdown.RadioGroup
      value={props.value}
      onValueChange={(value) => {
        props.onChange(value as T);
      }}
    >
      <Dropdown.Label className="title">{props.title}</Dropdown.Label>
      {props.options.map((option) => (
        <Dropdown.RadioItem key={option.value} value={option.value}>
          {option.label}
        </Dropdown.RadioItem>
      ))}
    </Dropdown.RadioGroup>
  );
}

export const MenuLine = () => <hr />;
