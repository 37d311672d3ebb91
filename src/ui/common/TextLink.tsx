import { theme } from 'antd';
import type { ComponentProps } from 'react';
import { Link } from 'react-router-dom';
import { readableColors } from './theme';

/** A link to another page, readable in every theme. Its padding makes it large enough for a finger, and moves no text. */
export function TextLink(props: ComponentProps<typeof Link>) {
  const { token } = theme.useToken();
  return <Link {...props} style={{ color: readableColors(token).link, paddingBlock: 4 }} />;
}
