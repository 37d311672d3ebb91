import { MODULE } from './proxy-lanes';
import { proxyRaw } from './proxy-raw-suite';

proxyRaw(MODULE);
