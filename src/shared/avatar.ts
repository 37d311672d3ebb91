const COLORS = ['#0958d9', '#531dab', '#c41d7f', '#d4380d', '#874d00', '#237804', '#006d75', '#1d39c4'];

/** How an app without a picture is shown: the first letter of its title on a colour that its name chooses. */
export function avatarOf({ name, title }: { name: string; title: string }): { letter: string; color: string } {
  const sum = [...name].reduce((total, letter) => total + (letter.codePointAt(0) ?? 0), 0);
  const [letter = '?'] = title.trim() || name;
  return { letter: letter.toUpperCase(), color: COLORS[sum % COLORS.length] };
}
