import type { CSSProperties } from 'react';
import type { AppRow } from '../../shared/types';

const COLORS = ['#0958d9', '#531dab', '#c41d7f', '#d4380d', '#874d00', '#237804', '#006d75', '#1d39c4'];
const isImage = (icon: string | null): icon is string =>
  /^(data:image\/(png|jpeg|webp);|https?:\/\/|\/)/.test(icon ?? '');

/** An app's icon, or the first letter of its name on a color derived from the name. */
export function AppAvatar({ app, size = 32 }: { app: Pick<AppRow, 'name' | 'title' | 'icon'>; size?: number }) {
  const square: CSSProperties = { width: size, height: size, borderRadius: 6, flex: 'none' };
  if (isImage(app.icon)) {
    return <img src={app.icon} alt="" style={{ ...square, objectFit: 'contain' }} />;
  }
  const sum = [...app.name].reduce((total, letter) => total + (letter.codePointAt(0) ?? 0), 0);
  return (
    <span
      aria-hidden
      style={{
        ...square,
        display: 'grid',
        placeItems: 'center',
        background: COLORS[sum % COLORS.length],
        color: '#fff',
        fontSize: size / 2,
      }}
    >
      {[...(app.title || app.name)][0]?.toUpperCase()}
    </span>
  );
}
