/** Names that containers are started with. They reach shells and files, so nothing else is allowed in them. */

/** `[registry[:port]/]name[:tag][@digest]`. */
export const isImageName = (text: string): boolean =>
  text.length <= 255 && /^[a-zA-Z0-9](?:[a-zA-Z0-9._:/-]*[a-zA-Z0-9])?(?:@sha256:[0-9a-f]{64})?$/.test(text);

export const isNetworkName = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(text);

/** `host[:port]`, or `[IPv6][:port]`. */
export const isServer = (text: string): boolean =>
  /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/.test(text);
