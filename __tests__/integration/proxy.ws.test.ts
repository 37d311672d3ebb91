import { MODULE } from './proxy-lanes';
import { proxyWs } from './proxy-ws-suite';

proxyWs(MODULE);
