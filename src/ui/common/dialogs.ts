/** Whether a dialog is open, which may have what would be lost. */
export const isDialogOpen = (): boolean =>
  [...document.querySelectorAll('[aria-modal="true"], .ant-drawer-open')].some((each) => each.getClientRects().length);
