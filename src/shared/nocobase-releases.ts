/** Which releases of NocoBase this plugin supports. `supportedVersions` and the peer ranges of package.json say the same. */

/** Release lines, as `<major>.<minor>`. */
export const SUPPORTED_LINES = ['2.2', '2.3'];

/** The same as ranges for package.json: a range without `-0` would leave out a release line before its first release. */
export const SUPPORTED_RANGES = SUPPORTED_LINES.map((line) => {
  const [major, minor] = line.split('.').map(Number);
  return `>=${line}.0-0 <${major}.${minor + 1}.0-0`;
});

/** `2.2` of `2.2.15` and of `2.2.0-beta.3`: pages and API of one release line are compatible. */
export const lineOf = (version: string): string => version.split('.').slice(0, 2).join('.');

export const isSupported = (version: string): boolean => SUPPORTED_LINES.includes(lineOf(version));

/** What the operator reads in the terminal of a NocoBase that is not supported. */
export const notSupported = (version: string): string =>
  `App Supervisor supports NocoBase ${SUPPORTED_LINES.join(' and ')}, and this is NocoBase ${version}, whose interfaces it does not know. Install one of the supported releases of NocoBase, or the release of App Supervisor for this one.`;

/** Since 3.0 the core takes the app of a request from the address of its portals, `x/apps/<name>/…`, too. */
export const namesPortals = (version: string): boolean => Number(version.split('.')[0]) >= 3;
