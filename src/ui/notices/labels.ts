import type { NoticeKind } from '../../shared/notice';
import { key } from '../common/text';

export const NOTICE_LABELS: Record<NoticeKind, string> = {
  environmentDown: key('Environment down'),
  appFailing: key('App failed or crashed'),
  operationFailed: key('Operation failed'),
  nearLimit: key('Memory or disk near its limit'),
  door: key('Door fails, or a certificate ends'),
  failover: key('Failover of an app, or its return'),
  takeover: key('Takeover by another process'),
  rejected: key('Message rejected'),
  request: key('Request or change by a person'),
};
