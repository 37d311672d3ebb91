import type { CSSProperties } from 'react';
import { avatarOf } from '../../shared/avatar';
import type { AppRow } from '../../shared/types';

const isImage = (icon: string | null): icon is string =>
  /^(data:image\/(png|jpeg|webp);|https?:\/\/|\/)/.test(icon ?? '');

/** An app's icon, or the first letter of its name on a color derived from the name. */
export function AppAvatar({ app, size = 32 }: { app: Pick<AppRow, 'name' | 'title' | 'icon'>; size?: number }) {
  const square: CSSProperties = { width: size, height: size, borderRadius: 6, flex: 'none' };
  if (isImage(app.icon)) {
    return <img src={app.icon} alt="" style={{ ...square, objectFit: 'contain' }} />;
  }
  const { letter, color } = avatarOf(app);
  return (
    <span
      aria-hidden
      style={{
        ...square,
        display: 'grid',
        placeItems: 'center',
        background: color,
        color: '#fff',
        fontSize: size / 2,
      }}
    >
      {letter}
    </span>
  );
}
